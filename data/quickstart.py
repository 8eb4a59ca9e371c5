# quickstart.py - loads a list into a store, then uses it from another process
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Load a list into a store file, open it again in a new process, and use it there.

The list is a package list as Debian has them, JSON, or CSV, told by its content and not by its
name; of a folder, every file below it; - is standard input. A JSON object is a store of its keys.
Without a name, the machine's package database is loaded.
"""

from __future__ import annotations

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)  # until main() can say what became of the store

import argparse
import json
import os
import shlex
import stat
import subprocess
import sys
import time
from itertools import islice
from typing import Any, Dict, Iterator, List, Optional

from quickstart_records import Record, RecordReader, list_files
from quickstart_text import Report

from dictsqlite_v4 import DictSQLiteV4

PACKAGES = "/var/lib/dpkg/status"
BATCH = 1000  # records of one bulk_insert


class Failure(Exception):
    """Something that the user can mend, as one sentence, and the exit status."""

    def __init__(self, sentence: str, status: int = 1):
        super().__init__(sentence)
        self.status = status


class Interrupted(Failure):
    """Ctrl-C, while the store held so many entries."""

    def __init__(self, n_entries: int):
        super().__init__(f"\nInterrupted: the store holds {count_of(n_entries, 'entry')}.", 130)


class Progress:
    """A bar on a terminal; elsewhere a line at the end."""

    WIDTH = 32

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._next = 0.0

    def show(self, done: int, total: int, records: int, finished: bool = False) -> None:
        now = time.monotonic()
        if not finished and (not self._terminal or now < self._next):
            return
        self._next = now + 0.1
        share = 1.0 if finished else min(done / total, 1.0) if total else 0.0
        text = count_of(records, "record")
        if total or finished:
            text = f"{share:4.0%}  {text}"
        if self._terminal:
            filled = round(share * self.WIDTH)
            bar = "#" * filled + "." * (self.WIDTH - filled)
            print(f"\r  [{bar}] {text}", end="\n" if finished else "", flush=True)
        else:
            print(f"  loaded: {text}", flush=True)


class Steps:
    """Prints each step with what it took."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    def done(self, step: str, result: str, count: int = 0) -> None:
        seconds = time.perf_counter() - self._start
        took = f"{seconds * 1000:9.1f} ms"
        if count > 1 and seconds > 0:
            took += f"  ({count / seconds:,.0f} a second)"
        print(f"{step:<12} {shorten(result, 70):<70} {took}", flush=True)
        self._start = time.perf_counter()


def shorten(text: str, length: int = 48) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."


def count_of(count: int, noun: str) -> str:
    plural = noun[:-1] + "ies" if noun.endswith("y") and noun != "key" else noun + "s"
    return f"{count:,} {noun if count == 1 else plural}"


def show_key(key: Any) -> str:
    """A key from a file, which may hold what a terminal would obey."""
    return shorten(repr(key))


def batches(records: Iterator[Record]) -> Iterator[Dict[str, Any]]:
    while batch := dict(islice(records, BATCH)):
        yield batch


def load(db: DictSQLiteV4, reader: RecordReader, report: Report, steps: Steps) -> List[str]:
    """Everything that `reader` has, into the store; the first and the last key loaded."""
    progress = Progress()
    before = len(db)
    n_records = 0
    ends: List[str] = []
    records = iter(reader)
    for batch in batches(records):
        if reader.lacks_key():
            there = ", ".join(map(show_key, reader.fields[:20])) or "no fields"
            raise Failure(
                f"Nothing was loaded: of the first {count_of(len(batch), 'record')} none has the "
                f"field {reader.key_field!r} that --key names; there is {there}.", 2)
        db.bulk_insert(batch)
        n_records = sum(reader.kinds.values())
        ends = [ends[0] if ends else next(iter(batch)), next(reversed(batch))]
        progress.show(reader.position(), reader.total, n_records)
    progress.show(1, 1, n_records, finished=True)

    kinds = ", ".join(f"{count:,} of {kind}" for kind, count in sorted(reader.kinds.items()))
    steps.done("load", f"{count_of(n_records, 'record')} ({kinds or 'none'})", n_records)
    if n_records > len(db) - before:
        replaced = n_records - (len(db) - before)
        print(f"  {count_of(replaced, 'record')} took another's place: the same key; see --key")
    if report.counts:
        print(f"Odd in the input: {sum(report.counts.values()):,}")
        print("\n".join(report.lines()))
    if not ends:
        raise Failure("Nothing to load: the input holds no record of a package list, JSON or CSV.")
    return ends


