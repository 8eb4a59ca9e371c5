# test_interrupt_slow.py - signals while a call is in a sync, or has much to do
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs in which a sync takes seconds, by way of tests/fault/fault-vfs.c, and a signal comes in
the midst of it. What a handler raises has to end the call soon, and to say that its outcome is not
known; what was begun goes on in a thread of its own, and the next write waits for it."""
from __future__ import annotations

import pytest
from conftest import python_slow

HEAD = """
import faulthandler, itertools, os, signal, sys, threading, time
from dictsqlite_v4 import DictSQLiteV4, OutcomeUnknownError
path = sys.argv[1]
SYNC = 6
faulthandler.dump_traceback_later(100, exit=True)

class Own(Exception): pass
class OwnBase(BaseException): pass
KIND = KeyboardInterrupt
def interrupt(*_): raise KIND(5)
signal.signal(signal.SIGALRM, interrupt)

def signal_in_sync(n_syncs, seconds, is_over, signalled, late):
    deadline = time.monotonic() + seconds
    while slow.count_syncs() == n_syncs and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.05)
    if not is_over.is_set():
        signalled.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGALRM)
    while not is_over.is_set():
        slept = time.monotonic()
        time.sleep(0.01)
        late.append(time.monotonic() - slept - 0.01)  # the machine's own doing

def ends(call, name="", goes_on=False, seconds=10):
    # whether the outcome of the call, which is interrupted in the sync that it comes to in so many
    # seconds, is unknown; the sync may go on
    is_over, signalled, late = threading.Event(), [], [0]
    slow.delay_syncs(int(SYNC * 1e6))
    arguments = (slow.count_syncs(), seconds, is_over, signalled, late)
    thread = threading.Thread(target=signal_in_sync, args=arguments)
    try:
        thread.start()
        call()
        while True:
            time.sleep(0.01)
    except KIND as error:
        took = time.monotonic() - signalled[0] if signalled else 0
        assert error.args == (5,)
        assert took < 0.5 + 10 * max(late), (name, took, max(late))
        cause = error.__cause__
    is_over.set()
    thread.join()
    if not goes_on:
        slow.delay_syncs(0)
    assert cause is None or isinstance(cause, OutcomeUnknownError), cause
    return cause is not None
"""


def run(path, code, *args):
    result = python_slow(HEAD + code, path, *args)
    assert (result.returncode, result.stderr) == (0, ""), result.stdout + result.stderr


def test_each_write_with_full_durability(path):
    """It takes effect, since its commit has begun, and what comes next finds it done."""
    run(path, """
db = DictSQLiteV4(path, durability="full", flush_interval=3600)
def transaction():
    with db.transaction():
        db["one"] = db["two"] = 1
many = {f"many {i}": i for i in range(3000)}
missing = object()
for name, call, expected in (
    ("set", lambda: db.__setitem__("k", 1), {"k": 1}),
    ("set text", lambda: db.__setitem__("k", "text"), {"k": "text"}),
    ("pop", lambda: db.pop("k"), {"k": missing}),
    ("setdefault", lambda: db.setdefault("k", 2), {"k": 2}),
    ("del", lambda: db.__delitem__("k"), {"k": missing}),
    ("incr", lambda: db.incr("n"), {"n": 1}),
    ("add", lambda: db.add("a", 1), {"a": 1}),
    ("expiring", lambda: db.set("e", 1, expire=3600), {"e": 1}),
    ("touch", lambda: db.touch("e", 7200), {"e": 1}),
    ("update", lambda: db.update(u=1, v=2), {"u": 1, "v": 2}),
    ("bulk_insert", lambda: db.bulk_insert(many), many),
    ("popitem", lambda: db.popitem(), {"many 2999": missing}),
    ("transaction", transaction, {"one": 1, "two": 1}),
    ("clear", lambda: db.clear(), {"k": missing, "u": missing, "one": missing}),
):
    assert ends(call, name), name
    db["next"] = name
    found = db.get_many(expected)
    assert {key: found.get(key, missing) for key in expected} == expected, (name, found)
assert ends(lambda: db.table("t"))
db.table("t")["k"] = 1
assert ends(lambda: db.drop_table("t"))
db["next"] = "clear"
assert db.tables() == [] and dict(db) == {"next": "clear"}
assert db.check() == []
assert ends(lambda: db.__setitem__("last", 1))
db.close()
assert DictSQLiteV4(path)["last"] == 1
""")


def test_a_write_that_waits_behind_one_that_was_left(path):
    """It has not begun, so it has no effect."""
    run(path, """
