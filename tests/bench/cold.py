# cold.py - many keys that memory does not have, one by one and in one call
# SPDX-License-Identifier: LGPL-2.1-or-later
"""cold.py [ROUNDS]: prints microseconds of processor time a key, medians, of a loop of db[key] and
of get_many(), plain and encrypted, each on a store that was just opened, and their ratio."""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, Dict, List, Optional

from dictsqlite_v4 import DictSQLiteV4

N_KEYS = 100_000
N_READ = 10_000
MANY = 1_000

Read = Callable[[DictSQLiteV4, List[str]], None]


def one_by_one(db: DictSQLiteV4, keys: List[str]) -> None:
    for key in keys:
        db[key]


def many(db: DictSQLiteV4, keys: List[str]) -> None:
    for at in range(0, len(keys), MANY):
        found = db.get_many(keys[at:at + MANY])
        assert len(found) == MANY


def measure(path: str, options: Dict[str, object], seed: int, read: Read) -> float:
    keys = random.Random(seed).sample([f"key_{i}" for i in range(N_KEYS)], N_READ)
    with DictSQLiteV4(path, **options) as db:
        db["key_0"]
        start = time.thread_time()
        read(db, keys)
        return (time.thread_time() - start) / N_READ * 1e6


def compare(path: str, password: Optional[str], n_rounds: int) -> None:
    options: Dict[str, object] = {"encryption_password": password} if password else {}
    with DictSQLiteV4(path, **options) as db:
        db.update({f"key_{i}": f"value_{i}" for i in range(N_KEYS)})
    loops, batches = [], []
    for seed in range(n_rounds):
        loops.append(measure(path, options, seed, one_by_one))
        batches.append(measure(path, options, seed, many))
    ratio = statistics.median(loop / batch for loop, batch in zip(loops, batches))
    print(f"{'encrypted' if password else 'plain'}: a loop {statistics.median(loops):.2f}, "
          f"get_many {statistics.median(batches):.2f}, {ratio:.2f} times as fast")


def main() -> None:
    n_rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    with tempfile.TemporaryDirectory() as folder:
        compare(str(Path(folder) / "plain.db"), None, n_rounds)
        compare(str(Path(folder) / "encrypted.db"), "password", n_rounds)


if __name__ == "__main__":
    main()
