# test_aio_transaction.py - transactions, editing and iterating under asyncio
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import asyncio
import threading

import pytest
from conftest import join_soon, locked

from dictsqlite_v4 import AsyncDictSQLite, ConflictError, DictSQLiteV4, OutcomeUnknownError


@pytest.fixture
def run(path, mode):
    """Runs a coroutine function over a store, in each mode."""
    def run_over_store(function, **options):
        async def main():
            async with AsyncDictSQLite(path, persist_mode=mode, **options) as db:
                await asyncio.wait_for(function(db), 60)

        asyncio.run(main())

    return run_over_store




def outside(coroutine, context):
    """A task in `context`, in which no transaction is under way."""
    return context.run(asyncio.ensure_future, coroutine)


def test_all_or_nothing(run):
    import contextvars

    context = contextvars.copy_context()

    async def main(db):
        table = await db.table_async("t")
        await db.set_async("a", 1)
        async with db.transaction() as inside:
            assert inside is db
            await db.set_async("a", 2)
            await db.batch_set({"b": [1]})
            await table.set_async("c", 3)
            assert await db.get_async("a") == 2 and await table.get_async("c") == 3
            assert await db.batch_get(["a", "b"]) == {"a": 2, "b": [1]}
            assert await db.keys_async() == ["a", "b"] == [key async for key in db]
            assert await db.len_async() == 2 and await db.contains_async("b")
            assert [item async for item in db.iter_items()] == [("a", 2), ("b", [1])]
            assert await outside(db.get_async("a"), context) == 1
            assert await outside(db.items_async(), context) == [("a", 1)]
            assert await outside(table.len_async(), context) == 0
        assert await outside(db.items_async(), context) == [("a", 2), ("b", [1])]
        assert await table.items_async() == [("c", 3)]
        with pytest.raises(ZeroDivisionError):
            async with db.transaction():
                assert await db.delete_async("a")
                await db.clear_async()
                await table.set_async("c", 4)
                await asyncio.sleep(0)
                raise ZeroDivisionError
        assert await db.items_async() == [("a", 2), ("b", [1])]
        assert await table.get_async("c") == 3

    run(main)


def test_what_was_asked_for_before_is_there(run):
    async def main(db):
        sets = [asyncio.ensure_future(db.set_async(i, i)) for i in range(100)]
        await asyncio.sleep(0)
        async with db.transaction():
            assert await db.len_async() == 100
            await db.delete_many_async(range(50))
        await asyncio.gather(*sets)
        assert await db.keys_async() == list(range(50, 100))

    run(main)


def test_tasks_wait_for_each_others_transactions(run):
    async def move(db, amount):
        async with db.transaction():
            mine = await db.get_async("from")
            await asyncio.sleep(0)
            await db.set_async("from", mine - amount)
            await db.set_async("to", await db.get_async("to") + amount)

    async def main(db):
        await db.batch_set({"from": 100, "to": 0})
        await asyncio.gather(*(move(db, 1) for _ in range(40)))
        assert await db.items_async() == [("from", 60), ("to", 40)]

    run(main)


def test_tasks_that_are_begun_within_take_part(run):
    async def main(db):
        await db.set_async("a", 1)
        with pytest.raises(KeyError):
            async with db.transaction():
                await asyncio.gather(db.set_async("a", 2), db.incr_async("n"), db.add_async("b", 1))
                assert await asyncio.wait_for(db.get_async("a"), 60) == 2
                later = asyncio.ensure_future(use_afterwards(db, asyncio.get_running_loop()))
                other = asyncio.ensure_future(begin(db))
                with pytest.raises(RuntimeError, match="another task's"):
                    await other
                raise KeyError
        assert await db.items_async() == [("a", 1)]
        await later  # which outlived it
        assert await db.items_async() == [("a", 1), ("later", 1)]

    async def begin(db):
        async with db.transaction():
            pass

    async def use_afterwards(db, loop):
        await asyncio.sleep(0.05)
        while db._busy:
            await asyncio.sleep(0.001)
        await db.set_async("later", 1)

    run(main)


def test_one_within_one_is_a_part_of_it(run):
    async def main(db):
        async with db.transaction():
            await db.set_async("a", 1)
            with pytest.raises(ZeroDivisionError):
                async with db.transaction():
                    await db.set_async("b", 1)
                    assert await db.len_async() == 2
                    raise ZeroDivisionError
            async with db.transaction():
                await db.set_async("c", 1)
            assert await db.keys_async() == ["a", "c"]
        transaction = db.transaction()
        async with transaction:
            pass
        with pytest.raises(RuntimeError, match="once"):
            async with transaction:
                pass
        assert await db.keys_async() == ["a", "c"]

    run(main)


