# test_interrupt.py - what signals' handlers do while a call waits
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs whose main thread waits for a lock, room or the end of something long, and is sent a
signal. The call has to end with what the handler raises, soon, and the store has to be usable."""
from __future__ import annotations

import pytest
from conftest import LONG, python

from dictsqlite_v4 import DictSQLiteV4

HEAD = """
import asyncio, faulthandler, itertools, os, random, signal, sqlite3, sys, threading, time
from dictsqlite_v4 import AsyncDictSQLite, DictSQLiteV4
path = sys.argv[1]
SOON = 0.5
faulthandler.dump_traceback_later(100, exit=True)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it

class Base(BaseException): pass

def raiser(kind):
    def handler(*_): raise kind
    return handler

class Lock:
    def __enter__(self):
        self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.connection.execute("BEGIN IMMEDIATE")
    def __exit__(self, *_):
        self.connection.close()

def alarm(seconds, handler):
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, seconds)

KINDS = (KeyboardInterrupt, SystemExit, Base, ZeroDivisionError)

def assert_ends(call, kinds=KINDS, name="", soon=SOON):
    for kind in kinds:
        tried = []
        while not tried or tried[-1] >= soon and len(tried) < 3:  # a busy machine may be late
            alarm(0.1, raiser(kind))
            started = time.monotonic()
            try:
                answer = call()
                signal.setitimer(signal.ITIMER_REAL, 0)
            except kind:
                tried.append(time.monotonic() - started)
            else:
                raise AssertionError((name, kind, answer, time.monotonic() - started))
        assert 0.09 < tried[-1] < soon, (name, kind, tried)
"""


def run(path, code, *args):
    result = python(HEAD + code, path, *args)
    assert (result.returncode, result.stderr) == (0, ""), result.stdout + result.stderr
    return result.stdout


# What waits for another's lock, in each mode.
CALLS = """
number = itertools.count()
def transaction():
    with db.transaction():
        db["k"] = 2
ALWAYS = {
    "clear": lambda: db.clear(),
    "table": lambda: db.table(f"t{next(number)}"),
    "drop_table": lambda: db.drop_table("table"),
    "flush": lambda: (db.__setitem__("flushed", next(number)), db.flush()),
    "backup": lambda: (db.__setitem__("flushed", next(number)), db.backup(path + ".copy")),
    "encrypt_copy": lambda: (db.__setitem__("flushed", 1), db.encrypt_copy(path + ".copy", "x")),
    "check": lambda: (db.__setitem__("flushed", next(number)), db.check()),
    "close": lambda: (db.__setitem__("flushed", next(number)), db.close()),
}
THROUGH = {
    "set": lambda: db.__setitem__("k", "x"),
    "set int": lambda: db.__setitem__(7, 1),
    "del": lambda: db.__delitem__("k"),
    "pop": lambda: db.pop("k"),
    "popitem": lambda: db.popitem(),
    "setdefault": lambda: db.setdefault("new", 1),
    "update": lambda: db.update(k=2, new=1),
    "bulk_insert": lambda: db.bulk_insert({"k": 2, "new": 1}),
    "incr": lambda: db.incr("n"),
    "touch": lambda: db.touch("k", 60),
    "expiring": lambda: db.set("k", 2, expire=60),
    "transaction": transaction,
}
db = DictSQLiteV4(path, persist_mode=sys.argv[2], busy_timeout=20, flush_interval=3600)
db.update(k=1, n=1)
db.table("table")["k"] = 1
db.flush()
"""


@pytest.mark.parametrize("mode", ["lazy", "writethrough"])
def test_it_ends_the_wait_for_anothers_lock(path, mode):
    run(path, CALLS + """
calls = {**ALWAYS, **THROUGH}
if sys.argv[2] == "lazy":
    calls = {name: calls[name] for name in ALWAYS if name != "clear"}
else:
    for name in ("flush", "backup", "encrypt_copy", "check", "close"):
        del calls[name]
with Lock():
    for name, call in calls.items():
        assert_ends(call, name=name)
        assert not os.path.exists(path + ".copy")
        assert db["k"] == 1 and db.get("new") is None and db["n"] == 1, name
db["later"] = 1
db.flush()
assert db.check() == []
assert db.table("table")["k"] == 1 and db.stats()["failed_flushes"] == 0
""", mode)


@pytest.mark.parametrize("mode", ["lazy", "writethrough"])
def test_a_handler_that_raises_nothing_changes_nothing(path, mode):
    run(path, CALLS + """
