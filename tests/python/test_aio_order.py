# test_aio_order.py - what is asked for first is done first
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from conftest import LONG, MODES, ON_A_SERVER
from hypothesis import given, settings
from hypothesis import strategies as st

from dictsqlite_v4 import AsyncDictSQLite

BIG = {f"k{i}": b"x" * 1000 for i in range(400)}


def run_in(path, mode, program, **parameters):
    async def main():
        async with AsyncDictSQLite(path, persist_mode=mode, **parameters) as db:
            await program(db)

    asyncio.run(main())


def test_a_clear_before_a_set(path, mode):
    async def program(db):
        await db.set_async("old", 0)
        await asyncio.gather(db.clear_async(), db.set_async("a", 1))
        assert await db.items_async() == [("a", 1)]

    run_in(path, mode, program)


@pytest.mark.parametrize("batch", [BIG, {"k1": 1}], ids=["large", "small"])
def test_a_batch_before_a_set_and_a_delete(path, mode, batch):
    async def program(db):
        await asyncio.gather(db.batch_set(batch), db.set_async("k1", "last"))
        assert await db.get_async("k1") == "last"
        gone = await asyncio.gather(db.batch_set(batch), db.delete_async("k1"))
        assert gone == [None, True] and not await db.contains_async("k1")

    run_in(path, mode, program)


def test_reads_come_where_they_were_asked(path, mode):
    async def program(db):
        await db.batch_set(BIG)
        await db.flush()
        # of what is only in the file, before it is written
        assert await asyncio.gather(
            db.get_async("k7"), db.set_async("k7", 1)
        ) == [b"x" * 1000, None]
        assert await asyncio.gather(
            db.set_async("k8", 1), db.get_async("k8"), db.set_async("k8", 2), db.get_async("k8")
        ) == [None, 1, None, 2]
        assert await asyncio.gather(
            db.len_async(), db.clear_async(), db.len_async(), db.batch_set(BIG),
            db.contains_async("k9"), db.batch_get(["k9", "none"]), db.clear_async(),
            db.keys_async(),
        ) == [400, None, 0, None, True, {"k9": b"x" * 1000}, None, []]

    run_in(path, mode, program, hot_capacity=1, warm_capacity=0)


def test_other_keys_do_not_wait(path):
    """A read passes the writes of other keys that wait for a commit."""
    async def program(db):
        await db.set_async("here", 1)
        writes = [asyncio.ensure_future(db.set_async(f"k{i}", i)) for i in range(100)]
        await asyncio.sleep(0)
        assert await db.get_async("here") == 1
        assert not any(write.done() for write in writes)
        await asyncio.gather(*writes)
        assert not db._busy

    run_in(path, "writethrough", program)


KEYS = st.sampled_from(["a", "b", "c", "d"])
VALUES = st.sampled_from([1, "text", b"x" * 3000, None])
PAIRS = st.dictionaries(KEYS, VALUES, max_size=4)
OPERATION = st.one_of(
    st.tuples(st.just("set_async"), KEYS, VALUES),
    st.tuples(st.just("set_async"), KEYS, VALUES),
    st.tuples(st.just("get_async"), KEYS),
    st.tuples(st.just("get_async"), KEYS),
    st.tuples(st.just("delete_async"), KEYS),
    st.tuples(st.just("contains_async"), KEYS),
    st.tuples(st.just("batch_set"), PAIRS),
    st.tuples(st.just("batch_set"), PAIRS.map(lambda pairs: {**pairs, "e": b"y" * 300000})),
    st.tuples(st.just("batch_get"), st.lists(KEYS, max_size=4)),
    st.tuples(st.just("len_async")),
    st.tuples(st.just("clear_async")),
    st.tuples(st.just("flush")),
    # what a thread does
    st.tuples(st.just("set_to_expire"), KEYS, VALUES),
    st.tuples(st.just("add_async"), KEYS, VALUES),
    st.tuples(st.just("set_many_async"), PAIRS),
    st.tuples(st.just("delete_many_async"), st.lists(KEYS, max_size=4)),
    st.tuples(st.just("get_with_expiry_async"), KEYS),
)


