# _atomic.py - counting, and setting what is as expected
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Operations that read a key and write it in one step."""

from __future__ import annotations

from typing import Any, Callable, Optional

from ._dsq import GError, Store
from ._errors import is_other_value, to_exception
from ._keys import encode_key, find_key


class AtomicMethods:
    """What StoreMapping has of this."""

    _path: str
    _store: Store
    _encode: Callable[[Any], bytes]
    _load: Callable[[Any, bytes], Any]
    _find_nothing: Callable[[Exception], bytes]

    def incr(self, key: Any, delta: Any = 1, default: Any = 0) -> Any:
        """Add `delta` to the number at `key`, in one step, and return the sum.

        A missing key counts as `default`; where that is None, KeyError. Threads that count at the
        same time lose nothing, nor do processes in writethrough mode. A key that expires does so
        when it would have. Besides int, of any size, all that can be added works: float, Decimal,
        str, list. Raises what adding raises.
        """
        encoded = encode_key(key)
        if type(delta) is int and type(default) is int:
            try:
                return self._store.increment_key(encoded, delta, default)[1]
            except OverflowError:
                pass  # a parameter is beyond 64 bits
            except GError as error:
                # a number of another type, or a sum beyond 64 bits, or what has no sum
                if not is_other_value(error):
                    raise to_exception(error, self._path) from None

        def add(value: Any) -> Any:
            return value + delta

        return self._exchange(key, encoded, default, add)

    def decr(self, key: Any, delta: Any = 1, default: Any = 0) -> Any:
        """Subtract `delta` from the number at `key`, as incr() adds."""
        if type(delta) is int:
            return self.incr(key, -delta, default)

        def subtract(value: Any) -> Any:
            return value - delta

        return self._exchange(key, encode_key(key), default, subtract)

    def _exchange(
        self, key: Any, encoded: bytes, default: Any, change: Callable[[Any], Any]
    ) -> Any:
        """Set a key to what `change` makes of it, again until nobody came between."""
        while True:
            record = self._lookup(encoded)
            if not record and default is None:
                raise KeyError(key)
            value = change(self._load(key, record) if record else default)
            if self._exchange_record(encoded, record, self._encode(value), True):
                return value

    def compare_and_set(self, key: Any, expected: Any, new: Any) -> bool:
        """Set `key` to `new` if its value equals `expected`, in one step; whether it did.

        A missing key has no value, so it is left missing: setdefault() sets such a one. A key
        that would have expired is set for good.
        """
        encoded = find_key(key)
        replacement: Optional[bytes] = None
        while True:
            record = self._lookup(encoded)
            if not record:
                return False
            value = self._load(key, record)
            if not (value is expected or value == expected):
                return False
            if replacement is None:
                replacement = self._encode(new)
            if self._exchange_record(encoded, record, replacement, False):
                return True

    def _lookup(self, encoded: bytes) -> bytes:
        """The record of what find_key() gave."""
        try:
            return self._store.get_record(encoded)
        except GError as error:
            return self._find_nothing(error)

    def _exchange_record(
        self, encoded: bytes, expected: bytes, record: bytes, keeps_expiry: bool
    ) -> bool:
        try:
            return self._store.compare_and_set_record(encoded, expected, record, keeps_expiry) == 1
        except GError as error:
            raise to_exception(error, self._path) from None
