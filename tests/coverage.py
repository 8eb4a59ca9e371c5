# coverage.py - which branches of the library's C the tests have taken, and why not the others
# SPDX-License-Identifier: LGPL-2.1-or-later
"""coverage.py BUILD [--list [ROOM]]   BUILD is one with -Db_coverage=true, in which tests have run

A line a room: its branches, those that a test has taken, those that none has for a reason which
tests/coverage-reasons.txt gives, and those without one, which --list shows with a mark for each way
out of the line, x taken and - not. Then a line a reason: the branches that it is of. What fails is
a reason of no branch, or of branches that have all been taken; where it is chance that takes them,
as the reason says, it is told alone.

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
from typing import Dict, Iterator, List, NamedTuple, Optional, Set, Tuple, Union

ROOT = Path(__file__).resolve().parent.parent
REASONS = ROOT / "tests" / "coverage-reasons.txt"

ENDS = re.compile(r"([;{}:]|\*/|^else|^#.*)$")  # where a statement cannot go on from
HEAD = re.compile(r"(else )?(if|while|for|switch|G_DE\w+) \(")
MOST_LINES = 24
PASSED_ON = "~ passed on"

# `if (!do_this (error) || !do_that (error)) return FALSE;`, `success = do_this (error) && ...;`
CALL = re.compile(r"\w+(?:(?:->|\.)\w+)* \(.*\b(?:\w*error|e)\)$")
STOPS = re.compile(r"(?:else )?if \((.*)\) return (?:FALSE|NULL|-1|0|\w+_(?:FAILED|NO));$")
GOES_ON = re.compile(r"(?:return|(?:\w+ )?\*?[\w>.-]+ =) (.*);$")
# what functions return that say why there is none
GIVEN = {f"{name} == NULL" for name in ("engine", "result", "reader", "database", "shard", "names")}


class Line(NamedTuple):
    """A line of a source file, by what stays when others come before it."""

    path: str
    function: str
    text: str


class Reason:
    """Why some branches are not taken, and how many those are."""

    def __init__(self, text: str, is_of_chance: bool) -> None:
        self.text = text
        self.is_of_chance = is_of_chance
        self.n_branches = 0


Rule = Union[Line, "re.Pattern[str]", str]


class Reasons:
    """`= REASON`, or `=? REASON` where a run may take it by chance, and below it what it is of:
    `PATH FUNCTION: TEXT` of one line, `PATH FUNCTION: *` of all that a function has; or of any
    statement that has been reached, in one line and with what an `if` does: `~ PATTERN`, or
    `~ passed on` of those that only pass on a failure."""

    def __init__(self, path: Path) -> None:
        self.all: List[Reason] = []
        self.rules: Dict[Rule, Reason] = {}
        self.used: Set[Rule] = set()
        for text in path.read_text(encoding="utf-8").splitlines():
            begun = re.match(r"=(\??) (.*)", text)
            if begun:
                self.all.append(Reason(begun[2], begun[1] == "?"))
            elif text.startswith("  ") and self.all and self.all[-1] not in self.rules.values():
                self.all[-1].text += " " + text.strip()
            elif text and not text.startswith("#"):
                self.add(path, text)

    def add(self, path: Path, text: str) -> None:
        if not self.all:
            raise SystemExit(f"{path}: '{text}' stands under no reason")
        where, _, rest = text.partition(": ")
        name, _, function = where.partition(" ")
        rule: Rule = Line(name, function, rest)
        if text == PASSED_ON:
            rule = text
        elif text.startswith("~ "):
            rule = re.compile(text[2:])
        if rule in self.rules:
            raise SystemExit(f"{path}: '{text}' stands there twice")
        self.rules[rule] = self.all[-1]

    def find(self, line: Line, statement: str) -> Optional[Rule]:
        for known in (line, line._replace(text="*")):
            if known in self.rules:
                return known
        for rule in self.rules:
            if isinstance(rule, re.Pattern) and statement and rule.search(statement):
                return rule
        if PASSED_ON in self.rules and is_passed_on(statement):
            return PASSED_ON
        return None

    def use(self, line: Line, statement: str, n_branches: int) -> bool:
        """Whether there is a reason, for so many branches of a line."""
        rule = self.find(line, statement)
        if rule is None:
            return False
        self.used.add(rule)
        self.rules[rule].n_branches += n_branches
        return True

    def unused(self, is_of_chance: bool) -> Iterator[str]:
        for rule, reason in self.rules.items():
            if rule in self.used or reason.is_of_chance != is_of_chance:
                continue
            if isinstance(rule, Line):
                yield f"{rule.path} {rule.function}: {rule.text}"
            else:
                yield rule if isinstance(rule, str) else f"~ {rule.pattern}"


class Source:
    """The text of a file."""

    def __init__(self, path: str) -> None:
        self.lines = (ROOT / path).read_text(encoding="utf-8").splitlines()

    def read(self, number: int) -> str:
        return self.lines[number - 1].strip()

    def read_statement(self, number: int) -> str:
        """The statement that a line is of, and the one after an `if`."""
        first = number
        while first > 1 and self.goes_on(first - 1, number):
            first -= 1
        text = ""
        for at in range(first, min(first + MOST_LINES, len(self.lines) + 1)):
            text = f"{text} {self.read(at)}".strip()
            if at >= number and text.count("(") == text.count(")") and text[-1:] in ";{}":
                break
        return text

    def goes_on(self, before: int, number: int) -> bool:
        """Whether the statement of a line does, to the next one."""
        text = self.read(before)
        is_head = HEAD.match(text) and text.count("(") == text.count(")")
        return (
            number - before < MOST_LINES and text != "" and not ENDS.search(text) and not is_head
        )


def split(text: str, operator: str) -> List[str]:
    """The operands of an expression, at its outermost level."""
    operands = [""]
    depth = 0
    for part in re.split(r"([()]|&&|\|\|)", text):
        depth += {"(": 1, ")": -1}.get(part, 0)
        if part == operator and depth == 0:
            operands.append("")
        else:
            operands[-1] += part
    return [operand.strip() for operand in operands]


def is_call(text: str) -> bool:
    """One that says why it fails."""
    depth = 0
    for i, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0 and character == ")" and i < len(text) - 1:
            return False
    return CALL.match(text) is not None


def is_passed_on(statement: str) -> bool:
    """Whether it goes on while calls have not failed, and does nothing else."""
    stops = STOPS.match(statement)
    goes_on = GOES_ON.match(statement)
    if stops is not None:
        text, operator, no, null = stops[1], "||", "!", " == NULL"
    elif goes_on is not None:
        text, operator, no, null = goes_on[1], "&&", "", " != NULL"
    else:
        return False
    n_calls = 0
    for operand in split(text, operator):
        made = re.match(r"\(\*?[\w>-]+ = (.*)\)$", operand.removesuffix(null))
        call = made[1] if made and operand.endswith(null) else operand.removesuffix(null)
        if operand.startswith(no) and is_call(call.removeprefix(no)):
            n_calls += 1
        elif not (operand.endswith(null) and re.fullmatch(r"\*?\w+(->\w+)*", call)):
            return False
    return n_calls > 0 or text in GIVEN


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


def main() -> int:
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("build", type=Path)
    parser.add_argument("--list", nargs="?", const="", dest="room")
    arguments = parser.parse_args()
    room: Optional[str] = arguments.room
    reasons = Reasons(REASONS)
    counts, functions = count_branches(arguments.build.resolve())
    sources: Dict[str, Source] = {}
    rooms: Dict[str, Counter] = defaultdict(Counter)
    for (path, number), taken in sorted(counts.items()):
        source = sources.setdefault(path, Source(path))
        line = Line(path, functions[path, number], source.read(number))
        statement = source.read_statement(number) if any(taken) else ""
        n_missing = taken.count(0)
        of_room = rooms[os.path.dirname(path).removeprefix("dictsqlite").lstrip("/") or "."]
        of_room["all"] += len(taken)
        of_room["taken"] += len(taken) - n_missing
        if n_missing == 0:
            continue
        has_reason = reasons.use(line, statement, n_missing)
        of_room["reason" if has_reason else "none"] += n_missing
        if not has_reason and room is not None and path.startswith(f"dictsqlite/{room}"):
            marks = "".join("x" if count > 0 else "-" for count in taken)
            print(f"{path} {line.function}: {line.text}  # {number}: {marks}")
    total: Counter = Counter()
    for name, of_room in sorted(rooms.items()):
        total += of_room
        print(tell(f"{name:15} ", of_room))
    for reason in reasons.all:
        print(f"{reason.n_branches:5} {reason.text}")
    for known in reasons.unused(True):
        print(f"Taken by chance: {known}")
    unused = list(reasons.unused(False))
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
