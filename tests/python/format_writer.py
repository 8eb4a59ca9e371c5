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
    return 0x80, pickle.dumps(value, 5)[1:]


def write_body(kind: int, payload: bytes, expires: Optional[int]) -> bytes:
    before = b"" if expires is None else struct.pack("<Bq", 0x40, expires)
    return before + bytes([kind]) + payload


def seal(
    store_id: bytes, mark: bytes, token: bytes, kind: int, payload: bytes, expires: Optional[int]
) -> bytes:
    """The value column of a row of table 1."""
    body = write_body(kind, payload, expires)
    covered = store_id + b"dsq1v" + struct.pack("<I", 1) + mark
    covered += struct.pack("<I", len(token)) + token + body
    return struct.pack("<BI", 2, crc32c(covered)) + body


def seal_mark(store_id: bytes, table: int, token: bytes, mark: bytes) -> bytes:
    """The mark column of a row of tables."""
    covered = store_id + b"dsq1m" + struct.pack("<I", table) + mark + token
    return struct.pack("<BI", 2, crc32c(covered)) + mark


def create(path: Path) -> None:
    """Make an empty store."""
    store_id = os.urandom(16)
    header = b"DSQ1" + bytes([2, 0, 0, 0]) + store_id
    database = sqlite3.connect(path)
    for statement in SCHEMA:
        database.execute(statement)
    database.execute(
        "INSERT INTO store VALUES (1, ?)", (header + struct.pack("<I", crc32c(header)),)
    )
    mark = seal_mark(store_id, 1, b"", os.urandom(16))
    database.execute("INSERT INTO tables VALUES (1, x'', NULL, ?, 1, 0)", (mark,))
    database.execute("PRAGMA application_id = 0x44535131")
    database.execute("PRAGMA user_version = 2")
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
        ((column,),) = self.database.execute("SELECT mark FROM tables WHERE id = 1")
        self.store_id = header[8:24]
        self.mark = column[5:]

    def close(self) -> None:
        self.database.close()

    def put(self, key: Any, value: Any, expires: Optional[int] = None) -> None:
        token = write_key(key)
        self.put_record(token, *write_record(value), expires)

    def put_record(
        self, token: bytes, kind: int, payload: bytes, expires: Optional[int] = None
    ) -> None:
        """Set a row, of whatever content."""
        column = seal(self.store_id, self.mark, token, kind, payload, expires)
        self.write(token, None, expires, column)

    def next(self) -> int:
        """The place that the next new entry gets."""
        (row,) = self.database.execute(
            "SELECT max (floor, ifnull ((SELECT max (place) FROM entry WHERE place > 1 << 40"
            " AND place < 2 << 40) - (1 << 40) + 1, 1)) FROM tables WHERE id = 1"
        )
        return (1 << 40) + int(row[0])

    def write(
        self, token: bytes, name: Optional[bytes], expires: Optional[int], column: bytes
    ) -> None:
        run = self.database.execute
        run("BEGIN IMMEDIATE")
        updated = run(
            "UPDATE entry SET expires = ?, value = ? WHERE table_id = 1 AND token = ?",
            (expires, column, token),
        )
        if updated.rowcount == 0:
            run(
                "INSERT INTO entry VALUES (?, 1, ?, ?, ?, ?)",
                (self.next(), token, name, expires, column),
            )
        run("COMMIT")

    def remove(self, key: Any) -> None:
        self.remove_token(write_key(key))

    def remove_token(self, token: bytes) -> None:
        run = self.database.execute
        run("BEGIN IMMEDIATE")
        floor = self.next() - (1 << 40)
        removed = run("DELETE FROM entry WHERE table_id = 1 AND token = ?", (token,))
        if removed.rowcount:
            run("UPDATE tables SET floor = ?, holes = holes + 1 WHERE id = 1", (floor,))
        run("COMMIT")
