# test_spill.py - a store in memory is a dict, however much is put into it
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from dictsqlite_v4 import DictSQLiteV4

TINY = {"persist_mode": "memory", "hot_capacity": 20, "warm_capacity": 8192, "dirty_limit": 4096}


@pytest.fixture(params=(False, True))
def store(open_store, request):
    return open_store(enable_async=request.param, **TINY)


def test_it_is_a_dict_however_much_it_holds(store):
    generator = random.Random(1)
    expected = {}
    for _ in range(20_000):
        key = f"key {generator.randrange(3000)}"
        action = generator.random()
        if action < 0.6:
            store[key] = expected[key] = generator.random()
        elif action < 0.75:
            assert store.pop(key, None) == expected.pop(key, None)
        elif action < 0.8:
            assert store.setdefault(key, action) == expected.setdefault(key, action)
        elif action < 0.801:
            assert list(store.items()) == list(expected.items())
        elif action < 0.802 and expected:
            assert store.popitem() == expected.popitem()
        else:
            assert store.get(key) == expected.get(key)
            assert (key in store) == (key in expected)
        if generator.random() < 0.01:
            assert len(store) == len(expected)
    assert list(store.items()) == list(expected.items())
    assert list(reversed(store)) == list(reversed(expected))
    assert store.get_many(expected) == expected
    stats = store.stats()
    assert stats["spill_bytes"] > 0 and stats["hot_entries"] <= 20
    assert stats["file_bytes"] == stats["syncs"] == 0
    assert stats["tiers"]["cold"]["bytes"] == stats["spill_bytes"]


def test_flush_and_close_write_nothing(open_store, path):
    store = open_store(**{**TINY, "dirty_limit": 1 << 20})
    store.update((f"key {i}", i) for i in range(100))
    store.flush()
    assert store.stats()["flushes"] == 0 and store.stats()["dirty_entries"] == 100
    store.close()
    assert not path.exists()


def test_a_walk_does_not_flush_hot_out(open_store, path):
    expected = {f"key {i}": i for i in range(2000)}
    store = open_store(persist_mode="lazy", hot_capacity=20, near_capacity=0)
    store.update(expected)
    store.flush()
    hot = list(expected)[100:120]
    for key in hot:
        assert store[key] == expected[key]
    assert list(store.items()) == list(expected.items())
    assert list(reversed(store.items())) == list(reversed(expected.items()))
    before = store.stats()
    for key in hot:
        assert store[key] == expected[key]
    after = store.stats()
    assert after["hot_hits"] - before["hot_hits"] == 20
    assert after["cold_hits"] == before["cold_hits"]


FILL = """
import sys
import time
from dictsqlite_v4 import DictSQLiteV4
store = DictSQLiteV4(sys.argv[1], persist_mode="memory", hot_capacity=20, warm_capacity=0,
                     dirty_limit=4096, cache_size=1 << 16)
for i in range(5000):
    store[f"key {i}"] = "value" * 20
assert store.stats()["spill_bytes"] > 500_000
print("full", flush=True)
sys.stdin.read()
"""


def test_the_file_is_gone_after_a_crash(path, tmp_path):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    child = subprocess.Popen(
        [sys.executable, "-c", FILL, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "SQLITE_TMPDIR": str(temporary)},
    )
    with child:
        assert child.stdout.readline() == b"full\n"
        targets = [os.readlink(entry) for entry in _descriptors(child.pid)]
        ours = [target for target in targets if target.startswith(str(temporary))]
        assert ours and all(target.endswith(" (deleted)") for target in ours)
        assert not list(temporary.iterdir())
        child.send_signal(signal.SIGKILL)
    assert not list(temporary.iterdir()) and not path.exists()


def _descriptors(process):
    with os.scandir(f"/proc/{process}/fd") as entries:
        return [entry.path for entry in entries]


# --- absent keys -------------------------------------------------------------------------------


def test_absent_keys_are_known_to_be_absent(open_store, file_mode):
    store = open_store(persist_mode=file_mode, hot_capacity=10, enable_async=False)
    store.bulk_insert({f"key {i}": i for i in range(1000)})
    store.flush()
    for i in range(3000):
        assert store.get(f"no key {i}") is None
    before = store.stats()
    assert before["filter_keys"] >= 990 and before["filter_bytes"] > 0
    for i in range(1000):
        assert f"never {i}" not in store
        assert store.pop(f"never {i}", None) is None
    after = store.stats()
    assert after["filter_answers"] - before["filter_answers"] > 1900
    assert after["cold_misses"] - before["cold_misses"] < 100
    assert all(store[f"key {i}"] == i for i in range(1000))


