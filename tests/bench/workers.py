# workers.py - the hit rates of workers that share a cache of pages
# SPDX-License-Identifier: LGPL-2.1-or-later
"""workers.py [REQUESTS]: prints, for one worker and for four that are asked for the same pages, how
many of its requests each found in the cache, and how many of what it looked up was in memory.

A worker does as the guide's web cache: it looks the page up, and makes and keeps it where it is
missing. Few pages are asked for often, and a page expires in ten seconds."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from typing import List, Tuple

from dictsqlite_v4 import DictSQLiteV4

N_PAGES = 2_000
PAUSE = 0.0002  # seconds between two requests


def work(path: str, seed: int, n_requests: int) -> Tuple[float, float]:
    """The shares of requests that the cache answered, and of looks that memory did."""
    rnd = random.Random(seed)
    n_found = 0
    with DictSQLiteV4(path, near_capacity=0) as cache:  # whose hits are not counted
        for _ in range(n_requests):
            page = f"page {min(int(rnd.paretovariate(0.8)), N_PAGES)}"
            if cache.get(page) is None:
                cache.set(page, "<html>" * 200, expire=10)
            else:
                n_found += 1
            time.sleep(PAUSE)
        stats = cache.stats()
    return n_found / n_requests, stats["hot_hits"] / (stats["hot_hits"] + stats["hot_misses"])


def measure(folder: Path, n_workers: int, n_requests: int) -> List[Tuple[float, float]]:
    path = str(folder / f"{n_workers}.db")
    with get_context("spawn").Pool(n_workers) as pool:
        return pool.starmap(work, [(path, seed, n_requests) for seed in range(n_workers)])


def main() -> None:
    n_requests = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with tempfile.TemporaryDirectory() as folder:
        for n_workers in (1, 4):
            for found, in_memory in measure(Path(folder), n_workers, n_requests):
                print(f"{n_workers} workers: found {found:.3f}, in memory {in_memory:.3f}")


if __name__ == "__main__":
    main()