db = DictSQLiteV4(path, durability="full")
db["k"] = 0
assert ends(lambda: db.__setitem__("k", 1), goes_on=True)
assert not ends(lambda: db.__setitem__("k", 2), goes_on=True, seconds=0.1)
assert not ends(lambda: db.clear(), seconds=0.1)
db["later"] = 1
assert dict(db) == {"k": 1, "later": 1}
""")


def test_what_else_comes_to_a_sync(path):
    """The commit that begins a log, a flush by the writer itself, a checkpoint, the end."""
    run(path, """
db = DictSQLiteV4(path, enable_async=False, wal_limit=1 << 20)
assert ends(lambda: db.__setitem__("k", 1))
threshold = 192 * (4096 + 24)
for number in itertools.count():
    db["filled"] = str(number) * 20000
    if os.path.getsize(path + "-wal") > threshold:
        break
started = time.monotonic()
# it is committed, and what comes after goes on
assert not ends(lambda: db.__setitem__("k", 2), goes_on=True)
db["later"] = 1
assert time.monotonic() - started > SYNC
slow.delay_syncs(0)
assert db["k"] == 2 and db["filled"] == str(number) * 20000
lazy = DictSQLiteV4(path + ".lazy", persist_mode="lazy", enable_async=False, dirty_limit=10000)
lazy["filled"] = "x" * 20000
assert ends(lambda: lazy.__setitem__("k", 1))
lazy["k"] = 1
assert ends(lazy.flush, goes_on=True)
lazy["last"] = 1
assert not ends(lazy.flush, seconds=0.1)  # it waits for the one before
lazy.flush()
lazy["last"] = 2
assert ends(lazy.close)
while not lazy.closed:
    time.sleep(0.01)
assert dict(DictSQLiteV4(path + ".lazy")) == {"filled": "x" * 20000, "k": 1, "last": 2}
""")


@pytest.mark.parametrize("mode", ["lazy", "writethrough"])
def test_the_process_ends_while_one_goes_on(path, mode):
    """What was left is made before the end."""
    run(path, """
db = DictSQLiteV4(path, durability="full", persist_mode=sys.argv[3], flush_interval=3600)
assert ends(lambda: (db.__setitem__("k", 1), db.flush()), goes_on=True)
slow.delay_syncs(500000)
""", mode)
    from dictsqlite_v4 import DictSQLiteV4

    with DictSQLiteV4(path) as db:
        assert dict(db) == {"k": 1}


def test_a_walk_counts_what_its_thread_has_written(path):
    """Another thread makes the writes, but they are of the one that walks."""
    run(path, """
db = DictSQLiteV4(path, durability="full")
db.update(a=1, b=2)
for key in db:
    db[key] = 3
for change in (lambda: db.__setitem__("new", 1), lambda: db.__delitem__("a"), db.clear):
    db.update(a=1, b=2)
    try:
        for key in db:
            change()
    except RuntimeError as error:
        assert "changed size" in str(error)
    else:
        raise AssertionError(change)
""")


@pytest.mark.parametrize("kind", ["SystemExit", "Own", "OwnBase"])
def test_whatever_a_handler_raises(path, kind):
    """It comes as what it is, from all that is in a thread of its own."""
    run(path, """
KIND = {"SystemExit": SystemExit, "Own": Own, "OwnBase": OwnBase}[sys.argv[3]]
db = DictSQLiteV4(path, durability="full", flush_interval=3600)
lazy = DictSQLiteV4(path + ".lazy", persist_mode="lazy", enable_async=False)
table = db.table("table")
many = {i: i for i in range(3000)}
def transaction():
    with db.transaction():
        db["one"] = table["two"] = 1
for name, call in {
    "set": lambda: db.__setitem__("k", 1), "pop": lambda: db.pop("k"), "incr": lambda: db.incr("n"),
    "update": lambda: db.update(many), "delete_many": lambda: db.delete_many(many),
    "transaction": transaction, "table": lambda: db.table("other"), "clear": table.clear,
    "drop": lambda: db.drop_table("other"), "backup": lambda: db.backup(path + ".copy"),
    "lazy": lambda: (lazy.update(many), lazy.flush()), "close": lazy.close,
}.items():
    ends(call, name, seconds=1)
    db["barrier"] = name  # which waits for it