seen = []
calls = ALWAYS if sys.argv[2] == "lazy" else THROUGH
for name, call in calls.items():
    if name in ("close", "clear", "popitem", "drop_table"):
        continue
    del seen[:]
    lock = Lock()
    lock.__enter__()
    def let_go(*_):
        lock.__exit__()
        seen.append(name)
    alarm(0.1, let_go)
    call()
    assert seen == [name]
    db["k"] = 1
    if os.path.exists(path + ".copy"):
        os.unlink(path + ".copy")
assert db.check() == []
""", mode)


def test_it_ends_the_wait_for_another_thread(path):
    """In the queue behind a write, for a flush, and for room."""
    run(path, """
db = DictSQLiteV4(path, busy_timeout=20)
lazy = DictSQLiteV4(path, persist_mode="lazy", busy_timeout=20, dirty_limit=1000, separate=True)
db["k"] = 1
with Lock():
    leader = threading.Thread(target=db.__setitem__, args=("led", 1))
    leader.start()
    time.sleep(0.1)
    assert_ends(lambda: db.__setitem__("k", 2))
    lazy["large"] = "x" * 5000
    assert_ends(lambda: lazy.__setitem__("more", 1))
    flush = threading.Thread(target=lazy.flush)
    flush.start()
    time.sleep(0.1)
    assert_ends(lazy.flush)
leader.join()
flush.join()
assert db["led"] == 1 and db["k"] == 1 and db["large"] == "x" * 5000 and "more" not in db
""")


def test_it_ends_what_takes_long(path):
    """Copies, a check, a walk: much is read without a wait."""
    run(path, """
db = DictSQLiteV4(path, persist_mode="lazy", hot_capacity=1, warm_capacity=0)
for i in range(20):
    db.bulk_insert({f"{i} {j}": "x" * 500 for j in range(10000)})
db.flush()
db.check()
keys = list(db)
kinds = (KeyboardInterrupt,)
def told(done, total): time.sleep(0.01)
copy = path + ".copy"
for call in (
    lambda: db.backup(copy, progress=told), lambda: db.encrypt_copy(copy, "password"),
    lambda: db.decrypt_copy(copy),
):
    try:
        assert_ends(call, kinds)
    except AssertionError:
        os.unlink(copy)  # it was quicker
for call in (db.check, lambda: db.get_many(keys), lambda: list(db.values())):
    started = time.monotonic()
    call()
    took = time.monotonic() - started
    if took > 0.3:
        assert_ends(call, kinds, soon=min(SOON, 0.1 + took / 2))
assert [name for name in os.listdir(os.path.dirname(path)) if "copy" in name] == []
assert len(db) == 200000
""")


def test_opening_can_be_ended(path):
    run(path, """
DictSQLiteV4(path)["k"] = 1
connection = sqlite3.connect(path, isolation_level=None)
connection.execute("PRAGMA locking_mode = EXCLUSIVE")
connection.execute("BEGIN EXCLUSIVE")
assert_ends(lambda: DictSQLiteV4(path, busy_timeout=20))
connection.close()
assert DictSQLiteV4(path)["k"] == 1
""")


def test_in_progress_callbacks(path):
    """What is raised there, by a handler too, is raised; and a close there is an error."""
    run(path, """
db = DictSQLiteV4(path)
db.bulk_insert({i: "x" * 200 for i in range(20000)})
def kill(done, total):
    os.kill(os.getpid(), signal.SIGINT)
def leave(done, total):
    sys.exit(3)
def close(done, total):
    db.close()
def use(done, total):
    db["used"] = done
    assert db[5]
for name in ("backup", "encrypt_copy", "decrypt_copy"):
    def copy(progress):
        arguments = ["password"] if name == "encrypt_copy" else []
        getattr(db, name)(path + ".copy", *arguments, progress=progress)
    for progress, kind in ((kill, KeyboardInterrupt), (leave, SystemExit), (close, RuntimeError)):
        try:
            copy(progress)
        except kind:
            pass
        else:
            raise AssertionError((name, progress))
        assert not os.path.exists(path + ".copy") and not db.closed
    copy(use)
    os.unlink(path + ".copy")
