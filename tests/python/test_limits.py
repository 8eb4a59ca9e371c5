# test_limits.py - a store that is used as a cache: max_bytes, and a file that shrinks
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest
from conftest import python, wait_until

from dictsqlite_v4 import DictSQLiteV4

MIB = 1 << 20


# --- max_bytes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("length", (100, 3_000, 40_000))
@pytest.mark.parametrize("hot_capacity", (10, 1_000_000))
def test_a_cache_never_takes_more_than_it_may(open_store, mode, length, hot_capacity):
    store = open_store(
        persist_mode=mode, max_bytes=2 * MIB, hot_capacity=hot_capacity, enable_async=False
    )
    step = 6 * MIB // length // 10
    total = 10 * step
    for first in range(0, total, step):
        store.bulk_insert({f"key_{i}": "x" * length for i in range(first, first + step)})
        store.flush()
        stats = store.stats()
        assert stats["used_bytes"] <= 2 * MIB
        assert len(store) + stats["dropped_entries"] == first + step
    stats = store.stats()
    assert stats["max_bytes"] == 2 * MIB and stats["used_bytes"] > MIB
    assert stats["dropped_bytes"] > 3 * MIB
    keys = list(store)
    assert keys == [f"key_{i}" for i in range(total)][-len(keys) :]
    assert all(len(value) == length for value in store.values())


def test_what_is_used_stays(open_store, mode):
    store = open_store(persist_mode=mode, max_bytes=2 * MIB, enable_async=False)
    for i in range(2_000):
        store[f"key_{i}"] = "x" * 4_000
        assert store["key_0"] == store["key_1"] == "x" * 4_000 if i else True
        if i % 50 == 0:
            store.flush()
    assert "key_0" in store and "key_1" in store and "key_2" not in store
    assert list(store)[:2] == ["key_0", "key_1"]


def test_the_least_recently_used_goes_first(open_store, mode):
    store = open_store(persist_mode=mode, max_bytes=4 * MIB, enable_async=False)
    for i in range(900):
        store[i] = "x" * 3_900
    store.flush()
    assert len(store) == 900
    for i in range(0, 900, 3):
        assert store[i]
    for i in range(900, 1_200):
        store[i] = "x" * 3_900
    store.flush()
    left = set(store)
    used = {*range(0, 900, 3), *range(900, 1_200)}
    unused = [i for i in range(900) if i % 3]
    assert used <= left
    kept = [i for i in unused if i in left]
    assert kept == unused[len(unused) - len(kept) :]
    assert store.stats()["dropped_entries"] == 1_200 - len(left)


def test_what_memory_does_not_hold_goes_oldest_first(open_store, file_mode):
    options = dict(persist_mode=file_mode, enable_async=False, max_bytes=3 * MIB)
    with open_store(**options) as store:
        store.update({i: "x" * 3_900 for i in range(700)})
    store = open_store(**options)
    assert store[3] == store[5] == "x" * 3_900
    store.update({i: "y" * 3_900 for i in range(700, 800)})
    store.flush()
    left = list(store)
    assert left[:2] == [3, 5] and left[2:] == list(range(left[2], 800))
    assert store.stats()["dropped_entries"] == 800 - len(left)


def test_a_smaller_limit_reaches_through_all_tiers(open_store, file_mode):
    options = {"persist_mode": file_mode, "enable_async": False}
    with open_store(**options) as store:
        store.update({i: "x" * 3_900 for i in range(1_000)})
    store = open_store(**options, max_bytes=MIB, hot_capacity=5, warm_capacity=4 * MIB)
    for i in range(300, 1_000):
        assert store[i]
    store["new"] = 1
    store.flush()
    stats = store.stats()
    assert stats["used_bytes"] <= MIB
    left = list(store)
    assert left[-1] == "new" and len(left) + stats["dropped_entries"] == 1_001
    assert all(store[key] for key in left)
    assert left[:-1] == list(range(left[0], 1_000))


def test_dropped_keys_can_be_set_again(open_store, mode):
    store = open_store(persist_mode=mode, max_bytes=MIB, enable_async=False, hot_capacity=5)
    for _ in range(3):
        for i in range(500):
            store[i] = "x" * 4_000
        store.flush()
        assert len(store) == len(list(store)) < 300
    store.clear()
    store["k"] = 1
    store.flush()
    assert list(store.items()) == [("k", 1)]


