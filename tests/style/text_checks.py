# text_checks.py - checks of files as text
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each check gives a list of 'place: what is wrong'."""

from __future__ import annotations

import re
import subprocess
from typing import List

from files import Tree

MAX_LINES = 600
MAX_PRIVATE_LINES = 200
MAX_WIDTH = 100
TOP_LEVEL = {
    "meson.build", "meson_options.txt", "pyproject.toml", "dictsqlite", "bindings", "tests", "docs",
    "data", "debian", "README.md", "LICENSE",
}
# A line that parts a file into its sections, with the section's name.
RULER = re.compile(r"/\* -+ \w.* -+ \*/")
TEST = re.compile(r"test(-.*\.(c|js|vala)|_.*\.py)")
# Written so that this line is none itself.
LEFTOVER = re.compile(r"\b(?:TO[D]O|FIX[M]E|X[X]X)\b|^[<]{7} |^[>]{7} ")


def check_format(tree: Tree) -> List[str]:
    """clang-format changes nothing."""
    problems = []
    for path in tree.with_suffix(".c", ".h"):
        formatted = subprocess.run(
            ["clang-format", "--style=file", f"--assume-filename={tree.root / path}"],
            input=tree.text(path), capture_output=True, text=True, check=True, cwd=tree.root,
        ).stdout
        if formatted != tree.text(path):
            differing = [
                number
                for number, (ours, theirs) in enumerate(
                    zip(tree.lines(path) + [""], formatted.splitlines() + [""]), 1)
                if ours != theirs
            ]
            problems.append(f"{path}:{differing[0] if differing else 1}: run clang-format -i on it")
    return problems


def check_length(tree: Tree) -> List[str]:
    """No source is over 600 lines."""
    return [
        f"{path}: {len(tree.lines(path))} lines, at most {MAX_LINES}"
        for path in tree.sources()
        if len(tree.lines(path)) > MAX_LINES
    ]


def check_headers(tree: Tree) -> List[str]:
    """A private header is about one thing, and not over 200 lines."""
    return [
        f"{path}: {len(tree.lines(path))} lines, at most {MAX_PRIVATE_LINES}"
        for path in tree.with_suffix("-private.h", "-internal.h")
        if len(tree.lines(path)) > MAX_PRIVATE_LINES
    ]


def check_banner(tree: Tree) -> List[str]:
    """Every source begins with its name, what it is, and its licence."""
    problems = []
    for path in tree.sources():
        start = tree.lines(path)[:4]
        if start and start[0].startswith("#!"):
            start = start[1:]
        name = path.rsplit("/", 1)[-1]
        if not start or f"{name} - " not in start[0]:
            problems.append(f"{path}:1: its first line should read '{name} - what it is'")
        if not any("SPDX-License-Identifier: LGPL-2.1-or-later" in line for line in start[:3]):
            problems.append(f"{path}:2: no SPDX-License-Identifier")
    return problems


def check_rulers(tree: Tree) -> List[str]:
    """A ruler, `/* --- name --- */`, is one line, which the formatter would break in two."""
    return [
        f"{path}:{number}: a ruler is one line of at most {MAX_WIDTH} columns"
        for path in tree.with_suffix(".c", ".h")
        for number, line in enumerate(tree.lines(path), 1)
        if line.startswith("/* --") and not RULER.fullmatch(line)
    ]


DATA = ("tests/fixtures/", "tests/fuzz/corpus/")


def check_whitespace(tree: Tree) -> List[str]:
    """No trailing space, no tab, no CR; each file ends with one newline."""
    problems = []
    for path in tree.paths:
        text = tree.text(path)
        if not text or path == "LICENSE" or path.startswith(DATA):
            continue
        if not text.endswith("\n") or text.endswith("\n\n"):
            problems.append(f"{path}: should end with one newline")
        for number, line in enumerate(text.split("\n"), 1):
            if line != line.rstrip():
                problems.append(f"{path}:{number}: space at the end of the line")
            if "\t" in line and path != "debian/rules":  # which make wants them in
                problems.append(f"{path}:{number}: tab")
    return problems


def check_python(tree: Tree) -> List[str]:
    """Python compiles, and no line is over 100 characters."""
    problems = []
    for path in tree.with_suffix(".py"):
        try:
            compile(tree.text(path), path, "exec")
        except SyntaxError as error:
            problems.append(f"{path}:{error.lineno}: {error.msg}")
        for number, line in enumerate(tree.lines(path), 1):
            if len(line) > MAX_WIDTH:
                problems.append(f"{path}:{number}: {len(line)} characters, at most {MAX_WIDTH}")
    return problems


def check_top_level(tree: Tree) -> List[str]:
    """The top level holds what it may hold."""
    tops = {path.split("/", 1)[0] for path in tree.paths}
    return [f"{top}: not a name of the top level"
            for top in sorted(tops - TOP_LEVEL) if not top.startswith(".")]


def check_leftovers(tree: Tree) -> List[str]:
    """Nothing is left to be done, or half merged."""
    return [
        f"{path}:{number}: {found[0]}"
        for path in tree.paths
        if path != "LICENSE"
        for number, line in enumerate(tree.lines(path), 1)
        if (found := LEFTOVER.search(line))
    ]


def check_tests(tree: Tree) -> List[str]:
    """Each test is named by the meson.build beside it, or its folder is collected by tests/run."""
    problems = []
    for path in tree.paths:
        folder, _, name = path.rpartition("/")
        if not folder.startswith("tests/") or not TEST.fullmatch(name):
            continue
        if name.endswith(".py") and f'"${folder}"' in tree.text("tests/run"):
            continue
        build = f"{folder}/meson.build"
        listed = re.sub(r"#.*", "", tree.text(build)) if build in tree.paths else ""
        words = "|".join(map(re.escape, re.findall(r"'([^']+)'", listed)))
        if not re.fullmatch(rf"(test[-_])?({words})(\.\w+)?", name):
            problems.append(f"{path}: no meson.build names it, and tests/run does not collect it")
    return problems


REASONS = "tests/coverage-reasons.txt"


def check_reasons(tree: Tree) -> List[str]:
    """Why a branch is not taken is said of a line that is there, of a function that is."""
    problems = []
    for number, line in enumerate(tree.lines(REASONS), 1):
        where = re.fullmatch(r"(dictsqlite/\S+) (\w+): (.+)", line)
        if where is None:
            continue
        path, function, text = where.groups()
        lines = [one.strip() for one in tree.lines(path)] if path in tree.paths else []
        if (text != "*" and text not in lines) or not any(function in one for one in lines):
            problems.append(f"{REASONS}:{number}: there is no such line")
    return problems


CHECKS = {
    "format-is-clang-formats": check_format,
    "no-source-over-600-lines": check_length,
    "no-private-header-over-200-lines": check_headers,
    "each-source-has-its-banner": check_banner,
    "each-ruler-is-one-line": check_rulers,
    "whitespace-is-clean": check_whitespace,
    "python-compiles-within-100-columns": check_python,
    "top-level-holds-only-its-names": check_top_level,
    "nothing-is-left-over": check_leftovers,
    "each-test-is-run": check_tests,
    "each-reason-is-of-a-line-that-is-there": check_reasons,
}