assert db["used"] > 0
db.close()
""")


def test_what_a_handler_may_use(path):
    """Anything but the store that waits; an error, and no hang, is what it gets of that."""
    run(path, """
db = DictSQLiteV4(path, busy_timeout=20)
other = DictSQLiteV4(path + ".other")
db["k"] = 1
said = []
def uses(*_):
    other["k"] = 1
    other.flush()
    said.append(db["k"])
    for call in (lambda: db.__setitem__("k", 2), db.close, db.flush, lambda: db["missing"]):
        try:
            call()
        except RuntimeError as error:
            said.append("under way" in str(error))
lock = Lock()
lock.__enter__()
threading.Timer(0.4, lock.__exit__).start()
alarm(0.1, uses)
db["waited"] = 1
assert said == [1, True, True, True, True], said
assert other["k"] == 1 and db["waited"] == 1

def forks(*_):
    child = os.fork()
    if child == 0:
        os._exit(0)
    said.append(os.waitpid(child, 0)[1])
lock.__enter__()
threading.Timer(0.4, lock.__exit__).start()
alarm(0.1, forks)
db["forked"] = 1
assert said[-1] == 0

def comes_back(*_):
    global child
    child = os.fork()
lock.__enter__()
threading.Timer(0.4, lock.__exit__).start()
alarm(0.1, comes_back)
try:
    db["after"] = 1
except Exception as error:
    os._exit(0 if child == 0 else 1)
assert child > 0 and os.waitpid(child, 0)[1] == 0
assert db["after"] == 1 and db.check() == []
""")


def test_a_child_that_a_handler_comes_back_in(path):
    """It is told so, whatever call that was: what makes the call for the main thread, which with
    full durability is another one, is not there.
    """
    run(path, """
db = DictSQLiteV4(path, durability="full", busy_timeout=20)
db["n"] = 1
db.table("dropped")["k"] = 1
lock = Lock()
many = {f"many {i}": i for i in range(2000)}
def comes_back(*_):
    global child
    child = os.fork()
def transaction():
    with db.transaction():
        db["n"] += 1
for name, call in (
    ("set", lambda: db.__setitem__("k", 1)),
    ("incr", lambda: db.incr("n")),
    ("update", lambda: db.update(many)),
    ("transaction", transaction),
    ("table", lambda: db.table("made")),
    ("drop", lambda: db.drop_table("dropped")),
    ("clear", lambda: db.clear()),
):
    lock.__enter__()
    threading.Timer(0.3, lock.__exit__).start()
    alarm(0.1, comes_back)
    try:
        call()
    except RuntimeError as error:
        os._exit(0 if child == 0 and "fork" in str(error) else 1)
    if child == 0:
        os._exit(2)
    deadline = time.monotonic() + 20
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        assert time.monotonic() < deadline, name
        time.sleep(0.01)
    assert ended[1] == 0, (name, ended)
assert len(db) == 0 and db.tables() == ["made"]
""")


CLOSING = """
db = DictSQLiteV4(path, persist_mode=sys.argv[2], busy_timeout=20, flush_interval=3600)
db["k"] = 1
db.flush()
def terminate(*_):
    db.close()
    sys.exit(7)
alarm(0.2, terminate)
lock = Lock()
lock.__enter__()
threading.Timer(0.5, lock.__exit__).start()
db["later"] = 2
db.flush()
"""


@pytest.mark.parametrize("mode", ["lazy", "writethrough"])
def test_a_handler_that_closes_the_store_that_waits(path, mode):
    """Where a flush waits it is closed behind that; where a write does it is an error, and closed
    at the end. Nothing is lost, and nothing hangs."""
    result = python(HEAD + CLOSING, path, mode)
    if mode == "lazy":
        assert (result.returncode, result.stderr) == (7, "")
    else:
        assert result.returncode == 1
        assert "RuntimeError: Failed to use the store: a call of the same thread" in result.stderr
    with DictSQLiteV4(path) as db:
        assert dict(db) == ({"k": 1, "later": 2} if mode == "lazy" else {"k": 1})
        assert db.check() == []


def test_other_threads_are_not_asked(path):
    run(path, """
db = DictSQLiteV4(path, busy_timeout=20)
done = threading.Event()
lock = Lock()
lock.__enter__()
threading.Thread(target=lambda: (db.__setitem__("k", 1), done.set())).start()
alarm(0.1, raiser(KeyboardInterrupt))
try:
    done.wait()
