# count.py - how many tests ran, out of the runners' own records
# SPDX-License-Identifier: LGPL-2.1-or-later
"""count.py PART STATUS RESULT      one line 'PART: N passed, N failed[, N skipped]'
count.py --skipped PART RESULT   a line a reason for which tests of it were skipped
count.py --total                 sums lines of the first kind; fails on a failure and on no test

RESULT is meson's testlog.json or a JUnit file of pytest. A part whose command failed has at least
one failure, whatever its record says.
"""

from __future__ import annotations

import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from typing import List, NamedTuple

SKIP = re.compile(r"^ok \d+ .*# SKIP *(.*)$", re.MULTILINE | re.IGNORECASE)
CASE = re.compile(r"^(ok|not ok) \d+(.*)$", re.MULTILINE)
LINE = re.compile(r"(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$")


class Count(NamedTuple):
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def plus(self, other: "Count") -> "Count":
        return Count(*(mine + its for mine, its in zip(self, other)))

    def __str__(self) -> str:
        text = f"{self.passed} passed, {self.failed} failed"
        return text + (f", {self.skipped} skipped" if self.skipped else "")


def count_program(test: dict) -> Count:
    """One program that meson ran: its cases when it told them (TAP), else itself."""
    cases = CASE.findall(test.get("stdout") or "")
    skipped = sum(1 for result, rest in cases if result == "ok" and "# SKIP" in rest.upper())
    failed = sum(1 for result, _ in cases if result == "not ok")
    passed = len(cases) - skipped - failed
    if test["result"] == "SKIP":
        skipped = max(skipped, 1)
    elif test["result"] != "OK":
        failed = max(failed, 1)  # a crash in the middle of a case leaves no line for it
    elif not cases and "1..0" not in (test.get("stdout") or ""):
        passed = 1
    return Count(passed, failed, skipped)


def count_meson(path: str) -> Count:
    count = Count()
    with open(path, encoding="utf-8") as log:
        for line in log:
            count = count.plus(count_program(json.loads(line)))
    return count


def count_junit(path: str) -> Count:
    count = Count()
    for case in ElementTree.parse(path).iter("testcase"):
        failed = case.find("failure") is not None or case.find("error") is not None
        skipped = case.find("skipped") is not None
        count = count.plus(Count(not failed and not skipped, failed, skipped and not failed))
    return count


def count_part(status: int, result: str) -> Count:
    try:
        count = count_junit(result) if result.endswith(".xml") else count_meson(result)
    except (OSError, ValueError, ElementTree.ParseError):
        count = Count()
    if count.passed + count.failed == 0 or status != 0 and count.failed == 0:
        count = count.plus(Count(failed=1))
    return count


def reasons_of_meson(path: str) -> List[str]:
    reasons = []
    with open(path, encoding="utf-8") as log:
        for line in log:
            test = json.loads(line)
            of_cases = SKIP.findall(test.get("stdout") or "")
            if test["result"] == "SKIP" and not of_cases:
                of_cases = [f"{test['name']} said so"]
            reasons += of_cases
    return reasons


def reasons_of_junit(path: str) -> List[str]:
    skipped = ElementTree.parse(path).iter("skipped")
    return [element.get("message") or "no reason given" for element in skipped]


def tell_skipped(part: str, result: str) -> None:
    try:
        reasons = reasons_of_junit(result) if result.endswith(".xml") else reasons_of_meson(result)
    except (OSError, ValueError, ElementTree.ParseError):
        return  # the part has failed, which its own line says
    for reason, times in Counter(reasons).most_common():
        print(f"{part + ':':<10}{times} times, {reason}")


def main() -> int:
    if sys.argv[1] == "--skipped":
        tell_skipped(*sys.argv[2:4])
        return 0
    if sys.argv[1] == "--total":
        total = Count()
        for line in sys.stdin:
            found = LINE.search(line.rstrip())
            if found:
                total = total.plus(Count(*(int(number or 0) for number in found.groups())))
        print(total)
        return int(total.failed > 0 or total.passed == 0)
    part, status, result = sys.argv[1:4]
    print(f"{part + ':':<10}{count_part(int(status), result)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
