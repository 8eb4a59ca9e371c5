# test_walks.py - walks while the walking thread, other threads and other processes write
# SPDX-License-Identifier: LGPL-2.1-or-later

import sys
import threading
from itertools import islice

import pytest
from conftest import python

from dictsqlite_v4 import DictSQLiteV4, dbm

WALKS = {
    "list": list,
    "reversed": lambda store: list(reversed(store)),
    "keys": lambda store: list(store.keys()),
    "values": lambda store: list(store.values()),
    "items": lambda store: list(store.items()),
    "copy": lambda store: list(store.copy().items()),
    "dict": lambda store: list(dict(store)),
}


@pytest.mark.parametrize("walk", WALKS)
def test_other_threads_never_end_a_walk(store, walk):
    fixed = {f"fixed{i}": f"fixed{i}" for i in range(1500)}
    store.update(fixed)
    stop = threading.Event()

    def write():
        n = 0
        while not stop.is_set():
            store[f"new{n}"] = "new"
            if n % 3 == 0 and walk != "dict":  # that looks up each key when it has been given
                del store[f"new{n}"]
            store["fixed7"] = "fixed7"
            n += 1
            stop.wait(0.0002)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(10):
            met = WALKS[walk](store)
            met = [item[0] if isinstance(item, tuple) else item for item in met]
            old = [item for item in met if item.startswith("fixed")]
            assert old == (list(reversed(fixed)) if walk == "reversed" else list(fixed))
    finally:
        stop.set()
        thread.join()


def test_another_process_never_ends_a_walk(open_store, path):
    store = open_store(persist_mode="writethrough")
    store.update({f"fixed{i}": i for i in range(1500)})
    writer = (
        "import sys\n"
        "from dictsqlite_v4 import DictSQLiteV4\n"
        "with DictSQLiteV4(sys.argv[1], persist_mode='writethrough') as db:\n"
        "    for i in range(300):\n"
        "        db['new'] = i\n"
        "        del db['new']\n"
    )
    done = threading.Event()

    def write():
        assert python(writer, path).returncode == 0
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    while not done.is_set() and thread.is_alive():
        assert [key for key in store if key != "new"] == [f"fixed{i}" for i in range(1500)]
        assert [item for item in store.items() if item[0] != "new"] == [
            (f"fixed{i}", i) for i in range(1500)
        ]
    thread.join()
    assert done.is_set()


def test_the_walking_thread_may_not_change_the_size(store):
    """What another thread does in between is not counted, and what it has done is not taken off."""
    store.update({i: i for i in range(100)})
    walk = iter(store)
    next(walk)
    thread = threading.Thread(target=store.update, args=({"other": 1},))
    thread.start()
    thread.join()
    next(walk)
    del store["other"]
    with pytest.raises(RuntimeError, match="dictionary changed size during iteration"):
        next(walk)


def test_a_removal_and_a_new_key_between_two_steps_are_no_change_of_size(store):
    store.update({i: i for i in range(40)})
    walk = iter(store)
    met = [next(walk)]
    del store[5]
    store["new"] = 1
    met += walk
    assert met == [i for i in range(40) if i != 5]


@pytest.mark.parametrize("flush_first", (False, True))
def test_a_new_key_is_noticed_although_it_is_written_blindly(open_store, flush_first):
    store = open_store(persist_mode="lazy")
    store.update({i: i for i in range(1000)})
    if flush_first:
        store.flush()
    walk = iter(store)
    for _ in range(10):
        store[next(walk)] = 0
    store.update({1: 1, "new": 1})
    with pytest.raises(RuntimeError):
        next(walk)


def test_all_new_keys_of_a_batch_are_counted(store):
    store.update({i: i for i in range(1000)})
    walk = iter(store)
    next(walk)
    del store[990]
    store.update({1: 1, "new": 1, "newer": 1})
    with pytest.raises(RuntimeError):
        next(walk)


def test_a_key_that_was_new_to_another_walk_is_no_new_one(open_store):
    """A key that a walk's thread looked for in vain, and that was then written as one of which a
    clear had told that it is new, is there when it is met."""
    store = open_store(persist_mode="lazy", hot_capacity=2, warm_capacity=0, enable_async=False)
    store.update({i: i for i in range(100)})
    store.flush()
    store.clear()
    store["first"] = 0
    walk = iter(store)
    next(walk)
    store["new"] = 0
    del walk
    store.update({i: i for i in range(10)})
    store.flush()
    for key in store:
        store[key] = 1
    assert set(store.values()) == {1}


