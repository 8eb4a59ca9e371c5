# test_install.py - the installed library works from its prefix, with nothing of the build
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Run by tests/run, after `meson install` into DSQ_PREFIX."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent
NOTHING_SET = ("LD_LIBRARY_PATH", "GI_TYPELIB_PATH", "PKG_CONFIG_PATH", "XDG_DATA_DIRS")


@pytest.fixture(scope="session")
def prefix() -> Path:
    """The folder that was installed into."""
    return Path(os.environ["DSQ_PREFIX"])


def find(prefix: Path, name: str) -> Path:
    """The one installed file of that name."""
    found = list(prefix.rglob(name))
    assert len(found) == 1, f"{name}: {found}"
    return found[0]


@pytest.fixture
def run(prefix, tmp_path):
    """Runs a command in a scratch folder, with an environment made of the prefix alone."""
    library = find(prefix, "libdictsqlite-1.so.0").parent
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "LC_ALL": "C.UTF-8",
        "G_DEBUG": "fatal-warnings",
        "LD_LIBRARY_PATH": str(library),
        "GI_TYPELIB_PATH": str(find(prefix, "Dsq-1.0.typelib").parent),
        "PKG_CONFIG_PATH": str(find(prefix, "dictsqlite-1.pc").parent),
        "XDG_DATA_DIRS": f"{prefix}/share:/usr/share",
    }

    def run_one(*command, **extra):
        done = subprocess.run(
            [str(word) for word in command], cwd=tmp_path, env={**environment, **extra},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
        )
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        # where there is tqdm meson shows there how far it has come, and nothing else is to be there
        told = [line for line in done.stderr.splitlines() if line.strip() and "it/s]" not in line]
        assert not told, done.stderr
        return done.stdout

    return run_one


def compile_c(run) -> None:
    flags = shlex.split(run("pkg-config", "--cflags", "--libs", "dictsqlite-1"))
    run("gcc", "-Wall", "-Werror", PROGRAMS / "hello.c", "-o", "hello", *flags)


def test_c_program_compiles_and_runs(run):
    compile_c(run)
    assert run("./hello", "store.db") == "from C, 1.0.0\n"


def test_gjs_script_runs(run):
    assert run("gjs", PROGRAMS / "hello.js", "store.db") == "from JavaScript\n"


def test_vala_program_compiles_and_runs(run, prefix):
    vapi = find(prefix, "dictsqlite-1.vapi").parent
    # The C that valac writes has warnings of its own; they are not ours.
    run("valac", "--vapidir", vapi, "--pkg", "dictsqlite-1", "-X", "-w", PROGRAMS / "hello.vala")
    assert run("./hello", "store.db") == "from Vala\n"


def test_python_needs_no_more_than_its_path(run, prefix):
    package = find(prefix, "dictsqlite_v4").parent
    out = run(sys.executable, PROGRAMS / "hello.py", "store.db", PYTHONPATH=str(package),
              GI_TYPELIB_PATH="", LD_LIBRARY_PATH="", PYTHONDONTWRITEBYTECODE="1")
    assert out == "python: {'from': 'Python'}\n"


def test_python_reads_what_the_others_wrote(run, prefix):
    compile_c(run)
    run("./hello", "store.db")
    run("gjs", PROGRAMS / "hello.js", "store.db")
    package = find(prefix, "dictsqlite_v4").parent
    out = run(sys.executable, PROGRAMS / "hello.py", "store.db", PYTHONPATH=str(package))
    assert out.splitlines() == [
        "c: 'from C'", "number: 42", "js: 'from JavaScript'", "python: {'from': 'Python'}",
    ]


def test_library_looks_nowhere_else(run, prefix):
    """No run path: a build folder's would be found first, and gone later."""
    dynamic = run("readelf", "--dynamic", find(prefix, "libdictsqlite-1.so.0"))
    assert "RUNPATH" not in dynamic and "RPATH" not in dynamic
    assert "Library soname: [libdictsqlite-1.so.0]" in dynamic


def test_the_command_tells_a_shell_where_everything_is(run, prefix):
    """From wherever it was moved to, with nothing set before."""
    dsq = prefix / "bin" / "dsq"
    script = (f'eval "$({dsq} env)" && dsq set store.db k v && pkg-config --exists dictsqlite-1 && '
              f'{sys.executable} -c "from dictsqlite_v4 import DictSQLiteV4 as D; '
              'print(D(\'store.db\')[\'k\'])"')
    nothing = dict.fromkeys(NOTHING_SET, "")
    assert run("sh", "-c", script, **nothing) == "v\n"
    assert run(dsq, "--version", **nothing) == "dsq 1.0.0\n"


