# foreign.py - pytest on another library's tests, over the store
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What run runs for each mode. The module on_SUITE has

    LEFT_OUT   patterns of files and of tests that do not apply, each with the reason
    OPTIONS    pytest's options that the tests need, if any
    EDITS      (pattern of files, regular expression, replacement): changes of the copied source
    install()  puts the store in the place of what the library has; called before tests are loaded

A test that opens no store says nothing of it, and is counted apart.
"""

import ast
import fnmatch
import importlib
import itertools
import os
import re
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from weakref import WeakValueDictionary

import pytest

from dictsqlite_v4 import AsyncDictSQLite, DictSQLiteV4

MODE = os.environ["FOREIGN_MODE"]
SOURCE = Path(os.environ["FOREIGN_SOURCE"])
STORES = Path(os.environ["FOREIGN_STORES"])
RECIPES = Path(__file__).parents[3] / "docs/recipes.md"

_ACROSS = re.MULTILINE | re.DOTALL

_numbers = itertools.count(1)
_n_opened = 0
_shared = WeakValueDictionary()
_suite = None  # the module on_SUITE
_fitting = Counter()  # what each pattern left out
_outcomes = {}  # of each test
_opens = {}  # whether it opened a store


def new_path():
    """A file that does not exist yet."""
    return STORES / f"{next(_numbers)}.db"


def opened():
    """Say that this test uses a store; the functions below do."""
    global _n_opened
    _n_opened += 1


def open_store(path=None, **parameters):
    """A store in the mode of this run, by default a new one."""
    opened()
    return DictSQLiteV4(path or new_path(), persist_mode=MODE, **parameters)


def open_shared(path, **parameters):
    """A store by its path. One for all that name it, as long as one of them has it; in writethrough
    mode each has its own, on the one file."""
    store = _shared.get(str(path)) if MODE != "writethrough" else None
    if store is None:
        store = _shared[str(path)] = open_store(path, **parameters)
    opened()
    return store


def open_async_store(path=None, **parameters):
    """The same for asyncio."""
    opened()
    return AsyncDictSQLite(path or new_path(), persist_mode=MODE, **parameters)


def recipe(heading):
    """What the example under a heading of docs/recipes.md defines before it does anything, in the
    mode of this run."""
    text = RECIPES.read_text(encoding="utf-8")
    tree = ast.parse(re.search(rf"^## {heading}$.*?^```python$(.*?)^```$", text, _ACROSS)[1])
    kinds = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef)
    tree.body = list(itertools.takewhile(lambda node: isinstance(node, kinds), tree.body))
    names = {"__name__": "recipe"}
    exec(compile(tree, RECIPES.name, "exec"), names)
    names["DictSQLiteV4"] = lambda path, **parameters: open_shared(path)
    return SimpleNamespace(**names)


def _left_out(name):
    """The pattern that fits a test, or a file."""
    return next((one for one in _suite.LEFT_OUT if fnmatch.fnmatchcase(name, one)), None)


def pytest_ignore_collect(collection_path):
    pattern = _left_out(str(collection_path.relative_to(SOURCE)))
    if pattern is not None:
        _fitting[pattern] += 1
        return True
    return None


def pytest_collection_modifyitems(config, items):
    patterns = [_left_out(item.nodeid.replace("[", "(")) for item in items]
    _fitting.update(filter(None, patterns))
    config.hook.pytest_deselected(items=[i for i, pattern in zip(items, patterns) if pattern])
    items[:] = [item for item, pattern in zip(items, patterns) if not pattern]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    before = _n_opened
    yield
    _opens[item.nodeid] = _n_opened > before


def pytest_runtest_logreport(report):
    if _outcomes.get(report.nodeid, "passed") == "passed":
        _outcomes[report.nodeid] = report.outcome


def pytest_terminal_summary(terminalreporter):
    write = terminalreporter.write_line
    for pattern, reason in _suite.LEFT_OUT.items():
        write(f"left out: {_fitting[pattern]:3} {pattern}: {reason}")
    counts = Counter((outcome, _opens.get(test)) for test, outcome in _outcomes.items())
    write(
        f"{os.environ['FOREIGN_SUITE']}, {MODE}: {counts['passed', True]} passed, "
        f"{counts['failed', True] + counts['failed', False]} failed "
        f"({sum(_fitting.values())} left out, {counts['passed', False]} that open no store, "
        f"{counts['skipped', True] + counts['skipped', False]} skipped by the suite)"
    )


def main():
    global _suite
    _suite = importlib.import_module("on_" + os.environ["FOREIGN_SUITE"])
    for files, pattern, replacement in getattr(_suite, "EDITS", ()):
        n_edits = 0
        for file in SOURCE.glob(files):
            text, n_here = re.subn(pattern, replacement, file.read_text(), flags=re.MULTILINE)
            file.write_text(text)
            n_edits += n_here
        if not n_edits:
            sys.exit(f"There is nothing in {files} to change: {pattern}")
    _suite.install()
    options = ["-q", "-p", "no:cacheprovider", "-W", "ignore", *getattr(_suite, "OPTIONS", ())]
    return pytest.main([*options, *sys.argv[1:], "."], plugins=[sys.modules[__name__]])
