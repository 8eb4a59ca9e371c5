# test_near_model.py - what a mapping keeps, whoever writes beside it, is always what it must be
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two handles, C's calls, threads that take turns each microsecond, and another process. First one
call after the other, each compared with a dict; then at the same time, where each key must behave
as if its calls were made one after the other."""

from __future__ import annotations

import contextlib
import inspect
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import textwrap
import threading
import time

import pytest
from conftest import LONG, SECONDS, rounds, seed
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from dictsqlite_v4 import DictSQLiteV4, _mapping, _near, _whole
from dictsqlite_v4._dsq import GError
from dictsqlite_v4._values import encode_value

pytestmark = pytest.mark.skipif(os.environ.get("DSQ_NEAR") == "0", reason="nothing is kept")

KEYS = [f"k{i}" for i in range(6)]
keys = st.sampled_from(KEYS)
values = st.sampled_from(["text", "", "\0", "x" * 2000, b"bytes", b"\x80", 1, 1.5, None, [1], {}])
which = st.integers(0, 1)
WALKS = ("keys", "values", "items")


def walk_of(mapping, what):
    return getattr(mapping, what)()


# Another process: does what a line says, and says when each of it began and ended.
WRITER = """
import json, sys, time
from dictsqlite_v4 import DictSQLiteV4
clock = time.monotonic_ns
with DictSQLiteV4(sys.argv[1], near_capacity=64) as db:
    print(flush=True)
    for line in sys.stdin:
        done = []
        for key, value in json.loads(line):
            began = clock()
            wrote = value != "?"
            if value is None:
                db.pop(key, None)
            elif not wrote:
                value = db.get(key)
            else:
                db[key] = value
            done.append((key, value, wrote, began, clock()))
        print(json.dumps(done), flush=True)