def test_another_stores_keys_are_seen_at_once(open_store):
    """The filter says no until somebody else has committed, and never a moment longer."""
    ours = open_store(persist_mode="lazy", hot_capacity=10, flush_interval=0.001)
    theirs = open_store(persist_mode="writethrough")
    theirs.bulk_insert({f"key {i}": i for i in range(100)})
    for i in range(300):
        for number in range(60):
            assert f"no key {number}" not in ours
        assert f"new {i}" not in ours
        theirs[f"new {i}"] = i
        assert ours[f"new {i}"] == i
        del theirs[f"new {i}"]
        assert f"new {i}" not in ours
    # the filter is built behind the caller, who is quicker where processors are few
    deadline = time.monotonic() + 60
    while ours.stats()["filter_answers"] == 0:
        assert time.monotonic() < deadline
        assert "no key" not in ours


# --- memory returns ----------------------------------------------------------------------------

MEMORY = """
import gc, sys
from dictsqlite_v4 import DictSQLiteV4
def rss():
    gc.collect()
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096
mode, path = sys.argv[1:]
with DictSQLiteV4(path + ".first", persist_mode=mode) as store:
    store["a"] = 1
before = rss()
# the pages that SQLite keeps, by each of its connections, stay: they are to be few here
store = DictSQLiteV4(path, persist_mode=mode, cache_size=1 << 20)
value = b"v" * (1 << 20)
for i in range(100):
    store[f"key {i}"] = value
assert all(store[f"key {i}"] == value for i in range(100))
assert rss() - before > 90 << 20
store.clear()
store.flush()
print((rss() - before) >> 20)
store.update((f"key {i}", f"value {i}") for i in range(100_000))
store.close()
print((rss() - before) >> 20)
"""


def test_memory_returns(mode, path):
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, mode, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert done.returncode == 0
    after_clear, after_close = map(int, done.stdout.split())
    assert after_clear < 24 and after_close < 24


def test_ten_thousand_deletes_then_reopen(open_store, file_mode):
    store = open_store(persist_mode=file_mode, hot_capacity=1000)
    store.bulk_insert({f"key {i}": i for i in range(12_000)})
    for i in range(10_000):
        del store[f"key {i}"]
    assert len(store) == 2000
    store.close()
    store = open_store(persist_mode=file_mode)
    assert list(store.items()) == [(f"key {i}", i) for i in range(10_000, 12_000)]
    assert "key 0" not in store and store.get("key 9999") is None


def test_a_hundred_values_of_a_mebibyte(open_store, mode):
    store = open_store(persist_mode=mode, hot_capacity=3, warm_capacity=4 << 20)
    for i in range(100):
        store[f"key {i}"] = bytes([i]) * (1 << 20)
    assert all(store[f"key {i}"] == bytes([i]) * (1 << 20) for i in range(100))
    stats = store.stats()
    assert stats["hot_entries"] <= 3
    assert stats["dirty_bytes"] < 70 << 20
    if mode == "memory":
        assert stats["spill_bytes"] > 30 << 20


# --- what lies on the disk ------------------------------------------------------------------------


def spilled_bytes():
    """What is in the unlinked files that this process has open."""
    found = b""
    for name in os.listdir("/proc/self/fd"):
        path = f"/proc/self/fd/{name}"
        try:
            if os.readlink(path).endswith("(deleted)"):
                with open(path, "rb") as file:
                    found += file.read()
        except OSError:
            pass  # closed meanwhile, or no file
    return found


@pytest.mark.parametrize("password", (None, "password"))
def test_what_is_spilled_is_sealed_if_there_is_a_password(open_store, password):
    store = open_store(encryption_password=password, cache_size=1 << 16, **TINY)
    for i in range(10_000):
        store[f"canary key {i}"] = f"canary value {i}"
    assert store.stats()["spill_bytes"] > 1 << 19
    for canary in (b"canary key", b"canary value"):
        assert (canary in spilled_bytes()) == (password is None)
    assert store["canary key 7"] == "canary value 7"
