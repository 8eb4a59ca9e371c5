# test_python_pages.py - the reference in Python says all that is public
# SPDX-License-Identifier: LGPL-2.1-or-later
"""They are made of the sources, and looked at beside what the interpreter says of the names."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

import pytest

import dictsqlite_v4
from dictsqlite_v4 import _aio, _memoize, _table, _watch, dbm, migrate

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs"))
from python_pages import CLASSES, page_of, python_pages  # noqa: E402

PAGES = python_pages()
HOMES = (dictsqlite_v4, _aio, _table, _watch, _memoize)


def class_of(name):
    return next(getattr(home, name) for home in HOMES if hasattr(home, name))


def public_of(owner):
    """The names, but for those that a base of another package has the description of."""
    for name in dir(owner):
        if not name.startswith("_"):
            home = next(base for base in owner.__mro__ if name in vars(base))
            if home.__module__.startswith("dictsqlite_v4"):
                yield name


def part(page, anchor):
    """What stands behind an anchor, up to the next heading's."""
    text = PAGES[page]
    assert f'<a id="{anchor}"></a>' in text, anchor
    text = text.partition(f'<a id="{anchor}"></a>')[2].partition("\n### ")[2]
    return re.split(r'^<a id=', text, flags=re.MULTILINE)[0]


def first_line(documented):
    return inspect.getdoc(documented).splitlines()[0]


def said(text):
    """Without links, signs and spaces."""
    text = re.sub(r"\[([^]]*)\]\(python-[^)]*\)", r"\1", text.replace("```python", ""))
    return re.sub(r"[`\s]|:param|^ *- ", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize("owner", CLASSES)
def test_a_class_has_all_that_it_has(owner):
    kind = class_of(owner)
    names = list(public_of(kind))
    assert len(names) > 20
    for name in names:
        member = inspect.getattr_static(kind, name)
        found = part(page_of(owner), f"{owner}.{name}")
        function = getattr(member, "__func__", getattr(member, "fget", member))
        if inspect.isfunction(function):
            assert said(inspect.getdoc(function).split("\n\n")[-1]) in said(found), name
        if inspect.isfunction(function) and not isinstance(member, property):
            for parameter in list(inspect.signature(function).parameters.values()):
                if parameter.name not in ("self", "cls"):
                    assert re.search(rf"\b{parameter.name}\b", found), (name, parameter.name)


@pytest.mark.parametrize("module", (dictsqlite_v4, dbm, migrate))
def test_a_module_has_all_that_is_public(module):
    text = PAGES["python-reference"]
    assert f"\n## {module.__name__}\n" in text
    assert module.__all__
    for name in module.__all__:
        if name in CLASSES:
            assert f"[{name}]({page_of(name)}.html)" in text
            assert first_line(class_of(name)) in PAGES[page_of(name)]
        else:
            found = text.partition(f"\n### {name}\n")[2]
            assert found, name
            documented = getattr(module, name)
            if documented is not dictsqlite_v4.DictSQLiteV4:
                assert said(first_line(documented)) in said(found.split("\n### ")[0]), name


def test_methods_that_are_named_are_links():
    assert "[DictSQLiteV4.check()](python-DictSQLiteV4.html#DictSQLiteV4.check)" in (
        part("python-AsyncDictSQLite", "AsyncDictSQLite.check_async"))
