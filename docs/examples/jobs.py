# jobs.py - a queue of jobs that processes share: each job is done by one of them
# SPDX-License-Identifier: LGPL-2.1-or-later
import multiprocessing

from dictsqlite_v4 import DictSQLiteV4

QUEUE = "jobs.db"


def work(_: int) -> int:
    """Take jobs until there are none; how many these were."""
    done = 0
    with DictSQLiteV4(QUEUE) as db:  # writethrough: who takes a job takes it from all
        while (key := next(iter(db), None)) is not None:
            if db.pop(key, None) is not None:  # None: another was first
                done += 1
    return done


if __name__ == "__main__":
    with DictSQLiteV4(QUEUE) as db:
        db.bulk_insert({("job", number): {"number": number} for number in range(200)})
    # spawn: a process that is forked would inherit what this one has open
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        counts = pool.map(work, range(2))
    print(f"{sum(counts)} jobs were done by {len(counts)} processes")