def test_a_conflict_is_told_and_tried_again(path, file_mode):
    async def main():
        async with AsyncDictSQLite(path, persist_mode=file_mode) as db:
            other = DictSQLiteV4(path, persist_mode=file_mode)
            await db.set_async("n", 1)
            with pytest.raises(ConflictError):
                async with db.transaction():
                    await db.set_async("n", await db.get_async("n") + 1)
                    other["n"] = 10
            assert await db.get_async("n") == 10
            tries = []

            async def add(store):
                assert store is db
                number = await store.get_async("n")
                if len(tries) < 2:
                    other["n"] = number + 10
                tries.append(number)
                await store.set_async("n", number + 1)
                return number

            assert await db.transact_async(add) == 30 and tries == [10, 20, 30]
            assert other["n"] == 31
            tries.clear()
            with pytest.raises(ConflictError):
                await db.transact_async(add, retries=1)
            assert await db.transact_async(lambda store: store.incr("n")) == 52
            other.close()

    asyncio.run(main())


def test_a_task_that_is_cancelled_within_writes_nothing(run):
    async def write(db, started):
        async with db.transaction():
            await db.set_async("a", 2)
            started.set()
            await asyncio.sleep(60)

    async def main(db):
        await db.set_async("a", 1)
        started = asyncio.Event()
        task = asyncio.ensure_future(write(db, started))
        await started.wait()
        waiting = [asyncio.ensure_future(write(db, started)) for _ in range(3)]
        await asyncio.sleep(0)
        for each in (task, *waiting):
            each.cancel()
        await asyncio.gather(task, *waiting, return_exceptions=True)
        assert all(each.cancelled() for each in (task, *waiting))
        async with db.transaction():  # it is let go
            assert await db.get_async("a") == 1
        assert not db._busy

    run(main)


def test_a_task_that_is_cancelled_at_the_end_writes_nothing(run):
    """While its end waits for what was begun within it."""
    async def main(db):
        begun, may_end = threading.Event(), threading.Event()

        def slow(store):
            begun.set()
            may_end.wait(60)

        async def write():
            async with db.transaction():
                await db.set_async("a", 1)
                within.append(asyncio.ensure_future(db.transact_async(slow)))
                await asyncio.sleep(0.01)

        within = []
        task = asyncio.ensure_future(write())
        await asyncio.get_running_loop().run_in_executor(None, begun.wait)
        await asyncio.sleep(0.05)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert caught.value.__cause__ is None
        may_end.set()
        await within[0]
        assert await db.get_async("a") is None and not db._busy

    run(main)


def test_a_cancellation_says_what_happened(run):
    async def main(db):
        started, may_end = threading.Event(), threading.Event()

        def slow(store):
            started.set()
            may_end.wait(60)
            store["a"] = 1

        async def call():
            try:
                await db.transact_async(slow)
            except asyncio.CancelledError as error:
                return error.__cause__

        first = asyncio.ensure_future(call())
        await asyncio.get_running_loop().run_in_executor(None, started.wait)
        second = asyncio.ensure_future(call())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        first.cancel()
        second.cancel()
        assert isinstance(await first, OutcomeUnknownError)
        assert await second is None  # it had not begun, and never does
        may_end.set()
        assert await db.items_async() == [("a", 1)]

    run(main)


def test_edit(run):
    async def main(db):
        async with db.edit("list", []) as value:
            value.append(1)
        assert await db.get_async("list") == [1]
        with pytest.raises(ZeroDivisionError):
            async with db.edit("list") as value:
                value.append(2)
                raise ZeroDivisionError
        with pytest.raises(KeyError, match="none"):
            async with db.edit("none"):
                pass
        with pytest.raises(ConflictError):
            async with db.edit("list") as value:
                value.append(3)
                await db.set_async("list", "other")
        assert await db.get_async("list") == "other"

    run(main)


@pytest.mark.parametrize("password", (None, "correct horse"))
def test_iterating_beside_writers(path, password):
    async def main():
        async with AsyncDictSQLite(path, encryption_password=password) as db:
            await db.batch_set({f"k{i:05}": i for i in range(5000)})
            seen, n_left = [], 5000
            async for key in db.iter_prefix("k"):
                seen.append(key)
                if len(seen) % 100 == 0:
                    n_left -= await db.delete_async(f"k{4999 - len(seen):05}")
                    await db.add_async(f"x{len(seen)}", 1)
            assert len(seen) == len(set(seen)) and set(seen) <= {f"k{i:05}" for i in range(5000)}
            assert n_left <= len(seen) < 5000
            async for key in db:
                await db.set_async(("new", key), 1)
                if isinstance(key, str) and key > "k00010":
                    break
            assert await db.delete_prefix_async("k") == n_left
            found = [key async for key in db.iter_from("x1", "x11")]
            assert found == sorted(key for key in found if "x1" <= key < "x11") and found

    asyncio.run(main())


