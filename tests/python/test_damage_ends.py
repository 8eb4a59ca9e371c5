# test_damage_ends.py - whatever is done to a damaged file comes to an end
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pages of a file are exchanged, or made to point to one another, and then all is done to it that
walks: each thing in a child of its own, with little memory and a few seconds."""

from __future__ import annotations

import os
import random
import resource
import signal
import sqlite3
import struct
import time
from itertools import islice

import pytest
from conftest import LONG

from dictsqlite_v4 import DictSQLiteV4, import_v4

PAGE = 4096
ENTRIES = 2000
SECONDS = 10  # of processor time, where the whole of the sound file takes a hundredth
MEMORY = 512 << 20
PASSWORD = "password"


def opened(path, password=None, **parameters):
    return DictSQLiteV4(
        path, encryption_password=password, kdf_memory=19 << 20, kdf_passes=2, **parameters
    )


# --- what is done ---------------------------------------------------------------------------------


def walk(values):
    n_items = sum(1 for _ in islice(values, 10 * ENTRIES))
    assert n_items <= 2 * ENTRIES, "more than there are"


def sweep(store):
    store.set("short", 1, expire=0.01)
    time.sleep(0.05)
    store.flush()
    len(store)


WALKS = {
    "list": lambda store, path: walk(store),
    "items": lambda store, path: walk(store.items()),
    "reversed": lambda store, path: walk(reversed(store)),
    "reversed items": lambda store, path: walk(reversed(store.items())),
    "prefix": lambda store, path: walk(store.iter_prefix("key 1")),
    "copy": lambda store, path: walk(store.copy()),
    "repr": lambda store, path: repr(store),
    "check": lambda store, path: walk(store.check()),
    "backup": lambda store, path: store.backup(f"{path}.backup"),
    "encrypted copy": lambda store, path: store.encrypt_copy(f"{path}.sealed", PASSWORD),
    "plain copy": lambda store, path: store.decrypt_copy(f"{path}.plain"),
    "expiry": lambda store, path: sweep(store),
    "missing": lambda store, path: [store.get(f"missing {i}") for i in range(500)],
    "many": lambda store, path: store.get_many([f"key {i}" for i in range(ENTRIES)]),
    "update": lambda store, path: store.update({f"key {i}": 2 for i in range(ENTRIES)}),
    "delete": lambda store, path: store.delete_many([f"key {i}" for i in range(ENTRIES)]),
    "popitem": lambda store, path: [store.popitem() for _ in range(100)],
    "tables": lambda store, path: walk(store.tables()),
    "another table": lambda store, path: walk(store.table("more")),
    "drop": lambda store, path: store.drop_table("more"),
    "clear": lambda store, path: store.clear(),
}


def tried(work, path, password, what=""):
    """What `work` raised in a child of its own, and the processor time that it took."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        used = int(open("/proc/self/statm", encoding="ascii").read().split()[0]) * 4096
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
        try:
            with opened(path, password, cache_size=1 << 20) as store:
                work(store, path)
            raised = "nothing"
        except (OSError, RuntimeError, KeyError, ValueError) as error:
            raised = f"{type(error).__name__}: {error}"
        except BaseException as error:
            os.write(writer, f"{type(error).__name__}: {error}".encode())
            os._exit(1)
        os.write(writer, f"{time.process_time():.2f} s, {raised}".encode())
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        said = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    assert not os.WIFSIGNALED(status), (signal.Signals(os.WTERMSIG(status)).name, what)
    assert status == 0, (said, what)
    return said