def in_a_dict(model, name, *arguments):
    """What an operation gives, and does."""
    if name in ("set_async", "set_to_expire"):
        model[arguments[0]] = arguments[1]
    elif name == "add_async":
        if arguments[0] in model:
            return False
        model[arguments[0]] = arguments[1]
        return True
    elif name == "set_many_async":
        model.update(arguments[0])
    elif name == "delete_many_async":
        return sum(model.pop(key, model) is not model for key in set(arguments[0]))
    elif name == "get_with_expiry_async":
        return model.get(arguments[0])
    elif name == "get_async":
        return model.get(arguments[0])
    elif name == "delete_async":
        return model.pop(arguments[0], model) is not model
    elif name == "contains_async":
        return arguments[0] in model
    elif name == "batch_set":
        model.update(arguments[0])
    elif name == "batch_get":
        return {key: model[key] for key in arguments[0] if key in model}
    elif name == "len_async":
        return len(model)
    elif name == "clear_async":
        model.clear()
    return None


def asked(db, name, *arguments):
    """The operation on the store."""
    if name == "set_to_expire":
        return db.set_async(*arguments, expire=1000)
    if name == "get_with_expiry_async":
        return first_of(db.get_with_expiry_async(*arguments))
    return getattr(db, name)(*arguments)


async def first_of(pair):
    return (await pair)[0]


@pytest.mark.parametrize("parameters", [{}, {"default_expire": 1000, "sliding": True}],
                         ids=["for-good", "expiring"])
@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=1000 if LONG else 8 if ON_A_SERVER else 60, deadline=None)
@given(turns=st.lists(st.lists(OPERATION, min_size=1, max_size=12), min_size=1, max_size=6),
       limit=st.sampled_from([2000, 64 << 20]))
def test_a_program_does_what_a_dict_does(mode, parameters, turns, limit):
    async def program(db):
        model = {}
        for number, turn in enumerate(turns):
            expected = [in_a_dict(model, *operation) for operation in turn]
            tasks = []
            for name, *arguments in turn:
                tasks.append(asyncio.ensure_future(asked(db, name, *arguments)))
                if number % 2:
                    await asyncio.sleep(0)  # some of them are under way when others come
            assert await asyncio.gather(*tasks) == expected
        assert await db.items_async() == list(model.items())
        assert not db._busy

    with tempfile.TemporaryDirectory() as folder:
        run_in(Path(folder) / "store.db", mode, program, hot_capacity=1, warm_capacity=0,
               dirty_limit=limit, **parameters)


def test_what_a_thread_does_raises_what_it_raises(path, mode):
    async def program(db):
        await db.set_async("text", "no number")
        results = await asyncio.gather(
            db.incr_async("text"), db.set_async("text", 1), db.incr_async("text"),
            return_exceptions=True,
        )
        assert isinstance(results[0], TypeError) and results[1:] == [None, 2]
        late = asyncio.ensure_future(db.incr_async("text"))
        waits = asyncio.ensure_future(db.incr_async("text"))
        await asyncio.sleep(0)
        waits.cancel()  # before its turn
        assert await late == 3
        assert await db.get_async("text") == 3 and not db._busy

    run_in(path, mode, program)


def test_what_is_asked_for_at_a_close_has_an_end(path, mode):
    async def program(db):
        closing = asyncio.ensure_future(db.close())
        await asyncio.sleep(0)
        results = await asyncio.gather(
            *(db.incr_async("n") for _ in range(3)), return_exceptions=True
        )
        await closing
        assert all(isinstance(result, (int, RuntimeError)) for result in results)
        late = await asyncio.gather(db.incr_async("n"), return_exceptions=True)
        assert isinstance(late[0], RuntimeError)

    run_in(path, mode, program)
