# format_fixture.py - what stands in the files of tests/fixtures, and how they were made
# SPDX-License-Identifier: LGPL-2.1-or-later
"""tests/fixtures/plain-2.db and encrypted-2.db, whose password is "password", are stores of format
version 2, kept as they are for good: no later library may fail to read them. They were made once,
by this, with the build's environment:

    python3 tests/python/format_fixture.py

Whoever changes ENTRIES or TABLES changes what old files are said to hold.
"""

from __future__ import annotations

import datetime
import importlib
import math
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from format_reader import Variant

from dictsqlite_v4 import DictSQLiteV4

FIXTURE = Path(__file__).parents[1] / "fixtures" / "plain-2.db"
SEALED_FIXTURE = FIXTURE.with_name("encrypted-2.db")
EXPIRY = datetime.timedelta(days=1_000_000)


class Stored(NamedTuple):
    """A GVariant that is stored: as text, as it lies in the file, and as Python reads it."""

    key: str
    text: str
    in_file: Any
    in_python: Any


VARIANTS = [
    Stored("variant: int32", "int32 -5", Variant("i", b"\xfb\xff\xff\xff"), -5),
    Stored(
        "variant: strings",
        "['a', 'bc', '']",
        Variant("as", b"a\0bc\0\0\x02\x05\x06"),
        ["a", "bc", ""],
    ),
    Stored(
        "variant: dictionary",
        "{'one': <1>, 'two': <(true, 'x')>}",
        Variant(
            "a{sv}",
            b"one\0\0\0\0\0\x01\0\0\0\0i\x04\0two\0\0\0\0\0\x01x\0\0(bs)\x04\x0f!",
        ),
        {"one": 1, "two": (True, "x")},
    ),
    Stored("variant: string", "'a plain string'", "a plain string", "a plain string"),
    Stored("variant: int64", "int64 1", 1, 1),
    Stored("variant: bytes", "b'bytes'", b"bytes\0", b"bytes\0"),
    Stored("variant: nothing", "@mv nothing", None, None),
]

# What was written, in the order of writing; then what became of some of it.
_WRITTEN: List[Tuple[Any, Any]] = [
    ("none", None),
    ("bytes", bytes(range(256))),
    ("empty bytes", b""),
    ("str", "text, \0, é, 日本語, 🎉"),
    ("empty str", ""),
    ("int", 42),
    ("least int64", -(2**63)),
    ("largest int64", 2**63 - 1),
    ("beyond int64", 2**63),
    ("1000 bits", -(2**1000)),
    ("double", 0.1),
    ("-0.0", -0.0),
    ("infinity", math.inf),
    ("true", True),
    ("false", False),
    ("lone surrogate", "\ud800"),
    ("list", [0, 1, 2]),
    ("nested", {"a": [1, (2.5, None)], "b": {b"set"}}),
    ("instance", datetime.date(2024, 2, 29)),
    ("long", "0123456789" * 1000),
    ("", "the empty key"),
    ("a", "before a NUL"),
    ("a\0b", "behind a NUL"),
    ("日本語", "three characters"),
    (b"a", "bytes, not str"),
    (b"", "no bytes"),
    (b"\xff" * 300, "length of two bytes"),
    (None, "None"),
    (0, "zero"),
    (1, "one, and true"),
    (-1, "minus one"),
    (128, "two bytes"),
    (-129, "two bytes, negative"),
    (10**50, "a large number"),
    (1.5, "a fraction"),
    (5e-324, "the least double"),
    (-math.inf, "an infinity"),
    ((), "an empty tuple"),
    (("a", 1, None, b"b", 1.5), "a tuple"),
    (("", ((), (("deep",),))), "tuples in tuples"),
    ("overwritten", 1),
    ("deleted", 2),
    ("deleted and set again", 3),
    ("last", 4),
    ("expires", "in some thousand years"),
]

_LATER: List[Tuple[Any, Any]] = [("deleted and set again", 30), ("last of all", 5)]

# Keys and values in the order in which they come back. VARIANTS come after these.
ENTRIES: List[Tuple[Any, Any]] = [
    (key, "overwritten" if key == "overwritten" else value)
    for key, value in _WRITTEN
    if key not in ("deleted", "deleted and set again")
] + _LATER

# Tables by name; one that was dropped stood before each of them, and one after the last.
TABLES: Dict[str, List[Tuple[Any, Any]]] = {
    "users": [("a", "of users"), (("key", 1), [1, 2]), (None, None)],
    "": [("a", "of the table without a name")],
    "日本\0語": [("a", 1), (b"b", 2.5)],
}

IN_FILE = ENTRIES + [(stored.key, stored.in_file) for stored in VARIANTS]
IN_PYTHON = ENTRIES + [(stored.key, stored.in_python) for stored in VARIANTS]


def write(path: Path, password: Optional[str] = None) -> None:
    """Make a store of ENTRIES, TABLES and VARIANTS at `path`."""
    with DictSQLiteV4(
        path, persist_mode="lazy", enable_async=False, encryption_password=password,
        kdf_memory=19 << 20, kdf_passes=2,
    ) as store:  # fmt: skip
        for key, value in _WRITTEN:
            store[key] = value
        store.set("expires", dict(_WRITTEN)["expires"], expire=EXPIRY)
        store.flush()
        del store["deleted"], store["deleted and set again"]
        store["overwritten"] = "overwritten"
        store.update(_LATER)
        for name, entries in TABLES.items():
            store.table("dropped").update(entries)
            store.table(name).update(entries)
            store.drop_table("dropped")
        store.table("dropped")["a"] = "is not there"
        store.drop_table("dropped")
    write_variants(path, password)


def write_variants(path: Path, password: Optional[str] = None) -> None:
    """Store VARIANTS by way of the library's own call for them."""
    dsq: Any = importlib.import_module("gi.repository.Dsq")
    glib: Any = importlib.import_module("gi.repository.GLib")
    store = dsq.Store(
        path=str(path), persist_mode=dsq.PersistMode.WRITETHROUGH, password=password
    )
    store.init(None)
    for stored in VARIANTS:
        store.set(stored.key, glib.Variant.parse(None, stored.text, None, None), None)
    store.close(None)


if __name__ == "__main__":
    write(FIXTURE)
    write(SEALED_FIXTURE, "password")
