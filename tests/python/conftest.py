# conftest.py - stores in scratch folders, and what the tests share
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from dictsqlite_v4 import DictSQLiteV4
from dictsqlite_v4._dsq import _Dsq

NOBODY = 65534  # a user and a group that have nothing
MODES = ("memory", "lazy", "writethrough")
WAL_LIMIT = 64 << 20  # the default
LONG = os.environ.get("DSQ_LONG") == "1"
SECONDS = float(os.environ.get("DSQ_SECONDS", 0))  # of each loop, whatever LONG says of its rounds
# Whether server/sitecustomize.py has every store on a server, and it or encrypted/sitecustomize.py
# every store encrypted.
ON_A_SERVER = hasattr(DictSQLiteV4.__init__, "__wrapped__") and "DSQ_SERVER" in os.environ
ENCRYPTED = hasattr(DictSQLiteV4.__init__, "__wrapped__") and (
    not ON_A_SERVER or os.environ.get("DSQ_ENCRYPTED") == "1")


def rounds(n, what, of_each=1):
    """Numbers of the rounds of a loop, so many, or as many as it comes to in SECONDS; then it tells
    what tests/long.py looks for, so many of each round."""
    until = time.monotonic() + SECONDS
    number = 0
    while time.monotonic() < until if SECONDS else number < n:
        yield number
        number += 1
    sys.stdout.write(f"reached {number * of_each} {what}\n")


def seed(fixed):
    """That of each run, or where it goes on for SECONDS, one that no run had."""
    if not SECONDS:
        return fixed
    fresh = int.from_bytes(os.urandom(4), "big")
    sys.stdout.write(f"seed {fresh}\n")
    return fresh


if os.environ.get("DSQ_NEAR") == "0":
    init = DictSQLiteV4.__init__
    while hasattr(init, "__wrapped__"):
        init = init.__wrapped__
    init.__kwdefaults__["near_capacity"] = 0


@pytest.fixture(params=MODES)
def mode(request):
    """Each persist mode in turn."""
    return request.param


@pytest.fixture(params=("lazy", "writethrough"))
def file_mode(request):
    """Each persist mode that has a file, in turn."""
    return request.param


@pytest.fixture
def path(tmp_path):
    """A file that does not exist yet."""
    return tmp_path / "store.db"


@pytest.fixture
def public_folder():
    """A folder that every user may enter, as those above pytest's own need not be."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        closed = [above for above in folder.parents if not above.stat().st_mode & 0o001]
        if closed:
            pytest.skip(f"others may not enter {closed[0]}, where temporary folders are made")
        yield folder
        folder.chmod(0o755)


@pytest.fixture
def open_store(path):
    """Opens stores, by default on the same file, and closes those that the test left open."""
    opened = []

    def open_one(**parameters):
        store = DictSQLiteV4(parameters.pop("db_path", path), **parameters)
        opened.append(store)
        return store

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store, mode):
    """An empty store in each mode."""
    return open_store(persist_mode=mode)


@contextlib.contextmanager
def locked(path):
    """While another program holds the lock that who writes to the store waits for."""
    if not ON_A_SERVER:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            yield
        return
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from with_server import find_programs

    holder = subprocess.Popen([find_programs() / "psql", "-Atq", os.environ["DSQ_SERVER"]],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        holder.stdin.write(b"BEGIN; LOCK TABLE dictsqlite.store IN EXCLUSIVE MODE;\n"
                           b"SELECT 'locked';\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == b"locked\n"
        yield
    finally:
        holder.kill()
        holder.communicate()


def check_log(path, wal_limit=WAL_LIMIT):
    """The size of the write-ahead log of `path`, in bytes: never more than twice `wal_limit`,
    whatever stores of any process do with the file."""
    try:
        size = os.path.getsize(f"{os.fspath(path)}-wal")
    except OSError:
        return 0
    assert size <= 2 * wal_limit, f"the log takes {size} bytes, and may take twice {wal_limit}"
    return size


class _Logs:
    """The logs of all files that this process opens, whatever opens them: looked at when a store is
    closed, for until then none has become shorter, and at the end of a test."""

    def __init__(self):
        self.limits = {}  # of each file, the largest that was asked for
        self.problems = []
        for name in ("init", "close"):
            setattr(_Dsq.Store, name, self._looking(getattr(_Dsq.Store, name)))

    def _looking(self, method):
        def look_and_call(store, *args):
            try:
                path = store.get_property("path")
            except UnicodeDecodeError:  # for which there is no str
                path = None
            if path not in (None, ":memory:"):
                path = os.path.abspath(path)
                limit = store.get_property("wal_limit")
                self.limits[path] = max(limit, self.limits.get(path, 0))
                self.look(path)
            return method(store, *args)

        for name in dir(method):  # what GI says of it, for who asks
            if not name.startswith("_"):
                setattr(look_and_call, name, getattr(method, name))
        return look_and_call

    def look(self, path):
        try:
            check_log(path, self.limits[path])
        except AssertionError as problem:
            self.problems.append(f"{path}: {problem}")

    def end(self):
        for path in self.limits:
            self.look(path)
        problems, self.problems, self.limits = self.problems, [], {}
        return problems


_LOGS = _Logs()


@pytest.fixture(autouse=True)
def every_log_is_bounded():
    yield
    assert _LOGS.end() == []


@pytest.fixture
def log_may_grow(every_log_is_bounded):
    """For what reads one state for long, as a copy held up does, or commits more at once."""
    yield
    _LOGS.end()


class _Processes:
    """Those that a test starts: none outlives it, however it ends."""

    def __init__(self):
        self.started = []
        start = subprocess.Popen.__init__

        @functools.wraps(start)
        def start_and_note(process, *args, **options):
            start(process, *args, **options)
            self.started.append(process)

        subprocess.Popen.__init__ = start_and_note

    def end(self):
        left = [process for process in self.started if process.poll() is None]
        self.started = []
        for process in left:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                with contextlib.suppress(OSError):  # what was written and never read
                    pipe and pipe.close()
        return [process.args for process in left]


_PROCESSES = _Processes()


@pytest.fixture(autouse=True)
def every_process_ends():
    _PROCESSES.started = []  # those of the module or of the session go on
    yield
    assert _PROCESSES.end() == []


class LoopWithoutReaders(asyncio.SelectorEventLoop):
    """A loop that watches no descriptors for others, like that of Windows."""

    add_reader = asyncio.AbstractEventLoop.add_reader
    remove_reader = asyncio.AbstractEventLoop.remove_reader


def wait_until(condition, seconds=30.0):
    """Poll until `condition()` holds; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come about"
        time.sleep(0.002)


