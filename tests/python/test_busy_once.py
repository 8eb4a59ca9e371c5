# test_busy_once.py - a call that meets a busy file waits its busy timeout once, whatever it does
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import errno
import subprocess
import sys
import threading
import time

import pytest
from conftest import LONG
from dictsqlite_v4 import DictSQLiteV4

TIMEOUT = 1.5
# What a call may take beyond it: much less than once more.
MARGIN = 0.9

HOLDER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
command = sys.stdin.readline()
if command.startswith("pass"):
    # lets one transaction pass, and is there again as soon as it is over
    seen = connection.execute("PRAGMA data_version").fetchone()
    connection.execute("ROLLBACK")
    while connection.execute("PRAGMA data_version").fetchone() == seen:
        time.sleep(0.0002)
    connection.execute("BEGIN IMMEDIATE")
    print("held again", flush=True)
    sys.stdin.readline()
connection.execute("ROLLBACK")
"""


class Holder:
    """A process that holds SQLite's write lock, or a read transaction."""

    def __init__(self, path, program):
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout.readline() == "held\n"

    def say(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def end(self):
        if self.process.poll() is None:
            self.process.communicate("\n\n")


@pytest.fixture
def hold(path):
    def start(program=HOLDER, held=path):
        start.holders.append(Holder(held, program))
        return start.holders[-1]

    start.holders = []
    start.stores = []  # which are closed when they can be
    yield start
    for holder in start.holders:
        holder.end()
    for store in start.stores:
        store.close()


def measure(call):
    """Seconds that a call takes, and its errno."""
    began = time.monotonic()
    number = None
    try:
        call()
    except OSError as error:
        number = error.errno
    return time.monotonic() - began, number


def drop(db):
    db.drop_table("t")


CALLS = {
    "flush": lambda db: db.flush(),
    "close": lambda db: db.close(),
    "table": lambda db: db.table("another"),
    "drop_table": drop,
    "change_password": lambda db: db.change_password("password", "other"),
    "backup": lambda db: db.backup(f"{db._path}.backup"),
}
WRITES = {
    "set": lambda db: db.__setitem__("new", 1),
    "delete": lambda db: db.pop("old"),
    "bulk_insert": lambda db: db.bulk_insert({"new": 1, "newer": 2}),
    "incr": lambda db: db.incr("count"),
    "clear": lambda db: db.clear(),
    "delete_many": lambda db: db.delete_many(["old", "first"]),
}


def open_busy(path, hold, **parameters):
    def open_store():
        return DictSQLiteV4(
            path,
            busy_timeout=TIMEOUT,
            encryption_password="password",
            kdf_memory=19 << 20,
            **parameters,
        )

    db = open_store()
    db["first"], db["old"] = 1, 2
    db.table("t")["a"] = 1
    db.flush()
    db.close()
    db = open_store()
    hold.stores.append(db)
    hold(held=path)
    return db


@pytest.mark.parametrize("background", [False, True])
def test_a_call_waits_once(tmp_path, hold, file_mode, background):
    """Each with a file of its own, at the same time."""
    calls = {**CALLS, **(WRITES if file_mode == "writethrough" else {})}  # or they are memory's
    stores = {name: open_busy(tmp_path / f"{name}.db", hold, persist_mode=file_mode,
                              enable_async=background) for name in calls}
    measured = {}

    def call(name):
        measured[name] = measure(lambda: calls[name](stores[name]))

    if file_mode == "lazy":
        for store in stores.values():
            store["new"] = 1
    threads = [threading.Thread(target=call, args=(name,)) for name in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for name in calls:
        taken, number = measured[name]
        if number is None:  # there is nothing to write
            assert name in ("close", "flush", "backup") and file_mode == "writethrough", name
        else:
            assert number == errno.EBUSY and taken > TIMEOUT - 0.2, (name, taken)
        assert taken < TIMEOUT + MARGIN, (name, taken)


READER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN")
connection.execute("SELECT count(*) FROM entry").fetchone()
print("held", flush=True)
sys.stdin.readline()
connection.execute("ROLLBACK")
"""


def test_another_password_waits_for_writers_and_readers_once(path, hold):
    """Its write waits for the lock, and what voids the old one for who reads the file as it was."""
    db = open_busy(path, hold, persist_mode="writethrough")
    hold(READER)
    timer = threading.Timer(TIMEOUT * 0.8, hold.holders[0].end)
    timer.start()
    taken, number = measure(lambda: db.change_password("password", "other"))
    timer.join()
    assert number == errno.EBUSY and TIMEOUT - 0.2 < taken < TIMEOUT + MARGIN


@pytest.mark.parametrize("name", ["flush", "set", "table"])
def test_who_waits_behind_others_waits_once(path, hold, name):
    """The one that comes in the midst of another's wait has its own timeout, from then on."""
    db = open_busy(
        path,
        hold,
        persist_mode="writethrough" if name == "set" else "lazy",
        enable_async=False,
    )
    if name != "set":
        db["new"] = 1
    call = {**CALLS, **WRITES}[name]
    found = []
    threads = []
    for i in range(5):
        thread = threading.Thread(target=lambda: found.append(measure(lambda: call(db))))
        thread.start()
        threads.append(thread)
        time.sleep(TIMEOUT / 10)
    for thread in threads:
        thread.join()
    for taken, number in found:
        assert number == errno.EBUSY and TIMEOUT - 0.2 < taken < TIMEOUT + MARGIN, found


def test_a_flush_behind_the_threads_own_waits_once(path, hold):
    db = open_busy(path, hold, persist_mode="lazy", flush_interval=0.05)
    db["new"] = 1
    for _ in range(4 if LONG else 2):
        time.sleep(0.05 + TIMEOUT / 3)  # the thread is in the midst of its wait
        taken, number = measure(db.flush)
        assert number == errno.EBUSY and taken < TIMEOUT + MARGIN


def test_a_writer_that_waits_for_room_waits_once(path, hold):
    db = open_busy(path, hold, persist_mode="lazy", flush_interval=1000, dirty_limit=10_000)
    taken, number = measure(lambda: [db.__setitem__(i, bytes(5000)) for i in range(10)])
    assert number == errno.EBUSY and TIMEOUT - 0.2 < taken < TIMEOUT + MARGIN


@pytest.mark.parametrize("background", [False, True])
def test_a_checkpoint_does_not_wait_once_more(path, hold, log_may_grow, file_mode, background):
    parameters = {"persist_mode": file_mode, "wal_limit": 1 << 20, "enable_async": background}
    db = DictSQLiteV4(path, busy_timeout=TIMEOUT, flush_interval=1000, **parameters)
    value = bytes(3 << 20)
    if file_mode == "lazy":
        db["large"] = value
    holder = hold()
    timer = threading.Timer(TIMEOUT * 0.7, holder.say, ("pass",))
    timer.start()
    # the commit has waited; the checkpoint that is due behind it finds the lock held again
    taken, number = measure(db.flush if file_mode == "lazy" else lambda: db.update(large=value))
    timer.join()
    assert number is None and TIMEOUT * 0.6 < taken < TIMEOUT + MARGIN / 2
    assert holder.process.stdout.readline() == "held again\n"
    assert db["large"] == value
