# test_cliffs.py - what an operation costs does not grow with what else there is
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each measures the same work beside little and beside much, in one run, by the processor's time of
its thread. What should cost the same may cost four times as much where there is 32 times as much;
what grows with that would cost 32 times."""

from __future__ import annotations

import random
import threading
import time
import tracemalloc

import pytest
from conftest import ENCRYPTED

FEW = 3_000
MANY = 96_000


def cost(action):
    """Seconds of this thread; the least of several."""
    best = float("inf")
    for _ in range(5):
        start = time.thread_time()
        action()
        best = min(best, time.thread_time() - start)
    return best


def assert_flat(costs, factor=4):
    few, many = costs
    assert many < factor * few + 200e-6, f"{few * 1e6:.0f} us grew to {many * 1e6:.0f} us"


def fill(store, n_keys):
    keys = [f"k{i}" for i in range(n_keys)]
    random.Random(5).shuffle(keys)
    store.bulk_insert(dict.fromkeys(keys, 1))


# --- keys by prefix, of what is in memory only


@pytest.fixture(params=("memory", "lazy"))
def open_filled(request, open_store, tmp_path):
    """A store of as many keys, none of which is in a file."""

    def open_one(n_keys):
        store = open_store(
            db_path=tmp_path / f"{n_keys}.db",
            persist_mode=request.param,
            flush_interval=3600,
            dirty_limit=512 << 20,
        )
        fill(store, n_keys)
        return store

    return open_one


plain_only = pytest.mark.skipif(ENCRYPTED, reason="an encrypted file hides the order of its keys")


def set_and_list(store):
    for i in range(20):
        store[f"z{i}"] = 1
        assert len(list(store.iter_prefix("z"))) == i + 1
    for i in range(20):
        del store[f"z{i}"]
        left = [f"z{j}" for j in range(i + 1, 20)]
        assert next(store.iter_prefix("z"), None) == min(left, default=None)


PREFIXES = {
    "nothing": lambda store: [list(store.iter_prefix("nothing")) for _ in range(20)],
    "first": lambda store: [next(store.iter_prefix("k")) for _ in range(20)],
    "from": lambda store: [next(store.iter_from("k5", "k6")) for _ in range(20)],
    "set_and_list": set_and_list,
}


@plain_only
@pytest.mark.parametrize("name", PREFIXES)
def test_prefixes(open_filled, name):
    costs = []
    for n_keys in (FEW, MANY):
        store = open_filled(n_keys)
        PREFIXES[name](store)  # the first may sort
        costs.append(cost(lambda: PREFIXES[name](store)))
    assert_flat(costs)


@plain_only
def test_all_pages_of_a_prefix(open_filled):
    costs = []
    for n_keys in (FEW, MANY):
        store = open_filled(n_keys)
        found = list(store.iter_prefix("k"))
        assert found == sorted(f"k{i}" for i in range(n_keys))
        costs.append(cost(lambda: list(store.iter_prefix("k"))))
    assert costs[1] < 4 * MANY / FEW * costs[0]


@plain_only
def test_prefixes_while_much_comes_and_goes(open_filled):
    """Keys set and removed between two listings cost once, not each time."""

    def churn(store):
        for i in range(500):
            store[f"n{i}"] = 1
        for i in range(500):
            assert next(store.iter_prefix("n")) is not None
            del store[f"n{i}"]

    costs = []
    for n_keys in (FEW, MANY):
        store = open_filled(n_keys)
        churn(store)
        costs.append(cost(lambda: churn(store)))
    assert_flat(costs)


# --- a store as a queue


def take_first(store):
    key = next(iter(store))
    del store[key]
    return key


def pop_first(store):
    key = next(iter(store))
    assert store.pop(key) == 1
    return key


def pop_last(store):
    return store.popitem()[0]


def take_last(store):
    key = next(reversed(store))
    del store[key]
    return key


def first_item(store):
    key, _ = next(iter(store.items()))
    del store[key]
    return key


@pytest.mark.parametrize("take", (take_first, pop_first, pop_last, take_last, first_item))
@pytest.mark.parametrize("flushed", (True, False))
def test_queues(open_store, mode, take, flushed):
    """It does not matter how much has been taken from it before."""
    store = open_store(persist_mode=mode, flush_interval=3600)
    keys = [f"k{i}" for i in range(24_000)]
    store.update(dict.fromkeys(keys, 1))
    if flushed:
        store.flush()
    if take in (pop_last, take_last):
        keys.reverse()
    taken = []

    def take_some():
        taken.extend(take(store) for _ in range(200))

    begun = cost(take_some)
    while len(taken) < 20_000:
        take_some()
    assert_flat((begun, cost(take_some)))
    assert taken == keys[: len(taken)]
    assert sorted(store) == sorted(keys[len(taken) :])


@plain_only
def test_a_queue_by_keys(open_store, mode):
    """What has been taken goes to the file when it is much, and is not passed over each time."""
    store = open_store(persist_mode=mode, flush_interval=3600)
    keys = [f"k{i:06}" for i in range(24_000)]
    store.update(dict.fromkeys(keys, 1))
    store.flush()
    taken = []

    def take_some():
        for _ in range(200):
            taken.append(next(store.iter_prefix("k")))
            del store[taken[-1]]

    while len(taken) < 3_000:
        take_some()
    early = cost(take_some)
    while len(taken) < 20_000:
        take_some()
    assert_flat((early, cost(take_some)))
    assert taken == keys[: len(taken)]


def test_a_queue_loses_nothing_of_what_others_put_in(open_store, mode):
    """Its first key is looked for again and again while other threads put keys in blindly."""
    store = open_store(persist_mode=mode, flush_interval=0.01)
    n_keys = 4_000 if mode != "writethrough" else 500

    def put(name):
        for i in range(n_keys):
            store[f"{name}{i}"] = i

    threads = [threading.Thread(target=put, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    taken = []
    while any(thread.is_alive() for thread in threads) or len(store):
        key = next(iter(store), None)
        if key is not None:
            taken.append(key)
            del store[key]
    for name in "ab":
        assert [key for key in taken if key[0] == name] == [f"{name}{i}" for i in range(n_keys)]


# --- beside tables that somebody has open


def set_in_tables(store, tables):
    for i in range(20):
        tables[str(i)]["key"] = i
        assert tables[str(i)]["key"] == i and len(tables[str(i)]) == 1


BESIDE_TABLES = {
    "making": lambda store, tables: [store.table(f"new {i}") for i in range(20)],
    "set and get": set_in_tables,
    "stats": lambda store, tables: [store.stats() for _ in range(20)],
}


@pytest.mark.parametrize("work", BESIDE_TABLES)
@pytest.mark.parametrize("mode", ("memory", "writethrough"))
def test_many_tables_are_not_looked_at_one_by_one(open_store, mode, work):
    costs = []
    for n_tables in (100, 3_200):
        with open_store(persist_mode=mode) as store:
            tables = {str(i): store.table(str(i)) for i in range(n_tables)}
            costs.append(cost(lambda: BESIDE_TABLES[work](store, tables)))  # noqa: B023
    assert_flat(costs)


def test_a_transaction_makes_nothing_for_each_table(open_store):
    with open_store(persist_mode="memory") as store:
        tables = [store.table(str(i)) for i in range(2_000)]
        peaks = []
        for _ in range(2):
            tracemalloc.start()
            with store.transaction():
                tables[5]["key"] = 1
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert peaks[1] < 100 * len(tables) < peaks[0]
        assert tables[5]["key"] == 1
