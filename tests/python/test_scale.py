# test_scale.py - opening and len() cost the same whatever the size; walking takes no memory
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import time

import pytest
from conftest import LONG, python

from dictsqlite_v4 import DictSQLiteV4

SMALL = 1_000
LARGE = 1_000_000 if LONG else 200_000


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A small and a large file, by their number of records."""
    folder = tmp_path_factory.mktemp("scale")
    paths = {}
    for n_records in (SMALL, LARGE):
        paths[n_records] = folder / f"{n_records}.db"
        with DictSQLiteV4(paths[n_records], hot_capacity=1000, persist_mode="lazy") as store:
            for start in range(0, n_records, 10_000):
                stop = min(start + 10_000, n_records)
                store.bulk_insert({f"key_{i}": f"value_{i}" for i in range(start, stop)})
                store.flush()
    return paths


def seconds(action, times):
    """The least of several measurements."""
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        action()
        best = min(best, time.perf_counter() - start)
    return best


def test_opening_costs_the_same(files):
    def open_and_count(n_records):
        with DictSQLiteV4(files[n_records], enable_async=False) as store:
            assert len(store) == n_records

    # measured in turns, so that a busy machine slows down both
    small = large = float("inf")
    for _ in range(10):
        small = min(small, seconds(lambda: open_and_count(SMALL), 3))
        large = min(large, seconds(lambda: open_and_count(LARGE), 3))
    assert large < 1.5 * small + 0.001


def test_counting_costs_the_same(files):
    with DictSQLiteV4(files[SMALL]) as small, DictSQLiteV4(files[LARGE]) as large:

        def count_often(store):
            for _ in range(1000):
                len(store)

        assert seconds(lambda: count_often(large), 15) < 2 * seconds(lambda: count_often(small), 15)


@pytest.mark.parametrize("walk", ("keys", "values", "items", "__reversed__"))
def test_walking_takes_no_memory(files, walk):
    walked = python(
        "import sys\n"
        "from dictsqlite_v4 import DictSQLiteV4\n"
        "def rss():\n"
        "    with open('/proc/self/statm') as statm:\n"
        "        return int(statm.read().split()[1]) * 4096\n"
        "path, walk = sys.argv[1:]\n"
        "store = DictSQLiteV4(path, hot_capacity=1000, cache_size=1 << 20)\n"
        "n = 0\n"
        "for _ in getattr(store, walk)():\n"
        "    n += 1\n"
        "    if n == 10_000:\n"
        "        before = most = rss()\n"
        "    elif n % 10_000 == 0:\n"
        "        most = max(most, rss())\n"
        "print(n, most - before)\n"
        "store.close()\n",
        files[LARGE],
        walk,
    )
    assert walked.returncode == 0, walked.stderr
    n_records, grown = map(int, walked.stdout.split())
    assert n_records == LARGE
    assert grown < 4 << 20
