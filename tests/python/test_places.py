# test_places.py - no place in the file is given to a key that has one
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes are blind, so memory gives a place to each key that it does not know; the file gives its
own, to those that turn out new."""

from __future__ import annotations

import contextlib
import itertools
import random
import sqlite3
import sys
import threading
import time

import pytest

from dictsqlite_v4 import DictSQLiteV4

# so few are kept that nearly all writes are blind
BLIND = {"hot_capacity": 8, "warm_capacity": 0, "enable_async": False}
KEYS = [f"key {i}" for i in range(500)]


def places(path):
    """The holes that the file has counted, and the positions in use of its first table."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        ((holes,),) = database.execute("SELECT holes FROM tables WHERE id = 1").fetchall()
        rows = database.execute("SELECT place - (1 << 40) FROM entry ORDER BY place").fetchall()
    return holes, [position for position, in rows]


@pytest.mark.parametrize("looks", ("never", "count", "walk"))
def test_overwriting_leaves_no_hole(open_store, path, file_mode, looks):
    store = open_store(persist_mode=file_mode, **BLIND)
    model = {}
    for turn in range(20):
        new = {f"new {turn}.{i}": i for i in range(10)}
        for change in ({key: turn for key in random.sample(KEYS, 100)}, new):
            store.update(change)
            model.update(change)
        if looks == "count":
            assert len(store) == len(model)
        elif looks == "walk":
            assert list(store) == list(model)
        store.flush()
    assert list(store.items()) == list(model.items())
    assert places(path) == (0, list(range(1, len(model) + 1)))
    store.close()
    assert list(open_store().items()) == list(model.items())
    assert places(path) == (0, list(range(1, len(model) + 1)))


def test_only_what_goes_leaves_a_hole(open_store, path, file_mode):
    store = open_store(persist_mode=file_mode, **BLIND)
    store.update(dict.fromkeys(KEYS))
    store.flush()
    for key in KEYS[:20]:
        del store[key]
    store.update(dict.fromkeys(KEYS[10:100], 1))
    store.flush()
    expected = KEYS[20:] + KEYS[10:20]
    assert list(store) == expected
    assert places(path) == (20, [*range(21, 501), *range(501, 511)])


@pytest.mark.parametrize("turned", (False, True))
def test_a_walk_goes_on_over_a_flush(open_store, path, turned):
    """It keeps its place among keys that have none in the file yet."""
    store = open_store(persist_mode="lazy", **BLIND)
    store.update(dict.fromkeys(KEYS, 0))
    store.flush()
    new = [f"new {i}" for i in range(500)]
    store.update({key: 1 for pair in zip(KEYS, new) for key in pair})
    expected = (KEYS + new)[:: -1 if turned else 1]
    walk = reversed(store) if turned else iter(store)
    met = [next(walk) for _ in range(250 if turned else 750)]
    other = threading.Thread(target=store.update, args=({**dict.fromkeys(KEYS, 2), "later": 3},))
    other.start()
    other.join()
    store.flush()
    assert met + list(walk) == expected
    del walk
    assert list(store) == [*KEYS, *new, "later"]
    holes, _ = places(path)
    assert holes >= 250, "memory's places were the file's"
    store.update(dict.fromkeys(KEYS, "after"))
    store["last"] = 1
    store.flush()
    assert places(path)[0] == holes


def in_threads(seconds, *functions):
    """Each is called again and again, in a thread of its own; what one returns is a failure."""
    stop, failures = threading.Event(), []

    def run(function):
        while not stop.is_set() and not failures:
            failures.extend(function() or ())

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    stop.wait(seconds)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures


@pytest.mark.parametrize("known", (False, True))
@pytest.mark.parametrize("seed", range(3))
def test_each_key_is_met_once_while_flushes_give_places(open_store, seed, known):
    """Walks that begin at any moment of a flush, forwards and backwards."""
    store = open_store(persist_mode="lazy", **BLIND)
    store.update(dict.fromkeys(KEYS, 0))
    store.update({f"new {i}": i for i in range(10)})
    store.flush()
    moments = random.Random(seed)
    numbers = itertools.count(10)

    def write():
        changes = {}
        for key in moments.sample(KEYS, 100):
            changes[key] = 1
            changes[f"new {next(numbers)}"] = 1
        store.update(changes)
        if known:
            len(store)  # so that walks need not wait for the flush to find that out
        store.flush()
        store.delete_many([key for key in changes if key.startswith("new")])

    def walk():
        time.sleep(moments.random() / 500)  # without a walk the file gives the places
        met = list(store) if moments.random() < 0.5 else list(reversed(store))[::-1]
        came = [int(key[4:]) for key in met[len(KEYS) :]]
        if met[: len(KEYS)] != KEYS:
            yield "those that stay"
        elif came != sorted(set(came)):
            yield came

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        in_threads(1.5, write, walk)
    finally:
        sys.setswitchinterval(interval)
    assert store.check() == []


def test_two_stores_of_one_file(path):
    """One finds the other's keys where it was to have its own."""
    first, second = (DictSQLiteV4(path, persist_mode="lazy", **BLIND) for _ in range(2))
    with first, second:
        first.update(dict.fromkeys(KEYS, 0))
        first.flush()
        moments = random.Random(5)
        for turn in range(30):
            for number, store in ((1, first), (2, second)):
                store.update(dict.fromkeys(moments.sample(KEYS, 50), turn))
                store[f"{number} at {turn}"] = 1
                if moments.random() < 0.6:
                    store.flush()
        first.flush()
        second.flush()
        met = list(first)
        assert met == list(second) and met[: len(KEYS)] == KEYS
        assert len(met) == len(set(met)) == len(first) == len(KEYS) + 60
        for number in "12":
            own = [key for key in met if key.startswith(f"{number} at")]
            assert own == [f"{number} at {turn}" for turn in range(30)]
        assert first.check() == []
    assert places(path)[0] == 0
