# test_exit.py - what was written is in the file when a process has ended, or it says so
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs that end with a lazy store open, whose background thread will not flush by itself."""
from __future__ import annotations

import sqlite3
import subprocess
import sys
import time

import pytest

from dictsqlite_v4 import DictSQLiteV4

HEAD = """
import atexit, os, signal, sys, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
def open_store(**parameters):
    from dictsqlite_v4 import DictSQLiteV4
    return DictSQLiteV4(sys.argv[1], persist_mode="lazy", flush_interval=3600, **parameters)
"""


def run(path, code, *options, expects=0):
    """What a program prints, and what it says on stderr."""
    program = path.with_suffix(".py")
    program.write_text(HEAD + code)
    result = subprocess.run(
        [sys.executable, "-W", "error", *options, program, path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    assert result.returncode == expects, result.stderr
    return result.stdout, result.stderr


def content(path):
    with DictSQLiteV4(path) as store:
        assert store.check() == []
        return dict(store)


def test_a_handler_that_came_before_the_package_uses_the_store(path):
    out, err = run(path, """
def early():
    print("early", len(db), flush=True)
    sys.stdout.flush()
    db["early"] = 1
atexit.register(early)
db = open_store()
db["k"] = 1
atexit.register(db.__setitem__, "late", 1)
""")
    assert (out, err) == ("early 2\n", "")
    assert content(path) == {"k": 1, "late": 1, "early": 1}


def test_what_threads_write_at_the_end_is_kept(path):
    """All of those that the end waits for; of others what they were told is written."""
    out, err = run(path, """
db = open_store()
def write(name, n):
    for number in range(n):
        db[name] = number
        if name == "daemon": told[0] = number
        time.sleep(0.001)
told = [-1]
threading.Thread(target=write, args=("waited for", 300)).start()
threading.Thread(target=write, args=("daemon", 10**9), daemon=True).start()
atexit.register(lambda: (time.sleep(0.1), print(told[0])))
""")
    stored = content(path)
    assert stored["waited for"] == 299 and stored["daemon"] >= int(out) > 0
    assert err == ""


@pytest.mark.parametrize("end", ["sys.exit(3)", "raise ValueError", "os.kill(os.getpid(), 2)"])
def test_any_end_by_python_writes(path, end):
    status = {"s": 3, "r": 1, "o": -2}[end[0]]
    run(path, f"db = open_store(); db['k'] = 1; {end}; time.sleep(60)", expects=status)
    assert content(path) == {"k": 1}


def test_a_child_of_fork_that_ends_by_sys_exit(path):
    run(path, """
if os.fork() == 0:
    child = open_store()
    child["child"] = 1
    sys.exit(0)
os.wait()
db = open_store()
db["parent"] = len(db)
""")
    assert content(path) == {"child": 1, "parent": 1}


def test_a_child_leaves_what_it_inherits(path):
    out, err = run(path, """
db = open_store()
db["parent"] = 1
if os.fork() == 0:
    sys.exit(0)
print(os.waitstatus_to_exitcode(os.wait()[1]))
""")
    assert (out, err) == ("0\n", "") and content(path) == {"parent": 1}


WORKERS = """
import multiprocessing, concurrent.futures
def init():
    global db
    db = open_store()
    threading.Thread(target=lambda: (time.sleep(0.5), db.__setitem__("thread", 1))).start()
def work(number): db[number] = number
def both(): init(); work(0)
def both_and_exit(): init(); work(0); sys.exit(5)
"""


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
@pytest.mark.parametrize("kind", ["pool", "executor", "process", "exit"])
def test_a_worker_writes_at_its_end(path, method, kind):
    run(path, WORKERS + f"""
if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    if {kind!r} == "pool":
        pool = context.Pool(1, init); pool.map(work, range(50)); pool.close(); pool.join()
    elif {kind!r} == "executor":
        with concurrent.futures.ProcessPoolExecutor(1, context, init) as executor:
            list(executor.map(work, range(50)))
    else:
        target, status = (both, 0) if {kind!r} == "process" else (both_and_exit, 5)
        process = context.Process(target=target); process.start(); process.join()
        assert process.exitcode == status, process.exitcode
""")
    n_keys = 50 if kind in ("pool", "executor") else 1
    assert content(path) == {**{number: number for number in range(n_keys)}, "thread": 1}


def test_a_worker_that_reopens_what_it_inherits_writes_it(path):
    run(path, """
import multiprocessing
db = None
def work(): db["worker"] = 1
def main():
    global db
    db = open_store(after_fork="reopen")
    db["parent"] = 1
    db.flush()
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join()
if __name__ == "__main__":
    main()
