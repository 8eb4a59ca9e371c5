# near.py - what the values that a mapping keeps itself cost and spare; in `meson devenv -C build`
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Nanoseconds an operation, the best of many short loops, of which other work shows little."""

import asyncio
import gc
import pickle
import time

from dictsqlite_v4 import AsyncDictSQLite, DictSQLiteV4

N = 1000
REPEATS = 60
ENTRIES = {f'key_{i}': f'value_{i}' for i in range(N)}
PERSON = '{"id": i, "name": "Alice", "tags": ["a", "b"]}'
EACH, PLAIN, MIX = 'for i in range(N): ', 'for k in ENTRIES: ', 'for j, k in enumerate(ENTRIES): '
FILL = EACH + 'm[f"key_{i}"] = f"value_{i}"'
FORGET = 'if hasattr(m, "_forget_near"): m._forget_near()'
LOOPS = (  # what is done before, and what is timed
    ('set, of new keys', 'm.clear()', FILL),
    ('overwrite', '', FILL),
    ('get, first after the set', FILL, EACH + 'm[f"key_{i}"]'),
    ('get', '', EACH + 'm[f"key_{i}"]'),
    ('get, plain loop', '', PLAIN + 'm[k]'),
    ('get, nothing kept', FORGET, PLAIN + 'm[k]'),
    ('get, after update()', 'm.update(ENTRIES)', PLAIN + 'm[k]'),
    ('contains', '', EACH + 'f"key_{i}" in m'),
    ('mix 80/20', FILL, MIX + '\n  if j % 5: m[k]\n  else: m[k] = k'),
    ('delete', FILL, EACH + 'del m[f"key_{i}"]'),
    ('update()', 'm.clear()', 'm.update(ENTRIES)'),
    ('set dict', 'm.clear()', EACH + f'm[f"key_{{i}}"] = {PERSON}'),
    ('get dict', '', EACH + 'm[f"key_{i}"]'),
)


def best(function, before=lambda: None):
    least = 1 << 63
    for _ in range(REPEATS):
        before()
        start = time.perf_counter_ns()
        function()
        least = min(least, time.perf_counter_ns() - start)
    return least / N


def compiled(text, mapping):
    made = {'m': mapping, 'ENTRIES': ENTRIES, 'N': N}
    exec('def run(m=m, ENTRIES=ENTRIES, N=N):\n ' + (text or 'pass'), made)
    return made['run']


async def awaited(get):
    least = 1 << 63
    for _ in range(REPEATS):
        start = time.perf_counter_ns()
        for key in ENTRIES:
            await get(key)
        least = min(least, time.perf_counter_ns() - start)
    return least / N


async def in_a_coroutine(capacity):
    async with AsyncDictSQLite(':memory:', near_capacity=capacity) as db:
        await db.batch_set(ENTRIES)
        return await awaited(db.get_async)


async def plain(key):
    return ENTRIES[key]


def main():
    gc.disable()
    stores = DictSQLiteV4(':memory:'), DictSQLiteV4(':memory:', near_capacity=0)
    mappings = {}, *stores
    print('| | dict | with it | without |\n|---|---|---|---|')
    for name, before, text in LOOPS:
        numbers = [best(compiled(text, m), compiled(before, m)) for m in mappings]
        print(f'| {name} | ' + ' | '.join(f'{number:,.0f}' for number in numbers) + ' |')
    numbers = [asyncio.run(coroutine) for coroutine in
               (awaited(plain), in_a_coroutine(65_536), in_a_coroutine(0))]
    print('| await get | ' + ' | '.join(f'{number:,.0f}' for number in numbers) + ' |')
    pickles = [pickle.dumps(eval(PERSON, {'i': i}), 5) for i in range(N)]
    print(f'pickle.loads: {best(lambda: list(map(pickle.loads, pickles))):.0f}')
    for store in stores:
        store.close()


if __name__ == '__main__':
    main()
