# test_install.py - the installed library works from its prefix, with nothing of the build
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Run by tests/run, after `meson install` into DSQ_PREFIX."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent


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
    }

    def run_one(*command, **extra):
        done = subprocess.run(
            [str(word) for word in command], cwd=tmp_path, env={**environment, **extra},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
        )
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        assert done.stderr == ""
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
    nothing = dict.fromkeys(("LD_LIBRARY_PATH", "GI_TYPELIB_PATH", "PKG_CONFIG_PATH"), "")
    assert run("sh", "-c", script, **nothing) == "v\n"
    assert run(dsq, "--version", **nothing) == "dsq 1.0.0\n"


def test_headers_and_gir_are_installed(prefix):
    headers = find(prefix, "dictsqlite.h").parent
    assert headers == prefix / "include" / "dictsqlite-1"
    assert {"dsq-store.h", "dsq-enum-types.h", "dsq-version.h"} <= set(os.listdir(headers))
    assert not [name for name in os.listdir(headers) if "private" in name]
    find(prefix, "Dsq-1.0.gir")
