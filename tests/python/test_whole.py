# test_whole.py - walks over tables of which all is kept beside the store
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import os
import sys
import threading

import pytest

from dictsqlite_v4 import UnloadableError

pytestmark = pytest.mark.skipif(os.environ.get("DSQ_NEAR") == "0", reason="nothing is kept")

CAPACITY = 1000
ENTRIES = {f"k{i}": value
           for i, value in enumerate(["text", "", "\0", b"bytes", 7, 2**70, 2.5, True, None] * 50)}
WALKS = ("keys", "values", "items")


class Gone:
    """What cannot be loaded once it has lost its name."""


@pytest.fixture
def near(open_store, mode):
    store = open_store(persist_mode=mode, near_capacity=CAPACITY)
    if store._words is None:
        pytest.skip("there are no words on this machine")
    return store


def walks_of(store):
    return {(what, give): [*give(getattr(store, what)())]
            for what in WALKS for give in (list, reversed)}


def is_whole(store):
    """Whether walks need no more calls than for their first entry."""
    own = store._near.own
    return own.is_whole and store._catch_up() and store._words[store._table_word] == own.word


def count_batches(monkeypatch, store, walk):
    """How many the library gives of one."""
    batches = []
    load = store._load_batch
    with monkeypatch.context() as patch:
        patch.setattr(store, "_load_batch", lambda batch: batches.append(batch) or load(batch))
        list(walk())
    return len(batches)


def test_what_is_set_from_the_beginning_is_whole(near, monkeypatch):
    for key, value in ENTRIES.items():
        near[key] = value
    near["k1"] = "again"
    assert is_whole(near)
    assert count_batches(monkeypatch, near, near.items) == 1
    assert walks_of(near) == walks_of({**ENTRIES, "k1": "again"})
    near.flush()
    assert walks_of(near) == walks_of({**ENTRIES, "k1": "again"})


def test_what_is_set_at_once_is_whole(near, monkeypatch):
    near.update({key: "text" for key in ENTRIES})
    near.update({"k3": "again", "new": "text"})
    assert is_whole(near)
    assert count_batches(monkeypatch, near, near.values) == 1
    assert walks_of(near) == walks_of({**{key: "text" for key in ENTRIES},
                                       "k3": "again", "new": "text"})


def test_a_cleared_table_begins_whole(near):
    near.update(ENTRIES)
    del near["k0"]
    assert not is_whole(near)
    near.clear()
    near["b"], near["a"] = "one", "two"
    assert is_whole(near)
    assert walks_of(near) == walks_of({"b": "one", "a": "two"})


def test_a_walk_makes_it_whole_again(near, monkeypatch):
    near.update(ENTRIES)
    del near["k0"], near["k7"]
    left = {key: value for key, value in ENTRIES.items() if key not in ("k0", "k7")}
    assert walks_of(near) == walks_of(left)
    assert count_batches(monkeypatch, near, near.items) == 1


@pytest.mark.parametrize("persist", ["lazy", "writethrough"])
def test_a_walk_to_the_end_makes_it_whole(open_store, monkeypatch, persist):
    with open_store(persist_mode=persist) as store:
        store.update(ENTRIES)
    store = open_store(persist_mode=persist, near_capacity=CAPACITY)
    walk = iter(store.items())
    next(walk)
    assert not is_whole(store)
    assert list(store.items()) == list(ENTRIES.items()) and is_whole(store)
    assert count_batches(monkeypatch, store, store.items) == 1
    assert walks_of(store) == walks_of(ENTRIES)
    store["new"] = "text"
    assert is_whole(store)
    assert walks_of(store) == walks_of({**ENTRIES, "new": "text"})
    store.table("other").update(ENTRIES)
    assert walks_of(store) == walks_of({**ENTRIES, "new": "text"})


@pytest.mark.parametrize("entries", [
    {"a": "text", 1: "text"}, {"a": "text", b"b": "text"}, {"a": "x" * 2000, "b": "text"},
    {f"k{i}": "text" for i in range(CAPACITY + 1)}, {"a": "text", "b": ["list"]}, {"a\0": "text"},
], ids=["int", "bytes", "long", "many", "list", "U+0000"])  # fmt: skip
def test_what_is_not_kept_is_walked_as_ever(near, entries):
    for key, value in entries.items():
        near[key] = value
    for _ in range(2):
        assert walks_of(near) == walks_of(entries)
    near.update(entries)
    for _ in range(2):
        assert walks_of(near) == walks_of(entries)


