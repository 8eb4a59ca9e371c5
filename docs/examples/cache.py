# cache.py - answers that are slow to find, kept on disk for an hour and 64 MiB at most
# SPDX-License-Identifier: LGPL-2.1-or-later
import time

from dictsqlite_v4 import DictSQLiteV4

with DictSQLiteV4("cache.db", persist_mode="lazy", max_bytes=64 << 20) as cache:

    @cache.memoize(expire=3600)
    def slow_square(number: int) -> int:
        time.sleep(0.05)
        return number * number

    for _ in range(2):
        start = time.perf_counter()
        print([slow_square(number) for number in range(5)], end=" ")
        print(f"{(time.perf_counter() - start) * 1000:.0f} ms")
