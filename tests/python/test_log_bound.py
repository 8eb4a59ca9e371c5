# test_log_bound.py - the write-ahead log stays within its limits, whatever neighbours read
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import subprocess
import sys
import time

import pytest
from conftest import LONG, check_log

from dictsqlite_v4 import DictSQLiteV4

WAL_LIMIT = 1 << 20
SECONDS = 20 if LONG else 1.5

# What a neighbour does between two looks at whether it is to end.
NEIGHBOURS = {
    "now and then": "store.get(key()); time.sleep(0.03)",
    "all the time": "store.get(key())",
    "a walk held open": "walk = walk or iter(store.items()); next(walk, None); time.sleep(0.03)",
    "many at once": "store.get_many(all_keys[:200]); time.sleep(0.001)",
    "writes too": "store[key()] = 'n' * 1000; store.get(key())",
}

NEIGHBOUR = """
import select, sys, time
from dictsqlite_v4 import DictSQLiteV4
path, has_thread, limit = sys.argv[1:]
store = DictSQLiteV4(path, hot_capacity=10, warm_capacity=0, enable_async=has_thread == "True",
                     wal_limit=int(limit), flush_interval=10.0)
all_keys = [f"k{i}" for i in range(2000)]
key = lambda: all_keys[time.monotonic_ns() // 1000 %% 2000]
walk = None
for _ in range(50):
    store.get(key())
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    %s
"""


@pytest.fixture
def neighbours(path):
    """Starts processes on the same file, which are ended at last."""
    processes = []

    def start(what, has_thread=True):
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                NEIGHBOUR % NEIGHBOURS[what],
                str(path),
                str(has_thread),
                str(WAL_LIMIT),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        processes.append(process)
        assert process.stdout.readline() == b"ready\n"

    yield start
    for process in processes:
        process.communicate()
        assert process.returncode == 0


def write_for_a_while(store, path):
    """Writes until much more has gone through the log than it may hold; its largest size."""
    deadline = time.monotonic() + SECONDS
    largest = n_written = 0
    while time.monotonic() < deadline or n_written < 20 * WAL_LIMIT:
        store[f"k{n_written % 1999}"] = "w" * 3000
        n_written += 3000
        largest = max(largest, check_log(path, WAL_LIMIT))
    return largest


@pytest.mark.parametrize("has_thread", (True, False))
@pytest.mark.parametrize("what", NEIGHBOURS)
def test_the_log_stays_bounded_beside_a_neighbour(open_store, path, neighbours, what, has_thread):
    store = open_store(wal_limit=WAL_LIMIT, hot_capacity=10, warm_capacity=0)
    store.bulk_insert({f"k{i}": "v" * 200 for i in range(2000)})
    neighbours(what, has_thread)
    assert write_for_a_while(store, path) >= WAL_LIMIT // 2


def test_the_log_stays_bounded_beside_all_of_them(open_store, path, neighbours):
    store = open_store(
        persist_mode="lazy",
        wal_limit=WAL_LIMIT,
        dirty_limit=WAL_LIMIT // 4,
        hot_capacity=10,
        warm_capacity=0,
        flush_interval=0.01,
    )
    store.bulk_insert({f"k{i}": "v" * 200 for i in range(2000)})
    store.flush()
    for what in NEIGHBOURS:
        neighbours(what)
    write_for_a_while(store, path)


def test_a_neighbour_that_is_a_handle_of_the_same_process(open_store, path):
    store = open_store(wal_limit=WAL_LIMIT, hot_capacity=10, warm_capacity=0)
    store.bulk_insert({f"k{i}": "v" * 200 for i in range(2000)})
    with DictSQLiteV4(path, hot_capacity=10, warm_capacity=0, wal_limit=WAL_LIMIT) as other:
        walk = iter(other.items())
        for i in range(3000):
            store[f"k{i % 1999}"] = "w" * 3000
            other.get(f"k{i % 1777}")
            if i % 100 == 0:
                next(walk)
            check_log(path, WAL_LIMIT)
