# test_aio_tasks.py - AsyncDictSQLite under many tasks, several loops, and loops of other kinds
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import asyncio
import threading

import pytest

from conftest import LoopWithoutReaders, join_soon, locked, python, wait_until

from dictsqlite_v4 import AsyncDictSQLite, CorruptError, DictSQLiteV4


@pytest.fixture(params=(asyncio.SelectorEventLoop, LoopWithoutReaders))
def run(request):
    """Runs a coroutine in each kind of loop, in one that is closed afterwards."""
    def run_in_new_loop(coroutine):
        loop = request.param()
        asyncio.set_event_loop(loop)
        try:
            return loop.run_until_complete(coroutine)
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    return run_in_new_loop


def test_many_tasks(run, path, mode):
    async def main():
        async with AsyncDictSQLite(path, persist_mode=mode, hot_capacity=50, warm_capacity=0) as db:
            await asyncio.gather(*(db.set_async(f"key_{i}", i) for i in range(1000)))
            await db.flush()
            found = await asyncio.gather(*(db.get_async(f"key_{i}") for i in range(1000)))
            assert found == list(range(1000))
            gone = await asyncio.gather(*(db.delete_async(f"key_{i}") for i in range(2000)))
            assert gone == [True] * 1000 + [False] * 1000
            assert await db.len_async() == 0

    run(main())


def test_one_turn_is_one_transaction(path):
    async def main():
        async with AsyncDictSQLite(path, persist_mode="writethrough") as db:
            before = db.stats()["commits"]
            await asyncio.gather(*(db.set_async(f"key_{i}", i) for i in range(500)))
            assert db.stats()["commits"] == before + 1
            # each is committed when it returns: another store sees it
            with DictSQLiteV4(path) as other:
                assert other["key_499"] == 499

    asyncio.run(main())


def test_a_task_reads_what_it_wrote(run, path, mode):
    async def work(db, number):
        for i in range(60):
            await db.set_async(("own", number), i)
            assert await db.get_async(("own", number)) == i
            if i % 7 == 0:
                assert await db.delete_async(("own", number))
                assert await db.get_async(("own", number)) is None

    async def main():
        async with AsyncDictSQLite(path, persist_mode=mode, hot_capacity=3, warm_capacity=0) as db:
            await asyncio.gather(*(work(db, number) for number in range(20)))

    run(main())


def test_writes_take_place_in_order(run, path, file_mode):
    """Also those whose task was cancelled before they were done."""
    async def main():
        async with AsyncDictSQLite(path, persist_mode=file_mode) as db:
            for i in range(100):
                task = asyncio.ensure_future(db.set_async("key", i))
                await asyncio.sleep(0)
                if i % 3 == 0:
                    await asyncio.sleep(0)
                task.cancel()
                await db.set_async("key", -i)
                assert await db.get_async("key") == -i
            await db.set_async("key", "end")
            await db.flush()
            with DictSQLiteV4(path) as other:
                assert other["key"] == "end"

    run(main())


def test_cancellation_reaches_the_task(run, path):
    async def main():
        async with AsyncDictSQLite(path, persist_mode="writethrough") as db:
            task = asyncio.ensure_future(db.set_async("key", 1))
            other = asyncio.ensure_future(db.set_async("other", 1))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await other
            assert await db.get_async("other") == 1
            # given up in the turn that it was asked in: never done
            task = asyncio.ensure_future(db.set_async("never", 1))
            asyncio.get_running_loop().call_soon(task.cancel)
            await asyncio.gather(task, return_exceptions=True)
            assert task.cancelled()
            await db.flush()
            assert await db.get_async("never") is None

    run(main())


def test_nothing_is_done_for_a_task_that_was_cancelled_before(run, path):
    """Not by the thread that all of a store's tables share either."""
    async def main():
        begun, may_end = threading.Event(), threading.Event()

        def slow(store):
            begun.set()
            may_end.wait(60)

        async with AsyncDictSQLite(path) as db:
            table = await db.table_async("t")
            first = asyncio.ensure_future(db.transact_async(slow))
            await asyncio.get_running_loop().run_in_executor(None, begun.wait)
            late = asyncio.ensure_future(table.incr_async("n"))
            await asyncio.sleep(0.01)  # it is in the thread's queue
            late.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await late
            assert caught.value.__cause__ is None
            may_end.set()
            await first
            assert await table.get_async("n") is None

    run(main())


