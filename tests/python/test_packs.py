# test_packs.py - many entries at once, in whichever form they travel
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Str keys and values are joined by U+0000, unless one has that; all else goes one by one."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings, strategies as st

from dictsqlite_v4 import DictSQLiteV4
from dictsqlite_v4._pack import (
    pack,
    pack_entries,
    pack_keys,
    unpack,
    unpack_records,
    unpack_strings,
)

OF_TEXTS = b"\xff\xff\xff\xff"
TEXTS = st.text(st.characters(blacklist_categories=()), max_size=6)
VALUES = st.one_of(TEXTS, TEXTS, st.integers(), st.binary(max_size=4), st.none())


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("packs") / "a.db"
    with DictSQLiteV4(path, persist_mode="lazy", near_capacity=0) as db:
        yield db


def test_strings_travel_as_texts():
    packed = pack_entries({"a": "1", "b": "", "": "3"})
    assert packed[:4] == OF_TEXTS and packed[12:] == b"a\0b\0\0\x031\0\x03\0\x033"
    assert unpack(packed) == [b"a", b"\x031", b"b", b"\x03", b"", b"\x033"]
    assert pack_keys(["a", "", "\xe4"])[12:] == "a\0\0\xe4".encode()
    assert unpack(pack_keys(["a", ""])) == [b"a", b""]


@pytest.mark.parametrize(
    "entries",
    [{"a\0": "b"}, {"a": "b\0"}, {"a\0b": "c", "d": "e"}, {"a": 1}, {1: "a"}, {"a": "\ud800"}, {}],
)
def test_others_travel_one_by_one(entries):
    assert pack_entries(entries)[:4] != OF_TEXTS


def test_what_is_large_is_not_copied_into_one():
    assert pack_entries({"a": "x" * (16 << 20)})[:4] != OF_TEXTS
    assert pack_keys(["a" * (1 << 19)] * 40)[:4] != OF_TEXTS


@given(st.dictionaries(st.one_of(TEXTS, st.integers()), VALUES, max_size=8), st.lists(TEXTS))
@settings(deadline=None, max_examples=300)
def test_it_is_as_with_a_dict(store, entries, others):
    expected = {}
    for key, value in entries.items():
        try:
            key.encode() if isinstance(key, str) else None
        except UnicodeEncodeError:
            continue
        expected[key] = value
    store.clear()
    store.update(expected)
    assert store.get_many([*others, *entries]) == {
        key: expected[key] for key in [*others, *entries] if key in expected
    }
    assert list(store.items()) == list(expected.items())


def test_equal_keys_and_order(store):
    store.clear()
    store.bulk_insert([("a", "1"), ("b", "2"), ("a", "3")])
    assert list(store.items()) == [("a", "3"), ("b", "2")]
    assert list(store.get_many(["b", "a", "b"]).items()) == [("b", "2"), ("a", "3")]
    assert list(store.get_many(["b", "missing", "a"]).items()) == [("b", "2"), ("a", "3")]


def test_strings_come_as_texts_only_where_all_are_such(store):
    store.clear()
    store.update({"a": "1", "b": "", "nul": "\0", "number": 1})
    asked = store._store.get_pack
    assert asked(pack_keys(["a", "b"])) == OF_TEXTS + b"\2\0\0\0\1\0\0\0" + b"1\0"
    for other in ("nul", "number", "missing"):
        assert asked(pack_keys(["a", other]))[:4] == b"\2\0\0\0"
    assert asked(pack((b"a", b"b"))) == pack((b"\x031", b"\x03"))
    assert unpack_records(asked(pack_keys(["a", "b"]))) == [b"\x031", b"\x03"]


def test_a_pack_that_is_none_is_refused(store):
    for packed in (OF_TEXTS, OF_TEXTS + b"\2\0\0\0\1\0\0\0a", OF_TEXTS + b"\1\0\0\0\3\0\0\0a"):
        with pytest.raises(Exception, match="Failed to read pack"):
            store._store.get_pack(packed)
        with pytest.raises(Exception, match="Failed to read pack"):
            store._store.set_pack(packed)


def test_in_a_transaction_and_in_a_table(store):
    store.clear()
    table = store.table("t")
    with store.transaction():
        store.update(a="1", b="2")
        table.update(a="3", c="4")
        assert store.get_many("abc") == {"a": "1", "b": "2"}
        assert table.get_many("abc") == {"a": "3", "c": "4"}
    assert store.get_many("abc") == {"a": "1", "b": "2"}
    assert table.get_many("abc") == {"a": "3", "c": "4"}


def test_empty_strings_are_renewed_too(tmp_path):
    with DictSQLiteV4(tmp_path / "a.db", default_expire=1000, sliding=True) as db:
        db.update(a="", b="x")
        db.set_clock_offset(500)
        assert db.get_many("ab") == {"a": "", "b": "x"}
        assert min(db.expires_in("a"), db.expires_in("b")) > 900


def test_what_is_no_utf8_is_left_to_whoever_loads_each():
    packed = OF_TEXTS + b"\2\0\0\0\1\0\0\0" + b"a\0\xff"
    assert unpack_strings(packed) is None
    assert unpack_records(packed) == [b"\x03a", b"\x03\xff"]


def test_it_is_faster_than_one_by_one(store):
    store.clear()
    keys = [f"key_{i}" for i in range(1000)]
    store.update({key: f"value of {key}" for key in keys})

    def measure(function):
        times = []
        for _ in range(9):
            start = time.perf_counter()
            function()
            times.append(time.perf_counter() - start)
        return min(times)

    assert 1.5 * measure(lambda: store.get_many(keys)) < measure(
        lambda: {key: store[key] for key in keys}
    )


# Surrogates are no key's, but may be a bound's.
KEYS = st.text(st.characters(blacklist_categories=("Cs",)), max_size=4)


@given(st.lists(KEYS, max_size=12), TEXTS, st.none() | TEXTS)
@settings(deadline=None, max_examples=300)
def test_listed_keys_are_those_between_the_bounds(store, keys, start, stop):
    store.clear()
    store.update(dict.fromkeys([*keys, "\0", "a"], 1))
    for _ in ("in memory", "in the file"):
        wanted = sorted(k for k in store if k >= start and (stop is None or k < stop))
        assert list(store.iter_from(start, stop)) == wanted
        store.pop("\0", None)  # now more of them may travel as texts
        store.flush()
        store["b"] = 1


def test_listed_keys_go_on_behind_each_batch(store):
    store.clear()
    keys = [f"{i:05d}" for i in range(9000)]
    store.update(dict.fromkeys([*keys, "00063\0", "00191\0b"], 1))
    expected = sorted([*keys, "00063\0", "00191\0b"])
    assert list(store.iter_from()) == expected
    assert list(store.iter_prefix("00")) == [key for key in expected if key[:2] == "00"]
    between = [key for key in expected if "00060" <= key < "08000"]
    assert list(store.iter_from("00060", "08000")) == between


@pytest.mark.parametrize("values", [["x" * 5000, "", "y" * 600], ["z" * 513], ["", "\xe4" * 2000]])
def test_long_strings_come_as_they_were(store, values):
    entries = {str(i): value for i, value in enumerate(values)}
    store.clear()
    store.update(entries)
    assert store.get_many(entries) == entries
    store.flush()
    assert store.get_many([*entries, "missing"]) == entries