def test_an_entry_that_cannot_fit_is_refused(store, open_store, mode, tmp_path):
    cache = open_store(db_path=tmp_path / "cache", persist_mode=mode, max_bytes=MIB)
    cache["k"] = "old"
    for set_it in (
        lambda: cache.__setitem__("k", b"x" * MIB),
        lambda: cache.set("k", b"x" * MIB, expire=1),
        lambda: cache.update(k=b"x" * MIB, other=1),
        lambda: cache.setdefault("new", b"x" * MIB),
    ):
        with pytest.raises(ValueError, match="max-bytes"):
            set_it()
    cache["large"] = b"x" * (MIB - 70_000)
    cache.flush()
    assert cache["large"] == b"x" * (MIB - 70_000)
    assert cache.get("k", "old") == "old" and "other" not in cache and "new" not in cache
    store["k"] = b"x" * MIB


def test_nothing_is_dropped_unless_it_was_asked_for(store):
    store.update({i: "x" * 4_000 for i in range(1_000)})
    store.flush()
    stats = store.stats()
    assert len(store) == 1_000
    assert stats["max_bytes"] == stats["dropped_entries"] == stats["dropped_bytes"] == 0


@pytest.mark.parametrize("max_bytes", (-1, 1, MIB - 1, 1.5, "1", None, 2**63))
def test_limits_out_of_range_are_refused(open_store, max_bytes):
    with pytest.raises(ValueError):
        open_store(max_bytes=max_bytes)


def test_dropping_is_no_change_of_size_to_a_walk(open_store, mode):
    store = open_store(persist_mode=mode, max_bytes=MIB, enable_async=False)
    for i in range(240):
        store[i] = "x" * 4_000
    walked = []
    for key in store:
        walked.append(key)
        store[key] = "y" * 6_000
        store.flush()
    assert walked == sorted(walked)
    assert store.stats()["dropped_entries"] > 0


def test_tables_share_the_limit(open_store, mode):
    store = open_store(persist_mode=mode, max_bytes=2 * MIB, enable_async=False, hot_capacity=50)
    tables = [store, store.table("a"), store.table("b")]
    for i in range(900):
        tables[i % 3][i] = "x" * 4_000
    store.flush()
    stats = store.stats()
    assert stats["used_bytes"] <= 2 * MIB
    assert sum(map(len, tables)) == sum(len(list(table)) for table in tables)
    assert sum(map(len, tables)) + stats["dropped_entries"] == 900
    assert all(table[899 - 2 + i] for i, table in enumerate(tables))


# --- a file that shrinks ------------------------------------------------------------------------


@pytest.mark.parametrize("how", ("delete", "expire", "clear"))
def test_the_file_shrinks_when_much_has_gone(open_store, path, file_mode, how):
    with open_store(persist_mode=file_mode) as store:
        store["stays"] = 1
        if how == "expire":
            for key in range(2_000):
                store.set(key, "x" * 500, expire=3600)
        store.bulk_insert({f"key_{i}": "x" * 500 for i in range(10_000)})
    full = path.stat().st_size
    assert full > 5_000_000
    with open_store(persist_mode=file_mode) as store:
        if how == "clear":
            store.clear()
        else:
            for i in range(10_000):
                del store[f"key_{i}"]
        if how == "expire":
            store._store.set_property("clock-offset", 3_600_000)
            assert store.expire() == 2_000
    assert path.stat().st_size < full / 20
    with open_store(persist_mode=file_mode) as store:
        assert len(store) == (0 if how == "clear" else 1)


def test_the_file_shrinks_in_the_background(open_store, path, file_mode):
    store = open_store(persist_mode=file_mode, flush_interval=0.01)
    store.bulk_insert({f"key_{i}": "x" * 500 for i in range(10_000)})
    store.flush()
    store.clear()
    store["stays"] = 1
    wait_until(lambda: path.exists() and path.stat().st_size < 500_000)
    assert len(store) == 1


# --- files that can be open


OPENS_WITH_FEW = """
import errno, os, resource, sys
from dictsqlite_v4 import DictSQLiteV4
path, mode, spare = sys.argv[1], sys.argv[2], int(sys.argv[3])
limit = len(os.listdir("/proc/self/fd")) - 1 + spare
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
try:
    store = DictSQLiteV4(path, persist_mode=mode)
except OSError as error:
    print(errno.errorcode[error.errno])
else:
    store.update({i: i for i in range(100)})
    print("opened")
"""


def test_a_store_that_opens_with_few_files_keeps_what_it_is_given(tmp_path, file_mode):
    answers = []
    for spare in range(12):
        path = tmp_path / f"{spare}.db"
        answers.append(python(OPENS_WITH_FEW, path, file_mode, spare).stdout.strip())
        if answers[-1] == "opened":
            with DictSQLiteV4(path) as store:
                assert dict(store) == {i: i for i in range(100)}
    assert set(answers) == {"EMFILE", "opened"}
    assert answers == sorted(answers)
