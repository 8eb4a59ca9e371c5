# aio.py - what an await costs, beside a coroutine that waits for nothing and a thread for each key
# SPDX-License-Identifier: LGPL-2.1-or-later

import asyncio
import gc
import os
import time

import loops

N_HOT = 20_000
N_COLD = 2_000
N_GATHERED = 1_000


async def _await_each(get, keys):
    start = time.perf_counter_ns()
    for key in keys:
        await get(key)
    return time.perf_counter_ns() - start


async def _gather(get, keys):
    start = time.perf_counter_ns()
    await asyncio.gather(*map(get, keys))
    return time.perf_counter_ns() - start


async def _hot(store_class, add):
    """Awaited one after the other in one task, or gathered: neither leaves the loop."""
    items = {f'key_{i}': f'value_{i}' for i in range(N_HOT)}

    async def plain(key):
        return items[key]

    async def plain_set(key):
        items[key] = 'other'

    async with store_class(':memory:') as db:
        async def set_one(key):
            await db.set_async(key, 'other')

        await db.batch_set(items)
        keys = list(items)
        for name, get, set_it in (('plain coroutine', plain, plain_set),
                                  ('hot', db.get_async, set_one)):
            add('await get', name, N_HOT, await _await_each(get, keys))
            add('gather of 1,000 gets', name, N_GATHERED, await _gather(get, keys[:N_GATHERED]))
            add('await set', name, N_HOT, await _await_each(set_it, keys))


async def _cold(store_class, path, add):
    """All at once, from a store that has nothing in memory."""
    keys = [f'key_{i * 7 % N_HOT}' for i in range(N_COLD)]
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, time.sleep, 0)
    async with store_class(path) as db:
        add('gather cold gets', 'get_async', N_COLD, await _gather(db.get_async, keys))
    async with store_class(path) as db:
        async def in_a_thread(key):
            return await loop.run_in_executor(None, db._db.get, key)

        add('gather cold gets', 'run_in_executor', N_COLD, await _gather(in_a_thread, keys))


async def _durable(store_class, path, add):
    """All at once, each committed when it returns."""
    loop = asyncio.get_running_loop()
    async with store_class(path, persist_mode='writethrough') as db:
        def set_one(key):
            return db.set_async(key, key)

        async def in_a_thread(key):
            return await loop.run_in_executor(None, db._db.__setitem__, key, key)

        keys = [f'new_{i}' for i in range(N_COLD)]
        add('gather writethrough sets', 'set_async', N_COLD, await _gather(set_one, keys))
        keys = [f'thread_{i}' for i in range(N_COLD)]
        add('gather writethrough sets', 'run_in_executor', N_COLD, await _gather(in_a_thread, keys))
        await db.clear_async()


def run(rounds, folder):
    """Rounds of everything in turn; the first only warms up."""
    from dictsqlite_v4 import AsyncDictSQLite

    series = loops.Series('asyncio')
    path = os.path.join(folder, 'aio.db')

    async def fill():
        async with AsyncDictSQLite(path) as db:
            await db.batch_set({f'key_{i}': f'value_{i}' for i in range(N_HOT)})

    asyncio.run(fill())
    for turn in range(rounds + 1):
        add = series.add if turn > 0 else lambda *_: None
        gc.collect()
        asyncio.run(_hot(AsyncDictSQLite, add))
        asyncio.run(_cold(AsyncDictSQLite, path, add))
        asyncio.run(_durable(AsyncDictSQLite, os.path.join(folder, 'aio-durable.db'), add))
    return list(series.rows.values())