"""


class Writer:
    def __init__(self, path):
        self.process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.process.stdout.readline()

    def ask(self, calls):
        self.process.stdin.write(json.dumps(calls) + "\n")
        self.process.stdin.flush()

    def answer(self):
        return json.loads(self.process.stdout.readline())

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(60) == 0
        self.process.stdout.close()


class Stores:
    """Two mappings on one file, or one of memory; where they commit, with a process beside."""

    def __init__(self, mode, **options):
        self.folder = tempfile.TemporaryDirectory()
        path = os.path.join(self.folder.name, "store.db")
        self.mode = mode
        self.commits = mode == "writethrough"
        options = {"persist_mode": mode, "near_capacity": 64, **options}
        first = DictSQLiteV4(path, **options)
        second = first if mode == "memory" else DictSQLiteV4(
            path, separate=self.commits, **options
        )  # fmt: skip
        self.both = first, second
        self.writer = Writer(path) if self.commits else None

    def close(self):
        if self.writer is not None:
            self.writer.end()
        for store in self.both:
            store.close()
        self.folder.cleanup()


# --- one call after the other ----------------------------------------------------------------


class Beside(RuleBasedStateMachine):
    stores: Stores

    def __init__(self):
        super().__init__()
        self.both = self.stores.both
        self.both[0].clear()
        self.model = {}

    @rule(which=which, key=keys, value=values)
    def set(self, which, key, value):
        self.both[which][key] = self.model[key] = value

    @rule(which=which, key=keys)
    def remove(self, which, key):
        store = self.both[which]
        if key in self.model:
            del self.model[key], store[key]
        else:
            with pytest.raises(KeyError):
                del store[key]

    @rule(which=which, entries=st.dictionaries(keys, st.sampled_from(["a", "b", 1])))
    def update(self, which, entries):
        self.both[which].update(entries)
        self.model.update(entries)

    @rule(which=which, key=keys)
    def pop(self, which, key):
        assert self.both[which].pop(key, "nothing") == self.model.pop(key, "nothing")

    @rule(which=which)
    def clear(self, which):
        self.both[which].clear()
        self.model.clear()

    @rule(which=which, key=keys)
    def expire(self, which, key):
        assert self.both[which].touch(key, -1) == (key in self.model)
        self.model.pop(key, None)

    @rule(which=which, key=keys, value=values)
    def set_for_an_hour(self, which, key, value):
        self.both[which].set(key, value, expire=3600)
        self.model[key] = value

    @rule(which=which, key=keys, value=values)
    def set_by_c(self, which, key, value):
        self.both[which]._handle.set_record(key.encode(), encode_value(value))
        self.model[key] = value

    @rule(which=which, key=keys)
    def remove_by_c(self, which, key):
        self.both[which]._handle.remove_key(key.encode())
        self.model.pop(key, None)

    @rule(which=which, key=keys, value=values, ends_well=st.booleans())
    def transaction(self, which, key, value, ends_well):
        store = self.both[which]
        try:
            with store.transaction():
                assert store.get(key, "nothing") == self.model.get(key, "nothing")
                store[key] = value
                assert store[key] == value
                if not ends_well:
                    raise ZeroDivisionError
        except ZeroDivisionError:
            return
        self.model[key] = value

    @precondition(lambda self: self.stores.writer is not None)
    @rule(key=keys, value=st.sampled_from([None, "theirs", "others'"]))
    def another_process(self, key, value):
        self.stores.writer.ask([(key, value)])
        self.stores.writer.answer()
        if value is None:
            self.model.pop(key, None)
        else:
            self.model[key] = value

    @rule(which=which)
    def flush(self, which):
        self.both[which].flush()

    @rule(which=which, key=keys, times=st.integers(1, 3))
    def read(self, which, key, times):
        store, expected = self.both[which], self.model.get(key, "nothing")
        for _ in range(times):
            got = store.get(key, "nothing")
            assert got == expected and type(got) is type(expected)
            assert (key in store) == (key in self.model)
        if key in self.model:
            assert store[key] == expected

    @rule(which=which, some=st.lists(keys, min_size=1, max_size=3))
    def read_many(self, which, some):
        got = self.both[which].get_many(some)
        expected = {key: self.model[key] for key in some if key in self.model}
        assert got == expected and [*map(type, got.values())] == [*map(type, expected.values())]

    @rule(which=which, what=st.sampled_from(WALKS), backwards=st.booleans())
    def walk(self, which, what, backwards):
        give = reversed if backwards else list
        expected = [*give([*walk_of(self.model, what)])]
        got = [*give(walk_of(self.both[which], what))]
        assert got == expected and [*map(type, got)] == [*map(type, expected)]

    @rule(which=which, by=st.integers(0, 3), what=st.sampled_from(WALKS), n=st.integers(0, 4),
          key=keys, value=values)
    def walk_on_behind_a_set(self, which, by, what, n, key, value):
        """Of a key that is there, which is no change of the size; by another process, 2, or C."""
        walk, expected = iter(walk_of(self.both[which], what)), [*walk_of(self.model, what)]
        got = [*itertools.islice(walk, n)]
        if key not in self.model:
            assert got + [*walk] == expected
            return
        if by < 2:
            self.both[by][key] = self.model[key] = value
        elif by == 3:
            self.set_by_c(which=which, key=key, value=value)
        elif self.stores.writer is not None:
            self.another_process(key=key, value="theirs")
        now = [*walk_of(self.model, what)]
        assert got + [*walk] == expected[:n] + now[n:]

    @rule(which=which, what=st.sampled_from(WALKS), key=keys)
    def walk_behind_another_threads_key(self, which, what, key):
        """Which came when it had begun, so that it may give it or not."""
        walk, before = iter(walk_of(self.both[which], what)), [*walk_of(self.model, what)]
        if key not in self.model:
            thread = threading.Thread(target=self.set_by_c,
                                      kwargs={"which": which, "key": key, "value": "text"})
            thread.start()
            thread.join()
        assert [*walk] in (before, [*walk_of(self.model, what)])

    @rule(which=which, what=st.sampled_from(WALKS), n=st.integers(1, 3), is_new=st.booleans())
    def walk_on_behind_a_change_of_the_size(self, which, what, n, is_new):
        store = self.both[which]
        walk = iter(walk_of(store, what))
        got = [*itertools.islice(walk, n)]
        key = "new" if is_new else next(iter(self.model), "new")
        store.pop(key, None)
        store["new"] = self.model["new"] = 1
        if key != "new":
            del self.model[key]
            store["newer"] = self.model["newer"] = 1
        with pytest.raises(RuntimeError) if len(got) == n else contextlib.nullcontext():
            list(walk)
        for name in ("new", "newer"):
            store.pop(name, None)
            self.model.pop(name, None)

    @rule(which=which)
    def clear(self, which):
        self.both[which].clear()
        self.model.clear()

    @rule(which=which)
    def read_all(self, which):
        store = self.both[which]
        assert store.get_many(KEYS) == self.model
        for key in KEYS:
            assert store.get(key, "nothing") == self.model.get(key, "nothing")


def run_beside(mode, n_examples):
    stores = Stores(mode)
    try:
        run_state_machine_as_test(
            type("Machine", (Beside,), {"stores": stores}),
            settings=settings(
                max_examples=n_examples, stateful_step_count=100, deadline=None,
                derandomize=not SECONDS, database=None, print_blob=bool(SECONDS),
            ),
        )  # fmt: skip
    finally:
        stores.close()


@pytest.mark.parametrize("mode", ("memory", "lazy", "writethrough"))
def test_each_read_is_what_a_dict_gives(mode):
    n_examples = 200 if LONG or SECONDS else 12
    for _ in rounds(1, "programs", n_examples):
        run_beside(mode, n_examples)


# Each way of StoreMapping to be wrong: where, what stands in its code, what might instead, and the
# shortest program of the rules above that fails then.
OWNERS = (_mapping.StoreMapping, _near.NearTier, _near.Near, _whole.WholeTables, _whole.Gathering)
GUARDS = {
    "others' commits are looked for": (
        "__getitem__ get __contains__", "words[WORD_LIVE] == self._seen", "True",
        lambda machine: (
            machine.set(which=0, key="k0", value="text"),
            machine.set(which=1, key="k0", value=""),
            machine.read(which=0, key="k0", times=1),
        ),
    ),
    "others' commits are looked for by get_many": (
        "get_many", "self._check_open()", "pass",
        lambda machine: (
            machine.set(which=0, key="k0", value="text"),
            machine.set(which=1, key="k0", value=""),
            machine.read_many(which=0, some=["k0"]),
        ),
    ),
    "the table's word is compared by get_many": (
        "_find_kept", "self._words[self._table_word] == own.word", "own is not None",
        lambda machine: (
            machine.set(which=0, key="k0", value="text"),
            machine.set_by_c(which=0, key="k0", value=""),
            machine.read_many(which=0, some=["k0"]),
        ),
    ),
    "get_many loads what is kept as a pickle": (
        "_find_kept", "not _UNKEPT_TYPES.isdisjoint(map(type, kept))", "False",
        lambda machine: (
            machine.set(which=0, key="k0", value=[1]),
            machine.read_many(which=0, some=["k0"]),
        ),
    ),
    "the table's word is compared": (
        "__getitem__ get __contains__", "words[self._table_word] == own.word", "own is not None",
        lambda machine: (
            machine.set(which=0, key="k0", value="text"),
            machine.set_by_c(which=0, key="k0", value=""),
            machine.read(which=0, key="k0", times=1),
        ),
    ),
    "a set follows on what is kept": (
        "__setitem__", "own.word == stamp - 1", "own is not None",
        lambda machine: (
            machine.set(which=0, key="k0", value="text"),
            machine.set_by_c(which=0, key="k0", value=""),
            machine.set(which=0, key="k1", value="text"),
            machine.read(which=0, key="k0", times=1),
        ),
    ),
    "a walk compares the table's word": (
        "_give_kept", "words[table] != at", "False",
        lambda machine: (
            machine.set(which=0, key="k0", value="text"),
            machine.set(which=0, key="k1", value="text"),
            machine.set(which=0, key="k2", value="text"),
            machine.walk_on_behind_a_set(which=0, by=3, what="items", n=2, key="k2", value=""),
        ),
    ),
    "a walk makes whole what was there when it began": (
        "_gather", "self._table_word, begun", "self._table_word, words[self._table_word]",
        lambda machine: (
            machine.set_by_c(which=0, key="k0", value="text"),
            machine.walk_behind_another_threads_key(which=0, what="items", key="k1"),
            machine.walk(which=0, what="keys", backwards=False),
        ),
    ),
    "a walk looks for others' commits": (
        "_give_kept", "words[WORD_LIVE] != live", "False",
        lambda machine: (
            machine.set(which=0, key="k0", value="text"),
            machine.set(which=0, key="k1", value="text"),
            machine.set(which=0, key="k2", value="text"),
            machine.walk_on_behind_a_set(which=0, by=1, what="items", n=2, key="k2", value=""),
        ),
    ),
    "a walk that went on elsewhere leaves out what was given": (
        "_give_kept", "given[:n_given]", "given[:0]",
        lambda machine: (
            machine.set(which=0, key="k0", value="text"),
            machine.set(which=0, key="k1", value="text"),
            machine.set(which=0, key="k2", value="text"),
            machine.walk_on_behind_a_set(which=0, by=0, what="items", n=2, key="k2", value=""),
        ),
    ),
    "what is set is whole where the table was empty": (
        "_expect_all", "is_empty and ", "",
        lambda machine: (
            machine.set_by_c(which=0, key="k0", value="text"),
            machine.both[0]._expect_all(),
            machine.set(which=0, key="k1", value="text"),
            machine.walk(which=0, what="keys", backwards=True),
        ),
    ),
    "what begins anew is not whole": (
        "note_set", "Own({key: value}, stamp)", "Own({key: value}, stamp, True)",
        lambda machine: (
            machine.set_by_c(which=0, key="k0", value="text"),
            machine.set_by_c(which=0, key="k1", value="text"),
            machine.set_by_c(which=0, key="k2", value="text"),
            machine.set(which=0, key="k0", value="text"),
            machine.set(which=0, key="k2", value="text"),
            machine.walk(which=0, what="keys", backwards=False),
        ),
    ),
    "a stamp is the word still": (
        "_find", "words[word & SLOT_MASK] == word", "word != 0",
        lambda machine: (
            machine.set_by_c(which=0, key="k0", value="text"),
            machine.read(which=0, key="k0", times=1),
            machine.set_by_c(which=0, key="k0", value=""),
            machine.read(which=0, key="k0", times=1),
        ),
    ),
}  # fmt: skip


def run_program(program):
    """One that is given, without a thread of the store's: what others commit is seen by calls."""
    for mode in ("writethrough", "lazy"):
        stores = Stores(mode, enable_async=False)
        try:
            program(type("Machine", (Beside,), {"stores": stores})())
        finally:
            stores.close()