assert db["one"] == table.get("two", 1) == db["n"] == 1 and "k" not in db and 5 not in db
assert db.tables() == ["table"] and db.check() == []
lazy.close()
assert dict(DictSQLiteV4(path + ".lazy")) == many
""", kind)


def test_the_exit_of_a_handler_ends_the_program(path):
    """What it waited for is made, what was not flushed is written, and the status is the exit's."""
    result = python_slow(HEAD + """
KIND = SystemExit
lazy = DictSQLiteV4(path, persist_mode="lazy", flush_interval=3600)
lazy["a"] = 1
full = DictSQLiteV4(path + ".full", durability="full")
slow.delay_syncs(1000000)
signal.setitimer(signal.ITIMER_REAL, 0.1)
full["b"] = 2
""", path)
    assert (result.returncode, result.stderr) == (5, "")
    from dictsqlite_v4 import DictSQLiteV4

    with DictSQLiteV4(path) as lazy, DictSQLiteV4(f"{path}.full") as full:
        assert dict(lazy) == {"a": 1} and dict(full) == {"b": 2}


IMPORTS = """
import dbm.dumb, pickle, sqlite3
from dictsqlite_v4 import import_v4
from dictsqlite_v4 import migrate
entries = {f"k{i}": f"v{i}" for i in range(2500)}
for name, statement in (("v4", "kv_store(key TEXT PRIMARY KEY, value BLOB)"),
                        ("sqlitedict", "unnamed(key TEXT PRIMARY KEY, value BLOB)")):
    with sqlite3.connect(path + name) as source:
        source.execute("CREATE TABLE " + statement)
        source.executemany(f"INSERT INTO {statement.split('(')[0]} VALUES(?, ?)",
                           ((key, pickle.dumps(value)) for key, value in entries.items()))
    source.close()
with dbm.dumb.open(path + "shelf", "c") as shelf:
    for key, value in entries.items():
        shelf[key] = pickle.dumps(value)
imports = {
    "v4": lambda db, **more: import_v4(path + "v4", db, **more),
    "sqlitedict": lambda db, **more: migrate.import_sqlitedict(path + "sqlitedict", db, **more),
    "shelve": lambda db, **more: migrate.import_shelve(path + "shelf", db, **more),
    "mapping": lambda db, **more: migrate.import_mapping(entries, db, **more),
}
"""


@pytest.mark.parametrize("kind", ["KeyboardInterrupt", "SystemExit", "Own"])
def test_imports_while_a_sync_takes_long(path, kind):
    """They end in the sync of a batch; made again, they bring all."""
    run(path, IMPORTS + """
KIND = {"KeyboardInterrupt": KeyboardInterrupt, "SystemExit": SystemExit, "Own": Own}[sys.argv[3]]
for name, load in imports.items():
    db = DictSQLiteV4(path, durability="full")
    db.clear()
    assert ends(lambda: load(db), name)
    try:
        load(db, progress=lambda *_: interrupt())
        raise AssertionError(name)
    except KIND as error:
        assert error.args == (5,) and error.__cause__ is None
    assert load(db).n_imported == len(entries)
    assert dict(db) == entries
    db.close()
""", kind)


def test_no_interrupt_of_an_import_is_taken_for_damage(path):
    """SQLite asks at nearly each of its steps here whether they are too many."""
    run(path, IMPORTS + """
import random
import dictsqlite_v4._migrate
dictsqlite_v4._migrate._STEPS = 3
KIND = Own
n_ended = 0
for name in ("v4", "sqlitedict", "mapping", "v4", "v4") * 10:
    db, report = DictSQLiteV4(":memory:"), None
    signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0005, 0.03))
    try:
        report = imports[name](db)
        while True:
            time.sleep(0.01)
    except Own:
        n_ended += 1
    assert report is None or report.n_imported == len(entries), report
    assert entries.items() >= dict(db).items()
assert n_ended == 50
""")


def test_an_import_that_counts(path):
    """How many rows there are is counted first, page by page of a slow disk."""
    run(path, """
import sqlite3
from dictsqlite_v4 import import_v4
source = sqlite3.connect(path + ".old")
source.execute("PRAGMA journal_mode = WAL")
source.execute("CREATE TABLE kv_store (key TEXT PRIMARY KEY, value BLOB)")
source.executemany("INSERT INTO kv_store VALUES (?, ?)", ((f"{i:0100}", b"") for i in range(20000)))
source.commit()
source.execute("PRAGMA wal_checkpoint")
source.execute("INSERT INTO kv_store VALUES ('last', x'76')")
source.commit()  # a log beside it, and so a copy is read
db = DictSQLiteV4(":memory:")
n_reads = slow.count_reads()
assert import_v4(path + ".old", db).n_imported == len(db) == 20001
n_reads = slow.count_reads() - n_reads
db.clear()
slow.delay_reads(20000)
signal.setitimer(signal.ITIMER_REAL, 1)
started = time.monotonic()
try:
    import_v4(path + ".old", db)
except KeyboardInterrupt:
    took = time.monotonic() - started
slow.delay_reads(0)
assert n_reads > 500 and took < n_reads * 0.02 / 4, (n_reads, took)
assert len(db) == 0
source.close()
""")
