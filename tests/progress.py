# progress.py - says how far a runner is, out of the log that it writes
# SPDX-License-Identifier: LGPL-2.1-or-later
"""progress.py PART LOG   until SIGTERM, or until the shell that began it is gone: on a terminal one
line that is written over, elsewhere a line now and then: what ended last, of how many, and after
how many seconds."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from typing import IO

SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_BETWEEN_LINES = 15.0  # where nobody can write over a line
STEPS = (
    re.compile(r"^(?P<what>\S+\.py) .*\[ *(?P<done>\d+)(?P<all>%)\]$"),  # pytest, a file
    re.compile(r"^ *(?P<done>\d+)/(?P<all>\d+) \S+:(?P<what>\S+ / \S+) "),  # meson test, a program
    re.compile(r"^\[(?P<done>\d+)/(?P<all>\d+)\] (?P<what>\S+)"),  # ninja
)


def describe(line: str) -> str:
    """What this line of a runner's says of its progress; '' where it says nothing of it."""
    for step in STEPS:
        found = step.match(line)
        if found:
            done, of_all, what = found["done"], found["all"], found["what"]
            return f"{done} % {what}" if of_all == "%" else f"{done}/{of_all} {what}"
    return ""


def last_step(log: IO[str]) -> str:
    """Of the whole lines that have come since the last look."""
    said = ""
    while True:
        place = log.tell()
        line = log.readline()
        if not line.endswith("\n"):
            log.seek(place)
            return said
        said = describe(line.rstrip("\n")) or said


def follow(part: str, log: IO[str]) -> None:
    is_terminal = sys.stdout.isatty()
    parent = os.getppid()
    started = said_at = time.monotonic()
    while os.getppid() == parent:
        now = time.monotonic()
        if is_terminal or now - said_at >= SECONDS_BETWEEN_LINES:
            step = last_step(log)
            if step:
                said_at = now
                text = f"   {part} {step}, {now - started:.0f} s"
                print(f"\r\x1b[K{text[:79]}" if is_terminal else text,
                      end="" if is_terminal else "\n", flush=True)
        time.sleep(SECONDS_BETWEEN_LOOKS)


def main() -> int:
    part, path = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    try:
        with open(path, encoding="utf-8", errors="replace") as log:
            follow(part, log)
    finally:
        if sys.stdout.isatty():
            print("\r\x1b[K", end="", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