@pytest.mark.parametrize("guard", GUARDS)
def test_it_shows_when_a_guard_is_missing(monkeypatch, guard):
    """Or else the test above would look for nothing."""
    names, text, other, program = GUARDS[guard]
    run_program(program)
    for name in names.split():
        owner = next(owner for owner in OWNERS if name in vars(owner))
        source = textwrap.dedent(inspect.getsource(getattr(owner, name)))
        assert text in source
        made = dict(vars(sys.modules[owner.__module__]))
        exec("from __future__ import annotations\n" + source.replace(text, other), made)
        monkeypatch.setattr(owner, name, made[name])
    with pytest.raises(AssertionError):
        run_program(program)


# --- at the same time ------------------------------------------------------------------------


def problem_of(calls):
    """Why no order of the calls, each (value, whether it wrote that, began, ended), explains them;
    '' where one does. Each value is written once (Gibbons and Korach, Testing Shared Memories)."""
    clusters = {}
    for value, wrote, began, ended in calls:
        writes, began_last, ended_first = clusters.get(value, ([], 0, 1 << 63))
        if wrote:
            writes.append((began, ended))
        clusters[value] = writes, max(began_last, began), min(ended_first, ended)
    for value, wrote, _, ended in calls:
        writes = clusters[value][0]
        if len(writes) != 1 or (not wrote and ended < writes[0][0]):
            return f"{value!r} was read before it was written"
    zones = [(ended, began, value) for value, (_, began, ended) in clusters.items()]
    forward = sorted(zone for zone in zones if zone[0] < zone[1])
    for one, next_one in zip(forward, forward[1:]):
        if next_one[0] < one[1]:
            return f"{one[2]!r} and {next_one[2]!r} were both current"
    for ended, began, value in zones:
        if began <= ended:
            for first, last, other in forward:
                if first < began and ended < last:
                    return f"{value!r} was written while {other!r} was current"
    return ""


