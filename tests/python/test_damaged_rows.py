# test_damaged_rows.py - rows that are damaged fail alone
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import asyncio
import contextlib
import errno
import sqlite3

import pytest

from conftest import ENCRYPTED
from dictsqlite_v4 import AsyncDictSQLite, CorruptError, DictSQLiteV4

KEYS = [f"key {i}" for i in range(40)]
BAD = ["key 3", "key 17", "key 39"]
GOOD = {key: f"value of {key}" for key in KEYS if key not in BAD}


@pytest.fixture(params=[None, "password"])
def parameters(request):
    """How the store is opened whose rows are damaged."""
    return {"encryption_password": request.param, "kdf_memory": 19 << 20}


@pytest.fixture
def damaged(path, parameters):
    """A store of forty keys, three of whose rows are damaged."""
    with DictSQLiteV4(path, **parameters) as db:
        for key in KEYS:
            db[key] = f"value of {key}"
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        places = [row[0] for row in database.execute("SELECT place FROM entry ORDER BY place")]
        for key in BAD:
            changed = database.execute(
                "UPDATE entry SET value = CAST(substr(value, 2) || 'x' AS BLOB) WHERE place = ?",
                (places[KEYS.index(key)],),
            )
            assert changed.rowcount == 1
    return path


def check_error(error, key, names_it):
    assert type(error) is CorruptError and error.errno == errno.EBADMSG
    assert error.key == key and (repr(key) in str(error)) is names_it


READS = {
    "get_many": lambda db, errors: db.get_many([*KEYS, "none"], errors=errors),
    "items": lambda db, errors: dict(db.items(errors=errors)),
    "reversed": lambda db, errors: dict(reversed(db.items(errors=errors))),
    "copy": lambda db, errors: db.copy(errors=errors),
    "values": lambda db, errors: dict(zip(db, db.values(errors=errors))),
}


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("in_transaction", [False, True])
@pytest.mark.parametrize("kind", READS)
def test_many_are_read_beside_them(damaged, parameters, kind, in_transaction, read_only, file_mode):
    read = READS[kind]
    names = not (ENCRYPTED or parameters["encryption_password"])
    with DictSQLiteV4(
        damaged, persist_mode=file_mode, hot_capacity=5, read_only=read_only, **parameters
    ) as db, db.transaction() if in_transaction else contextlib.nullcontext():
        for _ in range(2):
            with pytest.raises(CorruptError) as caught:
                read(db, "strict")
            check_error(caught.value, BAD[-1] if kind == "reversed" else BAD[0], names)
            if kind != "values":  # which has no keys to tell which were left out
                assert read(db, "skip") == GOOD
            reported = read(db, "report")
            assert set(reported) == set(KEYS)
            for key in BAD:
                check_error(reported.pop(key), key, names)
            assert reported == GOOD
        assert list(db) == KEYS and len(db) == len(KEYS)
        assert (BAD[0], 1) not in db.items(errors="skip")
        with pytest.raises(CorruptError):
            (BAD[0], 1) in db.items()


@pytest.mark.parametrize("sliding", [False, True])
def test_coroutines_read_many_beside_them(damaged, parameters, sliding):
    if sliding:
        parameters = {**parameters, "default_expire": 60, "sliding": True}
    names = not (ENCRYPTED or parameters["encryption_password"])

    async def main():
        async with AsyncDictSQLite(damaged, **parameters) as db:
            for _ in range(2):
                for read in (lambda errors: db.batch_get(KEYS, errors=errors), db_items(db)):
                    with pytest.raises(CorruptError) as caught:
                        await read("strict")
                    check_error(caught.value, BAD[0], names)
                    assert await read("skip") == GOOD
                    reported = await read("report")
                    for key in BAD:
                        check_error(reported.pop(key), key, names)
                    assert reported == GOOD
            # behind a write, so that all go through the lane
            setting = asyncio.ensure_future(db.clear_async())
            await asyncio.sleep(0)
            assert await db.batch_get(KEYS) == {}
            await setting

    asyncio.run(main())


def db_items(db):
    async def read(errors):
        return dict(await db.items_async(errors=errors))

    return read


def test_they_are_removed_and_mended(damaged, parameters, file_mode):
    with DictSQLiteV4(damaged, persist_mode=file_mode, **parameters) as db:
        db[BAD[0]] = "mended"
        assert db.delete_many(["key 0", *BAD[1:2], "none"]) == 2
        assert db.delete(BAD[2])
        expected = {**GOOD, BAD[0]: "mended"}
        del expected["key 0"]
        assert db.copy() == expected and len(db) == len(expected)
    with DictSQLiteV4(damaged, **parameters) as db:
        assert db.copy() == expected and not db.check()


def test_a_walk_goes_on_behind_many(path, open_store):
    """Batch after batch of nothing but damage, of which some has expired for a store that reads."""
    with DictSQLiteV4(path) as db:
        for i in range(1500):
            db.set(f"key {i}", "x" * 100, expire=0.001 if i < 600 else None)
        db["last"] = 1
        db._store.set_expiring_record(b"expired", b"\x01", 1)
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "UPDATE entry SET value = CAST(substr(value, 2) || 'x' AS BLOB)"
            " WHERE token NOT IN (CAST('last' AS BLOB), CAST('expired' AS BLOB))"
        )
    if ENCRYPTED:
        return  # where no token says which is which
    db = open_store(read_only=True)
    assert dict(db.items(errors="skip")) == {"last": 1}
    assert list(reversed(db))[0] == "last" and len(list(db)) == 901
