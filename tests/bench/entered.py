# entered.py - the library's functions that one write-through set enters, and the files they are in
# SPDX-License-Identifier: LGPL-2.1-or-later
"""entered.py BUILD: prints them by file. What the compiler has inlined there is not entered."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Dict, Set

LIBRARY = Path(__file__).resolve().parents[2] / "dictsqlite"

# Functions in the format of callgrind, named once each; and where this code defines one.
NUMBER = re.compile(r"^c?fn=\((\d+)\) (\w+)", re.MULTILINE)
ENTERED = re.compile(r"^fn=\((\d+)\)", re.MULTILINE)
DEFINITION = re.compile(r"^(\w+) \((?=[^;{]*\)\n\{)", re.MULTILINE)


def homes() -> Dict[str, Set[str]]:
    """The files that define a function of each name."""
    found: Dict[str, Set[str]] = defaultdict(set)
    for path in LIBRARY.rglob("*.[ch]"):
        for name in DEFINITION.findall(path.read_text(encoding="utf-8")):
            found[name].add(str(path.relative_to(LIBRARY)))
    return found


def profile(engine: Path) -> str:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "profile"
        subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}",
                        "--toggle-collect=bench_store_set", str(engine), "--rounds", "1",
                        "one-write"], check=True, capture_output=True)
        return out.read_text(encoding="utf-8")


def main() -> None:
    text = profile(Path(sys.argv[1]) / "tests/bench/bench-engine")
    names = dict(NUMBER.findall(text))
    where = homes()
    found: Dict[str, Set[str]] = defaultdict(set)
    for name in {names.get(number, "") for number in ENTERED.findall(text)} & where.keys():
        # of a name that several files have, any stands for it
        found[min(where[name])].add(name)
    for file in sorted(found):
        print(f"{file}: {', '.join(sorted(found[file]))}")
    print(f"{sum(map(len, found.values()))} functions in {len(found)} files")


if __name__ == "__main__":
    main()