def test_what_one_store_has_may_be_new_to_another(open_store, tmp_path, mode):
    ours = open_store(persist_mode=mode)
    theirs = open_store(persist_mode=mode, db_path=tmp_path / "theirs.db")
    ours.update(a=1, b=2)
    theirs.update(c=3, d=4)
    for store in (ours, theirs):
        store.flush()
    our_walk, their_walk = iter(ours), iter(theirs)
    next(their_walk)
    theirs[next(our_walk)] = 5
    with pytest.raises(RuntimeError):
        next(their_walk)
    assert next(our_walk) == "b"


def test_a_walk_ends_where_the_store_ended_when_it_began(store):
    store.update(dict.fromkeys("abc", 1))

    def again():
        for key in store:
            store[key] = store.pop(key)
            yield key

    assert list(islice(again(), 100)) == ["a", "b", "c"]
    assert list(store) == ["a", "b", "c"]
    store.update({i: i for i in range(2000)})
    assert sum(1 for _ in islice(again(), 5000)) == 2003


@pytest.mark.parametrize("flush_first", (False, True))
def test_values_are_those_of_the_moment(store, flush_first):
    store.update({i: 0 for i in range(300)})
    if flush_first:
        store.flush()
    met = []
    for key, value in store.items():
        met.append(value)
        store[key] = -1
        if key + 10 < 300:
            store[key + 10] = key
    assert met == [0] * 10 + list(range(290))
    for values in (store.values(), reversed(store.values())):
        for n, _ in enumerate(values):
            store[n] = "seen"
        assert n == 299
    assert set(store.values()) == {"seen"}


def test_large_values_beside_small_ones(open_store):
    store = open_store()
    store.update({i: b"x" * (100_000 if i % 3 else 10) for i in range(60)})
    for key, value in store.items():
        assert value == b"x" * len(value) and len(value) > 5
        store[59] = b"x" * 50_000
    assert len(value) == 50_000 and key == 59


def count_calls(function):
    """The calls of the library's functions by way of Python, and of Python's own."""
    n_calls = 0

    def count(frame, event, argument):
        nonlocal n_calls
        n_calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        function()
    finally:
        sys.setprofile(None)
    return n_calls


def reads_of(store):
    stats = store.stats()
    return stats["hot_hits"] + stats["hot_misses"]


@pytest.mark.parametrize("mode", ("memory", "lazy"))
def test_rewriting_values_costs_what_it_costs_over_a_list(open_store, mode):
    store = open_store(persist_mode=mode)
    store.update({i: i for i in range(3000)})
    store.flush()

    def rewrite(keys):
        for key in keys:
            store[key] = 0

    over_a_list = count_calls(lambda: rewrite(list(store)))
    assert count_calls(lambda: rewrite(store)) < 2 * over_a_list
    before = reads_of(store)
    rewrite(store)
    assert reads_of(store) - before < 700  # of the keys given few are forgotten

    def raise_values():
        for key, value in store.items():
            store[key] = value + 1

    before = reads_of(store)
    assert count_calls(raise_values) < 6 * over_a_list
    assert reads_of(store) - before < 3100  # each once more, not its whole batch
    assert set(store.values()) == {1}


def test_firstkey_and_nextkey_walk_once(tmp_path):
    def loop(n_keys):
        with dbm.open(str(tmp_path / f"{n_keys}.db"), "n") as db:
            for i in range(n_keys):
                db[f"{i}"] = "x"
            met = []

            def walk():
                key = db.firstkey()
                while key is not None:
                    met.append(key)
                    after = db.nextkey(key)
                    if int(key) % 3 == 0:
                        del db[key]
                    key = after

            n_calls = count_calls(walk)
            assert met == [b"%d" % i for i in range(n_keys)]
            assert len(db) == n_keys - (n_keys + 2) // 3
        return n_calls

    assert loop(1600) < 6 * loop(400)


def test_nextkey_of_any_key(tmp_path):
    with dbm.open(str(tmp_path / "a.db"), "n") as db:
        db.update({b"a": b"1", b"b": b"2", b"c": b"3"})
        assert [db.nextkey(key) for key in ("b", "a", "c", "a")] == [b"c", b"b", None, b"b"]
        del db["c"]
        assert db.nextkey("b") is None
        with pytest.raises(KeyError):
            db.nextkey("c")
    with pytest.raises(dbm.error):
        db.nextkey("a")


def test_a_dropped_walk_costs_writers_nothing(open_store):
    """A walk that was begun and let go of is no reason to look for keys before they are set."""
    store = open_store(persist_mode="lazy")
    store.update({i: i for i in range(100)})
    walk = iter(store)
    next(walk)
    del walk
    before = reads_of(store)
    store["new"] = 1
    assert reads_of(store) == before
