# test_tampering.py - what somebody who can write an encrypted file achieves, and what not
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A store is open all the while, so that each change is a foreign commit and is read anew."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import sqlite3

import pytest

from dictsqlite_v4 import CorruptError, DictSQLiteV4

KEYS = ("a", "the second key", 3)
FUTURE = 10**14  # milliseconds: the year 5138


def opened(path, **parameters):
    return DictSQLiteV4(
        path, encryption_password="password", kdf_memory=19 << 20, kdf_passes=2, **parameters
    )


@pytest.fixture
def store(path):
    with opened(path) as store:
        store.update((key, f"value of {key}") for key in KEYS)
        yield store


@pytest.fixture
def run(path):
    """Runs SQL in a transaction of its own, by stock SQLite."""
    if not os.path.exists(path):
        opened(path).close()  # SQLite would make an empty file, in whose place the store's comes
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA synchronous = OFF")
    database.execute("PRAGMA wal_autocheckpoint = 0")
    yield lambda sql, *parameters: database.execute(sql, parameters).fetchall()
    database.close()


def column(run, name, position):
    ((value,),) = run(f"SELECT {name} FROM entry WHERE place = (1 << 40) + ?", position)
    return value


def refuses(store, key):
    """Whether reading the key and walking both say that somebody tampered."""
    with pytest.raises(CorruptError, match="tampered with"):
        store[key]
    return walk_refuses(store)


def walk_refuses(store):
    with pytest.raises(CorruptError, match="tampered with"):
        list(store.items())
    return True


# --- what is refused ------------------------------------------------------------------------------


