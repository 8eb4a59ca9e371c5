# neighbour.py - a reader's speed while another process commits other keys
# SPDX-License-Identifier: LGPL-2.1-or-later
"""neighbour.py [SECONDS]: prints, for 10, 100 and 1,000 commits a second of one key each, and for
one of 10,000 keys each second, the speed of a process that reads 20,000 keys out of memory, as a
share of its speed alone, and how many of its reads memory answers: with the facts beside the file,
and where a folder has their name. Then what facts cost a process that is alone: its processor time
to open, write to and close a store, the median of 200, and the memory that it grew to."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import List, Tuple

from dictsqlite_v4 import DictSQLiteV4

N_KEYS = 20_000
NEIGHBOURS = ((10, 1), (100, 1), (1_000, 1), (1, 10_000))  # commits a second, keys a commit

NEIGHBOUR = """
import sys, time
from dictsqlite_v4 import DictSQLiteV4
store, rate, n_keys = DictSQLiteV4(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
due, i = time.perf_counter(), 0
print("ready", flush=True)
while True:
    if n_keys == 1:
        store[f"other {i % 1000}"] = i
    else:
        store.bulk_insert({f"other {k}": i for k in range(n_keys)})
    i += 1
    due += 1 / rate
    time.sleep(max(due - time.perf_counter(), 0))
"""

ALONE = """
import resource, statistics, sys, time
from dictsqlite_v4 import DictSQLiteV4
took = []
for i in range(200):
    begin = time.process_time()
    with DictSQLiteV4(sys.argv[1]) as store:
        store["key"] = i
    took.append(time.process_time() - begin)
with DictSQLiteV4(sys.argv[1]) as store:
    for i in range(20_000):
        store[f"key {i}"] = f"value of {i}"
print(f"{statistics.median(took) * 1e3:.2f} ms,"
      f" {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.1f} MB")
"""


def read(store: DictSQLiteV4, keys: List[str], seconds: float) -> Tuple[float, float]:
    """Reads a second of the process's own time, and the share that memory answered."""
    for key in keys:
        store[key]
    before = store.stats()
    begin, end, n_reads = time.process_time(), time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        for key in keys:
            store[key]
        n_reads += len(keys)
    took = time.process_time() - begin
    hits, misses = (store.stats()[name] - before[name] for name in ("hot_hits", "hot_misses"))
    return n_reads / took, hits / (hits + misses)


def measure(path: Path, seconds: float) -> List[str]:
    cells = []
    with DictSQLiteV4(path, near_capacity=0) as store:  # which would answer for memory
        keys = [f"key {i}" for i in range(N_KEYS)]
        store.bulk_insert({key: f"value of {key}" for key in keys})
        alone, _ = read(store, keys, seconds)
        for rate, n_keys in NEIGHBOURS:
            command = [sys.executable, "-c", NEIGHBOUR, str(path), str(rate), str(n_keys)]
            with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                process.stdout.readline()
                speed, hit_rate = read(store, keys, seconds)
                process.kill()
            cells.append(f"{speed / alone:.2f}, {hit_rate:.3f}")
        cells.insert(0, f"{alone / 1e6:.2f} M/s")
    return cells


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    heads = ["", "alone", *(f"{rate:,} a second of {n_keys:,}" for rate, n_keys in NEIGHBOURS),
             "a process alone"]
    print("|", " | ".join(heads), "|")
    print("|---" * len(heads) + "|")
    for name in ("with facts", "without"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "store.db"
            if name == "without":
                path.with_name(f"{path.name}-facts").mkdir()
            cells = measure(path, seconds)
            other = Path(folder) / "alone.db"
            if name == "without":
                other.with_name(f"{other.name}-facts").mkdir()
            alone = subprocess.run([sys.executable, "-c", ALONE, str(other)], check=True,
                                   capture_output=True, text=True).stdout.strip()
            print("|", " | ".join([name, *cells, alone]), "|", flush=True)


if __name__ == "__main__":
    main()
