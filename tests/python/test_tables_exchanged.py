# test_tables_exchanged.py - no table is shown as another, whatever is exchanged in the file
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Somebody has the file and not the password, and puts one table's rows, name or id in the place of
another's. Whatever a way into the store shows of a table was written to that table, or it is an
error. In a plain file the same is a mistake, which shows as well."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest

from dictsqlite_v4 import CorruptError, DictSQLiteV4

PASSWORD = "password"
ADMINS = {"root": "yes"}
USERS = {"mallory": "yes", "root": "no"}

# Ids 2 and 3 are those of admins and users, and 4 is free.
_ROWS_SWAP = (
    "UPDATE entry SET table_id = 4, place = place + (2 << 40) WHERE table_id = 2",
    "UPDATE entry SET table_id = 2, place = place - (1 << 40) WHERE table_id = 3",
    "UPDATE entry SET table_id = 3, place = place - (1 << 40) WHERE table_id = 4",
)
_IDS_SWAP = (
    "UPDATE tables SET id = 4 WHERE id = 2",
    "UPDATE tables SET id = 2 WHERE id = 3",
    "UPDATE tables SET id = 3 WHERE id = 4",
)


def _swap(*columns):
    """Exchanges columns of the two rows of tables; tokens are unique, so each goes by a third."""
    sets = ", ".join(
        f"{name} = (SELECT {name} FROM kept WHERE id = 5 - tables.id)" for name in columns
    )
    return (
        "CREATE TEMP TABLE kept AS SELECT * FROM tables",
        "UPDATE tables SET token = CAST (token || 'x' AS BLOB) WHERE id IN (2, 3)",
        f"UPDATE tables SET {sets} WHERE id IN (2, 3)",
        *(
            ()
            if "token" in columns
            else ("UPDATE tables SET token = (SELECT token FROM kept WHERE id = tables.id)",)
        ),
    )


EXCHANGES = {
    "ids": _IDS_SWAP,
    "ids, and with them the rows": (*_IDS_SWAP, *_ROWS_SWAP),
    "rows": _ROWS_SWAP,
    "names": _swap("token", "name"),
    "marks": _swap("mark"),
    "names and marks": _swap("token", "name", "mark"),
    "names without what finds them": _swap("name"),
    "what finds them without names": _swap("token"),
    "one id given out twice": (
        "INSERT INTO tables VALUES (4, x'00', NULL, x'', 1, 0)",
        "UPDATE tables SET id = 40 WHERE id = 2",
        "UPDATE tables SET id = 2 WHERE id = 3",
    ),
    "all names gone, so that ids are given out again": (
        "DELETE FROM tables WHERE id > 1",
        "INSERT INTO tables VALUES (2, x'00', NULL, x'', 1, 0)",
    ),
    "rows of a table in the first one": (
        "UPDATE entry SET table_id = 1, place = place - (2 << 40) + 100 WHERE table_id = 3",
    ),
    "the first table's mark": (
        "UPDATE tables SET mark = (SELECT mark FROM tables WHERE id = 3) WHERE id = 1",
    ),
}


def opened(path, password, **parameters):
    return DictSQLiteV4(
        path, encryption_password=password, kdf_memory=19 << 20, kdf_passes=2, **parameters
    )


def make(path, password):
    with opened(path, password) as store:
        store["main"] = 1
        store.table("admins").update(ADMINS)
        store.table("users").update(USERS)


def exchange(path, statements):
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)


def shown(read):
    """What `read` gives of a table, or None for an error that says what it is."""
    try:
        return read()
    except CorruptError:
        return None


def is_own(found, written):
    """Whether entries are such as were written to the table. Some may be missing: that rows are
    deleted is not noticed."""
    return found is None or found.items() <= written.items()


def looks(store):
    """Each way in which a table can be looked at."""
    yield lambda name: dict(store.table(name).items())
    yield lambda name: {key: store.table(name)[key] for key in list(store.table(name))}
    yield lambda name: {key: store.table(name)[key] for key in ("root", "mallory")
                        if key in store.table(name)}  # fmt: skip
    yield lambda name: store.table(name).get_many(["root", "mallory"])


def assert_nothing_is_shown(path, password):
    """Each on a store of its own: what was read stays in memory."""
    for parameters, n_looks in (({}, 4), ({"read_only": True}, 2), ({"persist_mode": "lazy"}, 1)):
        for number in range(n_looks):
            with contextlib.ExitStack() as stack:
                store = shown(lambda: stack.enter_context(opened(path, password, **parameters)))
                if store is None:
                    continue
                look = list(looks(store))[number]
                assert is_own(shown(lambda: look("admins")), ADMINS)
                assert is_own(shown(lambda: look("users")), USERS)
                assert is_own(shown(lambda: dict(store.items())), {"main": 1})


def assert_nothing_is_shown_in_a_transaction(path, password):
    with contextlib.ExitStack() as stack:
        store = shown(lambda: stack.enter_context(opened(path, password)))
        if store is None:
            return
        with contextlib.suppress(CorruptError), store.transaction():
            assert is_own(shown(lambda: dict(store.table("admins").items())), ADMINS)
            assert is_own(shown(lambda: {"root": store.table("admins").get("root", "yes")}), ADMINS)


def is_damage(path, password):
    """Whether check() finds it, or the store does not even open."""
    try:
        with opened(path, password, read_only=True) as store:
            return bool(store.check())
    except CorruptError:
        return True


