# expired.py - what the first write costs where a million entries have expired
# SPDX-License-Identifier: LGPL-2.1-or-later
"""python3 tests/bench/expired.py [ENTRIES], in the environment of a build: a line a mode, in ms.

All entries have expired when the store, opened anew, is written to for the first time: what that
call takes, the longest of the thousand writes that follow, and a len(), which sweeps all there is.
"""

import os
import sys
import tempfile
import time

from dictsqlite_v4 import DictSQLiteV4


def milliseconds(function):
    start = time.perf_counter()
    function()
    return 1000 * (time.perf_counter() - start)


def measure(mode, n_entries, folder):
    path = os.path.join(folder, mode + '.db')
    with DictSQLiteV4(path, persist_mode='lazy') as store:
        for first in range(0, n_entries, 10_000):
            entries = {f'key_{i}': 'value' for i in range(first, first + 10_000)}
            store.set_many(entries, expire=3600)
    with DictSQLiteV4(path, persist_mode=mode) as store:
        store.set_clock_offset(7200)
        first = milliseconds(lambda: store.update(new=1))
        others = [milliseconds(lambda: store.update(new=1)) for _ in range(1000)]
        swept = milliseconds(lambda: len(store))
        assert list(store) == ['new']
    print(f'{mode:13} first write {first:8.2f}   longest of 1000 {max(others):8.2f}'
          f'   median {sorted(others)[500]:8.3f}   len {swept:9.0f}')


def main():
    n_entries = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory(prefix='dsq-bench-') as folder:
        for mode in ('lazy', 'writethrough'):
            measure(mode, n_entries, folder)


if __name__ == '__main__':
    main()
