# lock_checks.py - checks of the order of locks, and of what says that one is held
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The ranks in the code, the same ranks as the documentation tells them, and who asserts them."""

from __future__ import annotations

import re
from typing import List, Tuple

from c_checks import room_of
from files import Tree

HEADER = "dictsqlite/base/dsq-mutex-private.h"
SOURCE = "dictsqlite/base/dsq-mutex.c"
ARCHITECTURE = "docs/architecture.md"

RANK = re.compile(r"^  DSQ_RANK_(\w+),? +/\* (.*?) \*/$", re.MULTILINE)
NAMED = re.compile(r'\[DSQ_RANK_(\w+)\] = \{ "(\w+)", (TRUE|FALSE) \}')
ROW = re.compile(r"^\| (\w+) \| (.+?) \| (yes|no) \|$", re.MULTILINE)

LOCKED = re.compile(r"^(?:static inline [^\n(]*?)?(\w+_locked) \([^;{]*\)\n\{\n(.*?)^\}",
                    re.MULTILINE | re.DOTALL)
ASSERTS = re.compile(r"\bdsq_\w*assert\w*(?:held|locked) \(")

# What a lock is called, what it guards, and whether its holder may wait.
Lock = Tuple[str, str, str]


def locks_in_code(tree: Tree) -> List[Lock]:
    guards = RANK.findall(tree.text(HEADER))
    named = {rank: (name, "yes" if may_wait == "TRUE" else "no")
             for rank, name, may_wait in NAMED.findall(tree.text(SOURCE))}
    return [(named[rank][0], text, named[rank][1]) for rank, text in guards]


def locks_in_docs(tree: Tree) -> List[Lock]:
    section = tree.text(ARCHITECTURE).split("\n## Locks\n")[1].split("\n## ")[0]
    return ROW.findall(section)


def check_table(tree: Tree) -> List[str]:
    """The table of locks in docs/architecture.md is the code's, in its order."""
    code, docs = locks_in_code(tree), locks_in_docs(tree)
    problems = []
    for number in range(max(len(code), len(docs))):
        ours = "| {} | {} | {} |".format(*code[number]) if number < len(code) else "nothing"
        theirs = "| {} | {} | {} |".format(*docs[number]) if number < len(docs) else "nothing"
        if ours != theirs:
            problems.append(f"{ARCHITECTURE}: lock {number + 1} is {theirs}, in {HEADER} {ours}")
    return problems or ([] if code else [f"{HEADER}: no ranks found"])


def check_locked(tree: Tree) -> List[str]:
    """A function whose name says that a lock is held asserts that it is, before anything else."""
    problems = []
    for path in tree.with_suffix(".c", ".h", below="dictsqlite/"):
        for found in LOCKED.finditer(tree.text(path)):
            statements = re.split(r"\n\n", found[2])[:2]
            # base is what asserts, and a lock below all of these
            if room_of(path) != "base" and not any(map(ASSERTS.search, statements)):
                line = tree.text(path).count("\n", 0, found.start()) + 1
                problems.append(f"{path}:{line}: {found[1]} does not assert its lock")
    return problems


CHECKS = {
    "locks-are-as-documented": check_table,
    "what-is-locked-asserts-it": check_locked,
}
