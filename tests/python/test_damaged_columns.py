# test_damaged_columns.py - columns of types that the schema rules out, as damage can leave them
# SPDX-License-Identifier: LGPL-2.1-or-later
"""SQLite looks at the types of a STRICT table when a row is written, and not when it is read."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest

from dictsqlite_v4 import CorruptError, DictSQLiteV4

PASSWORDS = (None, "password")
GOOD = {f"key {i}": f"value {i}" for i in range(20)}
ROW = "WHERE place = (SELECT min (place) FROM entry)"


def change(path, statement):
    """Runs it where the schema rules out nothing; the schema is then as it was."""

    def set_schema(expression):
        with contextlib.closing(sqlite3.connect(path)) as database, database:
            database.execute("PRAGMA writable_schema = ON")
            database.executemany(
                "UPDATE sqlite_schema SET sql = ? WHERE name = ?",
                [(expression(sql), name) for name, sql in schema],
            )

    with contextlib.closing(sqlite3.connect(path)) as database:
        schema = database.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'table'"
        ).fetchall()
    set_schema(lambda sql: sql.replace(" STRICT", "").replace(" NOT NULL", ""))
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        assert database.execute(statement).rowcount >= 1
    set_schema(lambda sql: sql)


@pytest.fixture(params=PASSWORDS)
def parameters(request):
    return {"encryption_password": request.param, "kdf_memory": 19 << 20}


@pytest.fixture
def stored(path, parameters):
    with DictSQLiteV4(path, **parameters) as store:
        store.update(GOOD)
        store.table("more").update(GOOD)
    return path


@pytest.mark.parametrize(
    "column",
    (
        "value = 'text'", "value = 7", "value = NULL", "value = x''", "expires = 'text'",
        "expires = 1.5", "expires = x'00'", "expires = 0",
    ),
)  # fmt: skip
def test_one_of_a_row_fails_that_row_alone(stored, parameters, column):
    change(stored, f"UPDATE entry SET {column} {ROW}")
    for read_only in (True, False):
        with DictSQLiteV4(stored, read_only=read_only, **parameters) as store:
            with pytest.raises(CorruptError):
                store["key 0"]
            assert {key: store[key] for key in GOOD if key != "key 0"} == {
                key: GOOD[key] for key in GOOD if key != "key 0"
            }
            assert list(store) == list(GOOD) and store.table("more").copy() == GOOD
            assert set(store.items(errors="skip")) == {*GOOD.items()} - {("key 0", "value 0")}
            assert any(problem.startswith("entry ") for problem in store.check())
    with DictSQLiteV4(stored, **parameters) as store:
        store["key 0"] = GOOD["key 0"]
        assert store.copy() == GOOD and not store.check()


@pytest.mark.parametrize("column", ("token = 'text'", "token = 7", "token = NULL"))
def test_one_of_a_key_is_told(stored, parameters, column):
    """Its key is not known, so that a walk cannot go on."""
    change(stored, f"UPDATE entry SET {column} {ROW}")
    with DictSQLiteV4(stored, **parameters) as store:
        assert "key 1" in store and store.table("more").copy() == GOOD
        with pytest.raises(CorruptError):
            store.copy()
        with pytest.raises(CorruptError):
            list(store)
        assert store.check()


@pytest.mark.parametrize(
    "place", ("place = place + (5 << 40)", "place = 1 << 40", "table_id = 9", "table_id = 'text'")
)
def test_a_row_of_no_table_is_told(stored, parameters, place):
    change(stored, f"UPDATE entry SET {place} {ROW}")
    with contextlib.suppress(CorruptError), DictSQLiteV4(stored, **parameters) as store:
        assert store.check()
        with contextlib.suppress(CorruptError):
            assert {*store.items()} <= {*GOOD.items()}


@pytest.mark.parametrize(
    "column",
    (
        "token = 'text'", "token = 7", "token = NULL", "mark = NULL", "mark = 'text'", "mark = 7",
        "floor = 'text'", "floor = 1.5", "floor = NULL", "holes = 'text'", "holes = NULL",
        "holes = x'00'",
    ),
)  # fmt: skip
@pytest.mark.parametrize("table", (1, 2))
def test_one_of_a_table_is_told(stored, parameters, table, column):
    """Who writes does not open it; who reads has what can be read."""
    change(stored, f"UPDATE tables SET {column} WHERE id = {table}")
    with pytest.raises(CorruptError):
        DictSQLiteV4(stored, **parameters)
    with contextlib.suppress(CorruptError), DictSQLiteV4(
        stored, read_only=True, **parameters
    ) as store:
        assert store.check()
        for some in (store, store.table("more")):
            assert {key: some[key] for key in GOOD} == GOOD


@pytest.mark.parametrize("n_uncounted", (1, len(GOOD)))
@pytest.mark.parametrize("name", (None, "more"))
def test_clearing_goes_by_the_rows_not_by_the_count(stored, parameters, name, n_uncounted):
    """A table that seems to be empty is emptied all the same, and is whole from then on."""

    def pair(store):
        return (store.table(name), store) if name else (store, store.table("more"))

    table_id = 2 if name else 1
    change(stored, f"UPDATE tables SET holes = holes + {n_uncounted} WHERE id = {table_id}")
    with DictSQLiteV4(stored, **parameters) as store:
        some, _ = pair(store)
        assert store.check() and len(some) == len(GOOD) - n_uncounted
        some.clear()
        store.flush()
        assert not store.check()
        some["new"] = 1
    with DictSQLiteV4(stored, **parameters) as store:
        some, other = pair(store)
        assert some.copy() == {"new": 1} and other.copy() == GOOD and not store.check()


@pytest.mark.parametrize("column", ("header = 'text'", "header = NULL", "header = 7"))
def test_a_header_is_told(stored, parameters, column):
    change(stored, f"UPDATE store SET {column}")
    for read_only in (True, False):
        with pytest.raises(CorruptError):
            DictSQLiteV4(stored, read_only=read_only, **parameters)
