# test_near.py - values that are kept beside the store are the store's, whoever changes it
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import itertools
import os
import pickle
import random
import sys
import threading
from datetime import timedelta

import pytest
from conftest import python

from dictsqlite_v4 import DictSQLiteV4
from dictsqlite_v4._near import SLOT_MASK

pytestmark = pytest.mark.skipif(os.environ.get("DSQ_NEAR") == "0", reason="nothing is kept")

VALUES = ["text", "", "\0", b"bytes", 1, 2**70, 1.5, True, None, [1, 2], {"a": {1}}]


def is_kept(store, key):
    """Whether `key` would be answered without a call, once it is known what is committed."""
    near, words = store._near, store._words
    if near is None or not store._catch_up():
        return False
    if key in near.own and words[store._table_word] == near.own.word:
        return True
    stamp = abs(near.stamped.get(key, (None, 0))[1])
    return stamp != 0 and words[stamp & SLOT_MASK] == stamp


def keep(store, key="k", value="old"):
    """Set `key` and read it until it is kept."""
    store[key] = value
    for _ in range(4):
        assert store[key] == value
    assert is_kept(store, key)


@pytest.fixture
def near(open_store, mode):
    store = open_store(persist_mode=mode, near_capacity=100)
    if store._words is None:
        pytest.skip("there are no words on this machine")
    return store


def test_stats_count_what_is_kept(near):
    def count():
        return near.stats()["tiers"]["near"]

    assert count() == {"entries": 0, "capacity": 100}
    near["k"] = "value"
    keep(near, "k")
    assert count()["entries"] == 1
    near.update({"many": "of", "them": "are set"})
    assert count()["entries"] == 3
    assert near.get("nowhere") is None and near["many"] == "of"
    with near.transaction():
        assert count()["entries"] == 3


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_what_is_kept_is_what_was_set(near, value):
    keep(near, "k", value)
    assert type(near["k"]) is type(value)
    assert near.get("k") == value and "k" in near
    if isinstance(value, (list, dict)):
        assert near["k"] is not near["k"]
        near["k"].clear()
        assert near["k"] == value


def test_what_is_kept_needs_no_call(near, monkeypatch):
    keep(near)
    near.update({"other": "text", "more": "text"})
    assert is_kept(near, "more")
    for name in ("_find", "_get_text", "_contains_text", "_get_record", "_check_open"):
        monkeypatch.setattr(near, name, None)
    assert near["k"] == near.get("k") == "old"
    assert near["other"] == near.get("other") == "text" and "other" in near


def test_what_is_set_needs_no_call(near, monkeypatch, mode):
    if mode == "writethrough":
        pytest.skip("one's own commit is looked for as others' are")
    near["first"] = "so that what has been committed is known"
    assert near["first"]
    for i, value in enumerate(VALUES):
        near[f"k{i}"] = value
    for name in ("_find", "_get_text", "_contains_text", "_get_record", "_check_open"):
        monkeypatch.setattr(near, name, None)
    for i, value in enumerate(VALUES):
        assert f"k{i}" in near
        if value is not None:  # which is as what is not there
            assert near[f"k{i}"] == value and type(near.get(f"k{i}")) is type(value)


def by_transaction(store):
    with store.transaction():
        assert store["k"] == "old"
        store["k"] = "new"
        assert store["k"] == "new"


def by_watching(store):
    assert store.incr("n") == 1
    store["k"] = "new"