except KeyboardInterrupt:
    pass
assert not done.is_set()
lock.__exit__()
assert done.wait(5) and db["k"] == 1
""")


def test_asyncio(path):
    """asyncio.run() cancels its task, which leaves the store as it was."""
    run(path, """
async def main():
    global db
    db = await AsyncDictSQLite.open(path, busy_timeout=20)
    await db.set_async("k", 1)
    lock.__enter__()
    signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    await db.flush()
lock = Lock()
started = time.monotonic()
try:
    asyncio.run(main())
except KeyboardInterrupt:
    assert time.monotonic() - started < 0.1 + 2 * SOON
else:
    raise AssertionError
lock.__exit__()
async def later():
    await db.set_async("later", 1)
    await db.close()
asyncio.run(later())
assert dict(DictSQLiteV4(path)) == {"k": 1, "later": 1}
""")


RANDOM = """
n_rounds, seed = int(sys.argv[3]), 1
chance = random.Random(seed)
db = DictSQLiteV4(path, persist_mode=sys.argv[2], busy_timeout=20, dirty_limit=20000)
class Alarm(Exception): pass
armed, n_raised, is_over = False, 0, False
def handler(*_):
    global armed, n_raised
    if armed:
        armed = False
        n_raised += 1
        raise Alarm
signal.signal(signal.SIGALRM, handler)
def disturb():
    chance = random.Random(seed)
    while not is_over:
        with Lock():
            time.sleep(chance.random() * 0.02)
        time.sleep(chance.random() * 0.01)
def write():
    for number in itertools.count():
        if is_over:
            return
        db["thread"] = number
        time.sleep(0.002)
threads = [threading.Thread(target=target) for target in (disturb, write)]
for thread in threads:
    thread.start()

def transaction(entries):
    with db.transaction():
        for key, value in entries.items():
            db[key] = value
def copy():
    if os.path.exists(path + ".copy"):
        os.unlink(path + ".copy")
    db.backup(path + ".copy", progress=lambda done, total: None)
def fail():
    try:
        db["missing"]
    except KeyError:
        pass
def delete(entries):
    for key in entries:
        db.pop(key, None)
WRITES = {
    "set": lambda entries: [db.__setitem__(*entry) for entry in entries.items()],
    "bulk": db.bulk_insert, "transaction": transaction, "delete": delete,
}
READS = {
    "len": lambda: len(db), "get": lambda: db.get("k1"), "many": lambda: db.get_many(range(30)),
    "items": lambda: list(db.items()), "flush": db.flush, "check": db.check, "copy": copy,
    "fail": fail, "incr": lambda: db.incr("n"), "table": lambda: db.table("t").update(k=1),
}
possible = {}
for number in range(n_rounds):
    name = chance.choice([*WRITES, *READS])
    keys = [f"k{chance.randrange(30)}", chance.randrange(30)]
    entries = {key: number for key in (keys if name in ("bulk", "transaction") else keys[:1])}
    seconds = 1e-6 + chance.choice([0, 1e-4, 3e-3, 3e-2]) * chance.random()
    is_done = False
    try:
        try:
            armed = True
            signal.setitimer(signal.ITIMER_REAL, seconds)
            if name in WRITES:
                WRITES[name](entries)
            else:
                READS[name]()
            is_done = True
        finally:
            armed = False
    except Alarm:
        pass
    signal.setitimer(signal.ITIMER_REAL, 0)
    if name in WRITES:
        # the store works, and has what it said it has
        for key, value in entries.items():
            value = None if name == "delete" else value
            may = {value} if is_done else possible.get(key, {None}) | {value}
            assert db.get(key) in may, (number, name, key, db.get(key), may)
            possible[key] = {db.get(key)}
is_over = True
for thread in threads:
    thread.join()
assert n_raised > n_rounds // 5, n_raised
assert db.check() == []
db.close()
with DictSQLiteV4(path) as db:
    for key, values in possible.items():
        assert db.get(key) in values, (key, db.get(key), values)
"""


@pytest.mark.parametrize("mode", ["lazy", "writethrough"])
def test_alarms_at_random_instants(path, mode):
    result = python(HEAD + RANDOM, path, mode, 2000 if LONG else 400)
    assert result.returncode == 0, result.stderr
