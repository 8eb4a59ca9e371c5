# test_rescue.py - a file whose last rows are damaged: what is left is read
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import contextlib
import shutil
import sqlite3
import struct

import pytest
from test_beside import CHEAP, describe

from dictsqlite_v4 import CorruptError, DictSQLiteV4

PAGE = 4096
N_OWN, N_OF_TABLE = 3000, 300


def opened(path, password, **parameters):
    return DictSQLiteV4(path, encryption_password=password, **CHEAP, **parameters)


def fill(path, password):
    with opened(path, password) as store:
        store.table("t").update({i: "y" * 100 for i in range(N_OF_TABLE)})
        store.update({i: "x" * 100 for i in range(N_OWN)})


def ask(path, sql):
    with contextlib.closing(sqlite3.connect(path)) as database:
        return database.execute(sql).fetchone()[0]


def take_varint(page, at):
    number = 0
    while True:
        number = number << 7 | page[at] & 0x7F
        at += 1
        if page[at - 1] < 0x80:
            return number


def find_leaf(path, place):
    """The number of the page that the row of a place is on, and the places of all on it."""
    content = path.read_bytes()
    number = ask(path, "SELECT rootpage FROM sqlite_schema WHERE name = 'entry'")
    while True:
        page = content[(number - 1) * PAGE : number * PAGE]
        (n_cells,) = struct.unpack_from(">H", page, 3)
        if page[0] == 13:
            cells = struct.unpack_from(f">{n_cells}H", page, 8)
            # the length of the payload, of two bytes, and the row's id
            return number, [take_varint(page, at + 1 + (page[at] >= 0x80)) for at in cells]
        (number,) = struct.unpack_from(">I", page, 8)
        for at in reversed(struct.unpack_from(f">{n_cells}H", page, 12)):
            if place <= take_varint(page, at + 4):
                (number,) = struct.unpack_from(">I", page, at)


def damage_last_page(path, table):
    """The places on it, and on none of these is a row any more."""
    last = ask(path, f"SELECT max (place) FROM entry WHERE table_id = {table}")
    number, places = find_leaf(path, last)
    with open(path, "r+b") as file:
        file.seek((number - 1) * PAGE)
        file.write(bytes(PAGE))
    return places


def gather(mapping):
    """What can be read, from both ends, and how often there was damage."""
    found, n_damaged = {}, 0
    for entries in (mapping.items(errors="skip"), reversed(mapping.items(errors="skip"))):
        try:
            for key, value in entries:
                found[key] = value
        except CorruptError:
            n_damaged += 1
    return found, n_damaged


@pytest.mark.parametrize("password", (None, "pw"))
@pytest.mark.parametrize("table", (1, 2))
def test_a_damaged_last_page_costs_what_is_on_it(path, tmp_path, password, table):
    fill(path, password)
    places = damage_last_page(path, table)
    before = describe(tmp_path)
    with pytest.raises(CorruptError, match="opened to be read only"):
        opened(path, password)
    assert describe(tmp_path) == before
    with opened(path, password, read_only=True) as store:
        for number, mapping, n_all in ((1, store, N_OWN), (2, store.table("t"), N_OF_TABLE)):
            lost = {place % (1 << 40) - 1 for place in places if place >> 40 == number}
            found, n_damaged = gather(mapping)
            assert set(found) == set(range(n_all)) - lost
            assert n_damaged == (2 if lost else 0)
            # the rows before the damage, and one, where the last is on the page
            assert len(mapping) == (n_all - len(lost) + 1 if number == table else n_all)
            assert "DictSQLiteV4" in repr(store)
            for key in range(0, n_all, 37):
                if key in lost:
                    with pytest.raises(CorruptError):
                        mapping[key]
                else:
                    assert mapping[key] == found[key]
        assert store.check() != []
        store.backup(tmp_path / "copy")
    with opened(tmp_path / "copy", password, read_only=True) as store:
        assert 0 < len(gather(store)[0]) <= N_OWN


@pytest.mark.parametrize("password", (None, "pw"))
@pytest.mark.parametrize("change, opens", [
    ("table_id = 7", False), ("value = x''", True), ("value = x'0201'", True),
    ("expires = 5", True),
])
def test_a_damaged_last_row_costs_itself(path, password, change, opens):
    with opened(path, password) as store:
        store.update({f"key {i}": i for i in range(10)})
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute(f"UPDATE entry SET {change} WHERE place = (SELECT max (place) FROM entry)")
    if not opens:
        with pytest.raises(CorruptError):
            opened(path, password)
    with opened(path, password, read_only=True) as store:
        found, _ = gather(store)
        assert {**found, "key 9": 9} == {f"key {i}": i for i in range(10)}
        assert len(store) in (9, 10)


def test_a_large_part_at_the_end(path):
    """Many pages, of the rows and of their index."""
    with opened(path, None) as store:
        store.update({f"key {i}": "x" * 1000 for i in range(1000)})
    size = path.stat().st_size
    with open(path, "r+b") as file:
        file.seek(size // 2)
        file.write(b"\xaa" * (size - size // 2))
    with pytest.raises(CorruptError):
        opened(path, None)
    with opened(path, None, read_only=True) as store:
        found, n_damaged = gather(store)
        assert n_damaged == 2 and 300 < len(found) < 700
        assert list(found) == [f"key {i}" for i in range(len(found))]
        assert len(store) == len(found) + 1


def test_others_commit_beside_who_reads_what_is_left(path):
    """What cannot be opened to be written here was opened before it was damaged."""
    fill(path, None)
    copy = path.with_name("copy")
    shutil.copy(path, copy)
    damage_last_page(copy, 1)
    with opened(copy, None, read_only=True) as store:
        assert store.table("t")[N_OF_TABLE // 2] == "y" * 100
        with contextlib.closing(sqlite3.connect(copy)) as database, database:
            database.execute("DELETE FROM entry WHERE place = (1 << 40) + 1")
        assert 0 not in store and 1 in store
        assert len(gather(store)[0]) > N_OWN // 2
