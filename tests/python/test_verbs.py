# test_verbs.py - what stores have beyond a dict
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import copy
import datetime
import threading
from itertools import islice

import pytest

from dictsqlite_v4 import ConflictError

HOUR = datetime.timedelta(hours=1)


@pytest.fixture(params=("root", "table", "transaction"))
def mapping(request, store):
    """A store, a table of one, and a store within a transaction."""
    if request.param == "transaction":
        with store.transaction():
            yield store
    else:
        yield store if request.param == "root" else store.table("t")


def test_set_many(mapping):
    mapping["z"] = 0
    mapping.set_many({"a": 1, "b": [2]}, expire=HOUR)
    mapping.set_many([("c", 3)])
    assert dict(mapping) == {"z": 0, "a": 1, "b": [2], "c": 3}
    assert 3590 < mapping.expires_in("b") <= 3600 and mapping.expires_in("c") is None
    with pytest.raises(TypeError):
        mapping.set_many({"d": 1, "e": lambda: 1}.__class__({"d": threading.Lock()}))
    assert "d" not in mapping
    mapping.set_many({})
    assert len(mapping) == 4


def test_add(mapping):
    assert mapping.add("a", 1, expire=HOUR) and not mapping.add("a", 2)
    assert mapping["a"] == 1 and mapping.expires_in("a") > 3590
    assert mapping.add((1, None), None) and not mapping.add((1, None), 2)
    del mapping["a"]
    assert mapping.add("a", 3) and mapping.expires_in("a") is None


def test_what_has_expired_can_be_added(store):
    assert store.add("lock", 1, 60) and not store.add("lock", 2, 60)
    store.set_clock_offset(datetime.timedelta(minutes=2))
    assert store.add("lock", 2, 60) and store["lock"] == 2


def test_one_of_many_threads_adds(store):
    added = []
    start = threading.Barrier(8)

    def add(number):
        start.wait()
        for key in range(50):
            if store.add(key, number, 60):
                added.append(key)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(added) == list(range(50))


def test_deleting(mapping):
    mapping.update({"a:1": 1, "a:2": 2, "b:1": 3, ("a:", 1): 4, 5: 5, "a": 6})
    assert mapping.delete(5) is True and mapping.delete(5) is False
    assert mapping.delete_prefix("a:") == 2 and mapping.delete_prefix("a:") == 0
    assert mapping.delete_many(["b:1", "none", "b:1", ("a:", 1)]) == 2
    assert dict(mapping) == {"a": 6} and mapping.delete_many([]) == 0
    mapping.update({number: number for number in range(5000)})
    assert mapping.delete_all() == 5001 and mapping.delete_all() == 0 and len(mapping) == 0


def test_deleting_counts_what_it_removed(store):
    store.update({number: number for number in range(3000)})
    counts = []
    threads = [
        threading.Thread(target=lambda: counts.append(store.delete_many(range(3000))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 3000


def test_a_value_with_its_expiry(mapping):
    mapping.set("a", 1, expire=HOUR)
    mapping["b"] = None
    value, left = mapping.get_with_expiry("a")
    assert value == 1 and 3590 < left <= 3600
    assert mapping.get_with_expiry("b", 7) == (None, None)
    assert mapping.get_with_expiry("c", 7) == (7, None)


def test_ranges_and_pages(mapping):
    words = [f"{number:04}" for number in range(9000)]
    mapping.update(dict.fromkeys(reversed(words)))
    mapping.update({5: 1, ("0001",): 2, "é": 3})
    assert list(mapping.iter_from("8998")) == ["8998", "8999", "é"]
    assert list(mapping.iter_from()) == [*words, "é"]
    assert list(mapping.iter_from("0010", "0013")) == ["0010", "0011", "0012"]
    pages, last = [], ""
    while page := list(islice(mapping.iter_from(last), 2000)):
        pages.append(page)
        last = page[-1] + "\0"
    assert [len(page) for page in pages] == [2000] * 4 + [1001]
    assert sum(pages, []) == [*words, "é"]
    assert list(mapping.iter_from("a", stop="b")) == []


def test_editing(mapping):
    mapping.set("basket", ["apple"], expire=HOUR)
    with mapping.edit("basket") as basket:
        basket.append("pear")
    assert mapping["basket"] == ["apple", "pear"] and mapping.expires_in("basket") > 3590
    with mapping.edit("new", {}) as value:
        value["a"] = 1
    assert mapping["new"] == {"a": 1}
    with pytest.raises(KeyError):
        with mapping.edit("none"):
            pass
    with pytest.raises(LookupError):
        with mapping.edit("basket") as basket:
            basket.clear()
            raise LookupError
    assert mapping["basket"] == ["apple", "pear"]


def test_editing_loses_nothing_of_others(store):
    store["basket"] = []
    with pytest.raises(ConflictError):
        with store.edit("basket") as basket:
            basket.append("mine")
            store["basket"] = ["theirs"]
    assert store["basket"] == ["theirs"]
    with store.edit("basket"):
        store["basket"] = ["again"]
    assert store["basket"] == ["again"]  # nothing was changed, so nothing is written


def test_transact(store):
    store["n"] = 0

    def add(db):
        db["n"] += 1
        return db["n"]

    threads = [
        threading.Thread(target=lambda: [store.transact(add, retries=100) for _ in range(50)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store["n"] == 200 and store.transact(add) == 201

    calls = []

    def disturbed(db):
        calls.append(db["n"])
        writer = threading.Thread(target=store.__setitem__, args=("n", len(calls)))
        writer.start()
        writer.join()
        db["m"] = 1

    with pytest.raises(ConflictError):
        store.transact(disturbed, retries=2)
    assert len(calls) == 3 and "m" not in store
    with pytest.raises(ZeroDivisionError):
        store.transact(lambda db: 1 / 0)


def test_timedeltas(store):
    store.set("a", 1, expire=HOUR)
    assert store.touch("a", HOUR * 2) and store.expires_in("a") > 7190
    store.set("b", 1, expire=-HOUR)
    assert "b" not in store
    store.set_clock_offset(HOUR * 3)
    assert "a" not in store


def test_copies_are_plain_dicts(mapping):
    mapping.update(a=[1], b=2)
    for made in (copy.copy(mapping), copy.deepcopy(mapping), copy.deepcopy([mapping])[0]):
        assert type(made) is dict and made == {"a": [1], "b": 2}


def test_bounds_that_no_key_can_have(mapping):
    keys = ["a", "a\ud7ff", "a\ue000", "a\U0001f600", "b"]
    mapping.update(dict.fromkeys(keys, 1))
    assert list(mapping.iter_prefix("a\ud800")) == []
    assert mapping.delete_prefix("\udfff") == 0
    assert list(mapping.iter_from("a\ud800")) == keys[2:]
    assert list(mapping.iter_from("", "a\udfffz")) == keys[:2]
    assert len(mapping) == len(keys)
