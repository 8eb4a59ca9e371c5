# test_aio_verbs.py - AsyncDictSQLite has every verb of DictSQLiteV4, and each does the same
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import asyncio
import contextlib
import inspect
import tempfile
from datetime import timedelta

import pytest
from conftest import LONG
from hypothesis import given, settings
from hypothesis import strategies as st

from dictsqlite_v4 import AsyncDictSQLite, DictSQLiteV4
from dictsqlite_v4._aio import AsyncTable
from dictsqlite_v4._table import Table

# What is not awaited has its own name.
PLAIN = {
    "iter_prefix", "iter_from", "transaction", "edit", "memoize", "watch", "closed", "name",
    "parent",
}
# fromkeys() makes a plain dict, and has nothing to do with a store.
LEFT_OUT = {"fromkeys"}


@pytest.mark.parametrize("sync, other", [(DictSQLiteV4, AsyncDictSQLite), (Table, AsyncTable)])
def test_every_verb_is_there(sync, other):
    for name in dir(sync):
        if name.startswith("_") or name in LEFT_OUT:
            continue
        if name in PLAIN:
            assert hasattr(other, name), name
            continue
        long, short = getattr(other, f"{name}_async"), getattr(other, f"a{name}")
        assert long is short and inspect.iscoroutinefunction(long), name
        assert inspect.getdoc(long)
        if name == "dropped":  # a property there
            continue
        theirs = inspect.signature(getattr(sync, name)).parameters
        mine = inspect.signature(long).parameters
        if name not in ("keys", "values", "items", "len", "contains"):
            assert list(mine) == list(theirs), name
            for key in theirs:
                assert (mine[key].default is theirs[key].default
                        or mine[key].default == theirs[key].default
                        or name == "pop"), (name, key)
    for name in ("len", "contains", "keys_from"):
        assert getattr(other, f"{name}_async") is getattr(other, f"a{name}")
    for name in ("batch_get", "batch_set"):
        assert getattr(other, name) is getattr(other, f"a{name}")


# --- the same calls on both, one after the other

KEYS = st.sampled_from(["", "a", "ab", "abc", "b", "a\0b", b"a", 1, True, 2.5, None, ("a", 1)])
ANY_KEYS = KEYS | st.sampled_from(["\ud800", object(), [1]])
VALUES = st.sampled_from(["", "v", 0, 2**70, -1, 0.5, None, b"x", [1], "\ud800", {"a": (1,)}])
TIMES = st.sampled_from([None, 0, 3600, timedelta(hours=2), -5, float("nan"), "soon"])
PAIRS = st.lists(st.tuples(KEYS, VALUES), max_size=4)
PREFIXES = st.sampled_from(["", "a", "ab", "\ud800", "zz"])
DELTAS = st.sampled_from([1, -3, 2**63, 0.5, "x", None])

CALLS = {
    "get": st.tuples(ANY_KEYS) | st.tuples(ANY_KEYS, VALUES),
    "set": st.tuples(ANY_KEYS, VALUES),
    "set expire": st.tuples(ANY_KEYS, VALUES, TIMES),
    "delete": st.tuples(ANY_KEYS),
    "contains": st.tuples(ANY_KEYS),
    "pop": st.tuples(ANY_KEYS) | st.tuples(ANY_KEYS, VALUES),
    "popitem": st.just(()),
    "setdefault": st.tuples(ANY_KEYS) | st.tuples(ANY_KEYS, VALUES),
    "add": st.tuples(ANY_KEYS, VALUES) | st.tuples(KEYS, VALUES, TIMES),
    "update": st.tuples(PAIRS | PAIRS.map(dict)),
    "bulk_insert": st.tuples(PAIRS | PAIRS.map(dict) | st.just([1])),
    "batch_set": st.tuples(PAIRS),
    "set_many": st.tuples(PAIRS) | st.tuples(PAIRS, TIMES),
    "get_many": st.tuples(st.lists(ANY_KEYS, max_size=4)),
    "delete_many": st.tuples(st.lists(KEYS, max_size=4)),
    "delete_prefix": st.tuples(PREFIXES),
    "delete_all": st.just(()),
    "clear": st.just(()),
    "get_with_expiry": st.tuples(ANY_KEYS),
    "touch": st.tuples(ANY_KEYS, TIMES),
    "expires_in": st.tuples(ANY_KEYS),
    "expire": st.just(()),
    "incr": st.tuples(ANY_KEYS) | st.tuples(KEYS, DELTAS, st.sampled_from([0, 5, None])),
    "decr": st.tuples(KEYS, DELTAS),
    "compare_and_set": st.tuples(ANY_KEYS, VALUES, VALUES),
    "len": st.just(()),
    "keys": st.just(()),
    "values": st.just(()),
    "items": st.just(()),
    "copy": st.just(()),
    "iter": st.just(()),
    "iter_prefix": st.tuples(PREFIXES | st.just(1)),
    "iter_from": st.tuples(PREFIXES) | st.tuples(PREFIXES, PREFIXES),
    "edit": st.tuples(ANY_KEYS) | st.tuples(KEYS, st.just([0])),
    "set_clock_offset": st.tuples(st.sampled_from([0, 3700, 7300])),
    "flush": st.just(()),
    "tables": st.just(()),
}
CALL = st.sampled_from(sorted(CALLS)).flatmap(lambda name: st.tuples(st.just(name), CALLS[name]))
# Alone, or some of them in a transaction that is written or taken back.
INSIDE = CALL.filter(lambda call: call[0] != "set_clock_offset")  # else there are conflicts
STEP = CALL | st.tuples(st.sampled_from(["commit", "take back"]), st.lists(INSIDE, max_size=5))
BATCH = {"batch_set": "bulk_insert"}


