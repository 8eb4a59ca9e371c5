# test_watch.py - what changes is told, whoever changes it
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Changes of this process exactly, of others at least; to a function and to a task."""

from __future__ import annotations

import asyncio
import gc
import os
import queue
import random
import sqlite3
import subprocess
import sys
import threading
import time

import pytest
from conftest import ENCRYPTED, LONG, LoopWithoutReaders, wait_until

from dictsqlite_v4 import AsyncDictSQLite, DictSQLiteV4

WAIT = 60

NEIGHBOUR = """
import sys
from dictsqlite_v4 import DictSQLiteV4
store = DictSQLiteV4(sys.argv[1])
print("ready", flush=True)
for line in sys.stdin:
    exec(line)
    print("done", flush=True)
"""


class Neighbour:
    """Another process with the file open, which does what it is told until the block is left."""

    def __init__(self, path):
        self.process = subprocess.Popen(
            [sys.executable, "-c", NEIGHBOUR, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout.readline() == "ready\n"

    def do(self, statement):
        self.process.stdin.write(statement + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            self.process.kill()
        self.process.communicate(timeout=WAIT)
        assert kind is not None or self.process.returncode == 0


@pytest.fixture(params=("lazy", "writethrough"))
def shared(request, open_store):
    """A store on a file that others have open."""
    return open_store(persist_mode=request.param)


@pytest.fixture
def neighbour(shared, path):
    with Neighbour(path) as neighbour:
        yield neighbour


class Heard:
    """What a callback was told."""

    def __init__(self, mapping, prefix=None):
        self.told = queue.Queue()
        self.watch = mapping.watch(prefix, self.told.put)

    def until_any(self):
        """What is told next."""
        return self.told.get(timeout=WAIT)

    def until(self, key):
        """All that is told until `key` is, or anything may have changed."""
        keys = []
        while key not in keys:
            some = self.until_any()
            if some is None:
                return None
            keys += some
        return keys


def next_of(watch):
    """The next that an iterator gives, in a loop of its own."""

    async def wait():
        return await asyncio.wait_for(watch.__anext__(), WAIT)

    return asyncio.run(wait())


def n_threads():
    return len(os.listdir("/proc/self/task"))


def n_descriptors():
    return len(os.listdir("/proc/self/fd"))


# --- what this process changes --------------------------------------------------------------------


def apply(rnd, store, model, table):
    """One verb on the store or its table, and what it changes of each."""
    key = rnd.choice(["a", "b", "ключ", 7, ("t", 1)])
    verb = rnd.randrange(9)
    if verb == 0:
        is_there = model.pop(key, None) is not None
        assert (store.pop(key, None) is not None) == is_there
        return {key} if is_there else set()
    if verb == 1:
        is_new = key not in model
        model.setdefault(key, 1)
        store.setdefault(key, 1)
        return {key} if is_new else set()
    if verb == 2:
        assert store.get(key) == model.get(key)
        return set()
    if verb == 3:
        some = {rnd.choice("abc"): rnd.random() for _ in range(3)}
        model.update(some)
        store.bulk_insert(some)
        return set(some)
    if verb == 4:
        store.delete_many([key, "none"])
        return {key} if model.pop(key, None) is not None else set()
    if verb == 5:
        table["of the table"] = 1
        return set()
    if verb == 6:
        with store.transaction():
            store["x"] = store["y"] = model["x"] = model["y"] = rnd.random()
        return {"x", "y"}
    if verb == 7 and rnd.randrange(10) == 0:
        store.clear()
        model.clear()
        return None
    store[key] = model[key] = rnd.random()
    return {key}


@pytest.mark.parametrize("seed", range(3))
def test_exactly_what_this_process_changes(store, seed):
    rnd, model = random.Random(seed), {}
    table = store.table("table")

    watch = store.watch()
    for _ in range(2000 if LONG else 200):
        changed = set()
        for _ in range(rnd.randrange(1, 4)):
            one = apply(rnd, store, model, table)
            changed = None if one is None or changed is None else changed | one
        store["end"] = model["end"] = 1
        keys = next_of(watch)
        assert (None if keys is None else set(keys)) == (
            None if changed is None else changed | {"end"}
        )
        assert keys is None or len(keys) == len(set(keys))
    watch.close()


def test_keys_come_in_order_and_by_prefix(store):
    all_keys, some = store.watch(), store.watch("us\0er/")
    for key in ("b", "us\0er/1", "b", "us\0er/2", 7, "us\0er/1"):
        store[key] = 1
    assert next_of(all_keys) == ["b", "us\0er/1", "us\0er/2", 7]
    assert next_of(some) == ["us\0er/1", "us\0er/2"]


def test_a_table_is_watched_by_itself(store):
    table = store.table("table")
    watch, other = table.watch(), store.watch()
    store["s"] = 1
    table["t"] = 1
    assert next_of(watch) == ["t"]
    assert next_of(other) == ["s"]
    store.drop_table("table")
    assert next_of(watch) is None
    with pytest.raises(StopAsyncIteration):
        next_of(watch)


def test_a_transaction_is_told_when_it_is_committed(store):
    heard = Heard(store)
    with pytest.raises(ZeroDivisionError), store.transaction():
        store["lost"] = 1 // 0
    with store.transaction():
        store["kept"] = 1
        within = store.watch()
        store["end"] = 1
    assert heard.until("end") == ["kept", "end"]
    assert next_of(within) == ["kept", "end"]


def test_what_expires_is_told_when_it_is_removed(store):
    store.set("k", 1, expire=0.01)
    watch = store.watch()
    time.sleep(0.05)
    assert len(store) == 0
    assert next_of(watch) == ["k"]


# --- what others change ---------------------------------------------------------------------------


def test_a_neighbour_is_heard_without_a_call(shared, neighbour):
    heard = Heard(shared)
    n_by_key = 0
    for i in range(1000 if LONG else 100):
        key = f"k{i % 7}"
        neighbour.do(f"store[{key!r}] = {i}")
        n_by_key += heard.until(key) is not None
        assert shared[key] == i
    # a fact that came late is told as anything
    assert n_by_key > 50


@pytest.mark.parametrize("what", ("deleted", "shortened", "random", "a folder"))
def test_a_ring_that_is_no_good_is_no_silence(shared, path, neighbour, what):
    heard = Heard(shared)
    facts = f"{path}-facts"
    for i in range(20):
        neighbour.do(f"store['before'] = {i}")
        heard.until("before")
        while True:
            try:
                heard.told.get_nowait()
            except queue.Empty:
                break
        if os.path.isdir(facts):
            os.rmdir(facts)
        if what in ("deleted", "a folder") and os.path.exists(facts):
            os.unlink(facts)
        if what == "a folder":
            os.mkdir(facts)
        elif what != "deleted" and os.path.exists(facts):
            with open(facts, "r+b") as ring:
                if what == "shortened":
                    ring.truncate(5000)
                else:
                    ring.write(random.Random(i).randbytes(100_000))
        neighbour.do(f"store['k'] = {i}")
        heard.until("k")
        assert shared["k"] == i
    if os.path.isdir(facts):
        os.rmdir(facts)


@pytest.mark.skipif(ENCRYPTED, reason="a stock program cannot change what is sealed")
def test_a_stock_program_is_heard(shared, path):
    shared.bulk_insert({f"k{i}": i for i in range(5)})
    shared.flush()
    watch = shared.watch()
    for i in range(4):
        with sqlite3.connect(path, isolation_level=None, timeout=WAIT) as other:
            other.execute("PRAGMA wal_autocheckpoint = 0")
            other.execute("BEGIN IMMEDIATE")
            other.execute(
                "UPDATE tables SET holes = holes + 1, floor = max(floor, 1 +"
                " (SELECT max(place) & (1 << 40) - 1 FROM entry))"
            )
            other.execute("DELETE FROM entry WHERE token = CAST(? AS BLOB)", (f"k{i}",))
            other.execute("COMMIT")
        other.close()
        assert next_of(watch) is None
        assert f"k{i}" not in shared


def test_a_store_that_only_reads_hears_who_comes_to_write(path, file_mode):
    DictSQLiteV4(path).close()
    n_by_key, n_rounds = 0, 20
    with Neighbour(path) as neighbour:
        for i in range(n_rounds):
            with DictSQLiteV4(path, read_only=True) as reader:
                heard = Heard(reader)
                # while others commit it comes over to the one that writes, and misses nothing
                commits = threading.Thread(target=neighbour.do, args=(
                    f"exec('for n in range(50): store[f\"n{{n}}\"] = {i}'); store.flush()",))
                commits.start()
                with DictSQLiteV4(path, persist_mode=file_mode, flush_interval=WAIT) as store:
                    # the two engines tell in an order of their own
                    awaited, told = {f"n{n}" for n in range(50)}, []
                    while told is not None and awaited:
                        told = heard.until_any()
                        awaited.difference_update(told or ())
                        assert set(told or ()) <= {f"n{n}" for n in range(50)}
                    commits.join()
                    n_by_key += not awaited
                    # what is in no file yet is told as well
                    store["mine"] = i
                    while "mine" not in (heard.until_any() or ()):
                        pass
                    assert reader["mine"] == i
                heard.watch.close()
    # a fact that came late is told as anything
    assert n_by_key > n_rounds // 2


def switches(name):
    """How often threads of that name have waited."""
    total = 0
    for task in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{task}/status") as status:
            lines = dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)
        if lines["Name"].startswith(name):
            total += int(lines["voluntary_ctxt_switches"])
    return total


def test_nothing_wakes_where_nothing_is_written(open_store):
    store = open_store()
    with store.watch(callback=lambda keys: None):
        wait_until(lambda: switches("dsq-lookout") > 0)
        before = switches("dsq-lookout")
        time.sleep(2)
        # the last of its thread's beginning
        assert switches("dsq-lookout") - before <= 1


# --- its end --------------------------------------------------------------------------------------


def test_nothing_is_left_of_it(store):
    n_watches = 20
    before = n_threads(), n_descriptors()
    for _ in range(n_watches):
        with store.watch(callback=lambda keys: None), store.watch():
            store["k"] = 1
        store.watch()
    gc.collect()
    # the store's own threads come and go, a few of them, and one that has been joined may be listed
    # for a moment
    wait_until(lambda: n_threads() < before[0] + n_watches)
    assert n_descriptors() < before[1] + n_watches


def test_a_close_of_the_store_is_the_end(open_store):
    store = open_store()
    heard, watch = Heard(store), store.watch()
    store["k"] = 1
    assert heard.until("k") == ["k"]
    store.close()
    with pytest.raises(StopAsyncIteration):
        next_of(watch)
    heard.watch._caller.thread.join(WAIT)
    assert not heard.watch._caller.thread.is_alive()
    assert heard.told.empty()
    with pytest.raises(RuntimeError, match="store is closed"):
        store.watch()


def test_a_store_that_is_dropped_is_the_end(path):
    store = DictSQLiteV4(path)
    caller = store.watch(callback=lambda keys: None)._caller
    del store
    gc.collect()
    caller.thread.join(WAIT)
    assert not caller.thread.is_alive()


def test_close_waits_for_the_callback(store):
    begun, may_end, ended = threading.Event(), threading.Event(), []

    def callback(keys):
        begun.set()
        may_end.wait(WAIT)
        ended.append(keys)

    watch = store.watch(callback=callback)
    store["k"] = 1
    assert begun.wait(WAIT)
    store["l"] = 1
    threading.Timer(0.5, may_end.set).start()
    watch.close()
    assert ended == [["k"]]
    watch.close()


def test_a_callback_may_close(store):
    told = queue.Queue()

    def callback(keys):
        watch.close()
        told.put(keys)

    watch = store.watch(callback=callback)
    store["k"] = 1
    assert told.get(timeout=WAIT) == ["k"]
    store["l"] = 1
    watch._caller.thread.join(WAIT)
    assert told.empty()

    watch = store.watch(callback=lambda keys: store.close())
    store["k"] = 1
    watch._caller.thread.join(WAIT)
    assert store.closed


def test_what_a_callback_raises_is_shown(store, monkeypatch):
    shown, told = [], queue.Queue()
    monkeypatch.setattr(sys, "unraisablehook", lambda args: shown.append(args.exc_type))

    def callback(keys):
        told.put(keys)
        raise LookupError(keys)

    with store.watch(callback=callback):
        for key in ("k", "l"):
            store[key] = 1
            assert told.get(timeout=WAIT) == [key]
    assert shown == [LookupError, LookupError]


def test_a_child_is_told_nothing(store):
    watch, heard = store.watch(), Heard(store)
    store["k"] = 1
    assert heard.until("k") == ["k"]
    child = os.fork()
    if child == 0:
        status = 1
        try:
            try:
                next_of(watch)
            except StopAsyncIteration:
                heard.watch.close()
                status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    store["l"] = 1
    assert heard.until("l") == ["l"]
    assert next_of(watch) == ["k", "l"]


def test_wrong_arguments(store):
    for wrong in (b"a", 1, ["a"]):
        with pytest.raises(TypeError, match="a prefix must be str"):
            store.watch(wrong)
    with pytest.raises(UnicodeEncodeError):
        store.watch("\ud800")
    with store.watch(callback=print) as watch, pytest.raises(RuntimeError, match="a callback"):
        next_of(watch)


# --- in a loop ------------------------------------------------------------------------------------


@pytest.mark.parametrize("make_loop", (asyncio.SelectorEventLoop, LoopWithoutReaders))
def test_tasks(path, make_loop):
    async def collect(watch, keys):
        async for some in watch:
            keys += some

    async def main():
        keys = []
        async with AsyncDictSQLite(path) as db:
            watch = db.watch("k")
            task = asyncio.ensure_future(collect(watch, keys))
            for i in range(10):
                await db.set_async(f"k{i}", i)
                await asyncio.sleep(0.001 * (i % 3))
            while len(keys) < 10:
                await asyncio.sleep(0.001)
            assert keys == [f"k{i}" for i in range(10)]
            with pytest.raises(RuntimeError, match="another task"):
                await watch.__anext__()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await db.set_async("k", 1)
            assert await watch.__anext__() == ["k"]
            task = asyncio.ensure_future(collect(watch, keys))
            await asyncio.sleep(0)
            watch.close()
            await asyncio.wait_for(task, WAIT)
            task = asyncio.ensure_future(collect(db.watch(), keys))
            await asyncio.sleep(0.01)
        await asyncio.wait_for(task, WAIT)

    loop = make_loop()
    try:
        loop.run_until_complete(main())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()


def test_one_iteration_has_all_that_came_before_it(store):
    async def main():
        n_told, keys = 0, set()
        watch = store.watch()
        for i in range(500):
            store[f"k{i}"] = i
        async for some in watch:
            n_told += 1
            keys.update(some)
            if len(keys) == 500:
                return n_told

    assert asyncio.run(main()) == 1
