# test_shared.py - several objects on one file in one process
# SPDX-License-Identifier: LGPL-2.1-or-later

import asyncio
import errno
import os
import random

import pytest

from dictsqlite_v4 import AsyncDictSQLite, ConflictError, DictSQLiteV4, WrongPasswordError

KDF = {"kdf_memory": 19 << 20, "kdf_passes": 2}


@pytest.mark.parametrize("modes", [
    ("lazy", "lazy"), ("lazy", "writethrough"), ("writethrough", "lazy"),
], ids=str)
def test_the_newest_write_wins(open_store, path, modes):
    one, other = (open_store(persist_mode=mode, flush_interval=1000) for mode in modes)
    one["key"] = 1
    other["key"] = 2
    assert one["key"] == 2
    one["key"] = 3
    assert other["key"] == 3 and len(one) == len(other) == 1
    one.close()
    with pytest.raises(RuntimeError, match="store is closed"):
        one["key"]
    other["key"] += 1
    other.close()
    with DictSQLiteV4(path) as store:
        assert dict(store) == {"key": 4}


@pytest.mark.parametrize("modes", [
    ("lazy", "lazy"), ("lazy", "writethrough"), ("writethrough", "lazy"),
], ids=str)
def test_one_for_asyncio_beside_one_for_threads(open_store, path, modes):
    sync = open_store(persist_mode=modes[0], flush_interval=1000)

    async def main():
        db = AsyncDictSQLite(path, persist_mode=modes[1], flush_interval=1000)
        for i in range(100):
            await db.set_async("key", i)
            assert sync["key"] == i
            sync["key"] = -i
            assert await db.get_async("key") == -i
            assert await db.incr_async("n") == 2 * i + 1 and sync.incr("n") == 2 * i + 2
        table = await db.table_async("t")
        await table.batch_set({"a": 1})
        sync.table("t")["b"] = 2
        assert await table.items_async() == [("a", 1), ("b", 2)] == list(sync.table("t").items())
        assert sync.pop("key") == -99 and not await db.contains_async("key")
        with sync.transaction():
            sync["n"] = 0
            assert await db.get_async("n") == 200
            await db.set_async("other", 1)
        async with db.transaction():
            await db.set_async("n", 1)
            assert sync["n"] == 0 and sync["other"] == 1
        with pytest.raises(ConflictError):
            async with db.transaction():
                await db.set_async("n", await db.get_async("n") + 1)
                sync["n"] = 5
        await db.close()
        with pytest.raises(RuntimeError, match="store is closed"):
            await db.get_async("n")

    asyncio.run(main())
    assert dict(sync) == {"n": 5, "other": 1}  # the other's end is not its own
    sync["last"] = 1
    sync.close()
    with DictSQLiteV4(path) as store:
        assert dict(store) == {"n": 5, "other": 1, "last": 1}


def test_a_committed_write_takes_along_what_waits(open_store):
    lazy = open_store(persist_mode="lazy", flush_interval=1000)
    through = open_store()
    apart = open_store(separate=True)
    lazy["lazy"] = 1
    assert "lazy" not in apart
    through["through"] = 2
    assert dict(apart) == {"lazy": 1, "through": 2}


def test_a_change_by_another_object_is_a_change_of_size(open_store):
    one, other = open_store(persist_mode="lazy"), open_store(persist_mode="lazy")
    one.update(a=1, b=2)
    walk = iter(one)
    next(walk)
    other["c"] = 3
    with pytest.raises(RuntimeError, match="changed size during iteration"):
        next(walk)


def test_one_that_only_reads_comes_to_who_writes(open_store):
    with open_store() as store:
        store.table("table")["key"] = 0
    reader = open_store(read_only=True)
    table, walk = reader.table("table"), iter(reader.table("table"))
    writer = open_store(persist_mode="lazy", flush_interval=1000)
    writer["key"] = writer.table("table")["key"] = 1
    assert reader["key"] == table["key"] == 1 and list(walk) == ["key"]
    with pytest.raises(OSError) as raised:
        table["key"] = 2
    assert raised.value.errno == errno.EROFS
    writer.close()
    assert reader["key"] == 1


def test_one_writes_within_the_transaction_of_another(open_store):
    one, other = open_store(persist_mode="lazy"), open_store()
    with one.transaction():
        one["own"] = 1
        other["key"] = 2
        assert "own" not in other
    assert dict(other) == {"key": 2, "own": 1}
    with pytest.raises(ConflictError), one.transaction():
        one["own"] = one["key"] + 1
        other["key"] = 3
    assert dict(one) == {"key": 3, "own": 1}