def test_a_check_ends_with_its_task(run, path):
    async def main():
        async with AsyncDictSQLite(path, flush_interval=3600) as db:
            await db.set_async("key", 1)
            with locked(path):  # which its flush waits for
                task = asyncio.ensure_future(db.check_async())
                while not copies():
                    await asyncio.sleep(0.001)
                thread, = copies()
                await asyncio.sleep(0.05)
                assert not task.done()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                join_soon(thread, 0.5)
            assert await db.check_async() == []

    run(main())


def copies():
    return [thread for thread in threading.enumerate() if "dictsqlite-copy" in thread.name]


def test_a_store_that_is_opened_for_nobody_is_closed(run, path):
    begun, may_end, made = threading.Event(), threading.Event(), []

    class Slow(AsyncDictSQLite):
        def __init__(self, path):
            begun.set()
            may_end.wait(60)
            super().__init__(path)
            made.append(self)

    async def main():
        task = asyncio.ensure_future(Slow.open(path))
        await asyncio.get_running_loop().run_in_executor(None, begun.wait)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        may_end.set()
        wait_until(lambda: made and made[0].closed)

    run(main())


def damage(path, key):
    """Change a byte of one value, and nothing else, in the file."""
    with DictSQLiteV4(path) as db:
        value = db[key]
    data = path.read_bytes()
    assert data.count(value.encode()) == 1
    at = data.index(value.encode())
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])


def test_an_error_reaches_the_task_that_it_belongs_to(run, path):
    with DictSQLiteV4(path) as db:
        db.update({f"key_{i}": f"the value of number {i}." for i in range(50)})
    damage(path, "key_7")

    async def main():
        async with AsyncDictSQLite(path) as db:
            found = await asyncio.gather(
                *(db.get_async(f"key_{i}") for i in range(60)), return_exceptions=True
            )
            for i, value in enumerate(found):
                if i == 7:
                    assert isinstance(value, CorruptError)
                else:
                    assert value == (f"the value of number {i}." if i < 50 else None)
            done = await asyncio.gather(
                db.set_async("x" * (2 << 20), 1), db.set_async("fine", 1), return_exceptions=True
            )
            assert isinstance(done[0], ValueError) and done[1] is None

    run(main())


def test_errors_of_writes_that_are_committed(run, path):
    async def main():
        async with AsyncDictSQLite(path, persist_mode="writethrough") as db:
            done = await asyncio.gather(
                db.set_async("a", 1),
                db.set_async("x" * (2 << 20), 1),
                db.set_async("b", 2),
                db.delete_async("a"),
                db.delete_async("none"),
                return_exceptions=True,
            )
            assert isinstance(done[1], ValueError)
            assert done[:1] + done[2:] == [None, None, True, False]
            assert await db.items_async() == [("b", 2)]

    run(main())


def test_a_close_waits_for_what_is_under_way(run, path, mode):
    async def main():
        db = AsyncDictSQLite(path, persist_mode=mode)
        sets = [asyncio.ensure_future(db.set_async(f"key_{i}", [i])) for i in range(500)]
        await asyncio.sleep(0)
        await db.close()
        await asyncio.gather(*sets)
        assert db.closed

    run(main())
    if mode != "memory":
        with DictSQLiteV4(path) as db:
            assert len(db) == 500


def test_many_loops_one_after_another(path, file_mode):
    db = AsyncDictSQLite(path, persist_mode=file_mode, hot_capacity=1, warm_capacity=0)

    async def use(turn):
        await asyncio.gather(*(db.set_async((turn, i), i) for i in range(20)))
        await db.flush()
        found = await asyncio.gather(*(db.get_async((turn, i)) for i in range(20)))
        assert found == list(range(20))

    for turn in range(20):
        asyncio.run(use(turn))
    assert len(db._lanes) == 1  # those of loops that are closed are let go
    asyncio.run(db.close())


