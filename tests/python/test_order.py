# test_order.py - order is that of a dict, through overwrites, evictions, flushes and reopening
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest


@pytest.mark.parametrize("capacity", (1, 2, 7, 1_000_000))
@pytest.mark.parametrize("flush_between", (False, True))
def test_order_of_a_dict(open_store, mode, capacity, flush_between):
    store = open_store(persist_mode=mode, hot_capacity=capacity, enable_async=False)
    model = {}

    def step(change):
        change(store)
        change(model)
        if flush_between:
            store.flush()
        assert list(store) == list(model)

    for i in range(10):
        step(lambda d: d.__setitem__(f"k{i}", i))
    step(lambda d: d.__setitem__("k3", "overwritten"))
    step(lambda d: d.__delitem__("k5"))
    step(lambda d: d.__setitem__("k5", "again"))
    step(lambda d: d.pop("k0"))
    step(lambda d: d.update(k0="back", k1="kept", new=1))
    step(lambda d: d.setdefault("k2", "stays"))
    step(lambda d: d.setdefault("k99", "new"))
    step(lambda d: d.popitem())
    step(lambda d: d.popitem())
    assert list(store.items()) == list(model.items())
    assert list(reversed(store)) == list(reversed(model))
    assert list(reversed(store.items())) == list(reversed(model.items()))
    assert list(reversed(store.values())) == list(reversed(model.values()))
    if mode != "memory":
        store.close()
        store = open_store(persist_mode=mode, hot_capacity=capacity)
        assert list(store.items()) == list(model.items())
        assert list(reversed(store)) == list(reversed(model))


@pytest.mark.parametrize("capacity", (1, 1_000_000))
def test_deleted_and_set_again_between_two_flushes_goes_last(open_store, file_mode, capacity):
    store = open_store(persist_mode=file_mode, hot_capacity=capacity, enable_async=False)
    store.update(a=1, b=2, c=3)
    store.flush()
    store["b"] = 20
    del store["a"]
    store["a"] = 10
    for i in range(5):
        store[f"filler{i}"] = i
    store["a"] = 11
    expected = ["b", "c", "a", *(f"filler{i}" for i in range(5))]
    assert list(store) == expected
    store.flush()
    assert list(store) == expected
    store.close()
    store = open_store(persist_mode=file_mode, hot_capacity=capacity)
    assert list(store) == expected
    assert store["a"] == 11 and store["b"] == 20


def test_a_clear_starts_order_anew(open_store, file_mode):
    store = open_store(persist_mode=file_mode, enable_async=False)
    store.update(a=1, b=2, c=3)
    store.flush()
    store.clear()
    store.update(c=1, a=2)
    assert list(store) == ["c", "a"]
    store.close()
    assert list(open_store(persist_mode=file_mode)) == ["c", "a"]


def test_changing_size_while_walking_is_an_error_as_in_a_dict(store):
    store.update({f"k{i}": i for i in range(1000)})
    for walk in (store, store.keys(), store.values(), store.items()):
        for direction in (iter, reversed):
            for change in (lambda: store.update(new=1), lambda: store.pop("new")):
                iterator = direction(walk)
                next(iterator)
                change()
                with pytest.raises(RuntimeError, match="changed size during iteration"):
                    next(iterator)
    assert sum(1 for _ in store) == 1000


def test_overwriting_while_walking_is_fine_and_seen(store):
    expected = [f"k{i}" for i in range(1000)]
    store.update(dict.fromkeys(expected, 0))
    seen = []
    for key, value in store.items():
        seen.append((key, value))
        store[key] = 1
        store["k999"] = 2
    assert [key for key, _ in seen] == expected
    assert seen[-1] == ("k999", 2)
    assert set(list(store.values())[:-1]) == {1}


def test_deleting_over_a_list_of_keys(store):
    store.update({f"k{i}": i for i in range(1000)})
    for key in list(store.keys()):
        if store[key] % 2:
            del store[key]
    assert list(store.values()) == list(range(0, 1000, 2))
