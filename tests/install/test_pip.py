# test_pip.py - a wheel built here works in a virtual environment, with nothing of the build
# SPDX-License-Identifier: LGPL-2.1-or-later
"""As `pip install .` does it, but from the packages of the machine: nothing is fetched."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CLEAN = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def run(*command, folder: Path, ok: bool = True) -> str:
    """What a command prints, in an environment that knows nothing of this build."""
    done = subprocess.run(
        [str(word) for word in command], cwd=folder, env={**CLEAN, "HOME": str(folder)},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=600, check=False,
    )
    assert (done.returncode == 0) == ok, f"{command}: {done.returncode}\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def venv(tmp_path_factory):
    """A virtual environment with the package in it, and the wheel that it came from."""
    folder = tmp_path_factory.mktemp("pip")
    # A copy, since the builder leaves a file in the source.
    source = folder / "source"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns("_build*", "build", ".git"))
    run(sys.executable, "-m", "venv", "--system-site-packages", folder / "venv", folder=folder)
    pip = (folder / "venv/bin/pip", "--no-cache-dir")
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", folder / "wheels", source,
        folder=folder)
    wheels = list((folder / "wheels").glob("dictsqlite-*.whl"))
    assert len(wheels) == 1
    run(*pip, "install", "--no-index", wheels[0], folder=folder)
    return folder / "venv", wheels[0]


def test_stores(venv, tmp_path):
    out = run(venv[0] / "bin/python", ROOT / "tests/install/hello.py", "store.db", folder=tmp_path)
    assert out == "python: {'from': 'Python'}\n"


def test_the_class_of_the_library_is_a_mapping(venv, tmp_path):
    out = run(venv[0] / "bin/python", "-c",
              "import dictsqlite_v4; from gi.repository import Dsq\n"
              "with Dsq.Store.open('gi.db', Dsq.PersistMode.LAZY) as store:\n"
              "    store['name'] = 'Alice'; print(store['name'], list(store), len(store))",
              folder=tmp_path)
    assert out == "Alice ['name'] 1\n"


def test_says_what_it_is(venv, tmp_path):
    out = run(venv[0] / "bin/python", "-m", "dictsqlite_v4", folder=tmp_path)
    said = dict(line.split(None, 1) for line in out.splitlines())
    package = Path(said["package"])
    assert venv[0] in package.parents
    assert said["library"] == str(package / "_native/libdictsqlite-1.so.0")
    assert run(venv[0] / "bin/python", "-c",
               "import dictsqlite, dictsqlite_v4, importlib.metadata as m;"
               "print(dictsqlite.__version__, dictsqlite_v4.__version__, m.version('dictsqlite'))",
               folder=tmp_path).split() == [said["dictsqlite"]] * 3


def test_wheel_holds_the_packages_and_is_true_to_its_record(venv):
    with zipfile.ZipFile(venv[1]) as wheel:
        names = wheel.namelist()
        assert {name.split("/")[0] for name in names} == {
            "dictsqlite", "dictsqlite_v4", "dictsqlite-1.0.0.dist-info", "gi"}
        # what is PyGObject's own stays so
        assert [name for name in names if name.startswith("gi/")] == ["gi/overrides/Dsq.py"]
        assert not [name for name in names if name.endswith((".pyc", ".h", ".gir", ".pc"))]
        wheel.extractall(venv[1].parent / "whole")
        metadata = wheel.read("dictsqlite-1.0.0.dist-info/METADATA").decode()
    needs = [line for line in metadata.splitlines() if line.startswith("Requires-Dist:")]
    newer = subprocess.run(["pkg-config", "--exists", "girepository-2.0"], check=False)
    assert len(needs) == 1 and ("<3.52" in needs[0]) == (newer.returncode != 0)
    # pip checks no hashes of what it unpacks, others do.
    run(sys.executable, "-c", CHECK_RECORD, folder=venv[1].parent / "whole")


CHECK_RECORD = """
import base64, csv, hashlib, pathlib
(record,) = pathlib.Path(".").glob("*.dist-info/RECORD")
for name, digest, length in csv.reader(record.open()):
    if digest:
        data = pathlib.Path(name).read_bytes()
        ours = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        assert digest == "sha256=" + ours and int(length) == len(data), name
"""


UNINSTALLED = f"import sys; sys.path.insert(0, {str(ROOT / 'bindings/python')!r}); "


def test_without_the_library_it_says_what_to_do(tmp_path):
    out = run(sys.executable, "-c", UNINSTALLED + "import dictsqlite_v4", folder=tmp_path, ok=False)
    assert "ImportError: dictsqlite_v4 in " in out and "GI_TYPELIB_PATH" in out


def test_without_pygobject_it_says_what_to_do(tmp_path):
    out = run(sys.executable, "-c", UNINSTALLED + "sys.modules['gi'] = None; import dictsqlite_v4",
              folder=tmp_path, ok=False)
    assert "ImportError: dictsqlite_v4 needs PyGObject" in out and "python3-gi" in out