def test_a_prefix_that_was_moved_is_found_by_every_language(run, prefix, tmp_path):
    """As README.md has it for any prefix: one line, and a shell has all of it."""
    moved = tmp_path / "elsewhere"
    shutil.copytree(prefix, moved, symlinks=True)
    script = f"""set -eu
        eval "$('{moved}/bin/dsq' env)"
        [ "$(command -v dsq)" = '{moved}/bin/dsq' ]
        pkg-config --cflags dictsqlite-1 | grep -q '{moved}/'
        ! pkg-config --cflags --libs dictsqlite-1 | grep '{prefix}/'
        gcc '{PROGRAMS}/hello.c' -o hello-c $(pkg-config --cflags --libs dictsqlite-1)
        ./hello-c store.db
        gjs '{PROGRAMS}/hello.js' store.db
        valac -q --pkg dictsqlite-1 -X -w '{PROGRAMS}/hello.vala' -o hello-vala
        ./hello-vala store.db
        {sys.executable} '{PROGRAMS}/hello.py' store.db | tail -n 1
        ldd hello-c | grep -o '{moved}/[^ ]*/libdictsqlite-1.so.0'
        """
    nothing = dict.fromkeys(NOTHING_SET, "")
    out = run("sh", "-c", script, **nothing).splitlines()
    assert out[:-1] == ["from C, 1.0.0", "from JavaScript", "from Vala",
                        "python: {'from': 'Python'}"]
    assert Path(out[-1]).samefile(find(moved, "libdictsqlite-1.so.0"))


def test_a_program_that_may_need_no_such_version_is_warned(run):
    flags = shlex.split(run("pkg-config", "--cflags", "--libs", "dictsqlite-1"))
    build = ["gcc", "-Wall", "-Werror", str(PROGRAMS / "hello.c"), "-o", "hello", *flags,
             "-DDSQ_VERSION_MIN_REQUIRED=G_ENCODE_VERSION(0,9)"]
    run(*build, "-DDSQ_VERSION_MAX_ALLOWED=DSQ_VERSION_1_0")
    too_old = shlex.join([*build, "-DDSQ_VERSION_MAX_ALLOWED=G_ENCODE_VERSION(0,9)"])
    out = run("sh", "-c", f"! {too_old} 2>&1")
    assert "dsq_store_open" in out and "Not available before 1.0" in out
    wrong = shlex.join([*build, "-DDSQ_VERSION_MAX_ALLOWED=G_ENCODE_VERSION(0,8)"])
    assert "must be no older than" in run("sh", "-c", f"! {wrong} 2>&1")


def test_a_meson_project_takes_it_as_a_subproject(run, tmp_path):
    """With the wrap file, where it is installed nowhere."""
    root = PROGRAMS.parents[1]
    (tmp_path / "subprojects").mkdir()
    (tmp_path / "subprojects/dictsqlite").symlink_to(root)
    shutil.copy(root / "data/dictsqlite.wrap", tmp_path / "subprojects")
    shutil.copy(PROGRAMS / "hello.c", tmp_path)
    (tmp_path / "meson.build").write_text(
        "project('hello', 'c')\n"
        "executable('hello', 'hello.c', dependencies: dependency('dictsqlite-1'))\n")
    out = run("meson", "setup", "build", "-Ddictsqlite:introspection=disabled", PKG_CONFIG_PATH="")
    assert "Dependency dictsqlite-1 found: YES 1.0.0 (overridden)" in out


def test_headers_and_gir_are_installed(prefix):
    headers = find(prefix, "dictsqlite.h").parent
    assert headers == prefix / "include" / "dictsqlite-1"
    assert {"dsq-store.h", "dsq-enum-types.h", "dsq-version.h"} <= set(os.listdir(headers))
    assert not [name for name in os.listdir(headers) if "private" in name]
    find(prefix, "Dsq-1.0.gir")


def test_what_is_loaded_when_it_is_wanted_is_not_required(prefix):
    assert "libpq" not in find(prefix, "dictsqlite-1.pc").read_text()


def test_desktops_know_a_store(run, prefix, tmp_path):
    types = prefix / "share/mime/packages/org.dictsqlite.Browser.xml"
    if not types.exists() or not shutil.which("update-mime-database"):
        pytest.skip("there is no browser, or no types of files")
    packages = tmp_path / ".local/share/mime/packages"
    packages.mkdir(parents=True)
    shutil.copy(types, packages)
    run("update-mime-database", packages.parent)
    run(prefix / "bin/dsq", "set", "store", "key", "value")
    run(prefix / "bin/dsq", "encrypt", "--new-password-env", "WORD", "store", "sealed", WORD="word")
    for name in ("store", "sealed"):
        told = run("gio", "info", "-a", "standard::content-type", name)
        assert "application/x-dictsqlite" in told
