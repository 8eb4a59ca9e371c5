# test_store.py - views, operators, batches, repr, parameters, counters, closing
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import collections
import copy
import errno
import gc
import os
import pathlib
import weakref

import pytest
from conftest import ENCRYPTED, ON_A_SERVER, python
from operations import ANY_OPERATION

import dictsqlite
from dictsqlite_v4 import DictSQLite, DictSQLiteV4, OutcomeUnknownError
from dictsqlite_v4._dsq import ErrorCode
from dictsqlite_v4._errors import exception_of


def test_the_names_are_one_class():
    assert DictSQLite is DictSQLiteV4 is dictsqlite.DictSQLiteV4 is dictsqlite.DictSQLite
    assert issubclass(DictSQLiteV4, collections.abc.MutableMapping)


# --- views and operators ---


def test_views_are_live_and_like_sets(store):
    keys, values, items = store.keys(), store.values(), store.items()
    assert (len(keys), len(values), len(items)) == (0, 0, 0)
    store.update(a=1, b=2, c=[3])
    assert list(keys) == ["a", "b", "c"] and list(items)[0] == ("a", 1)
    assert keys & {"a", "z"} == {"a"} and {"a", "z"} & keys == {"a"}
    assert keys | {"z"} == {"a", "b", "c", "z"} and keys - {"a"} == {"b", "c"}
    assert {"a", "z"} - keys == {"z"} and keys ^ {"a", "z"} == {"b", "c", "z"}
    assert keys == {"a", "b", "c"} and keys >= {"a"} and keys > {"a"} and not keys < {"a"}
    assert keys.isdisjoint(["x"]) and not keys.isdisjoint(["a"])
    assert ("a", 1) in items and ("a", 2) not in items and ("z", 1) not in items
    assert ("c", [3]) in items and "a" not in items and ("a",) not in items
    assert 1 in values and [3] in values and 9 not in values
    assert keys.mapping["a"] == items.mapping["a"] == values.mapping["a"] == 1
    with pytest.raises(TypeError):
        keys.mapping["a"] = 2
    with pytest.raises(TypeError):
        items | {1}  # as with a dict, an unhashable value cannot be in a set
    del store["c"]
    assert items == {("a", 1), ("b", 2)} and items & {("a", 1)} == {("a", 1)}


class EqualToAll:
    __hash__ = None

    def __eq__(self, other):
        return True


def test_a_missing_key_is_in_no_item(store):
    assert ("missing", EqualToAll()) not in store.items()


def test_equality(store, open_store, tmp_path):
    store.update(a=1, b=[2])
    assert store == {"b": [2], "a": 1} and {"b": [2], "a": 1} == store
    assert store != {"a": 1} and store != {"a": 1, "b": [3]} and store != {"a": 1, "c": [2]}
    assert store != {"a": 1, "b": None} and store != 5 and store != [("a", 1)]
    assert store == collections.OrderedDict(b=[2], a=1) == store
    assert store == store
    other = open_store(db_path=tmp_path / "other.db")
    assert store != other
    other.update(b=[2], a=1)
    assert store == other
    defaulting = collections.defaultdict(int, a=1, z=2)
    assert store != defaulting and "b" not in defaulting
    with pytest.raises(TypeError):
        hash(store)


def test_merging_gives_dicts(store, open_store, tmp_path):
    store.update(a=1, b=2)
    other = open_store(db_path=tmp_path / "other.db")
    other.update(b=3, c=4)
    for merged in (store | {"b": 3, "c": 4}, store | other):
        assert type(merged) is dict and list(merged.items()) == [("a", 1), ("b", 3), ("c", 4)]
    merged = {"b": 0, "z": 5} | store
    assert type(merged) is dict and list(merged.items()) == [("b", 2), ("z", 5), ("a", 1)]
    for wrong in ([("a", 1)], 5):
        with pytest.raises(TypeError):
            store | wrong
        with pytest.raises(TypeError):
            wrong | store
    same = store
    same |= [("c", 9)]
    same |= other
    assert same is store and dict(store) == {"a": 1, "b": 3, "c": 4}


