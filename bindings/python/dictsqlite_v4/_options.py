# _options.py - what the constructor accepts
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checking of the constructor's parameters; each raises ValueError for what is out of range."""

from __future__ import annotations

import math
import operator
from typing import Any, Mapping, Optional

from ._expiry import Expire, time_to_live

# What a password of a file may cost where nothing is said: bytes of memory times passes.
KDF_LIMIT = 4 << 30

_MOST_ENTRIES = 2**63 - 1
_MOST_MILLISECONDS = 2**31 - 1


def is_address(path: bytes) -> bool:
    """Whether `path` is of a server, and names no file."""
    return path.lower().startswith((b"postgresql://", b"postgres://"))


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


def limit(name: str, value: object, least: int, most: int) -> int:
    """`value`, a number of bytes as for size(), or 0 for no limit."""
    return 0 if _as_int(value) == 0 else size(name, value, least, most)


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


def default_expire(expire: Expire, sliding: object) -> Optional[int]:
    """`expire`, how long something lives, in milliseconds; None for good."""
    if expire is None:
        if sliding:
            raise ValueError("sliding renews what expires: pass default_expire as well")
        return None
    milliseconds = time_to_live(expire)
    if milliseconds <= 0:
        raise ValueError(f"default_expire must be above 0, not {expire!r}")
    return milliseconds


def password(name: str, value: object) -> Optional[bytes]:
    """`value`, a password or None, as UTF-8. Raises UnicodeEncodeError for lone surrogates."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError(f"{name} must be str or None, not {type(value).__name__!r}")
    if not value:
        raise ValueError(f"{name} must not be empty")
    return value.encode()


def count(name: str, value: object, least: int, most: int) -> int:
    """`value`, an int from `least` to `most`."""
    number = _as_int(value)
    if number is None or not least <= number <= most:
        raise ValueError(f"{name} must be an int from {least} to {most}, not {value!r}")
    return number


def _as_int(value: Any) -> Optional[int]:
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None
