#!/usr/bin/python3
# check.py - the checks of style: see --help
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Check the project's style; prints one line a check (TAP), and what is wrong under it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Callable, Dict, List

import c_checks
import call_checks
import lock_checks
import surface_checks
import text_checks
from files import Tree

SYMBOLS = "tests/style/exported-symbols.txt"
SYMBOLS_HEAD = "# What libdictsqlite-1.so exports; tests/style/check.py --update writes this file\n"

Check = Callable[[Tree], List[str]]


def symbol_checks(library: Path) -> Dict[str, Check]:
    def check_headers(tree: Tree) -> List[str]:
        listed = c_checks.symbols_in_file(tree, SYMBOLS)
        return c_checks.differences(SYMBOLS, listed, c_checks.exported_symbols(tree))

    def check_library(tree: Tree) -> List[str]:
        listed = c_checks.symbols_in_file(tree, SYMBOLS)
        return c_checks.differences(library.name, c_checks.symbols_in_library(library), listed)

    return {
        "listed-symbols-are-the-headers": check_headers,
        "library-exports-the-listed-symbols": check_library,
    }


def archive_checks(archive: Path) -> Dict[str, Check]:
    def bind(check: Callable[[Path], List[str]]) -> Check:
        return lambda tree: check(archive)

    return {name: bind(check) for name, check in call_checks.ARCHIVE_CHECKS.items()}


def update_symbols(tree: Tree) -> None:
    symbols = sorted(c_checks.exported_symbols(tree))
    (tree.root / SYMBOLS).write_text(SYMBOLS_HEAD + "".join(f"{name}\n" for name in symbols),
                                     encoding="utf-8")
    print(f"{SYMBOLS}: {len(symbols)} symbols")


def run_checks(checks: Dict[str, Check], tree: Tree) -> int:
    """Prints the results; the number of checks that failed."""
    n_failed = 0
    print(f"1..{len(checks)}")
    print(f"# {tree.source}")
    for number, (name, check) in enumerate(checks.items(), 1):
        try:
            problems = check(tree)
        except Exception as error:  # a check that cannot run has not passed
            problems = [f"the check itself failed: {error!r}"]
        print(f"{'not ok' if problems else 'ok'} {number} /style/{name}", flush=True)
        for problem in problems:
            print(f"  {problem}", file=sys.stderr)  # meson keeps what TAP says to itself
        n_failed += bool(problems)
    print(f"# {len(checks) - n_failed} passed, {n_failed} failed")
    return n_failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2],
                        help="the project's folder")
    parser.add_argument("--library", type=Path, help="the built libdictsqlite-1.so to look into")
    parser.add_argument("--rooms", type=Path, help="the archive of the objects that it is made of")
    parser.add_argument("--update", action="store_true",
                        help=f"write {SYMBOLS} from the headers, and check nothing")
    arguments = parser.parse_args()

    tree = Tree(arguments.root)
    if arguments.update:
        update_symbols(tree)
        return 0
    checks: Dict[str, Check] = {**text_checks.CHECKS, **c_checks.CHECKS,
                               **lock_checks.CHECKS, **call_checks.CHECKS,
                               **surface_checks.CHECKS}
    if arguments.rooms:
        checks.update(archive_checks(arguments.rooms))
    if arguments.library:
        checks.update(symbol_checks(arguments.library))
    return 1 if run_checks(checks, tree) else 0


if __name__ == "__main__":
    sys.exit(main())