def test_copies_are_plain_dicts(store):
    store.update(a=[1])
    for copied in (store.copy(), copy.copy(store), dict(store), {**store}):
        assert type(copied) is dict and copied == {"a": [1]}
        copied["a"].append(2)
    assert store["a"] == [1]
    assert type(DictSQLiteV4.fromkeys("ab", 1)) is dict
    assert store.fromkeys("ab") == {"a": None, "b": None}


# --- batches ---


def test_update_is_that_of_dict(store):
    store.update({"a": 1})
    store.update([("b", 2)], c=3)
    store.update(other=1, self=2)
    store.update()
    store.update(iter([["d", 4]]))
    store.update(store)
    expected = {"a": 1, "b": 2, "c": 3, "other": 1, "self": 2, "d": 4}
    assert list(store.items()) == list(expected.items())
    for wrong in ([(1, 2, 3)], [1], 5, None, ["abc"]):
        errors = []
        for mapping in (store, {}):
            with pytest.raises((TypeError, ValueError)) as caught:
                mapping.update(wrong)
            errors.append((caught.type, caught.value.args))
        assert errors[0] == errors[1]
    assert store == expected


def test_bulk_insert_is_all_or_nothing_and_holds_on_to_nothing(store):
    batch = {f"key_{i}": f"value_{i}" for i in range(10_000)}
    store.bulk_insert(batch)
    expected = dict(batch)
    batch.clear()
    assert store == expected
    mixed = {"str": "日本語", "int": 1, 5: [1], "a\0b": "x\0y", b"b": b"c", "": ""}
    store.bulk_insert(mixed.items())
    assert list(store.items())[10_000:] == list(mixed.items())
    with pytest.raises(UnicodeEncodeError):
        store.bulk_insert({"fine": 1, "\ud800": 2})
    with pytest.raises(ZeroDivisionError):
        store.bulk_insert((i, 1 / (5 - i)) for i in range(10))
    assert len(store) == 10_000 + len(mixed)
    store.bulk_insert({})
    store.bulk_insert({"key_5": "\ud800", "int": 2})
    assert store["key_5"] == "\ud800" and store["int"] == 2


class Batch(dict):
    pass


def test_bulk_insert_keeps_no_reference(store):
    batch = Batch(a=1)
    reference = weakref.ref(batch)
    store.bulk_insert(batch)
    del batch
    gc.collect()
    assert reference() is None


def test_get_many_gives_the_callers_keys_in_their_order(store):
    store.update({i: str(i) for i in range(3000)})
    wanted = [2999, "missing", 1.0, 0, 2999, True]
    found = store.get_many(wanted)
    assert list(found.items()) == [(2999, "2999"), (1.0, "1"), (0, "0")]
    assert [type(key) for key in found] == [int, float, int]
    assert store.get_many(iter(range(-5, 3000))) == {i: str(i) for i in range(3000)}
    assert store.get_many([]) == {}


# --- repr, parameters, counters ---


def test_repr(open_store, path, mode):
    store = open_store(persist_mode=mode)
    assert repr(store) == f"<DictSQLiteV4 {str(path)!r} {mode} {{}}>"
    store.update(a=1, b="two")
    assert repr(store) == f"<DictSQLiteV4 {str(path)!r} {mode} {{'a': 1, 'b': 'two'}}>"
    store.update({i: i for i in range(100)})
    assert repr(store).endswith("16: 16, 17: 17, ...}>")
    store["a"] = "x" * 1_000_000
    assert len(repr(store)) < 1000
    store.clear()
    store.close()
    assert repr(store) == f"<DictSQLiteV4 {str(path)!r} {mode} closed>"


@pytest.mark.parametrize("word", ("write_through", "WriteThrough", "LAZY", "Memory"))
def test_modes_in_any_case(open_store, word):
    store = open_store(persist_mode=word)
    assert store.stats()["persist_mode"] == word.lower().replace("_", "")


