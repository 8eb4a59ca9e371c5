# aio.py - what an await costs, beside a coroutine that waits for nothing and a thread for each key
# SPDX-License-Identifier: LGPL-2.1-or-later

import asyncio
import gc
import os
import time

N_HOT = 20_000
N_COLD = 2_000


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
    """Awaited one after the other in one task: neither leaves the loop."""
    items = {f'key_{i}': f'value_{i}' for i in range(N_HOT)}

    async def plain(key):
        return items[key]

    async with store_class(':memory:') as db:
        async def plain_set(key, value='other'):
            items[key] = value

        async def set_one(key):
            await db.set_async(key, 'other')

        await db.batch_set(items)
        add('await get', 'plain coroutine', N_HOT, await _await_each(plain, items))
        add('await get', 'hot', N_HOT, await _await_each(db.get_async, items))
        keys = list(items)
        add('await set', 'plain coroutine', N_HOT, await _await_each(plain_set, keys))
        add('await set', 'hot', N_HOT, await _await_each(set_one, keys))


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


def run(store_class, rounds, directory):
    """Rounds of everything in turn, as series of samples; the first round only warms up."""
    series = {}
    path = os.path.join(directory, 'aio.db')

    async def fill():
        async with store_class(path) as db:
            await db.batch_set({f'key_{i}': f'value_{i}' for i in range(N_HOT)})

    asyncio.run(fill())
    for turn in range(rounds + 1):
        def add(operation, contestant, n, elapsed, turn=turn):
            if turn > 0:
                series.setdefault((operation, contestant), {
                    'op': operation, 'contestant': contestant, 'n': n, 'samples': [],
                })['samples'].append(elapsed)

        gc.collect()
        asyncio.run(_hot(store_class, add))
        asyncio.run(_cold(store_class, path, add))
        asyncio.run(_durable(store_class, os.path.join(directory, 'aio-durable.db'), add))
    return list(series.values())