CHANGES = {
    "set": lambda store: store.__setitem__("k", "new"),
    "set bytes": lambda store: store._set_record(b"k", b"\x03new"),
    "update": lambda store: store.update({"k": "new"}),
    "bulk": lambda store: store.bulk_insert({"k": "new", "other": 1}),
    "transaction": by_transaction,
    "clear, set": lambda store: (store.clear(), store.update(k="new")),
    "pop, set": lambda store: (store.pop("k"), store.setdefault("k", "new")),
    "popitem, set": lambda store: (store.popitem(), store.setdefault("k", "new")),
    "other keys": by_watching,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_seen_at_once(near, change):
    keep(near)
    change(near)
    for _ in range(4):
        assert near["k"] == near.get("k") == "new" and "k" in near


REMOVALS = {
    "delete": lambda store: store.__delitem__("k"),
    "pop": lambda store: store.pop("k"),
    "popitem": lambda store: store.popitem(),
    "clear": lambda store: store.clear(),
    "expired": lambda store: store.touch("k", -1),
}


@pytest.mark.parametrize("remove", REMOVALS.values(), ids=REMOVALS)
def test_a_removal_is_seen_at_once(near, remove):
    keep(near)
    remove(near)
    for _ in range(4):
        assert "k" not in near and near.get("k") is None
        with pytest.raises(KeyError):
            near["k"]


def test_what_expires_is_not_kept(near):
    keep(near)
    near.set("k", "old", expire=timedelta(hours=1))
    assert [near["k"] for _ in range(4)] == ["old"] * 4
    assert not is_kept(near, "k")


def test_what_is_long_is_not_kept(near):
    near["k"] = "x" * 2000
    assert [len(near["k"]) for _ in range(4)] == [2000] * 4
    assert not is_kept(near, "k")


def test_a_cache_with_a_limit_keeps_nothing(open_store, file_mode):
    store = open_store(persist_mode=file_mode, max_bytes=1 << 20)
    assert store._near is None


def test_keys_of_other_types_are_not_looked_for(near):
    class Name(str):
        pass

    keep(near, "1")
    near[1] = "int"
    near[b"1"] = "bytes"
    assert (near["1"], near[1], near[b"1"], near[Name("1")]) == ("old", "int", "bytes", "old")
    with pytest.raises(TypeError):
        near[[]]


def test_no_more_are_kept_than_there_is_room_for(open_store):
    store = open_store(persist_mode="lazy", near_capacity=10)
    keys = [f"k{i}" for i in range(40)]
    store.update(dict.fromkeys(keys, "v"))
    assert list(store._near.own) == keys[:10]  # of many at once the first
    for key in keys * 20:
        assert store[key] == "v"
        assert len(store._near.own) <= 10 and len(store._near.stamped) <= 10
    for key in keys:
        store[key] = "v"
        assert len(store._near.own) <= 10 and store[key] == "v"
    for key in keys[:5] * 40:
        assert store[key] == "v"
    assert all(is_kept(store, key) for key in keys[:5])


def test_long_keys_take_the_room_of_many(open_store):
    store = open_store(persist_mode="lazy", near_capacity=100)
    for i in range(200):
        store[f"{i:08}" * 100] = "v"
        assert store.get(f"{i:08}" * 100) == store.get(f"{i // 2:08}" * 100) == "v"
        for kept in (store._near.own, store._near.stamped):
            assert sum(map(len, kept)) <= 5 * 100 * 128


def test_long_values_take_the_room_of_many(open_store):
    store = open_store(persist_mode="lazy", near_capacity=100)
    keys = [f"k{i}" for i in range(99)]
    store.update(dict.fromkeys(keys, "x" * 1000))
    for key in keys * 2:
        assert len(store[key]) == 1000
        assert sum(len(value) for value, _ in store._near.stamped.values()) <= 5 * 100 * 128
    for key in keys:
        store[key] = "y" * 1000
        assert sum(map(len, store._near.own.values())) <= 5 * 100 * 128
    keep(store)


def test_each_table_keeps_its_own(near):
    table = near.table("t")
    keep(near)
    keep(table, "k", "in the table")
    assert (near["k"], table["k"]) == ("old", "in the table")
    table.clear()
    assert near["k"] == "old" and "k" not in table
    keep(table, "k", "again")
    near.drop_table("t")
    for read in (table.get, table.__getitem__, table.__contains__):
        with pytest.raises(RuntimeError, match="dropped"):
            read("k")


@pytest.mark.parametrize("value", [value for value in VALUES if value is not None], ids=repr)
def test_what_is_read_from_the_file_is_kept_at_once(open_store, path, value):
    with DictSQLiteV4(path) as writer:
        writer["k"] = value
    first = open_store(persist_mode="writethrough")
    for name in ("get", "__getitem__"):
        store = open_store(persist_mode="writethrough", separate=True)
        assert getattr(store, name)("k") == value
        assert is_kept(store, "k")
        first["k"] = "theirs"
        assert store["k"] == "theirs" and is_kept(store, "k")
        first["k"] = value
    # where memory has no room for it, it is not
    small = open_store(persist_mode="writethrough", separate=True, hot_capacity=1, warm_capacity=0)
    small["other"] = "the one that there is room for"
    assert small["k"] == value and small["k"] == value
    first["k"] = "theirs"
    assert small["k"] == "theirs"


@pytest.mark.parametrize("separate", (False, True))
def test_another_object_on_the_file_is_seen(open_store, file_mode, separate):
    store = open_store(persist_mode=file_mode, separate=separate)
    other = open_store(persist_mode=file_mode, separate=separate)
    for i in range(10):
        keep(store, "k", i)
        store.flush()
        assert store["k"] == i
        assert other["k"] == i
        other["k"] = ~i
        if separate:
            other.flush()
        assert store["k"] == ~i
    keep(store, "k", "last")
    other.close()
    assert store["k"] == "last"


def test_other_processes_are_seen(open_store, path, file_mode):
    store = open_store(persist_mode=file_mode)
    for i in range(3):
        keep(store, "k", f"{i}")
        store.flush()
        assert store["k"] == f"{i}"
        done = python(
            "import sys; from dictsqlite_v4 import DictSQLiteV4\n"
            "with DictSQLiteV4(sys.argv[1]) as db: db['k'] += ' theirs'",
            path,
        )
        assert done.returncode == 0, done.stderr
        assert store["k"] == f"{i} theirs" and "k" in store


def test_a_flush_leaves_what_is_kept(open_store):
    store = open_store(persist_mode="lazy")
    keep(store)
    store.flush()
    assert store["k"] == "old"
    assert is_kept(store, "k")


@pytest.mark.parametrize("others", (False, True), ids=("alone", "with another"))
def test_nothing_is_kept_once_it_is_closed(near, open_store, mode, others):
    if others and mode != "memory":
        open_store(persist_mode=mode)
    table = near.table("t")
    keep(near)
    keep(table)
    near.close()
    for store in (near, table):
        assert not store._near.own and not store._near.stamped
    for store in (near, table):
        for read in (store.get, store.__getitem__, store.__contains__):
            with pytest.raises(RuntimeError, match="closed"):
                read("k")


@pytest.mark.parametrize("others", (False, True), ids=("alone", "with another"))
def test_it_may_be_closed_behind_its_back(near, open_store, mode, others):
    if others and mode != "memory":
        open_store(persist_mode=mode)
    keep(near)
    near._handle.close(None)
    with pytest.raises(RuntimeError, match="closed"):
        near["k"]


def test_a_child_keeps_nothing(near):
    keep(near)
    child = os.fork()
    if child == 0:
        try:
            near["k"]
        except RuntimeError:
            os._exit(0)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert near["k"] == "old"


def test_who_reads_sees_what_a_writer_that_comes_later_stages(open_store):
    with open_store(persist_mode="lazy") as store:
        store["k"] = "old"
    reader = open_store(read_only=True)
    assert [reader["k"] for _ in range(4)] == ["old"] * 4
    writer = open_store(persist_mode="lazy", flush_interval=3600)
    writer["k"] = "new"
    assert reader["k"] == "new"
    walk = iter(reader.items())
    writer["k"] = "newer"
    assert next(walk) == ("k", "newer")
    writer["l"] = "more"
    assert list(reader.items()) == [("k", "newer"), ("l", "more")]


def test_memory_is_used_again_for_other_stores(tmp_path):
    closed = []
    for i in range(50):
        store = DictSQLiteV4(tmp_path / f"{i}.db", persist_mode="lazy")
        keep(store, "k", i)
        own, stamped = store._near.own, dict(store._near.stamped)
        assert own
        store.close()
        store._near.own = own  # as a thread might that was on its way
        store._near.stamped.update(stamped)
        closed.append(store)
    with DictSQLiteV4(tmp_path / "other.db") as store:
        keep(store)
        for old in closed:
            with pytest.raises(RuntimeError, match="closed"):
                old["k"]


# --- steps -----------------------------------------------------------------------------------


def steps_of(function, at_step):
    """Call `function`, and at_step(n) before each step n of it in the package."""
    count = 0

    def trace(frame, event, arg):
        nonlocal count
        if "dictsqlite_v4" not in frame.f_code.co_filename:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            count += 1
            sys.settrace(None)
            try:
                at_step(count)
            finally:
                sys.settrace(trace)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        return function(), count
    finally:
        sys.settrace(before)


def in_a_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()


READS = {
    "get": lambda store: store.get("k", "missing"),
    "in": lambda store: store["k"] if "k" in store else "missing",
}


def check_each_step(store, read, prepare, change):
    """Each of the steps of a read in turn is where another thread makes the change, until it has
    no more of them: how many it has, a collection of garbage may change."""
    for wanted in itertools.count(1):
        old, new = f"old {wanted}", f"new {wanted}"
        prepare(old)

        def change_there(step):
            if step == wanted:
                in_a_thread(lambda: change(new))

        got, n_steps = steps_of(read, change_there)
        assert got in (old, new)
        if n_steps < wanted:
            break
        assert [store["k"] for _ in range(4)] == [new] * 4
    assert wanted > 10


@pytest.mark.parametrize("state", range(3), ids=("unseen", "seen", "kept"))
@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_change_between_any_two_steps_is_seen_after_it(near, read, state):
    def prepare(value):
        near["k"] = value
        near._forget_near()
        for _ in range(state):
            near["k"]

    def change(value):
        near["k"] = value
        assert [near["k"] for _ in range(3)] == [value] * 3

    check_each_step(near, lambda: read(near), prepare, change)


@pytest.mark.parametrize("state", range(3), ids=("unseen", "seen", "kept"))
def test_a_commit_of_others_between_any_two_steps_is_seen_after_it(open_store, path, state):
    store = open_store(persist_mode="lazy", separate=True)
    other = open_store(persist_mode="writethrough", separate=True)

    def prepare(value):
        other["k"] = value
        store._forget_near()
        for _ in range(state):
            store["k"]

    def change(value):
        other["k"] = value
        store["another"] = value  # which has it learn

    check_each_step(store, lambda: store["k"], prepare, change)


# --- threads ---------------------------------------------------------------------------------


def test_no_thread_gets_what_was_overwritten_before_it_asked(near):
    """Keys hold numbers that grow: whoever reads gets none below what was written when it began."""
    keys = [f"k{i}" for i in range(4)]
    written = dict.fromkeys(keys, 0)
    near.update(written)
    failures = []
    ended = threading.Event()

    def write(key):
        for number in range(1, 1500):
            near[key] = number
            written[key] = number
        ended.set()

    def read(seed):
        choice = random.Random(seed).choice
        while not ended.is_set():
            key = choice(keys)
            least = written[key]
            got = near[key]
            if got < least:
                failures.append((key, got, least))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=write, args=(key,)) for key in keys]
        threads += [threading.Thread(target=read, args=(seed,)) for seed in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
    finally:
        sys.setswitchinterval(interval)
    assert failures == [] and not any(thread.is_alive() for thread in threads)
    assert dict(near) == written


def test_a_pickle_of_the_store_opens_it_as_it_was(open_store):
    store = open_store(persist_mode="lazy", near_capacity=7)
    with pickle.loads(pickle.dumps(store)) as again:
        assert again._near_capacity == 7
