# _repr.py - what a store, or a table of it, looks like when it is printed
# SPDX-License-Identifier: LGPL-2.1-or-later
"""repr() of mappings that may be as large as a disk, and hold whatever they may."""

from __future__ import annotations

from itertools import islice
from typing import Any, Callable, Dict, Iterator, List, Tuple


_MOST_ITEMS = 20
_MOST_CHARACTERS = 200  # of one key or value


def describe(head: str, mapping: Any) -> str:
    """`head` and at most 20 items of `mapping`, or why they cannot be had; raises nothing."""
    try:
        items = [
            f"{short(show, key)}: {short(show, value)}"
            for key, value in islice(mapping._walk_items(False, "report"), _MOST_ITEMS + 1)
        ]
    except Exception as error:
        return f"<{head} {printable(short(str, error))}>"
    if len(items) > _MOST_ITEMS:
        items[-1] = "..."
    return f"<{head} {{{', '.join(items)}}}>"


def printable(text: str) -> str:
    """`text`, whose characters that control a terminal, or the direction of others, are escaped:
    for names in messages, which may come from others' files.
    """
    if text.isprintable():
        return text
    return "".join(part if part.isprintable() else repr(part)[1:-1] for part in text)


# The brackets of what repr() goes into, one and all, and what it says of an empty one.
_BRACKETS: Dict[type, Tuple[str, str, str]] = {
    list: ("[", "]", "[]"),
    tuple: ("(", ")", "()"),
    dict: ("{", "}", "{}"),
    set: ("{", "}", "set()"),
    frozenset: ("frozenset({", "})", "frozenset()"),
}


def show(value: object) -> str:
    """repr(value), or a little more than the characters of it that are shown.

    A few hundred bytes of lists that hold one another many times have a repr() that never ends.
    """
    parts: List[str] = []
    left = _MOST_CHARACTERS
    for part in _parts(value, []):
        parts.append(part)
        left -= len(part)
        if left < 0:
            break
    return "".join(parts)


def _parts(value: Any, around: List[object]) -> Iterator[str]:
    kind = type(value)
    if kind in (str, bytes, bytearray):
        yield repr(value[: _MOST_CHARACTERS + 1])
        return
    if kind not in _BRACKETS or not value:
        yield _BRACKETS[kind][2] if kind in _BRACKETS else repr(value)
        return
    before, after, _ = _BRACKETS[kind]
    if any(value is other for other in around):
        yield f"{before}...{after}"
        return
    around.append(value)
    yield before
    for n, item in enumerate(value):
        yield ", " if n else ""
        yield from _parts(item, around)
        if kind is dict:
            yield ": "
            yield from _parts(value[item], around)
    yield "," + after if kind is tuple and len(value) == 1 else after
    around.pop()


def short(describe_one: Callable[[Any], str], value: object) -> str:
    """The beginning of what `describe_one`, show() say, makes of `value`, whatever it raises."""
    try:
        text = describe_one(value)
    except Exception as error:
        text = f"<{type(value).__name__} that raises {type(error).__name__} when it is shown>"
    if len(text) <= _MOST_CHARACTERS:
        return text
    return text[:_MOST_CHARACTERS] + "..."