def test_what_may_change_is_loaded_anew(near):
    near["a"], near["b"], near["c"] = [1], [2], {3: [4]}
    assert is_whole(near)
    for value in near.values():
        value.clear()
    assert dict(near.items()) == {"a": [1], "b": [2], "c": {3: [4]}}


def test_what_cannot_be_loaded_is_told_in_its_turn(near, monkeypatch):
    for i in range(40):
        near[f"k{i}"] = Gone() if i in (20, 30) else [i]
    assert is_whole(near)
    monkeypatch.delattr(sys.modules[__name__], "Gone")
    given = []
    with pytest.raises(UnloadableError):
        for key, _ in near.items():
            given.append(key)
    assert given == [f"k{i}" for i in range(20)]
    left = [[i] for i in range(40) if i not in (20, 30)]
    assert list(near.values(errors="skip")) == left
    assert list(reversed(near.values(errors="skip"))) == left[::-1]
    told = dict(near.items(errors="report"))
    assert [key for key, value in told.items() if isinstance(value, UnloadableError)] == [
        "k20", "k30"]
    assert list(near) == [f"k{i}" for i in range(40)]


@pytest.mark.parametrize("what", WALKS)
@pytest.mark.parametrize("n", [0, 1, 5])
@pytest.mark.parametrize("entries", [{}, ENTRIES, {"a": 1, 2: 3, "b": 4, "c": 5, "d": 6, "e": 7}])
def test_a_walk_of_a_store_that_is_closed_meanwhile(near, what, n, entries):
    near.update(entries)
    walk = iter(getattr(near, what)())
    for _ in range(n):
        next(walk, None)
    near.close()
    if entries or not n:
        with pytest.raises(RuntimeError, match="closed") as told:
            next(walk)
        assert told.type is RuntimeError  # and not what PyGObject raises, which is one of these


@pytest.mark.parametrize("what", WALKS)
@pytest.mark.parametrize("n", [1, 2, 17, 18, 100, 449, 450])
def test_a_walk_goes_on_behind_a_change(near, what, n):
    """As one of a dict does, wherever it comes."""
    near.update(ENTRIES)
    walk, of_dict = iter(getattr(near, what)()), dict(ENTRIES)
    got = [next(walk) for _ in range(n)]
    near["k5"] = of_dict["k5"] = "changed"
    near["k440"] = of_dict["k440"] = "changed"
    before, now = ([*getattr(each, what)()] for each in (ENTRIES, of_dict))
    assert got + [*walk] == before[:n] + now[n:]
    walk = iter(getattr(near, what)())
    assert [next(walk) for _ in range(n)] == now[:n]
    near["new"] = "text"
    with pytest.raises(RuntimeError, match="changed size"):
        next(walk)


@pytest.mark.parametrize("what", WALKS)
def test_a_walk_backwards_goes_on_behind_a_change(near, what):
    near.update(ENTRIES)
    walk, of_dict = reversed(getattr(near, what)()), dict(ENTRIES)
    got = [next(walk) for _ in range(100)]
    near["k5"] = of_dict["k5"] = "changed"
    now = [*reversed(getattr(of_dict, what)())]
    assert got + [*walk] == now
    walk = reversed(getattr(near, what)())
    assert [next(walk) for _ in range(100)] == now[:100]
    del near["k0"]
    with pytest.raises(RuntimeError, match="changed size"):
        next(walk)


@pytest.mark.parametrize("backwards", [False, True])
def test_a_walk_beside_another_threads_keys(near, backwards):
    """What was there when it began comes once, whatever another thread sets meanwhile."""
    near.update(ENTRIES)
    is_done = threading.Event()

    def set_others():
        for i in range(CAPACITY):
            if is_done.is_set():
                return
            near[f"other{i}"] = "text"
            near["k7"] = f"text{i}"

    for _ in range(3):
        is_done.clear()
        thread = threading.Thread(target=set_others)
        thread.start()
        try:
            got = [*(reversed(near) if backwards else near)]
        finally:
            is_done.set()
            thread.join()
        old = [key for key in got if key in ENTRIES]
        assert old == [*(reversed(ENTRIES) if backwards else ENTRIES)]
        assert len({*got}) == len(got)


def test_keys_of_many_threads_are_in_one_order(near):
    """That of the table, which walks ask for that keep nothing."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for turn in range(20):
            near.clear()
            threads = [threading.Thread(target=lambda t=t: [
                near.__setitem__(f"k{turn}.{t}.{i}", "text") for i in range(8)])
                for t in range(4)]  # fmt: skip
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            near["last"] = "text"
            assert [*near] == [*near._peek_keys()]
    finally:
        sys.setswitchinterval(interval)
