# test_facts.py - what other processes commit is seen at once, and nothing else leaves memory
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Processes take turns on one file, beside a model of what is in it: each reads what was changed
and what was not, from memory where it can. What becomes of the facts must not matter."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import tempfile

import pytest
from conftest import BECOME, ENCRYPTED, LONG, check_log

from dictsqlite_v4 import DictSQLiteV4

N_KEYS = 40

NEAR_CAPACITY = 65_536

WORKER = """
import sys
from dictsqlite_v4 import DictSQLiteV4
store = DictSQLiteV4(sys.argv[1], hot_capacity=1000, near_capacity=int(sys.argv[2]))
for line in sys.stdin:
    print(repr(eval(line)), flush=True)
"""


class Worker:
    """A store on the file in a process of its own."""

    def __init__(self, path, code=WORKER, near_capacity=NEAR_CAPACITY):
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, str(path), str(near_capacity)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, expression):
        self.process.stdin.write(expression + "\n")
        self.process.stdin.flush()

    def answer(self):
        return eval(self.process.stdout.readline())

    def end(self):
        self.process.communicate()
        assert self.process.returncode == 0


class Turns:
    """Three processes, this one among them, and what each must see."""

    def __init__(self, path, store, seed, near_capacity):
        self.path, self.store = path, store
        self.rnd = random.Random(seed)
        self.model = {f"k{i}": -1 for i in range(N_KEYS)}
        self.store.bulk_insert(self.model)
        self.workers = [Worker(path, near_capacity=near_capacity) for _ in range(2)]
        self.n_turns = 0

    def write(self, key):
        """One of the three sets or removes a key, or sets some at once."""
        what = self.rnd.choice(["set", "set", "set", "remove", "some"])
        if self.n_turns % 500 == 0:
            self.model.update({f"other {i}": self.n_turns for i in range(10_000)})
            self.model[key] = self.n_turns
            expression = (f"store.bulk_insert({{**{{f'other {{i}}': {self.n_turns}"
                          f" for i in range(10_000)}}, {key!r}: {self.n_turns}}})")
        elif what == "remove":
            self.model.pop(key, None)
            expression = f"store.pop({key!r}, None)"
        elif what == "some":
            n = self.rnd.choice([3, 30])
            some = {f"k{self.rnd.randrange(N_KEYS)}": self.n_turns for _ in range(n)}
            some[key] = self.n_turns
            self.model.update(some)
            expression = f"store.bulk_insert({some!r})"
        else:
            self.model[key] = self.n_turns
            expression = f"store.__setitem__({key!r}, {self.n_turns})"
        who = self.rnd.randrange(3)
        if who == 2:
            eval(expression, {"store": self.store})
        else:
            self.workers[who].ask(expression)
            self.workers[who].answer()

    def take(self):
        self.n_turns += 1
        key = f"k{self.rnd.randrange(N_KEYS)}"
        self.write(key)
        self.look(key)

    def look(self, key):
        """All read, at once: what has changed and what has not."""
        keys = [key, *(f"k{self.rnd.randrange(N_KEYS)}" for _ in range(3))]
        expected = [self.model.get(one) for one in keys]
        for worker in self.workers:
            worker.ask(f"[store.get(one) for one in {keys!r}]")
        assert [self.store.get(one) for one in keys] == expected
        for worker in self.workers:
            assert worker.answer() == expected

    def remove_by_stock_program(self):
        """What no fact tells of. Only a plain file's rows can be told apart without its key."""
        key = f"k{self.rnd.randrange(N_KEYS)}"
        if ENCRYPTED or key not in self.model:
            return
        with sqlite3.connect(self.path, isolation_level=None, timeout=60) as other:
            other.execute("PRAGMA wal_autocheckpoint = 0")
            other.execute("BEGIN IMMEDIATE")
            other.execute(
                "UPDATE tables SET holes = holes + 1, floor = max(floor, 1 +"
                " (SELECT max(place) & (1 << 40) - 1 FROM entry))"
            )
            other.execute("DELETE FROM entry WHERE token = CAST(? AS BLOB)", (key,))
            other.execute("COMMIT")
        other.close()
        del self.model[key]
        self.look(key)

    def hit_rate(self):
        """The share of reads that found their key in memory, of the process with the lowest."""
        for worker in self.workers:
            worker.ask("[store.stats()[name] for name in ('hot_hits', 'hot_misses')]")
        counts = [worker.answer() for worker in self.workers]
        counts.append([self.store.stats()[name] for name in ("hot_hits", "hot_misses")])
        return min(hits / (hits + misses) for hits, misses in counts)

    def end(self):
        for worker in self.workers:
            worker.end()
        assert dict(self.store.items()) == self.model


@pytest.fixture
def near_capacity():
    return NEAR_CAPACITY


@pytest.fixture
def turns(open_store, path, near_capacity):
    """Three processes that take turns."""
    store = open_store(hot_capacity=1000, near_capacity=near_capacity)
    one = Turns(path, store, 7, near_capacity)
    yield one
    one.end()


@pytest.mark.parametrize("near_capacity", [0, NEAR_CAPACITY])
def test_nobody_reads_what_is_old(turns, near_capacity):
    for turn in range(100_000 if LONG else 10_000):
        turns.take()
        if turn % 50 == 49:
            turns.remove_by_stock_program()
    # a read of four is of a key that was just changed, and many a key is not there at all
    if near_capacity == 0:  # the rates are the library's
        assert turns.hit_rate() > 0.5


