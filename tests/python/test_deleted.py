# test_deleted.py - deleted is deleted, and the newest value is the value
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest

DELETIONS = {
    "del": lambda store: store.__delitem__("b"),
    "pop": lambda store: store.pop("b"),
    "popitem": lambda store: store.popitem(),
    "clear": lambda store: store.clear(),
}
LEFT = {"del": ["a"], "pop": ["a"], "popitem": ["a"], "clear": []}


@pytest.mark.parametrize("deletion", DELETIONS)
@pytest.mark.parametrize("flushed_before", (False, True))
@pytest.mark.parametrize("flushed_after", (False, True))
def test_deleted_stays_deleted(open_store, mode, deletion, flushed_before, flushed_after):
    store = open_store(persist_mode=mode, enable_async=False)
    store["a"] = 1
    store["b"] = 2
    if flushed_before:
        store.flush()
    DELETIONS[deletion](store)

    def check():
        assert "b" not in store
        assert store.get("b", "gone") == "gone"
        assert store.get_many(["a", "b"]) == {key: 1 for key in LEFT[deletion]}
        assert len(store) == len(LEFT[deletion])
        assert list(store) == LEFT[deletion]
        with pytest.raises(KeyError) as missing:
            store["b"]
        assert missing.value.args == ("b",)
        with pytest.raises(KeyError) as missing:
            del store["b"]
        assert missing.value.args == ("b",)
        with pytest.raises(KeyError):
            store.pop("b")

    check()
    if flushed_after:
        store.flush()
        check()
    if mode != "memory":
        store.close()
        store = open_store(persist_mode=mode)
        check()


def test_the_second_value_is_seen_after_evictions(open_store, file_mode):
    store = open_store(persist_mode=file_mode, hot_capacity=1)

    def evict():
        store.flush()
        for other in ("x", "y", "z"):
            store[other] = 0
            store.flush()
            assert store[other] == 0

    for value in ("v1", "v2", ["v3"], None, "v5"):
        store["k"] = value
        evict()
        assert store["k"] == value
        evict()
        assert store["k"] == value
    del store["k"]
    evict()
    assert "k" not in store
    store["k"] = "again"
    evict()
    assert store["k"] == "again"
    store.close()
    assert open_store(persist_mode=file_mode)["k"] == "again"


def test_everything_is_known_after_reopening_with_nothing_read(open_store, file_mode):
    store = open_store(persist_mode=file_mode)
    store.update({f"k{i}": i for i in range(100)})
    del store["k50"]
    store.close()
    assert len(open_store(persist_mode=file_mode)) == 99
    assert "k7" in open_store(persist_mode=file_mode)
    assert "k50" not in open_store(persist_mode=file_mode)
    expected = [f"k{i}" for i in range(100) if i != 50]
    assert list(open_store(persist_mode=file_mode).keys()) == expected
    assert bool(open_store(persist_mode=file_mode))
    assert open_store(persist_mode=file_mode).popitem() == ("k99", 99)


def test_clear_then_set_leaves_only_what_was_set(open_store, file_mode):
    store = open_store(persist_mode=file_mode, enable_async=False)
    store.update(a=1, b=2, c=3)
    store.flush()
    store["d"] = 4
    store.clear()
    store["b"] = 5
    assert list(store.items()) == [("b", 5)]
    store.flush()
    assert list(store.items()) == [("b", 5)]
    store.close()
    assert list(open_store(persist_mode=file_mode).items()) == [("b", 5)]