""")
    assert content(path) == {"parent": 1, "worker": 1}


def lock(path):
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    return connection


HELD = """
from dictsqlite_v4 import DictSQLiteV4
db = open_store(busy_timeout=4)
other = DictSQLiteV4(sys.argv[1] + ".other", busy_timeout=4, persist_mode="lazy")
db["k"] = 1
db.flush()
db["lost"] = 1
db["lost too"] = 1
other["lost"] = 1
print("written", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("background", [True, False])
def test_what_cannot_be_written_is_told_once_and_soon(path, background):
    """It waits no longer than a call does."""
    program = path.with_suffix(".py")
    held = HELD.replace("timeout=4", f"timeout=4, enable_async={background}")
    program.write_text(HEAD + held)
    process = subprocess.Popen(
        [sys.executable, "-W", "error", program, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "written\n"
    connections = [lock(path), lock(f"{path}.other")]
    started = time.monotonic()
    _, err = process.communicate("\n")
    took = time.monotonic() - started
    for connection in connections:
        connection.close()
    assert process.returncode == 120
    assert err.count("Failed to write 2 entries at the end") == 1 and f"'{path}'" in err
    assert err.count("Failed to write 1 entries at the end") == 1 and f"'{path}.other'" in err
    assert 3.9 < took < 7, took
    assert content(path) == {"k": 1}


@pytest.mark.parametrize("method, status", [("fork", 1), ("forkserver", 1), ("spawn", 120)])
def test_a_worker_that_cannot_write_says_so(path, method, status):
    out, err = run(path, f"""
import multiprocessing, sqlite3
def work():
    db = open_store(busy_timeout=0.5)
    db["k"] = 1
    globals()["kept"] = db
    globals()["held"] = sqlite3.connect(sys.argv[1], isolation_level=None)
    held.execute("BEGIN IMMEDIATE")
if __name__ == "__main__":
    process = multiprocessing.get_context({method!r}).Process(target=work)
    process.start()
    process.join()
    print(process.exitcode)
""")
    assert out == f"{status}\n"
    assert err.count("Failed to write 1 entries at the end") == 1 and str(path) in err


def test_a_store_that_is_dropped_says_what_it_could_not_write(path):
    out, err = run(path, """
import sqlite3
db = open_store(busy_timeout=0.5)
db["k"] = 1
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("BEGIN IMMEDIATE")
del db
""")
    assert "Failed to write 1 entries at the end" in err and str(path) in err


@pytest.mark.parametrize("modes", [
    ("lazy", "lazy"), ("lazy", "writethrough"), ("writethrough", "lazy"),
], ids=str)
@pytest.mark.parametrize("kinds", ["sync sync", "sync async", "async async"])
def test_two_objects_on_one_file_are_written_at_the_end(path, modes, kinds):
    out, err = run(path, f"""
import asyncio
from dictsqlite_v4 import AsyncDictSQLite, DictSQLiteV4
def put(db, key, value):
    if isinstance(db, DictSQLiteV4):
        db[key] = value
    else:
        asyncio.run(db.set_async(key, value))
one, other = (
    (DictSQLiteV4 if kind == "sync" else AsyncDictSQLite)(
        sys.argv[1], persist_mode=mode, enable_async=False)
    for kind, mode in zip({kinds!r}.split(), {modes!r})
)
put(one, "a", 1)
put(other, "b", 2)
put(one, "both", 1)
put(other, "both", 2)
# a handler that came later runs before the stores are closed
atexit.register(lambda: put(one, "late", [one is other]))
""")
    assert (out, err) == ("", "")
    assert content(path) == {"a": 1, "b": 2, "both": 2, "late": [False]}


def test_one_of_two_objects_that_is_dropped_keeps_the_others_writes(path):
    out, err = run(path, """
from dictsqlite_v4 import DictSQLiteV4
one = open_store(enable_async=False)
other = open_store(enable_async=False)
one["a"] = 1
other["b"] = 2
del one
other["c"] = 3
print(list(other.items()))
""")
    assert (out, err) == ("[('a', 1), ('b', 2), ('c', 3)]\n", "")
    assert content(path) == {"a": 1, "b": 2, "c": 3}


def test_objects_that_go_at_the_end_are_silent(path):
    out, err = run(path, """
from dictsqlite_v4 import AsyncDictSQLite, DictSQLiteV4
class Holder:
    def __init__(self): self.db = open_store()
    def __del__(self): self.db.close()
holder = Holder()
holder.db["k"] = 1
holder.cycle = holder
table = holder.db.table("t")
table["k"] = 1
walk = iter(holder.db)
next(walk)
inside = holder.db.transaction()
inside.__enter__()["open"] = 1
loop = AsyncDictSQLite(sys.argv[1])
sys.modules["kept"] = holder
""")
    assert (out, err) == ("", "") and content(path) == {"k": 1}


def test_stdout_may_be_missing_closed_or_replaced(path):
    changes = "sys.stdout = None", "sys.stdout.close()", "import io; sys.stdout = io.StringIO()"
    for change in changes:
        run(path, f"db = open_store(); db[{change!r}] = 1; {change}")
        assert change in content(path)