def test_every_flipped_bit_of_a_value(store, run):
    value = column(run, "value", 1)
    for bit in range(8 * len(value)):
        flipped = bytearray(value)
        flipped[bit // 8] ^= 1 << bit % 8
        run("UPDATE entry SET value = ? WHERE place = (1 << 40) + 1", bytes(flipped))
        with pytest.raises(CorruptError, match="tampered with"):
            store["a"]
        if bit % 29 == 0:
            assert walk_refuses(store)
            assert store[3] == "value of 3"  # the others can be read
    run("UPDATE entry SET value = ? WHERE place = (1 << 40) + 1", value)
    assert store["a"] == "value of a"


def test_every_flipped_bit_of_a_name_or_a_token(store, run):
    """A key is found by its token, and its name is looked at in walks only."""
    for name in ("name", "token"):
        before = column(run, name, 1)
        for bit in range(8 * len(before)):
            flipped = bytearray(before)
            flipped[bit // 8] ^= 1 << bit % 8
            run(f"UPDATE entry SET {name} = ? WHERE place = (1 << 40) + 1", bytes(flipped))
            with pytest.raises(CorruptError, match="tampered with"):
                list(store)
            assert walk_refuses(store)
        run(f"UPDATE entry SET {name} = ? WHERE place = (1 << 40) + 1", before)
    assert list(store) == list(KEYS)


def test_values_and_names_of_other_rows(store, run):
    for ours, theirs in itertools.permutations(range(1, 4), 2):
        for name in ("value", "name", "token"):
            with_others = column(run, name, theirs)
            before = column(run, name, ours)
            if name == "token":
                run("DELETE FROM entry WHERE place = (1 << 40) + ?", theirs)
            run(f"UPDATE entry SET {name} = ? WHERE place = (1 << 40) + ?", with_others, ours)
            assert walk_refuses(store)
            if name == "value":
                assert refuses(store, KEYS[ours - 1])
            run(f"UPDATE entry SET {name} = ? WHERE place = (1 << 40) + ?", before, ours)
            if name == "token":
                store[KEYS[theirs - 1]] = "set again"
                run(
                    "UPDATE entry SET place = (1 << 40) + ? WHERE place ="
                    " (SELECT max (place) FROM entry)",
                    theirs,
                )
    assert list(store) == list(KEYS)


def test_rows_of_another_file_with_the_same_password(store, run, tmp_path):
    with opened(tmp_path / "other") as other:
        other["a"] = "value of a"
    run("ATTACH ? AS other", str(tmp_path / "other"))
    for name in ("value", "name", "token"):
        before = column(run, name, 1)
        run(
            f"UPDATE entry SET {name} = (SELECT {name} FROM other.entry)"
            " WHERE place = (1 << 40) + 1"
        )
        assert walk_refuses(store)
        if name == "value":
            assert refuses(store, "a")
        run(f"UPDATE entry SET {name} = ? WHERE place = (1 << 40) + 1", before)
    run(
        "UPDATE entry SET token = o.token, name = o.name, value = o.value FROM other.entry AS o"
        " WHERE entry.place = (1 << 40) + 1"
    )
    assert walk_refuses(store)


def test_a_row_moved_to_another_table(store, run):
    run("UPDATE entry SET table_id = 2 WHERE place = (1 << 40) + 1")
    with pytest.raises(CorruptError):
        list(store)
    run("UPDATE entry SET table_id = 1 WHERE place = (1 << 40) + 1")
    assert store["a"] == "value of a"


@pytest.mark.parametrize("expires", (1, FUTURE, FUTURE + 1, -1))
def test_an_expiry_that_was_moved(store, run, expires):
    run("UPDATE entry SET expires = ? WHERE place = (1 << 40) + 1", expires)
    assert refuses(store, "a")


@pytest.mark.parametrize("length", (None, 0, 1, 40, 41, 42, 10**6))
def test_columns_that_are_nothing(store, run, length):
    value = None if length is None else bytes(length)
    run("UPDATE entry SET name = ? WHERE place = (1 << 40) + 1", value)
    with pytest.raises(CorruptError):
        list(store)
    if value is not None:
        run("UPDATE entry SET value = ? WHERE place = (1 << 40) + 1", value)
        with pytest.raises(CorruptError):
            store["a"]


def test_names_of_tables(path, run):
    """That of another table, in the same row or with its token, and each bit of it."""
    with opened(path) as store:
        for name in ("one", "two"):
            store.table(name)["key"] = f"in {name}"
    (one, two) = run("SELECT id, token, name FROM tables WHERE id > 1 ORDER BY id")

    def put(table, token, name):
        run("UPDATE tables SET token = ?, name = ? WHERE id = ?", token, name, table)

    def assert_refused():
        for read_only in (False, True):
            with opened(path, read_only=read_only) as store:
                with pytest.raises(CorruptError, match="tampered with"):
                    store.tables()
                for name in ("one", "two"):
                    with pytest.raises(CorruptError, match="tampered with"):
                        store.table(name)
                told = [problem for problem in store.check() if "tampered with" in problem]
                assert [problem.split(":")[0] for problem in told] == ["table 2", "table 3"]

    put(2, b"for a moment" + bytes(4), one[2])
    put(3, one[1], one[2])
    put(2, two[1], two[2])
    assert_refused()  # else one would show what is in two
    put(2, b"for a moment" + bytes(4), one[2])
    put(3, two[1], two[2])
    put(2, one[1], two[2])
    with opened(path) as store:
        with pytest.raises(CorruptError, match="tampered with"):
            store.table("one")
        assert store.table("two")["key"] == "in two"
        for bit in range(0, 8 * len(one[2])):
            flipped = bytearray(one[2])
            flipped[bit // 8] ^= 1 << bit % 8
            put(2, one[1], bytes(flipped))
            with pytest.raises(CorruptError, match="tampered with"):
                store.tables()
    put(2, one[1], one[2])
    with opened(path) as store:
        assert store.tables() == ["one", "two"] and store.table("one")["key"] == "in one"


# --- what is not, as docs/SECURITY.md says --------------------------------------------------------


def test_a_deleted_row_is_not_noticed(store, run):
    run("DELETE FROM entry WHERE place = (1 << 40) + 1")
    run("UPDATE tables SET holes = holes + 1")
    assert list(store) == list(KEYS[1:]) and len(store) == 2 and "a" not in store


def test_another_order_and_count_are_not_noticed(store, run):
    run("UPDATE entry SET place = (1 << 40) + 10 WHERE place = (1 << 40) + 1")
    run("UPDATE tables SET holes = 3 WHERE id = 1")
    assert list(store) == [KEYS[1], KEYS[2], KEYS[0]] and len(store) == 7


def test_an_older_version_of_a_row_is_not_noticed(store, run):
    before = column(run, "value", 1)
    store["a"] = "newer"
    run("UPDATE entry SET value = ? WHERE place = (1 << 40) + 1", before)
    assert store["a"] == "value of a"


def test_an_older_file_is_not_noticed(path, tmp_path):
    with opened(path) as store:
        store["a"] = "older"
    shutil.copy(path, tmp_path / "older")
    with opened(path) as store:
        store["a"] = "newer"
        store.change_password("password", "another")
    shutil.copy(tmp_path / "older", path)
    with contextlib.closing(opened(path)) as store:
        assert store["a"] == "older"