def join_soon(thread, seconds):
    """Wait for a thread, which is to end in so many seconds, and in ten times what the machine, if
    it has much to do, is late with a wait of a hundredth of one; how long it took."""
    started = waiting = time.monotonic()
    late = 0.0
    while thread.is_alive() and waiting - started < 60:
        thread.join(0.01)
        late = max(late, time.monotonic() - waiting - 0.01)
        waiting = time.monotonic()
    took = waiting - started
    assert not thread.is_alive() and took < seconds + 10 * late, f"it took {took:.2f} s"
    return took


def python(code, *args, **options):
    """Run `code` in a Python of its own with the same environment; text in and out."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=300,
        **options,
    )


# All of the package is imported first: others may not be able to enter its folder.
BECOME = """
import importlib, os, pathlib
import dictsqlite_v4
for module in pathlib.Path(dictsqlite_v4.__file__).parent.glob("*.py"):
    if module.stem != "__main__":
        importlib.import_module(f"dictsqlite_v4.{module.stem}")
os.setgroups([])
os.setgid(%d)
os.setuid(%d)
"""


def python_as(user, group, code, *args):
    """Like `python`; as another user, where root runs the tests, else as the one who does."""
    return python(BECOME % (group, user) + code if os.geteuid() == 0 else code, *args)


SLOW = """
import ctypes, sys
faults = ctypes.CDLL(sys.argv[2])
faults.fault_install()
class slow:
    # how many microseconds a read of a file takes, and a sync of a log; how many have begun
    def delay_reads(microseconds): faults.fault_set_delay(1, 2, microseconds)
    def delay_syncs(microseconds): faults.fault_set_delay(4, 4, microseconds)
    def count_reads(): return faults.fault_get_n_calls(1, 2)
    def count_syncs(): return faults.fault_get_n_calls(4, 4)
"""


def build_folder():
    """Of the build whose typelib is in use, which lies in its dictsqlite/."""
    typelibs = [Path(folder) for folder in os.environ["GI_TYPELIB_PATH"].split(":")]
    return next(folder.parent for folder in typelibs if (folder / "Dsq-1.0.typelib").exists())


def python_slow(code, path, *args):
    """Like `python`, with tests/fault/fault-vfs.c loaded before libc; `slow` tells it what takes
    how long. Arguments are from `sys.argv[3]` on."""
    library = str(build_folder() / "tests" / "fault" / "libdsq-fault-vfs.so")
    return python(SLOW + code, path, library, *args, env={**os.environ, "LD_PRELOAD": library})


def snapshot(folder: Path):
    """Every file under `folder` with its kind and bytes, to compare before and after. The
    wal-index, which is not data, is left out."""
    return {
        str(entry.relative_to(folder)): (
            stat.S_IFMT(entry.lstat().st_mode),
            entry.read_bytes() if entry.is_file() and not entry.is_symlink() else None,
        )
        for entry in sorted(folder.rglob("*"))
        if not entry.name.endswith("-shm")
    }
