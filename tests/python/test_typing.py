# test_typing.py - annotations that hold, and public names that do not change unseen
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import ast
import inspect
import os
import subprocess
import sys
from pathlib import Path

import dictsqlite
import dictsqlite_v4

NAMES = [
    "AsyncDictSQLite",
    "ConflictError",
    "CorruptError",
    "DictSQLite",
    "DictSQLiteV4",
    "FormatError",
    "OutcomeUnknownError",
    "UnloadableError",
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

ages: DictSQLiteV4[str, int] = DictSQLiteV4("x.db")
age: int = ages["a"] + ages.get("b", 0) + ages.pop("c", 1) + sum(ages.values())
copied: Dict[str, int] = ages.copy()
other: dictsqlite.DictSQLite[str, int] = DictSQLiteV4[str, int]("y.db")
"""

# Each line by itself is wrong.
WRONG = """
ages["a"] = "one"
ages[1] = 1
name: str = ages["a"]
pairs: List[Tuple[str, str]] = list(ages.items())
"""


def test_the_public_names():
    assert dictsqlite_v4.__all__ == dictsqlite.__all__ == NAMES
    for name in NAMES:
        assert getattr(dictsqlite, name) is getattr(dictsqlite_v4, name)
        assert inspect.getdoc(getattr(dictsqlite_v4, name))


def test_every_public_method_says_what_it_does():
    for kind in (dictsqlite_v4.DictSQLiteV4, dictsqlite_v4.AsyncDictSQLite):
        for name in dir(kind):
            if not name.startswith("_"):
                assert inspect.getdoc(getattr(kind, name)), name


def test_every_module_class_and_function_says_what_it_is():
    package = Path(dictsqlite_v4.__file__).parent
    for path in sorted(package.glob("*.py")):
        module = ast.parse(path.read_text())
        if path.name == "_paths.py":
            continue  # made by the build
        assert ast.get_docstring(module), path.name
        for node in module.body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{path.name}: {node.name}"


def check_types(folder, *paths):
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(folder / "cache"), *paths],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_strict_types(tmp_path):
    (tmp_path / "user.py").write_text(USER)
    packages = [os.path.dirname(package.__file__) for package in (dictsqlite_v4, dictsqlite)]
    for package in packages:
        assert os.path.exists(f"{package}/py.typed")
    checked = check_types(tmp_path, *packages, "user.py")
    assert checked.returncode == 0, checked.stdout


def test_types_of_keys_and_values_are_told_apart(tmp_path):
    wrong = WRONG.strip().splitlines()
    (tmp_path / "user.py").write_text(USER + "\n".join(wrong))
    checked = check_types(tmp_path, os.path.dirname(dictsqlite_v4.__file__), "user.py")
    assert checked.stdout.count("error:") == len(wrong), checked.stdout
    assert checked.stdout.count("user.py:") == len(wrong), checked.stdout
