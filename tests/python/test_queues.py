# test_queues.py - the first key, asked for again and again while all else goes on
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The store remembers what the first keys were, so whatever may change that is done here. A walk
from the other end does not go by that, and says what is right."""

from __future__ import annotations

import random
import threading

import pytest

MANY = 40


def first_of(store):
    return next(iter(store), None)


def last_of(keys):
    last = None
    for last in keys:
        pass
    return last


class Queue:
    """A store, a table of it, and what may be done to them."""

    def __init__(self, store, other, seed):
        self.store, self.other = store, other
        self.random = random.Random(seed)
        self.mapping = store.table("t") if seed % 2 else store
        self.n_new = self.hours = 0
        self.removed = ["first"]

    def add(self):
        for _ in range(self.random.choice((1, MANY))):
            self.n_new += 1
            self.mapping[f"k{self.n_new}"] = self.n_new

    def take(self):
        key = first_of(self.mapping)
        if key is not None:
            del self.mapping[key]
            self.removed.append(key)

    def pop(self):
        key = next(iter(self.mapping.items()), (None,))[0]
        if key is not None:
            self.mapping.pop(key)
            self.removed.append(key)

    def take_many(self):
        for _ in range(self.random.randrange(MANY)):
            self.take()

    def take_from_the_middle(self):
        keys = list(self.mapping)
        for key in self.random.sample(keys, min(3, len(keys))):
            del self.mapping[key]
            self.removed.append(key)

    def put_back(self):
        self.mapping[self.random.choice(self.removed)] = "again"

    def take_and_put_back(self):
        self.take()
        self.mapping[self.removed[-1]] = "again"

    def overwrite(self):
        key = first_of(self.mapping)
        if key is not None:
            self.mapping[key] = "over"

    def in_a_transaction(self):
        with self.store.transaction():
            self.take_and_put_back()
            self.take()
            assert first_of(self.mapping) == last_of(reversed(self.mapping))

    def undone(self):
        with pytest.raises(KeyError), self.store.transaction():
            self.take_many()
            raise KeyError

    def flush(self):
        self.store.flush()

    def expire(self):
        key = first_of(self.mapping)
        if key is not None:
            self.mapping.touch(key, 1000)
            self.removed.append(key)
            self.hours += 1
            for store in filter(None, (self.store, self.other)):
                store.set_clock_offset(self.hours * 3600)

    def set_to_expire(self):
        key = self.random.choice(self.removed)
        self.mapping.set(key, 1, expire=self.random.choice((1000, 10**7)))

    def write_elsewhere(self):
        if self.other is None:
            return
        mapping = self.other.table("t") if self.mapping is not self.store else self.other
        key = first_of(mapping)
        if key is not None and self.random.random() < 0.5:
            del mapping[key]
        mapping[self.random.choice((f"o{self.n_new}", self.removed[-1]))] = "other"

    def clear(self):
        if self.random.random() < 0.1:
            self.mapping.clear()

    def popitem(self):
        if self.mapping:
            self.removed.append(self.mapping.popitem()[0])


OPERATIONS = [name for name in vars(Queue) if name[0] != "_"]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("shared", (False, True))
def test_the_first_key_whatever_was_done(open_store, mode, seed, shared):
    if shared and mode == "memory":
        pytest.skip("nobody else has its entries")
    parameters = {"hot_capacity": 8} if seed % 3 == 0 and mode == "lazy" else {}
    store = open_store(persist_mode=mode, flush_interval=3600, **parameters)
    other = open_store(persist_mode="writethrough") if shared else None
    queue = Queue(store, other, seed)
    for _ in range(400):
        name = queue.random.choice(OPERATIONS)
        getattr(queue, name)()
        backwards = list(reversed(queue.mapping))
        assert first_of(queue.mapping) == (backwards[-1] if backwards else None), name
        assert list(queue.mapping) == backwards[::-1]
        if backwards:
            assert next(iter(queue.mapping.items()))[0] == backwards[-1]


def test_two_take_from_one_queue(open_store, mode):
    """Each key is had by one of them, and each of them meets its keys in order."""
    store = open_store(persist_mode=mode, flush_interval=0.01)
    n_keys = 3000 if mode != "writethrough" else 500
    store.update({f"k{i:05}": i for i in range(n_keys)})
    taken = [[], []]

    def take(mine):
        while (key := first_of(store)) is not None:
            if store.delete(key):
                mine.append(key)

    threads = [threading.Thread(target=take, args=(mine,)) for mine in taken]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken[0] + taken[1]) == [f"k{i:05}" for i in range(n_keys)]
    assert [sorted(mine) for mine in taken] == taken


def test_an_iterator_goes_on_behind_its_first_key(open_store, mode):
    store = open_store(persist_mode=mode)
    store.update({f"k{i}": i for i in range(300)})
    for i in range(100):
        assert first_of(store) == f"k{i}"
        walk = iter(store)
        assert [next(walk), next(walk)] == [f"k{i}", f"k{i + 1}"]
        assert list(walk) == [f"k{j}" for j in range(i + 2, 300)]
        del store[f"k{i}"]
        with pytest.raises(RuntimeError, match="changed size"):
            walk = iter(store)
            store[f"k{300 + i}"] = i
            next(walk)
        del store[f"k{300 + i}"]
        walk = iter(store)
        del store[f"k{i + 1}"]
        store[f"k{i + 1}"] = "last now"
        assert next(walk) == f"k{i + 2}"
        del store[f"k{i + 1}"]
        store.clear()
        store.update({f"k{j}": j for j in range(i + 1, 300)})


def test_the_first_key_is_of_any_kind(open_store, mode):
    store = open_store(persist_mode=mode)
    keys = ["", "\0", None, b"", b"\xff", 0, -1, 0.5, (), ("a", (1,)), "last"]
    store.update(dict.fromkeys(keys, "v"))
    for step, key in enumerate(keys):
        assert first_of(store) == key and type(first_of(store)) is type(key)
        assert list(store) == keys[step:]
        del store[key]
    assert first_of(store) is None and list(store) == []


@pytest.mark.parametrize("mode", ("memory", "lazy"))
def test_a_walk_ends_where_it_began_though_the_first_key_has_come_since(open_store, mode):
    store = open_store(persist_mode=mode)
    store.update(a=1)
    assert first_of(store) == "a"
    walk = iter(store)
    del store["a"]
    store["b"] = 1
    assert list(walk) == []
    assert list(store) == ["b"]


def test_a_closed_store_has_no_first_key(open_store, mode):
    store = open_store(persist_mode=mode)
    store.update(a=1, b=2)
    assert first_of(store) == "a"
    walk = iter(store)
    store.close()
    with pytest.raises(RuntimeError, match="closed"):
        next(walk)
    with pytest.raises(RuntimeError, match="closed"):
        iter(store)


def test_a_dropped_table_has_no_first_key(store):
    table = store.table("t")
    table.update(a=1, b=2)
    assert first_of(table) == "a"
    walk = iter(table)
    store.drop_table("t")
    with pytest.raises(RuntimeError, match="dropped"):
        next(walk)
    table = store.table("t")
    assert first_of(table) is None
    table["c"] = 1
    assert first_of(table) == "c"


def test_expired_while_it_is_known(store):
    store.update(dict.fromkeys("abc", 1))
    assert first_of(store) == "a"
    store.touch("a", 60)
    assert first_of(store) == "a"
    store.set_clock_offset(61)
    assert first_of(store) == "b"
    del store["b"]
    assert first_of(store) == "c"
