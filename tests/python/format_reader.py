# format_reader.py - a reader of plain stores, written from docs/on-disk-format.md alone
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shares no code with the library, so that the two can be held against each other."""

from __future__ import annotations

import contextlib
import pickle
import sqlite3
import struct
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

SCHEMA = Path(__file__).parents[2].joinpath("data", "schema-2.sql").read_text().splitlines()


class BadStore(Exception):
    """The file, or the row, is not what the format says."""


class Variant(NamedTuple):
    """A GVariant as it lies in the file."""

    type: str
    data: bytes


class Row(NamedTuple):
    """A row of entry, but for its name."""

    place: int
    table: int
    token: bytes
    expires: Optional[int]
    value: bytes


class Table(NamedTuple):
    """What a row of tables says, with the last place in use."""

    name: str
    mark: bytes
    next: int
    count: int


def _crc_table() -> List[int]:
    table = []
    for crc in range(256):
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table


_CRC_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def need(holds: object, what: str) -> None:
    if not holds:
        raise BadStore(what)


# --- keys -----------------------------------------------------------------------------------------


def _take(data: bytes, at: int, length: int) -> Tuple[bytes, int]:
    need(at + length <= len(data), "a key ends early")
    return data[at : at + length], at + length


def _take_counted(data: bytes, at: int) -> Tuple[bytes, int]:
    length = 0
    for n_bytes in range(4):
        (byte,), at = _take(data, at, 1)
        length |= (byte & 0x7F) << 7 * n_bytes
        if byte < 0x80:
            need(byte or not n_bytes, "a length is not the shortest")
            return _take(data, at, length)
    raise BadStore("a length is too long")


def _take_item(data: bytes, at: int, tag: bytes) -> Tuple[Any, int]:
    """The item of `tag`, and where it ends."""
    if tag == b"N":
        return None, at
    if tag == b"f":
        raw, at = _take(data, at, 8)
        (number,) = struct.unpack(">d", raw)
        need(number == number and not number.is_integer(), "a float that is no float")
        return number, at
    need(tag in (b"b", b"i", b"s"), "an unknown tag")
    raw, at = _take_counted(data, at)
    if tag == b"b":
        return raw, at
    if tag == b"s":
        return raw.decode(), at
    integer = int.from_bytes(raw, "big", signed=True)
    shorter = int.from_bytes(raw[1:], "big", signed=True)
    need(not raw or shorter != integer, "an integer is not the shortest")
    return integer, at


def read_key(data: bytes) -> Any:
    need(len(data) <= 1 << 20, "a key is too long")
    if data[:1] != b"\xff":
        return data.decode()
    at = 1
    stack: List[List[Any]] = [[]]
    while not stack[0] or len(stack) > 1:
        tag, at = _take(data, at, 1)
        if tag == b"(":
            stack.append([])
        elif tag == b")":
            need(len(stack) > 1, "a tuple ends that never began")
            finished = tuple(stack.pop())
            stack[-1].append(finished)
        else:
            need(tag != b"s" or len(stack) > 1, "a str with a tag")
            item, at = _take_item(data, at, tag)
            stack[-1].append(item)
    need(at == len(data), "bytes follow a key")
    return stack[0][0]


# --- values ---------------------------------------------------------------------------------------


def _read_variant(payload: bytes) -> Variant:
    data, zero, kind = payload.rpartition(b"\0")
    need(zero and kind, "a variant has no type")
    return Variant(kind.decode("ascii"), data)


def read_payload(kind: int, payload: bytes) -> Any:
    lengths = {1: 0, 4: 8, 5: 8, 6: 1}
    need(lengths.get(kind, len(payload)) == len(payload), "a payload of a wrong length")
    if kind == 1:
        return None
    if kind == 2:
        return payload
    if kind == 3:
        return payload.decode()
    if kind == 4:
        return int.from_bytes(payload, "little", signed=True)
    if kind == 5:
        return struct.unpack("<d", payload)[0]
    if kind == 6:
        need(payload in (b"\0", b"\1"), "a boolean that is neither")
        return payload == b"\1"
    if kind == 7:
        return _read_variant(payload)
    if kind == 8:
        return pickle.loads(payload)
    need(not 0x10 <= kind < 0x30, "a value that a later version wrote")
    need(kind == 0x80 and payload[:1] >= b"\2", "an unknown type")
    return pickle.loads(b"\x80" + payload)


def read_body(body: bytes, column: Optional[int]) -> Any:
    """The value in `body`, whose row has `column` as its expiry."""
    expires = None
    if body[:1] == b"\x40":
        expires = int.from_bytes(body[1:9], "little", signed=True)
        need(expires and len(body) > 9, "an expiry that is none")
        body = body[9:]
    need(body, "a value ends early")
    need(expires == column, "an expiry that is not its row's")
    need(len(body) <= 512 << 20, "a value is too long")
    return read_payload(body[0], body[1:])


# --- the file -------------------------------------------------------------------------------------


def take_header(column: bytes) -> bytes:
    """The header in its column, behind which the log's tag may stand."""
    length = 164 if column[5:6] == b"\1" else 28
    header, tag = column[:length], column[length:]
    if tag:
        need(len(tag) == 20, "a tag of a wrong length")
        checksum = crc32c(header[8:24] + b"dsq1l" + tag[:16])
        need(checksum == int.from_bytes(tag[16:], "little"), "a tag's checksum")
    return header


