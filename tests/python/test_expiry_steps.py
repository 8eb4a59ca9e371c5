# test_expiry_steps.py - much that expires at once: removed in steps, absent from the first moment
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import random
import threading
import time

import pytest
from conftest import LONG

N_MODEL = 3_000
N_MANY = 200_000 if LONG else 60_000


def names(n_keys):
    keys = [f"e{i}" for i in range(n_keys)]
    random.Random(2).shuffle(keys)
    return keys


# Where the entries are when their time comes.
PLACES = {
    "dirty": {"flush_interval": 3600},
    "clean": {},
    "cold": {"hot_capacity": 10, "warm_capacity": 0},
    "warm": {"hot_capacity": 10},
}


@pytest.fixture(params=PLACES)
def expired(request, open_store, mode):
    """A store of as many entries as asked for, all of which have just expired, beside three."""

    def open_one(n_keys):
        store = open_store(persist_mode=mode, **PLACES[request.param])
        store["first"] = 0
        for start in range(0, n_keys, 5_000):
            keys = names(n_keys)[start : start + 5_000]
            store.set_many(dict.fromkeys(keys, "old"), expire=60)
        store["middle"] = 1
        store.set("last", 2, expire=10**6)
        if request.param != "dirty":
            store.flush()
        store.set_clock_offset(120)
        return store

    return open_one


def result_of(function):
    try:
        return function()
    except KeyError:
        return KeyError


def delete(mapping, key):
    del mapping[key]


def add(mapping, key, value):
    return mapping.add(key, value) if hasattr(mapping, "add") else (
        key not in mapping and (mapping.update({key: value}) or True)
    )


def set_many(mapping, keys, value):
    mapping.update(dict.fromkeys(keys, value))


def in_transaction(mapping, key, value):
    if isinstance(mapping, dict):
        mapping[key] = value
        return mapping.pop("first", None)
    with mapping.transaction():
        mapping[key] = value
        return mapping.pop("first", None)


@pytest.mark.parametrize("seed", range(4))
def test_is_absent_to_every_call(expired, seed):
    """Whatever comes first finds that nothing of it is there, and what is set anew comes last."""
    choose = random.Random(seed)
    store = expired(N_MODEL)
    model = {"first": 0, "middle": 1, "last": 2}
    keys = [f"e{i}" for i in range(N_MODEL)]
    operations = [
        lambda m, k, v: m.__setitem__(k, v),
        lambda m, k, v: add(m, k, v),
        lambda m, k, v: delete(m, k),
        lambda m, k, v: m.pop(k),
        lambda m, k, v: m.setdefault(k, v),
        lambda m, k, v: k in m,
        lambda m, k, v: m.get(k),
        lambda m, k, v: set_many(m, choose_some, v),
        lambda m, k, v: in_transaction(m, k, v),
    ]
    recent = keys[:1]
    for step in range(150):
        key = choose.choice(keys) if choose.random() < 0.6 else choose.choice(recent)
        choose_some = choose.sample(keys, 5)
        recent = [key, *recent[:20]]
        operation = choose.choice(operations)
        theirs = result_of(lambda: operation(model, key, step))
        assert result_of(lambda: operation(store, key, step)) == theirs
    assert len(store) == len(model)
    assert list(store.items()) == list(model.items())
    store.flush()
    assert list(store.items()) == list(model.items())
    assert store.expire() == 0


def test_each_counts_once(expired):
    store = expired(N_MODEL)
    for i in range(10):
        store[f"e{i}"] = "new"
        assert store.pop(f"e{i + 100}", None) is None
    store.expire()
    assert store.stats()["expired_entries"] == N_MODEL
    assert len(store) == 13


def longest(store, function, times=60):
    """The most time that the thread spends in one of the calls."""
    worst = 0.0
    for i in range(times):
        start = time.process_time()
        function(store, i)
        worst = max(worst, time.process_time() - start)
    return worst


WRITES = {
    "set": lambda store, i: store.set(f"new{i}", i),
    "add": lambda store, i: store.add(f"e{i}", i),
    "pop": lambda store, i: store.pop(f"e{i}", None),
    "set_many": lambda store, i: store.set_many({f"e{i}": i, f"new{i}": i}),
}


@pytest.mark.parametrize("write", WRITES)
def test_no_write_pays_for_all(expired, write, tmp_path):
    """A write takes a small part of the time that it takes to remove all of them."""
    store = expired(N_MANY)
    worst = longest(store, WRITES[write])
    n_left = N_MANY - store.stats()["expired_entries"]
    assert n_left > N_MANY / 4, "a write removed too many of them"
    start = time.process_time()
    n_swept = store.expire()
    whole = (time.process_time() - start) * N_MANY / n_swept
    assert worst < whole / 4, f"{worst * 1e3:.1f} ms of {whole * 1e3:.1f} ms"


def test_writes_go_on_while_another_thread_counts(open_store, mode):
    """len() needs all of it removed; the writes of others do not wait for that."""
    store = open_store(persist_mode=mode)
    for start in range(0, N_MANY, 5_000):
        store.set_many({f"e{i}": 1 for i in range(start, start + 5_000)}, expire=60)
    store.flush()
    store.set_clock_offset(120)
    counts = []
    thread = threading.Thread(target=lambda: counts.append(len(store)))
    thread.start()
    n_written = 0
    while thread.is_alive() and n_written < 100_000:
        store[f"new{n_written}"] = 1
        n_written += 1
    thread.join()
    assert counts[0] <= n_written + 1
    assert len(store) == n_written
    assert list(store) == [f"new{i}" for i in range(n_written)]
    assert n_written > 3
