# test_typing.py - annotations that hold, and public names that do not change unseen
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import inspect
import os
import subprocess
import sys

import dictsqlite
import dictsqlite_v4

NAMES = [
    "AsyncDictSQLite",
    "ConflictError",
    "CorruptError",
    "DictSQLite",
    "DictSQLiteV4",
    "FormatError",
    "UnsafePickleError",
    "WrongPasswordError",
    "import_v4",
]

USER = """
from typing import Any, Dict, Iterator, List, MutableMapping, Tuple
from pathlib import Path
from dictsqlite_v4 import AsyncDictSQLite, DictSQLiteV4
import dictsqlite

def use(path: Path) -> Dict[str, Any]:
    with DictSQLiteV4(path, 10, False, persist_mode="lazy", flush_interval=0.5) as db:
        db["a"] = {"b": [1]}
        mapping: MutableMapping[str, Any] = db
        pairs: Iterator[Tuple[str, Any]] = iter(db.items())
        count: int = len(db) + sum(1 for _ in reversed(db.keys()))
        db |= {"c": count}
        merged: Dict[str, Any] = db | {"d": next(pairs)} | dict(mapping)
        same: bool = db == merged
        db.bulk_insert([("e", same)])
        return db.get_many(["a", "e"])

async def wait(path: Path) -> List[Any]:
    async with await AsyncDictSQLite.open(path, capacity=10) as db:
        await db.set_async("a", 1)
        there: bool = await db.contains_async("a") or await db.delete_async("a")
        await db.batch_set({"b": there})
        found: Dict[Any, Any] = await db.batch_get(["a", "b"])
        pairs: List[Tuple[Any, Any]] = await db.items_async()
        await db.aflush()
        return [await db.len_async(), found, pairs, *await db.keys_async()]

other: dictsqlite.DictSQLite = DictSQLiteV4("x.db")
"""


def test_the_public_names():
    assert dictsqlite_v4.__all__ == dictsqlite.__all__ == NAMES
    for name in NAMES:
        assert getattr(dictsqlite, name) is getattr(dictsqlite_v4, name)
        assert inspect.getdoc(getattr(dictsqlite_v4, name))


def test_every_public_method_says_what_it_does():
    for kind in (dictsqlite_v4.DictSQLiteV4, dictsqlite_v4.AsyncDictSQLite):
        for name, member in vars(kind).items():
            if not name.startswith("_"):
                assert inspect.getdoc(member), name


def test_strict_types(tmp_path):
    (tmp_path / "user.py").write_text(USER)
    packages = [os.path.dirname(package.__file__) for package in (dictsqlite_v4, dictsqlite)]
    for package in packages:
        assert os.path.exists(f"{package}/py.typed")
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache")]
        + packages
        + [str(tmp_path / "user.py")],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout
