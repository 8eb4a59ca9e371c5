# coverage.py - which branches of the library's C the tests have taken, and why not the others
# SPDX-License-Identifier: LGPL-2.1-or-later
"""coverage.py BUILD [--list [ROOM]]   BUILD is one with -Db_coverage=true, in which tests have run

A line a room: its branches, those that a test has taken, those that none has for a reason which
tests/coverage-reasons.txt gives, and those without one, which --list shows. A reason fails that is
of no branch, or of branches that have all been taken.

A branch is a way out of a condition, as gcc has it without optimization: a line `if (a && b)` has
four. What has been taken in a process that was killed is not known.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

ROOT = Path(__file__).resolve().parent.parent
REASONS = ROOT / "tests" / "coverage-reasons.txt"


class Line(NamedTuple):
    """A line of a source file, by what stays when others come before it."""

    path: str
    function: str
    text: str


class Reasons:
    """`= REASON`, and below it what it is of: `~ PATTERN` of any line's text, `PATH FUNCTION: TEXT`
    of one line, or `PATH FUNCTION: *` of all that a function has."""

    def __init__(self, path: Path) -> None:
        self.patterns: List[re.Pattern[str]] = []
        self.lines: Set[Line] = set()
        self.used: Set[object] = set()
        reason = False
        for text in path.read_text(encoding="utf-8").splitlines():
            if text.startswith("= "):
                reason = True
            elif text.startswith("~ "):
                self.patterns.append(re.compile(text[2:]))
            elif text and not text.startswith("#"):
                where, _, rest = text.partition(": ")
                name, _, function = where.partition(" ")
                self.lines.add(Line(name, function, rest))
            if text[:1] not in ("", "#", "=") and not reason:
                raise SystemExit(f"{path}: '{text}' stands under no reason")

    def has(self, line: Line) -> bool:
        whole = line._replace(text="*")
        for known in (line, whole):
            if known in self.lines:
                self.used.add(known)
                return True
        for pattern in self.patterns:
            if pattern.search(line.text):
                self.used.add(pattern)
                return True
        return False

    def unused(self) -> Iterator[str]:
        yield from (f"~ {known.pattern}" for known in self.patterns if known not in self.used)
        for known in sorted(self.lines):
            if known not in self.used:
                yield f"{known.path} {known.function}: {known.text}"


def read_notes(notes: Path) -> dict:
    """What gcov says of one object, which it does as if nothing had run where nothing has."""
    command = ["gcov", "--json-format", "--stdout", "--branch-probabilities", str(notes)]
    # that it has not run is said of each object by itself
    told = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
        cwd=notes.parent,
    )
    return json.loads(told.stdout)


Counts = Dict[Tuple[str, int], List[int]]


def count_branches(build: Path) -> Tuple[Counts, Dict[Tuple[str, int], str]]:
    """How often each way out of each line was taken, in all objects that have it."""
    counts: Counts = {}
    functions: Dict[Tuple[str, int], str] = {}
    notes = sorted(build.glob("dictsqlite/*rooms.a.p/*.gcno"))
    if not notes:
        raise SystemExit(f"{build} is no build with -Db_coverage=true.")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for told in pool.map(read_notes, notes):
            for file in told["files"]:
                path = (Path(told["current_working_directory"]) / file["file"]).resolve()
                if not path.is_relative_to(ROOT / "dictsqlite"):
                    continue
                name = str(path.relative_to(ROOT))
                for line in file["lines"]:
                    at = name, line["line_number"]
                    taken = [branch["count"] for branch in line["branches"]]
                    known = counts.get(at, [])
                    if taken and len(taken) >= len(known):
                        known += [0] * (len(taken) - len(known))
                        counts[at] = [one + other for one, other in zip(known, taken)]
                        functions[at] = line.get("function_name", "")
    return counts, functions


def read_text(cache: Dict[str, List[str]], path: str, number: int) -> str:
    if path not in cache:
        cache[path] = (ROOT / path).read_text(encoding="utf-8").splitlines()
    return cache[path][number - 1].strip()


def main() -> int:
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("build", type=Path)
    parser.add_argument("--list", nargs="?", const="", dest="room")
    arguments = parser.parse_args()
    room: Optional[str] = arguments.room
    reasons = Reasons(REASONS)
    counts, functions = count_branches(arguments.build.resolve())
    texts: Dict[str, List[str]] = {}
    rooms: Dict[str, Counter] = defaultdict(Counter)
    unexplained: List[str] = []
    for (path, number), taken in sorted(counts.items()):
        line = Line(path, functions[path, number], read_text(texts, path, number))
        n_missing = taken.count(0)
        of_room = rooms[os.path.dirname(path).removeprefix("dictsqlite").lstrip("/") or "."]
        of_room["all"] += len(taken)
        of_room["taken"] += len(taken) - n_missing
        if n_missing == 0:
            continue
        has_reason = reasons.has(line)
        of_room["reason" if has_reason else "none"] += n_missing
        if not has_reason and room is not None and path.startswith(f"dictsqlite/{room}"):
            unexplained.append(f"{path} {line.function}: {line.text}")
    if room is not None:
        print("\n".join(unexplained))
    total: Counter = Counter()
    for name, of_room in sorted(rooms.items()):
        total += of_room
        print(tell(f"{name:15} ", of_room))
    unused = list(reasons.unused())
    for known in unused:
        print(f"A reason of nothing that is not taken: {known}")
    print(tell("", total))
    return 1 if unused else 0


def tell(name: str, count: Counter) -> str:
    return (
        f"{name}{count['all']} branches, {count['taken']} taken"
        f" ({100 * count['taken'] / max(count['all'], 1):.1f} %),"
        f" {count['reason']} not taken with a reason, {count['none']} without one"
    )


if __name__ == "__main__":
    sys.exit(main())