def test_the_password_is_asked_of_each(path):
    with DictSQLiteV4(path, encryption_password="one", **KDF) as store:
        store["a"] = 1
        for wrong in (None, "two"):
            with pytest.raises(WrongPasswordError):
                DictSQLiteV4(path, encryption_password=wrong)
        store.change_password("one", "two")
        with pytest.raises(WrongPasswordError):
            DictSQLiteV4(path, encryption_password="one")
        with DictSQLiteV4(path, encryption_password="two") as other:
            assert other["a"] == 1
        assert store["a"] == 1


def test_the_larger_size_is_the_stores(open_store):
    small = open_store(hot_capacity=10, warm_capacity=0)
    assert small.stats()["hot_tier_capacity"] == 10
    open_store(hot_capacity=5000)
    small.update({f"k{i}": i for i in range(1000)})
    assert small.stats()["hot_tier_capacity"] == 5000
    assert small.stats()["hot_tier_size"] == 1000


def test_what_one_means_to_keep_is_not_dropped(open_store):
    cache = open_store(max_bytes=1 << 20)
    keeps = open_store()
    keeps.update({f"k{i}": bytes(10_000) for i in range(300)})
    cache["one more"] = 1
    assert len(keeps) == 301


def test_a_child_shares_nothing_with_its_parent(open_store, path):
    open_store(persist_mode="lazy", flush_interval=1000)["lazy"] = 1
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with DictSQLiteV4(path) as store:
                status = len(store)
                store["child"] = 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert open_store()["child"] == 2


def test_memory_mode_shares_nothing(open_store):
    file = open_store(persist_mode="lazy")
    memory, other = open_store(persist_mode="memory"), open_store(persist_mode="memory")
    file["a"] = memory["b"] = 1
    assert dict(file) == {"a": 1} and dict(memory) == {"b": 1} and not other


def test_a_file_that_was_replaced_is_refused(open_store, path):
    store = open_store()
    other = path.with_name("other.db")
    DictSQLiteV4(other).close()
    os.replace(other, path)
    for separate in (False, True):
        with pytest.raises(OSError) as raised:
            open_store(separate=separate)
        assert raised.value.errno == errno.EBUSY
    store.close()
    open_store()["a"] = 1


class Model:
    """A dict, and objects of several modes that are to be the same."""

    def __init__(self, path, seed):
        self.draw = random.Random(seed)
        self.path = path
        self.parameters = {
            "hot_capacity": self.draw.choice([4, 50, 5000]),
            "warm_capacity": self.draw.choice([0, 1 << 20]),
            "flush_interval": 1000,
        }
        self.dict = {}
        self.stores = [self.open(), self.open(), self.open("lazy"), self.open("writethrough")]
        self.apart = DictSQLiteV4(path, separate=True)

    def open(self, mode=None):
        return DictSQLiteV4(
            self.path,
            persist_mode=mode or self.draw.choice(["lazy", "writethrough"]),
            **self.parameters,
        )

    def reopen(self):
        number = self.draw.randrange(len(self.stores))
        self.stores[number].close()
        self.stores[number] = self.open()

    def step(self, key):
        store, value, what = self.draw.choice(self.stores), self.draw.randrange(9), self.dict
        verb = self.draw.randrange(12)
        if verb < 3:
            store[key] = what[key] = value
        elif verb < 5:
            assert store.pop(key, None) == what.pop(key, None)
        elif verb == 5:
            many = {self.draw.randrange(20): value for _ in range(5)}
            store.bulk_insert(many)
            what.update(many)
        elif verb == 6:
            what[key] = what.get(key, 0) + value
            assert store.incr(key, value) == what[key]
        elif verb == 7:
            assert store.setdefault(key, value) == what.setdefault(key, value)
        elif verb == 8 and what:
            assert store.popitem() == what.popitem()
        elif verb == 9:
            with store.transaction():
                store[key] = store.get(key, 0) + 1
            what[key] = what.get(key, 0) + 1
        elif verb == 10:
            self.draw.choice([store.flush, self.reopen])()
        elif self.draw.random() < 0.1:
            store.clear()
            what.clear()

    def check(self):
        store = self.draw.choice(self.stores)
        assert len(store) == len(self.dict)
        if self.draw.random() < 0.2:
            assert list(store.items()) == list(self.dict.items())
            assert list(reversed(store)) == list(reversed(self.dict))
        if self.draw.random() < 0.1:
            store.flush()
            assert list(self.apart.items()) == list(self.dict.items())
            self.apart["apart"] = self.dict["apart"] = 1
            assert store["apart"] == 1

    def close(self):
        for store in [*self.stores, self.apart]:
            store.close()


@pytest.mark.parametrize("seed", range(8))
def test_all_are_one_dict(path, seed):
    model = Model(path, seed)
    for _ in range(150):
        model.step(model.draw.randrange(20))
        model.check()
    model.close()
    with DictSQLiteV4(path) as store:
        assert list(store.items()) == list(model.dict.items())
        assert store.check() == []
