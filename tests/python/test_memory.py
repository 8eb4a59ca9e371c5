# test_memory.py - how much memory a store takes, whatever the size of its values
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest
from conftest import python

MIB = 1 << 20

RESIDENT = """
import os, sys
from dictsqlite_v4 import DictSQLiteV4

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

value = os.urandom(1 << 20)
with DictSQLiteV4(sys.argv[1], persist_mode=sys.argv[2], hot_limit=16 << 20, warm_capacity=4 << 20,
                  dirty_limit=8 << 20) as store:
    store["first"] = value
    before = most = resident()
    for number in range(300):
        store[number % 200] = value  # the last are overwritten
        most = max(most, resident())
    for number in range(200):
        assert store[number] == value
        most = max(most, resident())
    print((most - before) >> 20)
"""


def test_values_of_a_megabyte_do_not_fill_memory(path, mode):
    done = python(RESIDENT, path, mode)
    assert done.returncode == 0, done.stderr
    # 16 + 4 + 8 MiB, SQLite's caches of 8 MiB each, and what malloc() keeps
    assert int(done.stdout) < 100, done.stdout


def test_clean_entries_keep_to_the_limit(open_store, file_mode):
    limit = 100_000
    store = open_store(persist_mode=file_mode, hot_limit=limit, warm_capacity=0)
    for size in (10, 1000, 10):
        for number in range(500):
            store[number] = b"x" * size
        store.flush()
        stats = store.stats()
        assert 0 < stats["hot_bytes"] <= limit and stats["dirty_bytes"] == 0
        for number in range(500):
            assert store[number] == b"x" * size
            assert store.stats()["hot_bytes"] <= limit
    # of 10 bytes all fit; the newest of 1000 are those that are left
    hits = store.stats()["hot_hits"]
    assert [store[number] for number in range(500)] == [b"x" * 10] * 500
    assert store.stats()["hot_hits"] == hits + 500


def test_overwriting_with_larger_values_evicts(open_store):
    store = open_store(hot_limit=100_000, warm_capacity=0)
    for number in range(50):
        store[number] = b"x"
    for number in range(50):
        store[number] = b"x" * 20_000
        assert store.stats()["hot_bytes"] <= 100_000
    assert 0 < store.stats()["hot_entries"] <= 5


def test_a_large_value_stays_out_and_leaves_the_others_in(open_store, file_mode):
    store = open_store(persist_mode=file_mode, hot_limit=100_000, warm_capacity=0)
    store.bulk_insert({number: b"x" for number in range(100)})
    store.flush()
    store["large"] = b"y" * 50_000
    store.flush()
    assert store["large"] == store["large"] == b"y" * 50_000
    stats = store.stats()
    assert stats["hot_entries"] == 100 and stats["hot_bytes"] < 10_000
    store[0] = b"z" * 50_000  # which was in
    store.flush()
    assert store[0] == b"z" * 50_000 and store.stats()["hot_entries"] == 99


def test_dirty_entries_do_not_count(open_store):
    store = open_store(persist_mode="lazy", hot_limit=100_000, enable_async=False)
    store.bulk_insert({number: b"x" * 1000 for number in range(50)})
    store.flush()
    store.bulk_insert({f"dirty {number}": b"x" * 1000 for number in range(500)})
    stats = store.stats()
    assert stats["hot_entries"] == 50 and stats["hot_bytes"] > 500_000


def test_used_bytes_are_told_without_max_bytes(open_store, file_mode, path):
    store = open_store(persist_mode=file_mode)
    store.bulk_insert({number: b"x" * 10_000 for number in range(100)})
    store.flush()
    full = store.stats()["used_bytes"]
    assert MIB <= full <= 2 * MIB
    for number in range(50):
        del store[number]
    store.flush()
    assert store.stats()["used_bytes"] < full * 0.7


@pytest.mark.parametrize("limit", (0, -1, "1", None))
def test_a_limit_out_of_range(open_store, limit):
    with pytest.raises(ValueError, match="hot_limit"):
        open_store(hot_limit=limit)