def test_copies_tell_and_end(path, tmp_path):
    async def main():
        async with AsyncDictSQLite(path) as db:
            await db.batch_set({i: "x" * 2000 for i in range(5000)})
            thread, told = threading.get_ident(), []

            def progress(n_done, n_all):
                assert threading.get_ident() == thread
                told.append((n_done, n_all))

            setting = asyncio.ensure_future(db.set_async("last", 1))
            await asyncio.sleep(0)
            await db.backup_async(tmp_path / "copy.db", progress=progress)
            await setting
            assert told and told[-1][0] == told[-1][1]

            def refuse(n_done, n_all):
                raise ZeroDivisionError

            with pytest.raises(ZeroDivisionError):
                await db.backup_async(tmp_path / "refused.db", progress=refuse)
            assert not (tmp_path / "refused.db").exists()

            with pytest.raises(FileExistsError):
                await db.backup_async(tmp_path / "copy.db")

            begun = asyncio.Event()
            task = asyncio.ensure_future(
                db.encrypt_copy_async(tmp_path / "left.db", "p", lambda *_: begun.set())
            )
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert not [name for name in tmp_path.iterdir() if name.name.startswith("left")]

    asyncio.run(main())
    with DictSQLiteV4(tmp_path / "copy.db") as db:
        assert len(db) == 5001 and db.check() == []


def test_passwords(path):
    async def main():
        async with AsyncDictSQLite(path, encryption_password="old") as db:
            await db.set_async("a", 1)
            await db.change_password_async("old", "new")
            with pytest.raises(ValueError):
                await db.achange_password("old", "newer")
        async with AsyncDictSQLite(path, encryption_password="new") as db:
            assert await db.get_async("a") == 1

    asyncio.run(main())


def test_a_file_is_rekeyed(path):
    async def main():
        async with AsyncDictSQLite(path, encryption_password="old") as db:
            await db.set_async("a", 1)
        await AsyncDictSQLite.rekey_file_async(path, "old", "new")
        async with AsyncDictSQLite(path, encryption_password="new") as db:
            assert await db.get_async("a") == 1

    asyncio.run(main())


def test_a_change_of_passwords_ends_when_it_is_cancelled(path):
    """While it waits for another connection's lock, and not when that is given back."""
    def waits():
        return [t for t in threading.enumerate() if t.name.startswith("dictsqlite-copy")]

    async def main():
        async with AsyncDictSQLite(
            path, encryption_password="old", kdf_memory=19 << 20, busy_timeout=60
        ) as db:
            await db.set_async("a", 1)
            await db.flush_async()
            with locked(path):
                task = asyncio.ensure_future(db.change_password_async("old", "new"))
                await asyncio.sleep(0.5)
                assert not task.done()
                thread, = waits()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                join_soon(thread, 2)

    asyncio.run(main())
    with DictSQLiteV4(path, encryption_password="old") as db:
        assert db["a"] == 1


def test_tables(run):
    async def main(db):
        table = await db.table_async("t")
        assert table is await db.atable("t") and table.name == "t" and table.parent is db
        assert repr(table) == f"<AsyncTable 't' of {db._path!r}>"
        with pytest.raises(TypeError):
            await db.table_async(1)
        await asyncio.gather(*(table.set_async(i, i) for i in range(100)))
        assert await table.len_async() == 100 and await db.len_async() == 0
        assert await db.tables_async() == ["t"] and await table.incr_async("n") == 1
        await table.flush()
        await db.drop_table_async("t")
        assert await table.dropped_async()
        for call in (table.get_async("a"), table.set_async("a", 1), table.len_async(),
                     table.add_async("a", 1), table.keys_async(), table.batch_get(["a"])):
            with pytest.raises(RuntimeError, match="table is dropped"):
                await call
        with pytest.raises(KeyError):
            await db.drop_table_async("t")
        assert await db.table_async("t") is not table
        kept = await db.table_async("kept")
        await kept.set_async("a", 1)
        del kept
        assert await (await db.table_async("kept")).get_async("a") == 1

    run(main)


def test_a_close_waits_for_the_tables(path):
    async def main():
        db = AsyncDictSQLite(path, persist_mode="writethrough")
        table = await db.table_async("t")
        sets = [asyncio.ensure_future(table.set_async(i, [i])) for i in range(300)]
        await asyncio.sleep(0)
        await db.close()
        await asyncio.gather(*sets)
        with pytest.raises(RuntimeError, match="store is closed"):
            await table.get_async(1)
        with pytest.raises(RuntimeError, match="store is closed"):
            async with db.transaction():
                pass

    asyncio.run(main())
    with DictSQLiteV4(path) as db:
        assert len(db.table("t")) == 300


def test_a_watch_is_told_what_is_asked_for_after_it(path):
    async def main():
        async with AsyncDictSQLite(path) as db:
            watch = db.watch("k")
            db_set = db.set_async("k1", 1)
            await db_set
            assert await watch.__anext__() == ["k1"]
            table = await db.table_async("t")
            with table.watch() as other:
                await table.set_async("a", 1)
                assert await other.__anext__() == ["a"]
            with pytest.raises(StopAsyncIteration):
                await other.__anext__()
            with pytest.raises(TypeError):
                db.watch(1)
            never = db.watch()
            never.close()
            with pytest.raises(StopAsyncIteration):
                await never.__anext__()
        with pytest.raises(StopAsyncIteration):
            await watch.__anext__()
        with pytest.raises(RuntimeError, match="store is closed"):
            db.watch()

    asyncio.run(main())
