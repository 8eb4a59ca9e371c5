# _expiry.py - entries that end by themselves
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Expiry: what a dict does not have, and a cache needs."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

from ._dsq import NEVER, GError, Store
from ._errors import to_exception
from ._keys import encode_key

if TYPE_CHECKING:
    from datetime import timedelta

# How long something lives: seconds, a timedelta, or None for good.
Expire = Union[float, "timedelta", None]

# Where no time is given: the store's default_expire, which is for good unless it has one.
DEFAULT: Any = ...

# Some 280,000 years: in milliseconds, that is less than NEVER.
_MOST_SECONDS = 9e12


class Expiry:
    """The part of a store's mapping that has to do with time.

    An entry may be given a time to live, in seconds of the system's clock, or as a timedelta. When
    that is over the key is absent: to every method, to iteration, to other processes, and after
    the store was opened anew.
    """

    _path: str
    _store: Store
    _call: Callable[..., Any]
    _encode: Callable[[Any], bytes]

    def set(self, key: Any, value: Any, *, expire: Expire = DEFAULT) -> None:
        """Set the value of `key`, for `expire` seconds from now, or for good with None.

        Left out it is the store's default_expire.
        With 0 or less it is over at once, as for a deadline that has passed. Raises ValueError
        for a NaN or an infinity.
        """
        milliseconds = None if expire is DEFAULT else time_to_live(expire)
        encoded = encode_key(key)
        record = self._encode(value)
        try:
            if milliseconds is None:
                self._store.set_record(encoded, record)
            else:
                self._store.set_expiring_record(encoded, record, milliseconds)
        except GError as error:
            raise to_exception(error, self._path) from None

    def touch(self, key: Any, expire: Expire = None) -> bool:
        """Have `key` expire in `expire` seconds from now, or never; whether it is there.

        Its value and its place stay as they are.
        """
        milliseconds = time_to_live(expire)
        return bool(self._call(lambda encoded: self._store.touch_key(encoded, milliseconds), key))

    def expires_in(self, key: Any) -> Optional[float]:
        """The seconds that `key` has to live, None for good; raises KeyError where missing."""
        milliseconds: int = self._call(self._store.get_expiry_key, key)
        if not milliseconds:
            raise KeyError(key)
        return None if milliseconds == NEVER else milliseconds / 1000

    def set_clock_offset(self, offset: Union[float, timedelta]) -> None:
        """Have the store's clock be `offset` later than the system's: for tests of what expires.

        It is a number of seconds or a timedelta, and the whole store's, tables included.
        """
        self._store.set_property("clock-offset", time_to_live(offset))

    def expire(self) -> int:
        """Remove what has expired, and return how much that was.

        Writes, len() and iteration do so by the way; this is for stores that are only read.
        """
        try:
            return self._store.expire(None)
        except GError as error:
            raise to_exception(error, self._path) from None


def time_to_live(expire: Expire) -> int:
    """`expire`, a number of seconds, a timedelta or None, in milliseconds, rounded up."""
    if expire is None:
        return NEVER
    datetime = sys.modules.get("datetime")  # without it there is no timedelta
    if datetime is not None and isinstance(expire, datetime.timedelta):
        expire = expire.total_seconds()
    if isinstance(expire, bool) or not isinstance(expire, (int, float)):
        raise TypeError(f"expire must be a number of seconds, a timedelta or None, not {expire!r}")
    # compared first: a NaN or an infinity has no ceiling
    if not -_MOST_SECONDS <= expire <= _MOST_SECONDS:
        raise ValueError(f"expire must be a finite number of seconds, not {expire!r}")
    return math.ceil(expire * 1000)