def test_two_loops_at_once(path, file_mode):
    db = AsyncDictSQLite(path, persist_mode=file_mode, hot_capacity=5, warm_capacity=0)
    failures = []

    async def use(number):
        for i in range(50):
            await asyncio.gather(*(db.set_async((number, j), i) for j in range(20)))
            found = await asyncio.gather(*(db.get_async((number, j)) for j in range(20)))
            assert found == [i] * 20

    def work(number):
        try:
            asyncio.run(use(number))
        except BaseException as error:  # noqa: B902
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert asyncio.run(db.len_async()) == 60
    asyncio.run(db.close())


def test_a_loop_watches_while_another_closes_the_store(path):
    """Its tasks get an error, and the loop is none the worse."""
    db = AsyncDictSQLite(path, persist_mode="writethrough")
    is_used = threading.Event()
    outcome = []

    async def use():
        try:
            while True:
                await db.set_async("key", 1)
                is_used.set()
        except RuntimeError as error:
            outcome.append(str(error))
        await asyncio.sleep(0.01)

    thread = threading.Thread(target=asyncio.run, args=(use(),))
    thread.start()
    is_used.wait()
    asyncio.run(db.close())
    thread.join()
    assert outcome == ["store is closed"]


def test_walks_beside_writers(run, path, mode):
    async def write(db):
        for i in range(3000):
            await db.set_async(("new", i), i)
            if i % 50 == 0:
                await asyncio.sleep(0)

    async def main():
        async with AsyncDictSQLite(path, persist_mode=mode) as db:
            await db.batch_set({("old", i): i for i in range(3000)})
            keys, items, _ = await asyncio.gather(db.keys_async(), db.items_async(), write(db))
            assert len(set(keys)) == len(keys)
            assert [key for key in keys if key[0] == "old"] == [("old", i) for i in range(3000)]
            assert [item for item in items if item[0][0] == "old"] == [
                (("old", i), i) for i in range(3000)
            ]

    run(main())


def test_a_full_medium_is_told_to_each_task(path):
    """Written as one first, and then one by one: every task gets the error, and can try again."""
    done = python(
        "import asyncio, resource, signal, sys\n"
        "from dictsqlite_v4 import AsyncDictSQLite\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "def limit(size):\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))\n"
        "async def main():\n"
        "    async with AsyncDictSQLite(sys.argv[1], persist_mode='writethrough') as db:\n"
        "        await db.set_async('before', 1)\n"
        "        limit(200_000)\n"
        "        text = 'x' * 100_000\n"
        "        sets = [db.set_async(i, text) for i in range(10)]\n"
        "        done = await asyncio.gather(*sets, return_exceptions=True)\n"
        "        assert any(done), done\n"
        "        assert all(error is None or isinstance(error, OSError) for error in done), done\n"
        "        stored = [i for i, error in enumerate(done) if error is None]\n"
        "        limit(resource.RLIM_INFINITY)\n"
        "        assert await db.get_async('before') == 1\n"
        "        assert await db.keys_async() == ['before', *stored]\n"
        "        await asyncio.gather(*(db.set_async(i, text) for i in range(10)))\n"
        "        assert await db.len_async() == 11\n"
        "asyncio.run(main())\n",
        path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    with DictSQLiteV4(path) as db:
        assert len(db) == 11


def test_a_store_that_a_fork_inherited(path):
    done = python(
        "import asyncio, os, sys\n"
        "from dictsqlite_v4 import AsyncDictSQLite\n"
        "async def refused(coroutine):\n"
        "    try:\n"
        "        await coroutine\n"
        "    except RuntimeError as error:\n"
        "        assert 'fork' in str(error), error\n"
        "    else:\n"
        "        raise AssertionError\n"
        "async def child():\n"
        "    for coroutine in (db.get_async('key'), db.get_async(1), db.set_async('key', 2),\n"
        "                      db.len_async(), db.keys_async(), db.flush(), db.close()):\n"
        "        await refused(coroutine)\n"
        "async def parent():\n"
        "    await db.set_async('key', 1)\n"
        "    await db.flush()\n"
        "db = AsyncDictSQLite(sys.argv[1], persist_mode='lazy')\n"
        "asyncio.run(parent())\n"
        "process = os.fork()\n"
        "if process == 0:\n"
        "    asyncio.run(child())\n"
        "    os._exit(0)\n"
        "assert os.waitpid(process, 0)[1] == 0\n"
        "asyncio.run(parent())\n"
        "asyncio.run(db.close())\n",
        path,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
