# test_hosts.py - which Pythons, interpreters and event loops the package takes, and how it refuses
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import asyncio
import pathlib
import pickle
import sys
import types

import pytest
from conftest import python

from dictsqlite_v4 import AsyncDictSQLite, DictSQLiteV4, _host


@pytest.mark.parametrize("version", ((3, 8), (3, 14), (4, 0)))
def test_another_python_is_refused(monkeypatch, version):
    monkeypatch.setattr(sys, "version_info", (*version, 0, "final", 0))
    with pytest.raises(ImportError, match="3.9 to 3.13, not " + ".".join(map(str, version))):
        _host._check_host()


@pytest.mark.parametrize("version", ((3, 9), (3, 10), (3, 11), (3, 12), (3, 13)))
def test_these_pythons_are_taken(monkeypatch, version):
    monkeypatch.setattr(_host, "_is_subinterpreter", lambda: False)
    monkeypatch.setattr(sys, "version_info", (*version, 0, "final", 0))
    _host._check_host()


IN_A_SUBINTERPRETER = """
import sys
sys.path[:] = PATH
try:
    import dictsqlite_v4
except ImportError as error:
    assert "subinterpreter" in str(error) and "GLOBAL" in str(error), error
    assert "gi" not in sys.modules
    print("refused", flush=True)
"""


def test_a_subinterpreter_is_refused():
    name = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
    pytest.importorskip(name)
    code = (
        "import importlib, sys\n"
        "interpreters = importlib.import_module(sys.argv[1])\n"
        "is_new = sys.argv[1] == '_interpreters'\n"
        "other = interpreters.create('legacy') if is_new else interpreters.create()\n"
        "interpreters.run_string(other, sys.argv[2].replace('PATH', repr(sys.path)))\n"
    )
    done = python(code, name, IN_A_SUBINTERPRETER)
    assert done.stdout == "refused\n", done.stderr


class _Sniffio(types.ModuleType):
    """What tells in which library's task one is."""

    class AsyncLibraryNotFoundError(RuntimeError):
        pass

    library = None

    def current_async_library(self):
        if self.library is None:
            raise self.AsyncLibraryNotFoundError
        return self.library


@pytest.fixture
def sniffio(monkeypatch):
    module = _Sniffio("sniffio")
    monkeypatch.setitem(sys.modules, "sniffio", module)
    return module


def test_a_task_of_trio_is_refused(path, sniffio):
    sniffio.library = "trio"
    with pytest.raises(RuntimeError, match="asyncio, not for trio"):
        AsyncDictSQLite(path)
    with pytest.raises(RuntimeError, match="asyncio, not for trio"):
        AsyncDictSQLite.open(path).send(None)
    assert not path.exists()


def test_a_store_made_before_trio_runs_is_refused_there(path, sniffio):
    db = AsyncDictSQLite(path)
    sniffio.library = "trio"
    with pytest.raises(RuntimeError, match="asyncio, not for trio"):
        db.flush().send(None)
    sniffio.library = None
    asyncio.run(db.close())


def test_sniffio_in_asyncio_is_fine(path, sniffio):
    sniffio.library = "asyncio"

    async def main():
        async with await AsyncDictSQLite.open(path) as db:
            await db.set_async("a", 1)

    asyncio.run(main())


@pytest.mark.parametrize("module", (b"pathlib", b"pathlib._local"))
def test_safe_pickle_takes_paths_by_the_names_of_every_version(path, module):
    """Python 3.13 pickles them from pathlib._local."""
    here = type(pathlib.PurePath()).__module__.encode()
    with DictSQLiteV4(path, enable_safe_pickle=True, safe_pickle_allowed_modules=["pathlib"]) as db:
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
            for value in (pathlib.PurePosixPath("/a/b"), pathlib.Path("c")):
                db["here"] = value
                assert db["here"] == value
        plain = pickle.dumps(pathlib.PurePosixPath("/a/b"), 2)
        other = plain.replace(b"c%s\n" % here, b"c%s\n" % module)
        assert (other == plain) is (here == module)
        db._store.set_record(b"other", b"\x08" + other)
        assert db["other"] == pathlib.PurePosixPath("/a/b")