# --- to what --------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["plain", "encrypted"])
def original(request, tmp_path_factory):
    """A file in which every page of a kind has others of its kind."""
    path = tmp_path_factory.mktemp("original") / "store.db"
    password = PASSWORD if request.param == "encrypted" else None
    with opened(path, password) as store:
        store.update({f"key {i}": i for i in range(ENTRIES)})
        store.table("more").update({f"more {i}": i for i in range(ENTRIES // 4)})
        for i in range(ENTRIES // 4):
            store.set(f"for now {i}", i, expire=1e6 + i)
    return path.read_bytes(), password


def exchanged(raw, first, second):
    pages = bytearray(raw)
    one, two = (slice((number - 1) * PAGE, number * PAGE) for number in (first, second))
    pages[one], pages[two] = raw[two], raw[one]
    return bytes(pages)


def test_pages_exchanged(original, path):
    raw, password = original
    n_pages = len(raw) // PAGE
    draw = random.Random(4)
    n_refused = 0
    for n in range(10 if not LONG else 100):
        first, second = draw.sample(range(3, n_pages + 1), 2)
        for name in [*WALKS] if LONG else draw.sample(sorted(WALKS), 5):
            for file in path.parent.iterdir():
                file.unlink()
            path.write_bytes(exchanged(raw, first, second))
            said = tried(WALKS[name], path, password, (name, first, second))
            n_refused += "Error" in said
    assert n_refused > 5


def interior_table(first_key, children):
    """A page of a table in which each key is followed by the next, each child given."""
    cells = [struct.pack(">I", child) + varint(first_key + n) for n, child in enumerate(children)]
    return interior(5, cells, children[-1])


def interior_index(children):
    """Likewise of the index on (table_id, token)."""
    cells = []
    for n, child in enumerate(children):
        token = b"key %04d" % n
        record = bytes([4, 1, 12 + 2 * len(token), 6]) + b"\1" + token + struct.pack(">Q", n)
        cells.append(struct.pack(">I", child) + varint(len(record)) + record)
    return interior(2, cells, children[-1])


def interior(kind, cells, last):
    content, pointers = b"", b""
    for cell in cells:
        content = cell + content
        pointers += struct.pack(">H", PAGE - len(content))
    head = struct.pack(">BHHHBI", kind, 0, len(cells), PAGE - len(content), 0, last)
    return head + pointers + bytes(PAGE - len(head) - len(pointers) - len(content)) + content


def varint(number):
    groups = [number & 0x7F]
    while number := number >> 7:
        groups.append(number & 0x7F | 0x80)
    return bytes(reversed(groups))


def root_of(path, name):
    database = sqlite3.connect(path)
    ((number,),) = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,))
    database.close()
    return number


def multiplied(raw, path, name, levels=8, width=100):
    """The tree of `name` is under pages each of which has the next many times."""
    path.write_bytes(raw)
    root = root_of(path, name)
    n_pages = len(raw) // PAGE
    old = (root - 1) * PAGE
    out = bytearray(raw) + raw[old : old + PAGE]
    child = n_pages + 1
    make = interior_index if "index" in name else lambda of: interior_table(1 << 40, of)
    for _ in range(levels - 1):
        out += make([child] * width)
        child += 1
    out[old : old + PAGE] = make([child] * width)
    out[28:32] = struct.pack(">I", child)
    path.write_bytes(out)


@pytest.mark.parametrize("name", ["entry", "sqlite_autoindex_entry_1", "tables", "store"])
def test_pages_that_are_there_many_times(original, path, name):
    raw, password = original
    for work in WALKS if LONG else ("items", "reversed", "prefix", "check", "missing", "drop",
                                    "plain copy", "clear", "tables"):
        for file in path.parent.iterdir():
            file.unlink()
        multiplied(raw, path, name)
        tried(WALKS[work], path, password, work)


# --- other programs' files ------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["exchanged", "multiplied"])
def test_imports_end(path, damage):
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE kv_store (key TEXT PRIMARY KEY, value BLOB)")
    database.executemany(
        "INSERT INTO kv_store VALUES (?, ?)", ((f"key {i}", b"value") for i in range(ENTRIES))
    )
    database.commit()
    database.close()
    raw = path.read_bytes()
    n_pages = len(raw) // PAGE

    def load(store, file):
        report = import_v4(file, store)
        assert report.n_imported <= ENTRIES and report.damage is not None, report

    n_told = 0
    for second in range(5, n_pages + 1, 4 if not LONG else 1):
        if damage == "exchanged":
            path.write_bytes(exchanged(raw, 4, second))
        else:
            multiplied(raw, path, "kv_store", levels=second - 3)
        said = tried(lambda store, _: load(store, path), ":memory:", None)
        n_told += "nothing" in said
        if damage == "multiplied":
            break
    assert n_told > 0


# --- counts ---------------------------------------------------------------------------------------


def test_a_count_is_no_more_than_the_file_can_hold(original, path):
    """Which a list() asks for memory by; and a million million is what the format can count."""
    raw, password = original
    path.write_bytes(raw)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE tables SET floor = (1 << 40) - 1")
    connection.commit()
    connection.close()
    with opened(path, password) as store:
        assert 0 < len(store) <= 4096 * path.stat().st_size // 512
        keys = list(store)
        assert 0 < len(keys) < len(store) and len(set(keys)) == len(keys)
        assert store.check()