def test_what_is_out_of_order_shows():
    one, two = ("one", True, 0, 1), ("two", True, 2, 3)
    assert problem_of([one, two, ("two", False, 4, 5)]) == ""
    assert problem_of([one, two, ("one", False, 2, 5)]) == ""
    assert problem_of([one, two, ("one", False, 4, 5)]) != ""
    assert problem_of([one, two, ("two", False, 2, 3), ("one", False, 4, 5)]) != ""
    assert problem_of([one, ("two", True, 2, 9), ("two", False, 3, 4), ("one", False, 5, 6)]) != ""
    assert problem_of([one, ("two", True, 7, 9), ("two", False, 3, 4)]) != ""


def by_python(store, key, value):
    store[key] = value


def by_update(store, key, value):
    store.update({key: value})


def by_c(store, key, value):
    store._handle.set_record(key.encode(), encode_value(value))


def by_delete(store, key, value):
    del store[key]


DELETED = "deleted"


def by_walk(store, key):
    return dict(store.items()).get(key, DELETED)


READS = (
    *[lambda store, key: store.get(key, DELETED)] * 5,
    lambda store, key: store.get_many((key,)).get(key, DELETED),
    by_walk,
)
N_CALLS = 60  # of each of the threads


def run_threads(stores, chance, number):
    """One round: threads on a few keys, each of which is removed once."""
    clock = time.monotonic_ns
    names = [f"{key}.{number}" for key in KEYS[:3]]
    histories = {name: [(f"{number}.first", True, 0, clock())] for name in names}
    for name in names:
        stores.both[0][name] = f"{number}.first"
    # what another process reads, our own removals too, is committed by then
    counter = itertools.count()
    to_delete = list(names)
    failures = []

    def work(which, seed):
        store, own = stores.both[which], random.Random(seed)
        try:
            for _ in range(N_CALLS):
                name = own.choice(names)
                if own.random() < 0.3:
                    value = f"{number}.{next(counter)}"
                    write = own.choice((by_python, by_python, by_update, by_c))
                elif to_delete and own.random() < 0.03:
                    try:
                        name, value, write = to_delete.pop(), DELETED, by_delete
                    except IndexError:
                        continue
                else:
                    read = own.choice(READS)
                    began = clock()
                    got = read(store, name)
                    histories[name].append((got, False, began, clock()))
                    continue
                began = clock()
                write(store, name, value)
                histories[name].append((value, True, began, clock()))
        except (AssertionError, KeyError, GError, OSError) as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(i % 2, chance.random())) for i in range(4)]
    if stores.writer is not None:
        stores.writer.ask([(chance.choice(names), f"{number}.theirs.{i}" if i % 2 else "?")
                           for i in range(N_CALLS // 2)])  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    if stores.writer is not None:
        for name, value, wrote, began, ended in stores.writer.answer():
            histories[name].append((value or DELETED, wrote, began, ended))
    assert failures == []
    for name, calls in histories.items():
        problem = problem_of(calls)
        assert problem == "", "\n".join([name, problem, *map(str, sorted(
            calls, key=lambda call: call[2]))])
        stores.both[0].pop(name, None)


@pytest.mark.parametrize("mode", ("memory", "lazy", "writethrough"))
def test_threads_read_nothing_old(mode):
    chance = random.Random(seed(5))
    stores = Stores(mode)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        n_rounds = 10_000_000 // (4 * N_CALLS) if LONG else 8
        for number in rounds(n_rounds, "operations", 4 * N_CALLS):
            run_threads(stores, chance, number)
    finally:
        sys.setswitchinterval(interval)
        stores.close()
