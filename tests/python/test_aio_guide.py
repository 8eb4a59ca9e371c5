# test_aio_guide.py - the asynchronous uses that the guide shows, as they stand there
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import asyncio
import time

import pytest
from conftest import LONG

from dictsqlite_v4 import AsyncDictSQLite, DictSQLiteV4


@pytest.fixture(autouse=True)
def in_a_scratch_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_basics():
    async def main():
        db = AsyncDictSQLite("async_data.db", persist_mode="lazy")
        await db.set_async("key", "value")
        value = await db.get_async("key")
        assert value == "value"
        await db.flush()
        await db.close()

    asyncio.run(main())
    with DictSQLiteV4("async_data.db") as db:
        assert db["key"] == "value"


def test_gather():
    async def main():
        db = AsyncDictSQLite("async_data.db")
        await asyncio.gather(*(db.set_async(f"key_{i}", f"value_{i}") for i in range(1000)))
        results = await asyncio.gather(*(db.get_async(f"key_{i}") for i in range(1000)))
        assert results == [f"value_{i}" for i in range(1000)]
        await db.close()

    asyncio.run(main())


@pytest.mark.parametrize("mode", ("lazy", "writethrough"))
def test_semaphore(mode):
    async def main():
        db = AsyncDictSQLite("async_data.db", persist_mode=mode)
        semaphore = asyncio.Semaphore(10)
        most = now = 0

        async def limited_set(key, value):
            nonlocal most, now
            async with semaphore:
                now += 1
                most = max(most, now)
                await db.set_async(key, value)
                now -= 1

        await asyncio.gather(*(limited_set(f"key_{i}", f"value_{i}") for i in range(10_000)))
        assert most <= 10
        assert await db.len_async() == 10_000
        await db.close()

    asyncio.run(main())
    with DictSQLiteV4("async_data.db") as db:
        assert len(db) == 10_000 and db["key_9999"] == "value_9999"


def test_chunks_with_a_flush_each():
    n_items = 100_000 if LONG else 20_000

    async def main():
        db = AsyncDictSQLite("async_data.db", persist_mode="lazy", capacity=10_000)
        items = [(f"key_{i}", {"number": i}) for i in range(n_items)]
        for start in range(0, n_items, 1000):
            chunk = items[start : start + 1000]
            await asyncio.gather(*(db.set_async(key, value) for key, value in chunk))
            await db.flush()
        assert await db.len_async() == n_items
        await db.close()

    asyncio.run(main())
    with DictSQLiteV4("async_data.db") as db:
        assert len(db) == n_items and db[f"key_{n_items - 1}"] == {"number": n_items - 1}


class JobQueue:
    """Jobs by priority, with retries, over one store."""

    def __init__(self, path):
        self.db = AsyncDictSQLite(path, persist_mode="lazy")
        self.lock = asyncio.Lock()

    async def enqueue(self, number, priority):
        await self.db.set_async(f"job:{number}", {
            "id": number, "priority": priority, "status": "pending", "retries": 0,
            "created_at": time.time(),
        })

    async def dequeue(self):
        async with self.lock:
            best = None
            for key in await self.db.keys_async():
                job = await self.db.get_async(key)
                if job["status"] == "pending" and (
                    best is None or job["priority"] > best["priority"]
                ):
                    best = job
            if best is not None:
                best["status"] = "running"
                await self.db.set_async(f"job:{best['id']}", best)
            return best

    async def complete(self, job):
        await self.db.set_async(f"job:{job['id']}", {**job, "status": "done"})

    async def fail(self, job, most=2):
        retries = job["retries"] + 1
        status = "pending" if retries <= most else "failed"
        await self.db.set_async(f"job:{job['id']}", {**job, "status": status, "retries": retries})


def test_job_queue_with_three_workers():
    async def main():
        queue = JobQueue("jobs.db")
        runs = []
        for number in range(60):
            await queue.enqueue(number, priority=number % 5)

        async def worker():
            while (job := await queue.dequeue()) is not None:
                runs.append(job["id"])
                await asyncio.sleep(0)
                if job["id"] % 10 == 3:
                    await queue.fail(job)
                else:
                    await queue.complete(job)

        await asyncio.gather(worker(), worker(), worker())
        jobs = dict(await queue.db.items_async())
        await queue.db.close()
        return runs, jobs

    runs, jobs = asyncio.run(main())
    assert len(jobs) == 60
    assert sorted(runs) == sorted([n for n in range(60) for _ in range(3 if n % 10 == 3 else 1)])
    for job in jobs.values():
        assert job["status"] == ("failed" if job["id"] % 10 == 3 else "done")
    assert [number % 5 for number in runs[:12]] == [4] * 12  # the most urgent come first