class TakenBack(Exception):
    """Ends a transaction."""


def sync_call(db, name, args):
    if name == "set expire":
        return db.set(*args[:2], expire=args[2])
    if name == "contains":
        return args[0] in db
    if name in ("keys", "values", "items"):
        return list(getattr(db, name)())
    if name == "len":
        return len(db)
    if name == "iter":
        return list(db)
    if name.startswith("iter_"):
        return list(getattr(db, name)(*args))
    if name == "edit":
        with db.edit(args[0], *map(list, args[1:])) as value:
            value.append(1)
        return value
    return getattr(db, BATCH.get(name, name))(*args)


async def async_call(db, name, args):
    if name == "set expire":
        return await db.set_async(*args[:2], expire=args[2])
    if name == "iter":
        keys = [key async for key in db]
        assert keys == [key async for key, _ in db.iter_items()]
        return keys
    if name.startswith("iter_"):
        return [key async for key in getattr(db, name)(*args)]
    if name == "edit":
        async with db.edit(args[0], *map(list, args[1:])) as value:
            value.append(1)
        return value
    return await getattr(db, name if name in BATCH else f"{name}_async")(*args)


def shown(result):
    """What is compared: types as well, and times to the minute."""
    if isinstance(result, Exception):
        # a table has no tables, by another name each
        return type(result), not isinstance(result, AttributeError) and str(result)
    if isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], float):
        return repr(result[0]), round(result[1] / 60)
    if isinstance(result, float) and result > 60:
        return round(result / 60)
    return repr(result)


def sync_outcome(db, name, args):
    try:
        return shown(sync_call(db, name, args))
    except Exception as error:
        return shown(error)


async def async_outcome(db, name, args):
    try:
        return shown(await async_call(db, name, args))
    except Exception as error:
        return shown(error)


async def run_both(sync, other, steps):
    for name, args in steps:
        if name not in ("commit", "take back"):
            assert await async_outcome(other, name, args) == sync_outcome(sync, name, args), name
            continue
        with contextlib.suppress(TakenBack), sync.transaction():
            expected = [sync_outcome(sync, *call) for call in args]
            if name == "take back":
                raise TakenBack
        with contextlib.suppress(TakenBack):
            async with other.transaction():
                found = [await async_outcome(other, *call) for call in args]
                if name == "take back":
                    raise TakenBack
        assert found == expected


@pytest.mark.parametrize("options", [
    {"persist_mode": "memory"}, {"persist_mode": "lazy", "enable_async": False},
    {"persist_mode": "writethrough"}, {"persist_mode": "lazy", "default_expire": 3600},
], ids=str)
@settings(max_examples=300 if LONG else 12, deadline=None)
@given(steps=st.lists(STEP, max_size=30), table=st.booleans())
def test_both_classes_do_the_same(options, steps, table):
    async def main(folder):
        with DictSQLiteV4(f"{folder}/sync.db", **options) as sync:
            async with AsyncDictSQLite(f"{folder}/async.db", **options) as other:
                if table:
                    await run_both(sync.table("t"), await other.table_async("t"), steps)
                else:
                    await run_both(sync, other, steps)
                found = [(key, await other.get_async(key)) for key in await other.akeys()]
                assert repr(found) == repr(list(sync.items()))

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(folder))
