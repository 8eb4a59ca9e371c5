# _options.py - what the constructor accepts
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checking of the constructor's parameters; each raises ValueError for what is out of range."""

from __future__ import annotations

import math
import operator
from typing import Any, Mapping, Optional

_MOST_ENTRIES = 2**63 - 1
_MOST_MILLISECONDS = 2**31 - 1


def choice(name: str, value: object, choices: Mapping[str, Any]) -> str:
    """The one of `choices` that `value` names, in any case and with underscores or without."""
    word = value.lower().replace("_", "") if isinstance(value, str) else ""
    if word not in choices:
        words = ", ".join(map(repr, choices))
        raise ValueError(f"{name} must be one of {words}, not {value!r}")
    return word


def capacity(value: object) -> int:
    """`value`, an int that is at least 1. What is beyond 63 bits becomes the most."""
    number = _as_int(value)
    if number is None or number < 1:
        raise ValueError(f"hot_capacity must be an int and at least 1, not {value!r}")
    return min(number, _MOST_ENTRIES)


def size(name: str, value: object, least: int, most: int) -> int:
    """`value`, a number of bytes from `least` to `most`."""
    number = _as_int(value)
    if number is None or not least <= number <= most:
        raise ValueError(f"{name} must be a number of bytes from {least} to {most}, not {value!r}")
    return number


def milliseconds(name: str, value: object, least: int) -> int:
    """`value`, a number of seconds, in milliseconds, rounded up and at least `least`."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        # compared first: a NaN or an infinity has no ceiling
        if 0 <= value <= _MOST_MILLISECONDS // 1000 and math.ceil(value * 1000) >= least:
            return math.ceil(value * 1000)
    raise ValueError(
        f"{name} must be a number of seconds from {least / 1000} to "
        f"{_MOST_MILLISECONDS // 1000}, not {value!r}"
    )


def refuse_encryption(password: Optional[str]) -> None:
    """Raise NotImplementedError for a password, which this version cannot use."""
    if password is not None:
        if not isinstance(password, str):
            raise TypeError(
                f"encryption_password must be str or None, not {type(password).__name__!r}"
            )
        if not password:
            raise ValueError("encryption_password must not be empty")
        raise NotImplementedError("encryption_password: this version does not encrypt")


def _as_int(value: Any) -> Optional[int]:
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None
