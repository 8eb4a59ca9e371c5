# test_interrupt_slow.py - signals while a call is in a sync, or has much to do
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs in which a sync takes seconds, by way of tests/fault/slow-vfs.c, and a signal comes in
the midst of it. What a handler raises has to end the call soon, and to say that its outcome is not
known; what was begun goes on in a thread of its own, and the next write waits for it."""
from __future__ import annotations

import pytest
from conftest import python, slow_vfs

HEAD = """
import ctypes, faulthandler, itertools, os, signal, sys, time
slow = ctypes.CDLL(sys.argv[2])
slow.slow_vfs_install()
from dictsqlite_v4 import DictSQLiteV4, OutcomeUnknownError
path = sys.argv[1]
SYNC = 1.5
faulthandler.dump_traceback_later(100, exit=True)

def interrupt(*_): raise KeyboardInterrupt
signal.signal(signal.SIGALRM, interrupt)

def ends(call, name=""):
    # whether the outcome of the call, which is interrupted, is unknown
    slow.slow_vfs_set_sync_delay(int(SYNC * 1e6))
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    started = time.monotonic()
    try:
        call()
        while True:
            time.sleep(0.01)
    except KeyboardInterrupt as error:
        took = time.monotonic() - started
        assert 0.09 < took < 0.6, (name, took)
        cause = error.__cause__
    slow.slow_vfs_set_sync_delay(0)
    assert cause is None or isinstance(cause, OutcomeUnknownError), cause
    return cause is not None
"""


def run(path, code, *args):
    result = python(HEAD + code, path, slow_vfs(), *args)
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
assert ends(lambda: db.__setitem__("k", 1))
started = time.monotonic()
assert not ends(lambda: db.__setitem__("k", 2))
assert not ends(lambda: db.clear())
assert time.monotonic() - started < SYNC
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
assert not ends(lambda: db.__setitem__("k", 2))  # it is committed, and what comes after goes on
db["later"] = 1
assert time.monotonic() - started > SYNC
assert db["k"] == 2 and db["filled"] == str(number) * 20000
lazy = DictSQLiteV4(path + ".lazy", persist_mode="lazy", enable_async=False, dirty_limit=10000)
lazy["filled"] = "x" * 20000
assert ends(lambda: lazy.__setitem__("k", 1))
lazy["k"] = 1
assert ends(lazy.flush)
lazy["last"] = 1
assert not ends(lazy.flush)  # it waits for the one before
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
assert ends(lambda: (db.__setitem__("k", 1), db.flush()))
slow.slow_vfs_set_sync_delay(300000)
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