def use(db: DictSQLiteV4, first: str, last: str, steps: Steps) -> None:
    """Look up, change, delete and iterate; at the end the store is as it was loaded."""
    total = len(db)
    value = db[first]
    steps.done("look up", f"{show_key(first)}: {shorten(repr(value), 40)}")
    keys = list(islice(db, 10_000))
    steps.done("first keys", f"{count_of(len(keys), 'key')}, in the order of loading", len(keys))
    db.get_many(keys)
    steps.done("look up", f"{count_of(len(keys), 'key')} in one call", len(keys))
    for key in keys:
        db[key]
    steps.done("again", f"{count_of(len(keys), 'key')} one by one", len(keys))

    changed = {**(value if isinstance(value, dict) else {"value": value}), "Note": "read and noted"}
    db[first] = changed
    if repr(db[first]) != repr(changed):  # a NaN is not equal to itself
        raise Failure(f"The change of {show_key(first)} did not hold.")
    steps.done("change", f"{show_key(first)}: has a Note now")
    removed = value if last == first else db[last]
    del db[last]
    if last in db or len(db) != total - 1:
        raise Failure(f"The deletion of {show_key(last)} did not hold.")
    steps.done("delete", f"{show_key(last)}: gone, {count_of(len(db), 'entry')} left")

    seen = sum(1 for _ in db.items())
    if seen != total - 1:
        raise Failure(f"A walk over {total - 1:,} entries met {seen:,}.")
    steps.done("iterate", count_of(seen, "entry"), seen)
    db.update({first: value, last: removed})
    steps.done("put back", "both, as they were")
    db.flush()
    steps.done("flush", "no file" if is_memory(db)
               else "everything is in the file or its log, and synced")


def is_memory(db: DictSQLiteV4) -> bool:
    return bool(db.stats()["persist_mode"] == "memory")


def show_tiers(db: DictSQLiteV4) -> None:
    print("Tiers, since it was opened again: entries that each holds, reads that it answered (hits)"
          " and passed on (misses)")
    for name, tier in db.stats()["tiers"].items():
        shown = (show_count(name, what, count) for what, count in tier.items())
        print(f"  {name:<6}" + "  ".join(shown))


def show_count(tier: str, what: str, count: int) -> str:
    """A number of the statistics with its unit; room near and hot is for entries."""
    if what == "capacity" and tier in ("near", "hot"):
        return f"room for {count_of(count, 'entry')}"
    if what == "capacity":
        return f"room for {count >> 20:,} MiB"
    return f"{count / 1024:,.0f} KiB" if what == "bytes" else f"{what} {count:,}"


def reopen(store: str, mode: str, first: str, last: str) -> None:
    """What the second process does."""
    steps = Steps()
    with DictSQLiteV4(store, persist_mode=mode) as db:
        steps.done("open again", f"process {os.getpid()}, {count_of(len(db), 'entry')}")
        use(db, first, last, steps)
        show_tiers(db)


