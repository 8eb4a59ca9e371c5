# test_canaries.py - nothing plain of an encrypted store is written anywhere
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A key, a value, a table's name and a password that sing are searched for, in the forms in which
they might be written, in every file and in everything that a process gives to the kernel."""

from __future__ import annotations

import base64
import pickle
import re
import subprocess
import sys

import pytest
from conftest import python

from dictsqlite_v4 import DictSQLiteV4

KEY, VALUE, PASSWORD = "canary-key-7319", "canary-value-5527", "canary-password-9153"
TABLE = "canary-table-2871"
WORDS = (KEY, VALUE, PASSWORD, TABLE)

# Writes the canaries in every way, leaves a log behind, and dies.
CODE = f"""
import os, sys
from dictsqlite_v4 import DictSQLiteV4
path, mode = sys.argv[1:3]
words = dict(encryption_password={PASSWORD!r}, kdf_memory=19 << 20, kdf_passes=2)
with DictSQLiteV4(path, persist_mode=mode, hot_capacity=10, warm_capacity=0,
                  cache_size=1 << 16, dirty_limit=1 << 16, **words) as store:
    store[{KEY!r}] = {VALUE!r}
    store[("tuple", {KEY!r})] = [{VALUE!r}]
    store[b"bytes " + {KEY!r}.encode()] = {VALUE!r}.encode()
    store.table({TABLE!r})[{KEY!r}] = {VALUE!r}
    store.bulk_insert({{{KEY!r} + str(i): {{"a": {VALUE!r} * i}} for i in range(300)}})
    store.flush()
    for i in range(0, 300, 3):
        store[{KEY!r} + str(i)] = {VALUE!r} + " overwritten"
        del store[{KEY!r} + str(i + 1)]
    assert len(list(store.items())) == 203
    store.change_password({PASSWORD!r}, {PASSWORD!r} + "!")
    store.encrypt_copy(path + ".copy", {PASSWORD!r} + "?")
words["encryption_password"] += "!"
store = DictSQLiteV4(path, persist_mode=mode, **words)
store[{KEY!r}] = {VALUE!r} * 5000
store.flush()
try:
    DictSQLiteV4(path, encryption_password={PASSWORD!r})
except ValueError as error:
    print(error)
os._exit(0)
"""


def code_for(mode):
    """In memory mode there is no file to change or to copy, but what spills out of memory."""
    if mode != "memory":
        return CODE
    return "\n".join(
        line for line in CODE.splitlines() if "change_password" not in line
        and "_copy" not in line and '+= "!"' not in line
    ).replace("store = DictSQLiteV4", "sys.exit(0)\nstore = DictSQLiteV4", 1)


def forms(text):
    """The bytes in which `text` might be written."""
    data = text.encode()
    yield data
    yield text.encode("utf-16-le")
    yield pickle.dumps(text, 5)[11:-2]
    yield data.hex().encode()
    for shift in range(3):
        # whatever stands before it, these are the letters that depend on nothing else
        encoded = base64.b64encode(b"x" * shift + data + b"xxx")
        yield encoded[4:-8]


CANARIES = [form for text in WORDS for form in forms(text)]


def assert_silent(data, where):
    for canary in CANARIES:
        assert canary not in data, (where, canary)


def test_the_search_finds():
    for text in WORDS:
        for data in (
            text.encode(),
            pickle.dumps([text], 5),
            base64.b64encode(b"a" + text.encode()),
            base64.b64encode(b"ab" + text.encode()),
            base64.b64encode(text.encode()),
        ):
            with pytest.raises(AssertionError):
                assert_silent(b"some" + data + b"thing", "here")


@pytest.mark.parametrize("mode", ("lazy", "writethrough", "memory"))
def test_no_file_has_a_canary(tmp_path, mode):
    path = tmp_path / "store.db"
    done = python(code_for(mode), path, mode)
    assert done.returncode == 0, done.stderr
    names = [file.name for file in tmp_path.iterdir()]
    if mode != "memory":
        assert {
            "store.db", "store.db-wal", "store.db-shm", "store.db-facts", "store.db.copy"
        } == set(names)
        assert (tmp_path / "store.db-wal").stat().st_size > 10_000
    for file in tmp_path.iterdir():
        assert_silent(file.read_bytes(), file.name)
    assert_silent((done.stdout + done.stderr).encode(), "what it printed")


@pytest.mark.parametrize("mode", ("lazy", "writethrough", "memory"))
def test_nothing_written_has_a_canary(tmp_path, mode):
    """By strace: whatever goes to any descriptor, to files without names as well."""
    log = tmp_path / "log"
    calls = "write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,sendmmsg,ftruncate,mmap,openat"
    done = subprocess.run(
        ["strace", "-f", "-xx", "-s", "100000", "-e", f"trace={calls}", "-o", str(log),
         sys.executable, "-W", "error", "-c", code_for(mode),
         str(tmp_path / "store.db"), mode],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300,
    )
    assert done.returncode == 0, done.stderr
    n_written = 0
    with open(log, encoding="ascii") as lines:
        for line in lines:
            if "openat" in line or "mmap" in line:
                # no file of a store is mapped for writing but the index of its log
                continue
            data = b"".join(
                bytes.fromhex(text.replace("\\x", ""))
                for text in re.findall(r'"((?:\\x[0-9a-f]{2})+)"', line)
            )
            n_written += len(data)
            assert_silent(data, line[:80])
    assert n_written > 100_000


def test_a_plain_store_would_sing(path):
    with DictSQLiteV4(path, encryption_password=None) as store:
        store[KEY] = VALUE
    with pytest.raises(AssertionError):
        assert_silent(path.read_bytes(), "the file")
