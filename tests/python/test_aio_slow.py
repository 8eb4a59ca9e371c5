# test_aio_slow.py - the loop goes on while the disk takes its time
# SPDX-License-Identifier: LGPL-2.1-or-later
"""By way of tests/fault/fault-vfs.c, in which every read of a page takes 50 ms."""

from __future__ import annotations

from conftest import LONG, python_slow

from dictsqlite_v4 import DictSQLiteV4

PROGRAM = """
import asyncio, sys, time
from dictsqlite_v4 import AsyncDictSQLite

BEAT = 0.005
KEYS, ENTRIES = int(sys.argv[3]), int(sys.argv[4])

async def beat(late):
    due = time.perf_counter()
    while True:
        due += BEAT
        await asyncio.sleep(due - time.perf_counter())
        late.append(time.perf_counter() - due)
        due = max(due, time.perf_counter() - BEAT)

async def alone(seconds):
    late = []
    heart = asyncio.ensure_future(beat(late))
    await asyncio.sleep(seconds)
    heart.cancel()
    return late

def p99(late):
    return sorted(late)[len(late) * 99 // 100] * 1000

async def main():
    async with AsyncDictSQLite(sys.argv[1]) as db:
        idle = p99(await alone(1))
        late = []
        heart = asyncio.ensure_future(beat(late))
        slow.delay_reads(50_000)
        started = time.perf_counter()
        count = 0
        for turn in range(5):
            keys = range(turn, ENTRIES, ENTRIES // KEYS)
            found = await asyncio.gather(*(db.get_async(f"key_{i}") for i in keys))
            assert found == [f"value {i} " * 20 for i in keys]
            assert await db.delete_async(f"key_{turn}")
            assert not await db.contains_async(f"no {turn}")
            count += len(found)
        assert len(await db.keys_async()) == ENTRIES - 5
        seconds = time.perf_counter() - started
        slow.delay_reads(0)
        heart.cancel()
        print(count, slow.count_reads(), seconds, len(late), p99(late), idle)

asyncio.run(main())
"""


def test_a_heartbeat_beside_cold_reads(path):
    n_keys, n_entries = (40, 20_000) if LONG else (8, 600)
    with DictSQLiteV4(path, persist_mode="lazy") as db:
        db.bulk_insert({f"key_{i}": f"value {i} " * 20 for i in range(n_entries)})
    done = python_slow(PROGRAM, path, n_keys, n_entries)
    assert (done.returncode, done.stderr) == (0, "")
    count, n_reads, seconds, n_beats, p99, idle = map(float, done.stdout.split())
    print(f"{count:.0f} gets, {n_reads:.0f} reads of 50 ms, {seconds:.1f} s; {n_beats:.0f} beats "
          f"of 5 ms, 99 of 100 at most {p99:.1f} ms late ({idle:.1f} ms with nothing else to do)")
    assert n_reads > 20
    # one blocked read would make ten beats late by up to 50 ms; a busy machine is late by itself
    assert p99 < max(5, 5 * idle) and p99 < 45
    assert n_beats > seconds / 0.005 / 2
