# format_writer.py - a writer of plain stores, written from docs/on-disk-format.md alone
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shares no code with the library, so that the two can be held against each other."""

from __future__ import annotations

import os
import pickle
import sqlite3
import struct
from pathlib import Path
from typing import Any, Optional, Tuple

from format_reader import SCHEMA, Variant, crc32c


def _counted(tag: bytes, data: bytes) -> bytes:
    length = len(data)
    groups = []
    while length >= 0x80:
        groups.append(length & 0x7F | 0x80)
        length >>= 7
    return tag + bytes([*groups, length]) + data


def _integer(number: int) -> bytes:
    length = 1 if number else 0
    while True:
        try:
            return _counted(b"i", number.to_bytes(length, "big", signed=True))
        except OverflowError:
            length += 1


def _item(key: Any) -> bytes:
    if key is None:
        return b"N"
    if isinstance(key, tuple):
        return b"(" + b"".join(map(_item, key)) + b")"
    if isinstance(key, str):
        return _counted(b"s", key.encode())
    if isinstance(key, bytes):
        return _counted(b"b", key)
    if isinstance(key, float) and not key.is_integer():
        return b"f" + struct.pack(">d", key)
    return _integer(int(key))


def write_key(key: Any) -> bytes:
    return key.encode() if isinstance(key, str) else b"\xff" + _item(key)


def write_record(value: Any) -> Tuple[int, bytes]:
    """The type and the payload of `value`."""
    if value is None:
        return 1, b""
    if type(value) is bytes:
        return 2, value
    if type(value) is str and not any("\ud800" <= letter <= "\udfff" for letter in value):
        return 3, value.encode()
    if type(value) is int and -(1 << 63) <= value < 1 << 63:
        return 4, struct.pack("<q", value)
    if type(value) is float:
        return 5, struct.pack("<d", value)
    if type(value) is bool:
        return 6, bytes([value])
    if type(value) is Variant:
        return 7, value.data + b"\0" + value.type.encode()
    return 8, pickle.dumps(value, 5)


def seal(store_id: bytes, token: bytes, kind: int, payload: bytes, expires: Optional[int]) -> bytes:
    """The value column of a row of table 1."""
    body = bytes([kind]) + payload
    if expires is not None:
        body = struct.pack("<Bq", kind | 0x80, expires) + payload
    covered = store_id + b"dsq1v" + struct.pack("<II", 1, len(token)) + token + body
    return struct.pack("<BI", 1, crc32c(covered)) + body


def create(path: Path) -> None:
    """Make an empty store."""
    header = b"DSQ1" + bytes([1, 0, 0, 0]) + os.urandom(16)
    database = sqlite3.connect(path)
    for statement in SCHEMA:
        database.execute(statement)
    database.execute(
        "INSERT INTO store VALUES (1, ?)", (header + struct.pack("<I", crc32c(header)),)
    )
    database.execute("INSERT INTO tables VALUES (1, x'', NULL, 1, 0)")
    database.execute("PRAGMA application_id = 0x44535131")
    database.execute("PRAGMA user_version = 1")
    database.commit()
    database.execute("PRAGMA journal_mode = WAL")
    database.close()


class Writer:
    """A plain store, open for writing; each call is one transaction."""

    def __init__(self, path: Path):
        self.database = sqlite3.connect(path, isolation_level=None)
        self.database.execute("PRAGMA wal_autocheckpoint = 0")
        self.database.execute("PRAGMA synchronous = NORMAL")  # a commit waits for no medium
        ((header,),) = self.database.execute("SELECT header FROM store")
        self.store_id = header[8:24]

    def close(self) -> None:
        self.database.close()

    def put(self, key: Any, value: Any, expires: Optional[int] = None) -> None:
        token = write_key(key)
        self.put_record(token, *write_record(value), expires)

    def put_record(
        self, token: bytes, kind: int, payload: bytes, expires: Optional[int] = None
    ) -> None:
        """Set a row, of whatever content."""
        column = seal(self.store_id, token, kind, payload, expires)
        run = self.database.execute
        run("BEGIN IMMEDIATE")
        updated = run(
            "UPDATE entry SET expires = ?, value = ? WHERE table_id = 1 AND token = ?",
            (expires, column, token),
        )
        if updated.rowcount == 0:
            run(
                "INSERT INTO entry SELECT (1 << 40) + next, 1, ?, NULL, ?, ? FROM tables"
                " WHERE id = 1",
                (token, expires, column),
            )
            run("UPDATE tables SET next = next + 1, count = count + 1 WHERE id = 1")
        run("COMMIT")

    def remove(self, key: Any) -> None:
        run = self.database.execute
        run("BEGIN IMMEDIATE")
        removed = run("DELETE FROM entry WHERE table_id = 1 AND token = ?", (write_key(key),))
        run("UPDATE tables SET count = count - ? WHERE id = 1", (removed.rowcount,))
        run("COMMIT")