WRONG = [
    {"hot_capacity": 0},
    {"hot_capacity": -1},
    {"hot_capacity": "x"},
    {"hot_capacity": True},
    {"hot_capacity": 1.5},
    {"hot_capacity": None},
    {"persist_mode": "eager"},
    {"persist_mode": ""},
    {"persist_mode": None},
    {"persist_mode": 1},
    {"encryption_password": ""},
    {"durability": "high"},
    {"durability": None},
    {"flush_interval": 0},
    {"flush_interval": -1},
    {"flush_interval": float("nan")},
    {"flush_interval": float("inf")},
    {"flush_interval": "1"},
    {"flush_interval": 1e308},
    {"flush_interval": 10**400},
    {"dirty_limit": 0},
    {"dirty_limit": 1.5},
    {"busy_timeout": -1},
    {"wal_limit": (1 << 20) - 1},
    {"wal_limit": 2**63},
    {"cache_size": (1 << 16) - 1},
    {"cache_size": 2**31},
    {"busy_timeout": 2**31},
    {"cache_size": "8M"},
    {"near_capacity": -1},
    {"near_capacity": 1.5},
    {"db_path": ""},
    {"db_path": "a\0b"},
]


@pytest.mark.parametrize("parameters", WRONG, ids=repr)
def test_wrong_parameters_are_value_errors_and_make_no_file(tmp_path, parameters):
    with pytest.raises(ValueError) as caught:
        DictSQLiteV4(**{"db_path": tmp_path / "store.db", **parameters})
    (name,) = parameters
    assert name in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_the_three_modes_are_named():
    with pytest.raises(ValueError, match="'memory', 'lazy', 'writethrough'"):
        DictSQLiteV4(":memory:", persist_mode="other")


def test_a_path_of_a_wrong_type_is_a_type_error():
    for wrong in (None, 5, ["x"]):
        with pytest.raises(TypeError):
            DictSQLiteV4(wrong)


def test_extras_are_keyword_only(path):
    with pytest.raises(TypeError):
        DictSQLiteV4(path, 10, True, "lazy", None, False, None, "full")


@pytest.mark.parametrize(
    "extras",
    (
        {"durability": "FULL"},
        {"flush_interval": 0.001},
        {"flush_interval": 3600},
        {"dirty_limit": 1},
        {"busy_timeout": 0},
        {"wal_limit": 1 << 20},
        {"cache_size": 1 << 16},
        {"near_capacity": 0},
        {"near_capacity": 1},
        {"hot_capacity": 1},
        {"enable_async": 0},
    ),
    ids=repr,
)
def test_extremes_work(open_store, file_mode, extras):
    store = open_store(persist_mode=file_mode, **extras)
    for i in range(50):
        store[f"k{i}"] = i
    store.close()
    assert open_store(persist_mode=file_mode) == {f"k{i}": i for i in range(50)}


@pytest.mark.parametrize("kind", (str, pathlib.Path, os.fsencode))
def test_paths_of_each_kind(tmp_path, kind):
    name = tmp_path / "日本 語.db"
    with DictSQLiteV4(kind(name)) as store:
        store["a"] = 1
    assert name.is_file()


def test_a_name_that_is_not_utf8(tmp_path):
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.db")
    with DictSQLiteV4(name) as store:
        store["a"] = 1
    with DictSQLiteV4(name) as store:
        assert store["a"] == 1
    assert b"caf\xe9.db" in os.listdir(os.fsencode(tmp_path))


def test_a_relative_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with DictSQLiteV4("data.db") as store:
        store["a"] = 1
    assert (tmp_path / "data.db").is_file()


@pytest.mark.parametrize("persist_mode", ("memory", "lazy", "writethrough"))
def test_memory_as_path_makes_no_file(tmp_path, monkeypatch, persist_mode):
    monkeypatch.chdir(tmp_path)
    with DictSQLiteV4(":memory:", persist_mode=persist_mode) as store:
        store["a"] = 1
        assert store["a"] == 1
        assert store.stats()["persist_mode"] == "memory"
        with DictSQLiteV4(":memory:") as other:
            assert len(other) == 0
        store.flush()
    assert list(tmp_path.iterdir()) == []


def test_memory_mode_leaves_an_existing_file_alone(open_store, path):
    with DictSQLiteV4(path) as store:
        store["a"] = 1
    before = path.read_bytes()
    store = open_store(persist_mode="memory")
    assert len(store) == 0
    store["b"] = 2
    store.close()
    assert path.read_bytes() == before