class Reader:
    """A table of a plain store, the first or one by name, open for reading."""

    def __init__(self, path: Path, name: Optional[str] = None):
        self.database = sqlite3.connect(path)
        try:
            need(self._ask("PRAGMA application_id") == [(0x44535131,)], "not a store")
            need(self._ask("PRAGMA user_version") == [(2,)], "not of version 2")
            self._check_schema()
            self.store_id = self._read_header()
            self.tables = self._read_tables()
            self.names = {
                found.name: table for table, found in self.tables.items() if table != 1
            }
            need(name is None or name in self.names, "no table of that name")
            self.table = 1 if name is None else self.names[name]
            self.mark, self.next, self.count = self.tables[self.table][1:]
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self.database.close()

    def _ask(self, sql: str) -> List[Tuple[Any, ...]]:
        return self.database.execute(sql).fetchall()

    def _check_schema(self) -> None:
        found = self._ask("SELECT name, sql FROM sqlite_schema")
        statements = {sql for name, sql in found if name not in ("sqlite_stat1", "sqlite_stat4")}
        expected = {line.rstrip(";") for line in SCHEMA}
        need(statements == expected | {None}, "not the schema of a store")

    def _read_header(self) -> bytes:
        rows = self._ask("SELECT header FROM store")
        need(len(rows) == 1, "not one header")
        header = take_header(rows[0][0])
        need(header[:5] == b"DSQ1\2", "not a header of version 2")
        need(header[5:6] == b"\0", "encrypted")
        need(len(header) == 28 and header[6:8] == b"\0\0", "a damaged header")
        need(crc32c(header[:24]) == int.from_bytes(header[24:], "little"), "a header's checksum")
        return header[8:24]

    def _read_tables(self) -> Dict[int, Table]:
        tables = {}
        rows = self._ask("SELECT id, token, name, mark, floor, holes FROM tables ORDER BY id")
        for table, token, name, mark, floor, holes in rows:
            bounds = f"place > {table} << 40 AND place < {table + 1} << 40"
            need(0 < table < 1 << 23 and 0 < floor < 1 << 40 and holes >= 0, "damaged tables")
            last = self._ask(f"SELECT max (place) FROM entry WHERE {bounds}")[0][0]
            following = max(floor, 0 if last is None else (last & (1 << 40) - 1) + 1)
            count = following - 1 - holes
            need(following < 1 << 40 and count >= 0, "damaged tables")
            if token == b"\0":
                need(table == max(row[0] for row in rows), "a gravestone that is not the last")
                need((name, mark, floor, holes, last) == (None, b"", 1, 0, None), "a gravestone")
                continue
            need((table == 1) == (token == b""), "a table without a name")
            own = self._read_mark(table, token, mark)
            tables[table] = Table(self._read_name(table, token, name, own), own, following, count)
        need(1 in tables, "no table 1")
        return tables

    def _read_mark(self, table: int, token: bytes, column: bytes) -> bytes:
        need(len(column) == 21 and column[:1] == b"\2", "not a mark of version 2")
        covered = struct.pack("<16s5sI", self.store_id, b"dsq1m", table) + column[5:] + token
        need(crc32c(covered) == int.from_bytes(column[1:5], "little"), "a mark's checksum")
        return column[5:]

    def _read_name(self, table: int, token: bytes, name: Optional[bytes], mark: bytes) -> str:
        need(name is None, "a sealed name")
        need(table == 1 or token[:1] == b"\1", "an unknown token")
        return token[1:].decode()

    def rows(self) -> List[Row]:
        sql = "SELECT place, table_id, token, expires, value FROM entry WHERE %s ORDER BY place"
        bounds = f"place > {self.table} << 40 AND place < {self.table + 1} << 40"
        return [Row(*row) for row in self._ask(sql % bounds)]

    def read_row(self, row: Row) -> Tuple[Any, Any]:
        """The key and the value of `row`."""
        need(row.place >> 40 == row.table == self.table, "a row of another table")
        body = row.value[5:]
        need(row.value[:1] == b"\2" and body, "not a value of version 2")
        covered = struct.pack("<16s5sI", self.store_id, b"dsq1v", row.table) + self.mark
        covered += struct.pack("<I", len(row.token)) + row.token + body
        need(crc32c(covered) == int.from_bytes(row.value[1:5], "little"), "a value's checksum")
        try:
            return read_key(row.token), read_body(body, row.expires)
        except UnicodeDecodeError:
            raise BadStore("text that is not UTF-8") from None

    def entries(self) -> Iterator[Tuple[Any, Any]]:
        return map(self.read_row, self.rows())


def read(path: Path, name: Optional[str] = None) -> List[Tuple[Any, Any]]:
    """All keys and values of a store's first table, or of the one of that name, in order."""
    with contextlib.closing(Reader(path, name)) as reader:
        entries = list(reader.entries())
        need(len(entries) == reader.count, "a count that is not that of the rows")
        return entries