def test_what_did_not_change_stays_in_memory(open_store, path):
    store = open_store(hot_capacity=1000, near_capacity=0)
    store.bulk_insert({f"k{i}": i for i in range(500)})
    worker = Worker(path)
    try:
        before = store.stats()["hot_misses"]
        for i in range(200):
            worker.ask(f"store.__setitem__('other {i % 7}', {i})")
            worker.answer()
            assert store[f"other {i % 7}"] == i
            assert all(store[f"k{j}"] == j for j in range(i, i + 20))
        assert 200 <= store.stats()["hot_misses"] - before <= 200 + 500 + 20
    finally:
        worker.end()


def truncate(ring, rnd):
    os.truncate(ring, rnd.choice([0, 1, 60, 4096, 5000, 1 << 20]))


def scribble(ring, rnd):
    with open(ring, "r+b") as file:
        file.seek(rnd.choice([0, 0, 4096, rnd.randrange(10_000)]))
        file.write(bytes(rnd.randrange(256) for _ in range(rnd.randrange(1, 8192))))


def delete(ring, rnd):
    os.unlink(ring)


def link_to_the_file(ring, rnd):
    """A second name of the store's file, for as long as the next turns take."""
    os.unlink(ring)
    os.link(ring[: -len("-facts")], ring)


def link_to_the_log(ring, rnd):
    os.unlink(ring)
    os.link(ring[: -len("-facts")] + "-wal", ring)


def widen(ring, rnd):
    os.chmod(ring, 0o666)


def forbid(ring, rnd):
    os.chmod(ring, 0o444)


def put_a_folder(ring, rnd):
    os.unlink(ring)
    os.mkdir(ring)


DAMAGES = [truncate, scribble, delete, link_to_the_file, link_to_the_log, widen, forbid,
           put_a_folder]


@pytest.mark.parametrize("damage", DAMAGES)
def test_whatever_becomes_of_the_facts(turns, path, damage):
    ring = f"{path}-facts"
    for _ in range(100 if LONG else 8):
        for _ in range(12):
            turns.take()
        if os.path.isdir(ring):
            os.rmdir(ring)
        elif os.path.exists(ring) and os.stat(ring).st_nlink > 1:
            os.unlink(ring)
        elif os.path.exists(ring):
            damage(ring, turns.rnd)
    check_log(path)
    if os.path.isdir(ring):
        os.rmdir(ring)
    elif os.path.exists(ring):
        os.unlink(ring)


def test_a_reader_in_a_folder_that_it_cannot_write():
    """Beside a writer, which has to let it lock: it takes the facts, and sees all at once."""
    nobody = 65534
    code = WORKER.replace("hot_capacity=1000", "hot_capacity=1000, read_only=True")
    if os.geteuid() == 0:
        code = BECOME % (nobody, nobody) + code
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "store.db")
        with DictSQLiteV4(path) as store:
            store.bulk_insert({f"k{i}": -1 for i in range(N_KEYS)})
            for suffix in ("", "-wal", "-facts"):
                os.chmod(path + suffix, 0o644)
            os.chmod(path + "-shm", 0o666)  # whose locks SQLite wants to take
            os.chmod(folder, 0o555)
            try:
                worker = Worker(path, code, near_capacity=0)
                for i in range(5000 if LONG else 300):
                    store[f"k{i % N_KEYS}"] = i
                    worker.ask(f"[store[f'k{{i % {N_KEYS}}}'] for i in range({i}, {i} - 10, -1)]")
                    assert worker.answer()[0] == i
                worker.ask("[store.stats()[name] for name in ('hot_hits', 'hot_misses')]")
                hits, misses = worker.answer()
                assert hits > misses
                worker.end()
            finally:
                os.chmod(folder, 0o755)


WRITER = """
import sys
from dictsqlite_v4 import DictSQLiteV4
store = DictSQLiteV4(sys.argv[1])
i = int(sys.argv[2])
print("ready", flush=True)
while True:
    i += 1
    store[f"k{i % 20}"] = i
"""


def test_writers_that_are_killed(open_store, path):
    """Between a commit and its fact, now and then."""
    store = open_store(hot_capacity=1000)
    rnd = random.Random(3)
    keys = [f"k{i}" for i in range(20)]
    for round_ in range(10_000 if LONG else 10):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(round_ * 1_000_000)],
            stdout=subprocess.PIPE,
        ) as process:
            process.stdout.readline()
            for _ in range(rnd.randrange(1, 400)):
                store.get(rnd.choice(keys))
            process.kill()
        seen = [store.get(key) for key in keys]
        fresh = Worker(path)
        fresh.ask(f"[store.get(key) for key in {keys!r}]")
        assert seen == fresh.answer()
        fresh.end()


def test_the_facts_go_with_the_log(open_store, path):
    with DictSQLiteV4(path) as store:
        store["a"] = 1
        assert path.with_name(path.name + "-facts").exists()
        with DictSQLiteV4(path) as other:
            other["a"] = 2
        assert path.with_name(path.name + "-facts").exists()
        assert store["a"] == 2
    assert os.listdir(path.parent) == [path.name]