@pytest.mark.parametrize("warm_capacity", (0, 1 << 20))
def test_stats(open_store, path, file_mode, warm_capacity):
    store = open_store(
        persist_mode=file_mode, hot_capacity=5, warm_capacity=warm_capacity, enable_async=False
    )
    store.update({f"k{i}": i for i in range(20)})
    before = store.stats()
    assert before["dirty_entries"] == (20 if file_mode == "lazy" else 0)
    assert (before["dirty_bytes"] > 0) == (file_mode == "lazy")
    store.flush()
    assert store["k0"] == 0 and store.get("missing") is None
    stats = store.stats()
    assert stats["persist_mode"] == file_mode
    assert stats["hot_tier_capacity"] == 5 and 0 < stats["hot_tier_size"] <= 5
    assert stats["encryption_enabled"] is ENCRYPTED and stats["safe_pickle_enabled"] is False
    assert stats["dirty_entries"] == 0 and stats["dirty_bytes"] == 0
    assert stats["cold_entries"] == stats["tiers"]["cold"]["entries"] == 20
    assert stats["warm_capacity"] == stats["tiers"]["warm"]["capacity"] == warm_capacity
    if warm_capacity:
        assert stats["warm_entries"] == 15 and 0 < stats["warm_bytes"] <= warm_capacity
        assert stats["warm_hits"] == 1 and stats["cold_hits"] == 0 and stats["cold_misses"] >= 1
    else:
        assert stats["warm_entries"] == stats["warm_bytes"] == stats["warm_hits"] == 0
        assert stats["cold_hits"] >= 1 and stats["cold_misses"] >= 1
    assert stats["commits"] >= 1 and stats["failed_flushes"] == 0
    assert stats["last_error"] is None
    assert stats["file_bytes"] == 0 if ON_A_SERVER else stats["file_bytes"] >= 512
    for name, value in stats.items():
        if name not in ("persist_mode", "last_error", "tiers"):
            assert isinstance(value, int)
    store.close()


# --- closing ---


def test_after_close_everything_but_flush_and_close_raises(open_store, mode):
    store = open_store(persist_mode=mode)
    store["a"] = 1
    iterator, keys = iter(store), store.keys()
    assert not store.closed
    store.close()
    assert store.closed
    for name, operation in ANY_OPERATION.items():
        with pytest.raises(RuntimeError, match="^store is closed$"):
            operation(store)
            pytest.fail(name)
    begun = (lambda: next(iterator), lambda: list(keys), lambda: "a" in keys, lambda: len(keys))
    for rest in begun:
        with pytest.raises(RuntimeError, match="^store is closed$"):
            rest()
    store.flush()
    store.close()
    store.close()
    assert "closed" in repr(store)


def test_leaving_the_context_flushes_and_closes(open_store, path, file_mode):
    with pytest.raises(KeyError):
        with open_store(persist_mode=file_mode) as store:
            store["a"] = 1
            store["missing"]
    assert store.closed
    with open_store(persist_mode=file_mode) as store:
        assert store["a"] == 1
        store.close()
    with pytest.raises(RuntimeError):
        with store:
            pass


def test_a_store_that_is_dropped_is_flushed_and_closed(open_store, path):
    store = DictSQLiteV4(path, persist_mode="lazy", enable_async=False)
    store["a"] = 1
    del store
    gc.collect()
    assert open_store()["a"] == 1


def test_the_end_of_the_interpreter_closes_what_is_open(open_store, path):
    ended = python(
        "import atexit, sys\n"
        "from dictsqlite_v4 import DictSQLiteV4\n"
        "left_open = DictSQLiteV4(sys.argv[1], persist_mode='lazy', enable_async=False)\n"
        "left_open['a'] = 1\n"
        "atexit.register(left_open.flush)\n"
        "closed = DictSQLiteV4(sys.argv[1] + '.closed', persist_mode='lazy')\n"
        "atexit.register(closed.flush)\n"
        "closed.close()\n",
        path,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert open_store()["a"] == 1


def test_an_outcome_that_is_not_known_is_an_error_of_its_own():
    error = exception_of(True, ErrorCode.OUTCOME_UNKNOWN, "Failed to sync", "a.db")
    assert type(error) is OutcomeUnknownError and isinstance(error, OSError)
    assert (error.errno, error.strerror, error.filename) == (errno.EIO, "Failed to sync", "a.db")
