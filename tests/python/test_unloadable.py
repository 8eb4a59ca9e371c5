# test_unloadable.py - values that cannot be loaded: they stay, and all else goes on
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest

from dictsqlite_v4 import ConflictError


class Loading:
    """A value whose loading calls `done`, and is what that returns."""

    done = None

    def __reduce__(self):
        return _load, ()


def _load():
    return Loading.done()


@pytest.fixture
def loading(monkeypatch):
    """Sets what loading a Loading does."""

    def set_to(done):
        monkeypatch.setattr(Loading, "done", staticmethod(done))

    return set_to


def fail():
    raise AttributeError("its class is gone")



# Each gives a mapping of its own kind.
MAPPINGS = {
    "store": lambda open_store, mode: open_store(persist_mode=mode),
    "table": lambda open_store, mode: open_store(persist_mode=mode).table("t"),
    "expiring": lambda open_store, mode: open_store(
        persist_mode=mode, default_expire=60, sliding=True
    ),
    "safe": lambda open_store, mode: open_store(
        persist_mode=mode,
        enable_safe_pickle=True,
        safe_pickle_allowed_modules=[f"{__name__}:_load"],
    ),
}
REMOVALS = {
    "pop": lambda mapping: mapping.pop("job"),
    "pop with a default": lambda mapping: mapping.pop("job", None),
    "popitem": lambda mapping: mapping.popitem(),
}


@pytest.mark.parametrize("removal", REMOVALS)
@pytest.mark.parametrize("kind", MAPPINGS)
def test_what_cannot_be_loaded_is_not_removed(open_store, mode, kind, removal, loading):
    mapping = MAPPINGS[kind](open_store, mode)
    mapping["first"] = 1
    mapping["job"] = Loading()
    loading(fail)
    for _ in range(2):
        with pytest.raises(Exception, match="its class is gone"):
            REMOVALS[removal](mapping)
        assert list(mapping) == ["first", "job"]
    with pytest.raises(Exception, match="its class is gone"), mapping.transaction():
        REMOVALS[removal](mapping)
    assert list(mapping) == ["first", "job"]

    loading(lambda: "loaded")
    assert REMOVALS[removal](mapping) in ("loaded", ("job", "loaded"))
    assert list(mapping) == ["first"]


@pytest.mark.parametrize("in_transaction", [False, True])
def test_what_is_set_while_a_value_is_loaded_is_not_lost(store, loading, in_transaction):
    def set_again():
        store["job"] = "newer"
        return "older"

    for removal, expected in (("pop", "newer"), ("popitem", ("job", "newer"))):
        store["job"] = Loading()
        loading(set_again)
        if in_transaction:
            with store.transaction():
                assert REMOVALS[removal](store) == expected
        else:
            assert REMOVALS[removal](store) == expected
        assert "job" not in store


def test_popitem_takes_the_newest_of_the_moment(store, loading):
    def add():
        del store["job"]
        store["newest"] = 1
        return "gone meanwhile"

    store["job"] = Loading()
    loading(add)
    assert store.popitem() == ("newest", 1)
    assert len(store) == 0


@pytest.mark.parametrize("removal", REMOVALS)
def test_who_is_always_too_late_is_told(store, loading, removal):
    counts = iter(range(10_000_000))

    def set_again():
        store["job"] = Loading() if next(counts) % 2 else (Loading(),)
        return "older"

    store["job"] = Loading()
    loading(set_again)
    with pytest.raises(ConflictError):
        REMOVALS[removal](store)
    assert "job" in store and next(counts) <= 1001
