# test_liveness.py - nothing waits for ever because another process commits
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from conftest import check_log

from dictsqlite_v4 import ConflictError, DictSQLiteV4

# what a call may take beside a neighbour; loaded machines are slow
DEADLINE = 30

NEIGHBOUR = """
import os, sys, threading
from dictsqlite_v4 import DictSQLiteV4
db = DictSQLiteV4(sys.argv[1], encryption_password=sys.argv[2] or None)
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
i = 0
while True:
    db["neighbour"] = i
    if i == 0:
        print("ready", flush=True)
    i += 1
"""


@pytest.fixture(params=("lazy", "writethrough"))
def store(request, path):
    """A store of 20,000 keys, all of them written anew, with a neighbour that never stops."""
    with DictSQLiteV4(path, persist_mode="lazy") as db:
        db.bulk_insert({f"k{i}": i for i in range(20_000)})
    db = DictSQLiteV4(path, persist_mode=request.param, flush_interval=1000.0)
    process = subprocess.Popen([sys.executable, "-c", NEIGHBOUR, str(path), ""],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin and process.stdout
    process.stdout.readline()
    if request.param == "lazy":
        db.update({f"k{i}": "new" for i in range(20_000)})
    yield db
    check_log(path)
    process.stdin.close()
    process.wait()
    process.stdout.close()
    db.close()


def in_time(call):
    """What the call gives; an error when it is not back."""
    results = []
    thread = threading.Thread(target=lambda: results.append(call()), daemon=True)
    thread.start()
    thread.join(DEADLINE)
    assert not thread.is_alive(), "it is not back"
    assert results, "it has raised"
    return results[0]


def test_a_busy_neighbour_holds_up_no_call(store):
    assert in_time(lambda: len(store)) == 20_001
    assert in_time(lambda: next(iter(store))) == "k0"
    assert in_time(lambda: next(reversed(store))) == "neighbour"
    assert in_time(lambda: store.pop("k1")) in (1, "new")
    assert in_time(lambda: "k1" not in store)
    assert in_time(lambda: len(store.get_many([f"k{i}" for i in range(1000)]))) == 999
    assert in_time(lambda: len(list(store.iter_prefix("k1999")))) == 11
    assert in_time(lambda: store.flush() is None)

    def change():
        try:
            with store.transaction():
                for i in range(100, 200):
                    del store[f"k{i}"]
        except ConflictError:
            pass
        return True

    assert in_time(change)
    assert in_time(lambda: store.popitem()[0]) in ("neighbour", "k19999")
    assert in_time(lambda: len(list(store.items()))) > 19_000


def test_the_background_flush_goes_on(path, open_store):
    ours = open_store(persist_mode="lazy", flush_interval=0.05)
    process = subprocess.Popen([sys.executable, "-c", NEIGHBOUR, str(path), ""],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin and process.stdout
    process.stdout.readline()
    done = threading.Event()

    def count():
        while not done.is_set():
            ours["counted"] = len(ours)

    threads = [threading.Thread(target=count) for _ in range(3)]
    for thread in threads:
        thread.start()
    before = ours.stats()["flushes"]

    def wait():
        while ours.stats()["flushes"] < before + 5:
            done.wait(0.01)
        return True

    try:
        assert in_time(wait)
    finally:
        done.set()
        for thread in threads:
            thread.join()
        process.stdin.close()
        process.wait()
        process.stdout.close()