def run_again(store: str, mode: str, ends: List[str]) -> None:
    """Runs reopen() in a new process. Keys go by a pipe: they may hold what an argument cannot."""
    sys.stdout.flush()
    command = [sys.executable, os.path.abspath(__file__), "--reopen", "--store", store]
    keys = json.dumps(ends).encode("ascii")
    again = subprocess.run([*command, "--mode", mode], input=keys, check=False)
    if again.returncode != 0:
        raise Failure("The second process failed.", again.returncode if again.returncode > 0 else 1)


def check_input(name: str) -> None:
    try:
        mode = os.stat(name).st_mode
        if stat.S_ISDIR(mode):
            os.listdir(name)
        elif stat.S_ISREG(mode):  # who writes into a pipe would see it closed
            open(name, "rb").close()
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else str(error)
        raise Failure(f"Failed to read {name!r}: {cause}.", 2) from None


def remove_own_store(store: str) -> None:
    """The store of the last run; one that the user named is never removed."""
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(store + suffix):
            os.unlink(store + suffix)


def run(arguments: argparse.Namespace) -> None:
    if arguments.input == "-":
        arguments.input = "/dev/stdin"
    check_input(arguments.input)
    store = arguments.store or os.environ.get("DSQ_QUICKSTART_STORE", "quickstart.db")
    if not arguments.store:
        remove_own_store(store)
    report = Report()
    files = [path for path in list_files(arguments.input, report) if not is_store(path, store)]
    reader = RecordReader(files, arguments.key, report)

    steps = Steps()
    with DictSQLiteV4(store, persist_mode=arguments.mode) as db:
        place = "in memory" if is_memory(db) else store
        held = len(db)
        steps.done("open", place + (f", holds {count_of(held, 'entry')} already" if held else ""))
        try:
            ends = load(db, reader, report, steps)
        except KeyboardInterrupt:
            db.flush()
            raise Interrupted(len(db)) from None
        if is_memory(db):
            print("Memory mode keeps no file, so there is nothing to open again.")
            use(db, ends[0], ends[-1], steps)
            show_tiers(db)
            return
    steps.done("close", f"{os.path.getsize(store):,} bytes")
    run_again(store, arguments.mode, ends)
    code = ("from dictsqlite_v4 import DictSQLiteV4; "
            f"db = DictSQLiteV4({os.path.abspath(store)!r}); print(len(db), db[{ends[0]!r}])")
    python = os.environ.get("DSQ_QUICKSTART_PYTHON", shlex.quote(sys.executable) + " ")
    print(f"The store is {store}. To read it from Python:\n{python}-c {shlex.quote(code)}")


def is_store(path: str, store: str) -> bool:
    """Whether a file of the input folder is the store that is being written."""
    return os.path.abspath(path) in {os.path.abspath(store) + end for end in ("", "-wal", "-shm")}


def parse_arguments(arguments: Optional[List[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="data/quickstart", description=__doc__)
    parser.add_argument("input", nargs="?", default=PACKAGES, metavar="FILE-OR-FOLDER",
                        help=f"what to load; without it, {PACKAGES}")
    parser.add_argument("--store", metavar="PATH",
                        help="the store to load into, made when missing; without it, one in the "
                             "build folder that every run makes anew")
    parser.add_argument("--mode", default="lazy", choices=("memory", "lazy", "writethrough"),
                        help="when a write reaches the file (default: lazy)")
    parser.add_argument("--key", metavar="FIELD",
                        help="the field that holds the key; without it, Package, key, id or name, "
                             "else the first")
    parser.add_argument("--reopen", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main() -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Names and data may hold what the terminal's encoding has not.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    arguments = parse_arguments()
    try:
        if arguments.reopen:
            first, last = json.load(sys.stdin)
            reopen(arguments.store, arguments.mode, first, last)
        else:
            run(arguments)
        sys.stdout.flush()
    except Failure as failure:
        print(failure, file=sys.stderr)
        return failure.status
    except BrokenPipeError:
        # The reader of our output has gone; Python would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130
    except (OSError, RuntimeError, ValueError) as error:
        print(f"Failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
