# test_crash.py - kill -9 at many moments: what the file holds afterwards
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import contextlib
import random
import sqlite3
import struct
import subprocess
import sys
import time

import pytest
from conftest import LONG

from dictsqlite_v4 import DictSQLiteV4

ROUNDS = 60 if LONG else 12

# Each child acknowledges what it has done by writing its number to stdout.
PRELUDE = """
import os, struct, sys
from dictsqlite_v4 import DictSQLiteV4
def acknowledge(number):
    os.write(1, struct.pack("<q", number))
path, start = sys.argv[1], int(sys.argv[2])
"""

# What step number i does, here and in the child: sets over few keys, and deletes.
STEP = """
def step(mapping, i):
    if i % 7 == 6:
        mapping.pop(f"key{i * 3 % 40}", None)
    elif i % 401 == 400:
        mapping.clear()
    elif i % 11 == 10:
        mapping.update({f"key{j % 40}": [i, j] for j in range(i, i + 5)})
    else:
        mapping[f"key{i % 40}"] = i
"""
exec(STEP)


def run_and_kill(code, path, start, moment):
    """Run a child, kill it when it has acknowledged something and a random time went by; what it
    acknowledged, all of it."""
    with subprocess.Popen(
        [sys.executable, "-c", PRELUDE + code, str(path), str(start)], stdout=subprocess.PIPE
    ) as child:
        first = child.stdout.read(8)
        assert first, "the child failed"
        time.sleep(moment.uniform(0, 0.08))  # not to wait for anything: the moment is random
        child.kill()
        rest = child.stdout.read()
    assert child.returncode == -9
    data = first + rest
    return [number for (number,) in struct.iter_unpack("<q", data[: len(data) // 8 * 8])]


def check_integrity(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def read_all(path):
    with DictSQLiteV4(path, enable_async=False) as store:
        items = list(store.items())
        assert len(store) == len(items)
    return items


@pytest.mark.parametrize("durability", ("normal", "full"))
def test_writethrough_loses_nothing_acknowledged(path, durability):
    moment = random.Random(1)
    done = 0
    model = {}
    code = STEP + (
        f"store = DictSQLiteV4(path, hot_capacity=5, durability={durability!r})\n"
        "while True:\n"
        "    step(store, start)\n"
        "    start += 1\n"
        "    acknowledge(start)\n"
    )
    for _ in range(ROUNDS // 2):
        acknowledged = run_and_kill(code, path, done, moment)[-1]
        while done < acknowledged:
            step(model, done)
            done += 1
        items = read_all(path)
        if items != list(model.items()):
            # one more was committed, and killed before it could be acknowledged
            step(model, done)
            done += 1
            assert items == list(model.items())
        check_integrity(path)


@pytest.mark.parametrize("background", (True, False))
def test_lazy_shows_exactly_the_state_of_one_flush(path, background):
    moment = random.Random(2)
    done = 0
    model = {}
    code = STEP + (
        f"store = DictSQLiteV4(path, hot_capacity=5, persist_mode='lazy',\n"
        f"                     enable_async={background}, flush_interval=0.003)\n"
        "while True:\n"
        "    step(store, start)\n"
        "    start += 1\n"
        "    if start % 50 == 0:\n"
        "        store.flush()\n"
        "        acknowledge(start)\n"
    )
    for _ in range(ROUNDS // 2):
        flushed = run_and_kill(code, path, done, moment)[-1]
        while done < flushed:
            step(model, done)
            done += 1
        items = read_all(path)
        # The state after some write that follows the acknowledged flush, and precedes the next.
        for _ in range(51):
            if items == list(model.items()):
                break
            step(model, done)
            done += 1
        else:
            pytest.fail("the file holds no state that there ever was")
        check_integrity(path)


def test_bulk_insert_is_all_or_nothing(path, file_mode):
    moment = random.Random(3)
    batches = 0
    size = 2000
    code = (
        f"store = DictSQLiteV4(path, hot_capacity=100, persist_mode={file_mode!r},\n"
        "                     flush_interval=0.002)\n"
        "while True:\n"
        f"    store.bulk_insert({{f'{{start}}:{{i}}': [start, i] for i in range({size})}})\n"
        "    start += 1\n"
        "    acknowledge(start)\n"
    )
    for _ in range(ROUNDS // 2):
        acknowledged = run_and_kill(code, path, batches, moment)[-1]
        items = read_all(path)
        assert len(items) % size == 0
        held = len(items) // size
        assert batches <= held <= acknowledged + 1
        if file_mode == "writethrough":
            assert held >= acknowledged
        expected = [(f"{b}:{i}", [b, i]) for b in range(held) for i in range(size)]
        assert items == expected
        batches = held
        check_integrity(path)
