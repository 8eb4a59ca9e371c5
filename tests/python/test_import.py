# test_import.py - what importing and using the package imports
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each program pays for what it uses alone. Time is measured by tests/bench/run --only start."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Modules that only a part of the package needs.
HEAVY = {
    "asyncio", "concurrent.futures", "dataclasses", "datetime", "dbm", "hashlib", "inspect",
    "logging", "multiprocessing", "pathlib", "pickle", "shutil", "sqlite3", "ssl", "subprocess",
    "tempfile", "urllib.parse",
    "dictsqlite_v4._aio", "dictsqlite_v4._memoize", "dictsqlite_v4._migrate",
    "dictsqlite_v4._pickle", "dictsqlite_v4.dbm", "dictsqlite_v4.migrate",
}


def imported_by(program: str) -> "set[str]":
    """What is imported beyond what PyGObject itself imports."""
    gio = "import sys, gi; gi.require_version('Gio', '2.0'); from gi.repository import GLib, Gio\n"
    show = "\nprint(*set(sys.modules) - before)"
    done = subprocess.run(
        [sys.executable, "-c", f"{gio}before = set(sys.modules)\n{program}{show}"],
        stdout=subprocess.PIPE, text=True, check=True,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "program",
    [
        "import dictsqlite_v4",
        "import dictsqlite; dictsqlite.DictSQLiteV4",
        "from dictsqlite_v4 import DictSQLiteV4\n"
        "with DictSQLiteV4({path!r}, persist_mode='lazy') as db:\n"
        "    db['a'] = 1; db['b'] = 'b'; db['c'] = [1]\n"
        "    assert db.pop('a') == 1 and list(db.items()) == [('b', 'b'), ('c', [1])]\n"
        "    db.update(d=4); del db['d']; db.flush(); db.table('t')['x'] = 'y'",
    ],
)
def test_nothing_is_imported_that_is_not_used(program, tmp_path):
    modules = imported_by(program.format(path=str(tmp_path / "a.db")))
    assert "dictsqlite_v4._store" in modules
    assert not modules & HEAVY


@pytest.mark.parametrize(
    "program, module",
    [
        ("from dictsqlite_v4 import AsyncDictSQLite", "dictsqlite_v4._aio"),
        ("from dictsqlite import AsyncDictSQLite", "dictsqlite_v4._aio"),
        ("from dictsqlite import *; import_v4", "dictsqlite_v4.migrate"),
        ("from dictsqlite_v4 import import_v4", "dictsqlite_v4.migrate"),
        ("import dictsqlite_v4; dictsqlite_v4.AsyncDictSQLite", "dictsqlite_v4._aio"),
        ("from dictsqlite_v4 import *; import_v4; AsyncDictSQLite", "dictsqlite_v4.migrate"),
    ],
)
def test_what_is_asked_for_is_imported(program, module):
    assert module in imported_by(program)


def test_names_that_are_imported_late_are_listed_and_others_are_errors():
    import dictsqlite_v4

    assert set(dictsqlite_v4.__all__) <= set(dir(dictsqlite_v4))
    assert dictsqlite_v4.AsyncDictSQLite is dictsqlite_v4.AsyncDictSQLite
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        dictsqlite_v4.Nothing
    with pytest.raises(ImportError):
        from dictsqlite_v4 import Nothing  # noqa: F401
