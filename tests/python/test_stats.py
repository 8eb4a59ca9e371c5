# test_stats.py - what the counters say, and from which thread they are asked first
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import asyncio
import errno
import random
import time

import pytest
from conftest import python
from gi.repository import Dsq

from dictsqlite_v4 import AsyncDictSQLite, ConflictError, CorruptError, DictSQLiteV4, FormatError
from dictsqlite_v4 import WrongPasswordError
from dictsqlite_v4._errors import OutcomeUnknownError, exception_of

FIRST_CALLS = """
import sys, threading
from dictsqlite_v4 import AsyncDictSQLite, DictSQLiteV4
sys.setswitchinterval(1e-6)
store = DictSQLiteV4(":memory:")
start = threading.Barrier(8)
failures = []
def ask():
    start.wait()
    try:
        assert store.stats()["hot_entries"] == 0
        assert list(store) == []
        assert store._store.open_channel().get_fd() >= 0
    except Exception as error:
        failures.append(repr(error))
threads = [threading.Thread(target=ask) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
sys.exit("; ".join(failures) or 0)
"""


def test_the_first_calls_come_from_many_threads():
    for _ in range(8):
        ran = python(FIRST_CALLS)
        assert ran.returncode == 0, ran.stderr


def looks(stats):
    """Reads by where they ended; each key that is read is one of them."""
    assert all(stats[f"{tier}_{kind}"] < 1 << 40
               for tier in ("hot", "warm", "cold") for kind in ("hits", "misses")), stats
    # what the hot tier did not have the warm one was asked for
    assert stats["hot_misses"] == stats["warm_hits"] + stats["warm_misses"]
    return stats["hot_hits"] + stats["hot_misses"]


VALUES = ("text", 7, b"bytes", "with \0 in it", "x" * 5000, ["a", "pickle"], None)


def test_each_read_counts_once(store):
    rng = random.Random(1)
    for i in range(40):
        store[f"k{i}"] = rng.choice(VALUES)
    store.set("brief", 1, expire=0.01)
    store.flush()
    time.sleep(0.02)
    for key in ["brief", "missing", *(f"k{i}" for i in range(40))]:
        before = looks(store.stats())
        store.get(key)
        assert looks(store.stats()) == before + 1, key
        key in store
        assert looks(store.stats()) == before + 2, key
        store.get_many([key, "missing", "k1"])
        assert looks(store.stats()) == before + 5, key


@pytest.mark.parametrize("capacity", [1, 1000])
@pytest.mark.parametrize("warm_capacity", [0, 64 << 20])
def test_each_read_counts_once_when_a_thread_answers_it(path, mode, capacity, warm_capacity):
    async def main():
        rng = random.Random(2)
        db = AsyncDictSQLite(
            path, persist_mode=mode, hot_capacity=capacity, warm_capacity=warm_capacity
        )
        for i in range(40):
            await db.set_async(f"k{i}", rng.choice(VALUES))
        db._db.set("brief", 1, expire=0.01)
        db._db.set("short", "text", expire=0.01)
        await db.flush()
        await asyncio.sleep(0.02)
        for key in ["brief", "short", "missing", *(f"k{i}" for i in range(40))]:
            before = looks(db.stats())
            await db.get_async(key)
            assert looks(db.stats()) == before + 1, key
            await db.contains_async(key)
            assert looks(db.stats()) == before + 2, key
        await db.close()

    asyncio.run(main())


OWN = {
    "CLOSED": RuntimeError,
    "CONFLICT": ConflictError,
    "FORKED": RuntimeError,
    "FAILED": RuntimeError,
    "INVALID_ARGUMENT": ValueError,
    "INVALID_KEY": ValueError,
    "INVALID_VALUE": ValueError,
    "WRONG_TYPE": TypeError,
    "FORMAT": FormatError,
    "CORRUPT": CorruptError,
    "IO": errno.EIO,
    "NO_SPACE": errno.ENOSPC,
    "READ_ONLY": errno.EROFS,
    "NOT_FOUND": errno.ENOENT,
    "PERMISSION": errno.EACCES,
    "NOT_REGULAR": errno.EINVAL,
    "BUSY": errno.EBUSY,
    "CHANGED": RuntimeError,
    "NO_TABLE": RuntimeError,
    "WRONG_PASSWORD": WrongPasswordError,
    "ENCRYPTED": WrongPasswordError,
    "NOT_ENCRYPTED": WrongPasswordError,
    "EXISTS": errno.EEXIST,
    "NAME_TOO_LONG": errno.ENAMETOOLONG,
    "TOO_MANY_FILES": errno.EMFILE,
    "TOO_LARGE": errno.EFBIG,
    "OUTCOME_UNKNOWN": OutcomeUnknownError,
    "TOO_COSTLY": ValueError,
    "NOT_SUPPORTED": errno.EOPNOTSUPP,
}


@pytest.mark.parametrize("name", OWN)
def test_an_error_is_told_by_the_name_of_its_code(name):
    error = exception_of(True, int(getattr(Dsq.Error, name)), "why", "/no/such/file")
    if isinstance(OWN[name], int):
        assert isinstance(error, OSError) and error.errno == OWN[name]
    else:
        assert type(error) is OWN[name]


def test_there_are_no_other_codes():
    assert {name for name in vars(Dsq.Error) if name.isupper()} == set(OWN)


def test_the_order_of_keys_that_wait_is_counted(path):
    with DictSQLiteV4(path, persist_mode="lazy", enable_async=False) as db:
        other = db.table("other")
        for i in range(5000):
            db[f"key {i}"] = other[f"key {i}"] = i
        assert db.stats()["order_bytes"] == 0
        if not db.stats()["encryption_enabled"]:
            for mapping, most in ((db, 1), (other, 2)):
                assert len(list(mapping.iter_prefix("key 1"))) == 1111
                assert most * 4 * 5000 <= db.stats()["order_bytes"] < most * 12 * 5000 + 100_000
        db.flush()
        assert db.stats()["order_bytes"] < 64 * 2 * 200


UNLOCKED = """
import ctypes, resource, sys
from dictsqlite_v4 import DictSQLiteV4

def count(name):
    with DictSQLiteV4(name, encryption_password="p", kdf_memory=19 << 20) as store:
        return store.stats()["unlocked_secrets"]

before = count(sys.argv[1] + ".1")
# root may lock whatever the limit says, unless it gives its capabilities up
header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
assert ctypes.CDLL(None).capset(header, none) == 0
resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))
assert count(sys.argv[1] + ".2") > before
"""


def test_keys_that_could_not_be_locked_are_counted(path):
    ended = python(UNLOCKED, path)
    assert ended.returncode == 0, ended.stderr