EXCHANGED = pytest.mark.parametrize(
    "name, password",
    [
        pytest.param(name, password, id=f"{name}, {kind}")
        for name in EXCHANGES
        for password, kind in ((None, "plain"), (PASSWORD, "encrypted"))
        # in a plain file all names are the same: NULL
        if password or name != "names without what finds them"
    ],
)


@EXCHANGED
def test_an_exchange_shows_nothing_of_another_table(path, password, name):
    make(path, password)
    assert not is_damage(path, password)
    exchange(path, EXCHANGES[name])
    assert is_damage(path, password)
    assert_nothing_is_shown(path, password)
    assert_nothing_is_shown_in_a_transaction(path, password)
    # what a new table is made of is none of the old rows, under whatever id
    with contextlib.suppress(CorruptError), opened(path, password) as store:
        store.drop_table("admins")
        assert is_own(shown(lambda: dict(store.table("admins").items())), {})
        assert is_own(shown(lambda: dict(store.table("new").items())), {})


@EXCHANGED
def test_no_copy_makes_an_exchange_good(path, tmp_path, password, name):
    make(path, password)
    exchange(path, EXCHANGES[name])
    with contextlib.suppress(CorruptError), opened(path, password, read_only=True) as store:
        store.backup(tmp_path / "backup")
        assert is_damage(tmp_path / "backup", password)
        assert_nothing_is_shown(tmp_path / "backup", password)
        with pytest.raises(CorruptError):
            store.encrypt_copy(tmp_path / "encrypted", "another")
        with pytest.raises(CorruptError):
            store.decrypt_copy(tmp_path / "plain")
    if password is not None:
        with pytest.raises(CorruptError):
            DictSQLiteV4.rekey_file(path, password, "another")
        assert is_damage(path, password)
    assert not {"encrypted", "plain"} & {file.name for file in tmp_path.iterdir()}


@pytest.mark.parametrize("password", (None, PASSWORD), ids=("plain", "encrypted"))
def test_an_exchange_under_an_open_store(path, password):
    """It has the marks of both, and learns of the exchange as of any commit."""
    make(path, password)
    for name in ("ids, and with them the rows", "names and marks"):
        with contextlib.closing(opened(path, password)) as store:
            admins = store.table("admins")
            assert dict(admins) == ADMINS
            exchange(path, EXCHANGES[name])
            assert shown(lambda: dict(admins)) is None
            assert shown(lambda: dict(store.table("admins"))) is None
            exchange(path, EXCHANGES[name])
            assert dict(admins) == ADMINS == dict(store.table("admins"))


# --- tables that were dropped ---------------------------------------------------------------------


def rows_of(path, table):
    with contextlib.closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT * FROM entry WHERE table_id = ?", (table,)).fetchall()


def put_back(path, rows, table):
    """The rows of a dropped table, under the id of the one that is there now."""
    exchange(path, ("DELETE FROM entry WHERE table_id > 1",))
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        for place, _, *columns in rows:
            place = (place & (1 << 40) - 1) + (table << 40)
            database.execute(
                "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)", (place, table, *columns)
            )


@pytest.mark.parametrize("password", (None, PASSWORD), ids=("plain", "encrypted"))
def test_rows_of_a_dropped_table_never_come_back(path, password):
    make(path, password)
    rows = rows_of(path, 3)
    assert len(rows) == len(USERS)
    with opened(path, password) as store:
        store.drop_table("users")
        store.table("users")["root"] = "new"
    # the new one's id is another, and then the old one's, which nobody but an attacker gives out
    ((new, mark),) = exchange_query(path, "SELECT id, mark FROM tables WHERE id > 3")
    assert new == 4
    put_back(path, rows, new)
    assert_none_of_before(path, password)
    with opened(path, password) as store:
        with contextlib.suppress(CorruptError):
            store.drop_table("users")
    exchange(path, ("DELETE FROM tables WHERE id > 2", "DELETE FROM entry WHERE table_id > 2"))
    with opened(path, password) as store:
        store.table("users")
    ((again, other_mark),) = exchange_query(path, "SELECT id, mark FROM tables WHERE id > 2")
    assert again == 3 and other_mark != mark
    put_back(path, rows, again)
    assert_none_of_before(path, password)


def exchange_query(path, sql):
    with contextlib.closing(sqlite3.connect(path)) as database:
        return database.execute(sql).fetchall()


def assert_none_of_before(path, password):
    for parameters in ({}, {"read_only": True}):
        for number in range(4):
            with opened(path, password, **parameters) as store:
                look = list(looks(store))[number]
                found = shown(lambda: look("users"))
                assert found is None or not set(found.items()) & set(USERS.items())
                assert store.check()


@pytest.mark.parametrize("password", (None, PASSWORD), ids=("plain", "encrypted"))
def test_each_copy_has_marks_of_its_own(path, tmp_path, password):
    make(path, password)
    with opened(path, password) as store:
        store.encrypt_copy(tmp_path / "encrypted", "another")
        store.decrypt_copy(tmp_path / "plain")
    marks = [
        exchange_query(file, "SELECT mark FROM tables ORDER BY id")
        for file in (path, tmp_path / "encrypted", tmp_path / "plain")
    ]
    assert len({mark for file in marks for (mark,) in file}) == 9
    for file, word in ((tmp_path / "encrypted", "another"), (tmp_path / "plain", None)):
        with opened(file, word) as store:
            assert dict(store.table("admins")) == ADMINS and store.check() == []
