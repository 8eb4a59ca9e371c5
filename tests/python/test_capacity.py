# test_capacity.py - the hot tier holds no more than it may, and nobody notices
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import random
from collections import OrderedDict

import pytest
from conftest import python


def test_ten_hot_entries_and_five_thousand_keys(open_store, file_mode):
    store = open_store(persist_mode=file_mode, hot_capacity=10)
    expected = {f"key_{i}": f"value_{i}" for i in range(5000)}
    most = 0
    for number, (key, value) in enumerate(expected.items()):
        store[key] = value
        if number % 100 == 0:
            store.flush()
            most = max(most, store.stats()["hot_entries"])
    store.flush()
    for number, (key, value) in enumerate(expected.items()):
        assert store[key] == value
        if number % 100 == 0:
            most = max(most, store.stats()["hot_entries"])
    stats = store.stats()
    assert 0 < max(most, stats["hot_entries"]) <= 10
    assert stats["hot_capacity"] == stats["hot_tier_capacity"] == 10
    assert stats["hot_tier_size"] == stats["hot_entries"] == stats["tiers"]["hot"]["entries"]
    assert stats["evictions"] >= 4990
    assert stats["dirty_entries"] == 0
    assert len(store) == 5000
    assert list(store.items()) == list(expected.items())
    store.close()
    store = open_store(persist_mode=file_mode, hot_capacity=10)
    assert list(store.items()) == list(expected.items())
    assert store.stats()["hot_entries"] <= 10


def test_memory_mode_forgets_nothing(open_store):
    store = open_store(persist_mode="memory", hot_capacity=10)
    expected = {f"key_{i}": i for i in range(5000)}
    for key, value in expected.items():
        store[key] = value
    assert all(store[key] == value for key, value in expected.items())
    assert list(store.items()) == list(expected.items())


def test_the_least_recently_used_leaves_first(open_store):
    store = open_store(persist_mode="writethrough", hot_capacity=3, near_capacity=0)
    for key in "abc":
        store[key] = key
    assert store["a"] == "a"
    store["d"] = "d"  # evicts b
    before = store.stats()
    for key in "acd":
        assert store[key] == key
    after = store.stats()
    assert after["hot_hits"] - before["hot_hits"] == 3
    assert after["hot_misses"] == before["hot_misses"]
    assert store["b"] == "b"
    assert store.stats()["hot_misses"] == before["hot_misses"] + 1


def zipf():
    """Numbers of keys, a few of them very often."""
    generator = random.Random(1)
    weights = [1 / (rank + 1) for rank in range(2000)]
    return generator.choices(range(2000), weights, k=20_000)


def scan_and_loop():
    """A loop over 150 keys, interrupted by scans of keys that are seldom read again."""
    return [200 + n * 7 % 1800 if n % 1000 < 200 else n % 150 for n in range(20_000)]


@pytest.mark.parametrize("warm_capacity", (0, 16 << 10))
@pytest.mark.parametrize("stream", (zipf, scan_and_loop))
def test_hot_hits_equal_a_reference_lru(open_store, file_mode, stream, warm_capacity):
    store = open_store(
        persist_mode=file_mode,
        hot_capacity=100,
        warm_capacity=warm_capacity,
        enable_async=False,
    )
    reference = OrderedDict()
    for number in range(2000):
        store[number] = number
        reference[number] = None
        if len(reference) > 100:
            reference.popitem(last=False)
    store.flush()  # what is dirty stays in memory beside what the capacity counts
    before = store.stats()["hot_hits"]
    hits = 0
    for number in stream():
        assert store[number] == number
        hits += number in reference
        reference[number] = None
        reference.move_to_end(number)
        if len(reference) > 100:
            reference.popitem(last=False)
    assert store.stats()["hot_hits"] - before == hits


@pytest.mark.parametrize("capacity", (10_000, 1_000_000, 10**9, 2**80))
def test_opening_takes_no_memory_in_proportion_to_the_capacity(path, capacity):
    used = python(
        "import sys\n"
        "from dictsqlite_v4 import DictSQLiteV4\n"
        "def rss():\n"
        "    with open('/proc/self/statm') as statm:\n"
        "        return int(statm.read().split()[1]) * 4096\n"
        "DictSQLiteV4(sys.argv[1] + '.first', hot_capacity=10).close()\n"
        "before = rss()\n"
        "store = DictSQLiteV4(sys.argv[1], hot_capacity=int(sys.argv[2]))\n"
        "store['a'] = 1\n"
        "print(rss() - before)\n"
        "store.close()\n",
        path,
        capacity,
    )
    assert used.returncode == 0, used.stderr
    assert int(used.stdout) < 4 << 20
