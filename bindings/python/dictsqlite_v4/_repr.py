# _repr.py - what a store, or a table of it, looks like when it is printed
# SPDX-License-Identifier: LGPL-2.1-or-later
"""repr() of mappings that may be as large as a disk, and hold whatever they may."""

from __future__ import annotations

from itertools import islice
from typing import Any, Callable

_MOST_ITEMS = 20
_MOST_CHARACTERS = 200  # of one key or value


def describe(head: str, mapping: Any) -> str:
    """`head` and at most 20 items of `mapping`, or why they cannot be had; raises nothing."""
    try:
        items = [
            f"{short(repr, key)}: {short(repr, value)}"
            for key, value in islice(mapping._walk_items(False, "report"), _MOST_ITEMS + 1)
        ]
    except Exception as error:
        return f"<{head} {short(str, error)}>"
    if len(items) > _MOST_ITEMS:
        items[-1] = "..."
    return f"<{head} {{{', '.join(items)}}}>"


def short(describe_one: Callable[[Any], str], value: object) -> str:
    """The beginning of what `describe_one`, repr say, makes of `value`, whatever it raises."""
    try:
        text = describe_one(value)
    except Exception as error:
        text = f"<{type(value).__name__} that raises {type(error).__name__} when it is shown>"
    if len(text) <= _MOST_CHARACTERS:
        return text
    return text[:_MOST_CHARACTERS] + "..."
