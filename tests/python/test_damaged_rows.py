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
from dictsqlite_v4._pack import pack

PAGE = 4096
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


def take_away_each(db, keys):
    for key in keys:
        del db[key]


def clear_and_put_back(db, keys):
    db.clear()
    db.update({key: GOOD[key] for key in KEYS if key in GOOD})


def look_and_remove(db, keys):
    for key in keys:
        assert key in db
        with pytest.raises(CorruptError):
            db[key]
        assert db.delete(key)


CURES = {
    "del": take_away_each,
    "delete_many": lambda db, keys: db.delete_many(keys),
    "look": look_and_remove,
    "clear": clear_and_put_back,
    "prefixes": lambda db, keys: [db.delete_prefix(key) for key in keys],
    "apply": lambda db, keys: db._store.apply_pack(
        pack(()), pack([item for key in keys for item in (key.encode(), b"")]), False, None
    ),
    "walk": lambda db, keys: take_away_each(
        db, [key for key, value in list(db.items(errors="report")) if value not in GOOD.values()]
    ),
}


@pytest.mark.parametrize("sweeps", [False, True])
@pytest.mark.parametrize("in_transaction", [False, True])
@pytest.mark.parametrize("kind", CURES)
def test_they_are_removed_in_every_way(
    damaged, parameters, kind, in_transaction, sweeps, file_mode
):
    keys = ["key 3", "key 17"] if kind == "prefixes" else BAD  # of which others are no prefixes
    with DictSQLiteV4(damaged, persist_mode=file_mode, **parameters) as db:
        if sweeps:
            db.set("over", 1, expire=1)
            db.set_clock_offset(10)
        if kind == "prefixes":
            del db[BAD[2]], db["key 30"], db["key 31"]
        with db.transaction() if in_transaction else contextlib.nullcontext():
            CURES[kind](db, keys)
            db["other"] = 1
        expected = dict(GOOD)
        if kind == "prefixes":
            expected = {key: GOOD[key] for key in GOOD if not key.startswith("key 3")}
        assert db.pop("other") == 1 and db.copy() == expected
    with DictSQLiteV4(damaged, **parameters) as db:
        assert db.copy() == expected and not db.check()


LOOKS = {
    "[]": lambda db, key: db[key],
    "pop": lambda db, key: db.pop(key),
    "add": lambda db, key: db.add(key, 1),
    "touch": lambda db, key: db.touch(key, 10),
    "incr": lambda db, key: db.incr(key),
    "setdefault": lambda db, key: db.setdefault(key, 1),
    "compare_and_set": lambda db, key: db.compare_and_set(key, 1, 2),
    "edit": lambda db, key: db.edit(key).__enter__(),
}


@pytest.mark.parametrize("kind", LOOKS)
def test_a_transaction_goes_on_behind_one_that_it_has_looked_at(
    damaged, parameters, kind, file_mode
):
    with DictSQLiteV4(damaged, persist_mode=file_mode, **parameters) as db:
        with db.transaction():
            with pytest.raises(CorruptError):
                LOOKS[kind](db, BAD[0])
            assert BAD[0] in db and len(db) == len(KEYS)
            db["other"] = db["key 1"]
            db[BAD[1]] = "mended"
        assert db["other"] == GOOD["key 1"] and db[BAD[1]] == "mended" and BAD[0] in db


def test_coroutines_remove_them(damaged, parameters):
    async def main():
        async with AsyncDictSQLite(damaged, **parameters) as db:
            assert await db.contains_async(BAD[0]) and await db.delete_async(BAD[0])
            deleted = map(db.delete_async, [*BAD[1:], "none"])
            assert await asyncio.gather(*deleted) == [True, True, False]
            assert await db.batch_get(KEYS) == GOOD

    asyncio.run(main())


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


def end_of_varint(data, at):
    while data[at] & 0x80:
        at += 1
    return at + 1


def test_a_row_that_tells_of_4_gib_is_damaged(path, parameters):
    """SQLite says then that there is no memory, and there is."""
    with DictSQLiteV4(path, **parameters) as store:
        store.update({f"key {i}": "v" * 700 for i in range(20)})
        store.flush()
        with contextlib.closing(sqlite3.connect(path)) as database:
            root = database.execute(
                "SELECT rootpage FROM sqlite_schema WHERE name = 'entry'").fetchone()[0]
    data = bytearray(path.read_bytes())
    root = (root - 1) * PAGE
    assert data[root] == 5  # its first child:
    cell = root + int.from_bytes(data[root + 12:root + 14], "big")
    leaf = (int.from_bytes(data[cell:cell + 4], "big") - 1) * PAGE
    assert data[leaf] == 13  # the second row there:
    cell = leaf + int.from_bytes(data[leaf + 10:leaf + 12], "big")
    place = end_of_varint(data, cell)
    place = data[place:end_of_varint(data, place)]
    # 2**32 - 1 bytes, and a column comes behind those that are in the page
    types = b"\x09\x00\x09\x8e\x29\x00\xe4\x2f\x0c"
    cut = b"\x8f\xff\xff\xff\x7f" + place + types
    data[cell:cell + len(cut)] = cut
    path.write_bytes(data)
    with DictSQLiteV4(path, **parameters) as store:
        for walk in (store.keys(), store.values(), store.items()):
            with pytest.raises(CorruptError):
                list(walk)
        assert store["key 19"] == "v" * 700
        assert store.check() != []
