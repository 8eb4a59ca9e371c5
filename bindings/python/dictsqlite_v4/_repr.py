# _repr.py - what a store, or a table of it, looks like when it is printed
# SPDX-License-Identifier: LGPL-2.1-or-later
"""repr() of mappings that may be as large as a disk."""

from __future__ import annotations

from itertools import islice
from typing import Any, Mapping

_MOST_ITEMS = 20
_MOST_CHARACTERS = 200  # of one key or value


def describe(head: str, mapping: Mapping[Any, Any]) -> str:
    """`head` and at most 20 items of `mapping`, or why they cannot be had."""
    try:
        items = [
            f"{_short_repr(key)}: {_short_repr(value)}"
            for key, value in islice(mapping.items(), _MOST_ITEMS + 1)
        ]
    except (RuntimeError, OSError) as error:
        return f"<{head} {error}>"
    if len(items) > _MOST_ITEMS:
        items[-1] = "..."
    return f"<{head} {{{', '.join(items)}}}>"


def _short_repr(value: object) -> str:
    text = repr(value)
    if len(text) <= _MOST_CHARACTERS:
        return text
    return text[:_MOST_CHARACTERS] + "..."
