# test_background.py - what runs beside the caller, and what does not
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import time

import pytest
from conftest import python, wait_until


def test_lazy_writes_are_flushed_with_nobody_calling(open_store):
    store = open_store(persist_mode="lazy", enable_async=True, flush_interval=0.05)
    reader = open_store(enable_async=False, separate=True)
    store["a"] = 1
    wait_until(lambda: "a" in reader)
    del store["a"]
    store["b"] = 2
    wait_until(lambda: "b" in reader)
    assert dict(reader) == {"b": 2}
    stats = store.stats()
    assert stats["flushes"] >= 2 and stats["dirty_entries"] == 0 and stats["last_error"] is None


def test_much_that_is_dirty_is_flushed_before_the_interval(open_store):
    store = open_store(
        persist_mode="lazy", enable_async=True, flush_interval=1000, dirty_limit=1 << 20
    )
    for i in range(100):
        store[f"k{i}"] = bytes(100_000)
        assert store.stats()["dirty_bytes"] < 3 << 20
    assert store.stats()["flushes"] >= 1
    assert len(store) == 100


def test_without_it_nothing_is_flushed_until_asked_or_too_much(open_store):
    store = open_store(
        persist_mode="lazy", enable_async=False, flush_interval=0.01, dirty_limit=1 << 20
    )
    reader = open_store(enable_async=False, separate=True)
    store["a"] = 1
    time.sleep(0.3)
    assert "a" not in reader and store.stats()["flushes"] == 0
    store.flush()
    assert "a" in reader and store.stats()["flushes"] == 1
    for i in range(100):
        store[f"k{i}"] = bytes(100_000)
        assert store.stats()["dirty_bytes"] < 3 << 20
    assert store.stats()["flushes"] > 1


# The kernel lists a thread for a moment after it was joined: what is at its end has a flag for
# that, which it had before, PF_EXITING of the ninth field of proc_pid_stat(5).
COUNT = """
import os
def threads():
    n = 0
    for task in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{task}/stat") as stat:
                n += not int(stat.read().rpartition(")")[2].split()[6]) & 4
        except (FileNotFoundError, ProcessLookupError):
            pass
    return n
"""


@pytest.mark.parametrize("enable_async", (False, True))
def test_threads_are_started_only_with_it(path, mode, enable_async):
    counted = python(
        COUNT + "import sys, time\n"
        "from dictsqlite_v4 import DictSQLiteV4\n"
        "before = most = threads()\n"
        "store = DictSQLiteV4(sys.argv[1], 10, sys.argv[3] == 'True', sys.argv[2],\n"
        "                     flush_interval=0.01, dirty_limit=10_000)\n"
        "for i in range(1000):\n"
        "    store[f'k{i}'] = i\n"
        "    store.get(f'k{i // 2}')\n"
        "    most = max(most, threads())\n"
        "store.flush()\n"
        "time.sleep(0.1)\n"  # a thread that made one call has ended by then
        "assert len(list(store.items())) == 1000\n"
        "most = max(most, threads())\n"
        "store.close()\n"
        "time.sleep(0.1)\n"
        "print(most - before, threads() - before)\n",
        path,
        mode,
        enable_async,
    )
    assert counted.returncode == 0, counted.stderr
    most, left = map(int, counted.stdout.split())
    assert left == 0
    if not enable_async:
        assert most == 0
    elif mode == "lazy":
        assert most >= 1


@pytest.mark.parametrize("durability", ("normal", "full"))
def test_no_thread_is_left_behind_a_call_without_it(path, mode, durability):
    """Not even for a moment. Some calls do have one, which ends with them."""
    counted = python(
        COUNT + "import sys, threading, time\n"
        "from dictsqlite_v4 import DictSQLiteV4\n"
        "before = threads()\n"
        "most, over = before, []\n"
        "store = DictSQLiteV4(sys.argv[1], enable_async=False, persist_mode=sys.argv[2],\n"
        "                     durability=sys.argv[3], dirty_limit=100_000)\n"
        "def watch():\n"
        "    global most\n"
        "    while not over:\n"
        "        most = max(most, threads() - 1)\n"
        "table = store.table('t')\n"
        "calls = {\n"
        "    'set': lambda: store.__setitem__('k', 'x' * 1000),\n"
        "    'large': lambda: store.update({i: 'x' * 1000 for i in range(2000)}),\n"
        "    'remove': lambda: store.pop(1, None),\n"
        "    'table': lambda: store.table(f'of {time.time()}'),\n"
        "    'flush': store.flush, 'clear': store.clear, 'len': store.__len__,\n"
        "    'check': store.check, 'drop': lambda: store.drop_table(store.tables()[-1]),\n"
        "}\n"
        "def step(name):\n"
        "    calls[name]()\n"
        "    assert threads() == before + bool(watching), name\n"
        "def transact():\n"
        "    with store.transaction():\n"
        "        store['a'] = table['b'] = 1\n"
        "calls['transaction'] = transact\n"
        "watching = False\n"
        "for _ in range(10):\n"
        "    for name in calls:\n"
        "        step(name)\n"
        "thread = threading.Thread(target=watch)\n"
        "thread.start()\n"
        "watching = True\n"
        "while (most == before) != (sys.argv[2] == 'memory'):\n"
        "    step('large')\n"
        "    step('clear')\n"
        "    step('flush')\n"
        "over.append(1)\n"
        "thread.join()\n"
        "for _ in range(1000):\n"  # Python's join() is over before the thread is
        "    if threads() > before:\n"
        "        time.sleep(0.005)\n"
        "store.close()\n"
        "assert threads() == before\n",
        path,
        mode,
        durability,
    )
    assert counted.returncode == 0, counted.stderr


def test_a_call_ends_with_its_thread(path):
    """A fork that meets a thread at its end could leave the child with a lock of GLib's."""
    ended = python(
        COUNT + "import sys\n"
        "from dictsqlite_v4 import DictSQLiteV4\n"
        "store = DictSQLiteV4(sys.argv[1], enable_async=False)\n"
        "for i in range(500):\n"
        "    store.flush()\n"
        "    assert threads() == 1, i\n"
        "store.close()\n",
        path,
    )
    assert ended.returncode == 0, ended.stderr
