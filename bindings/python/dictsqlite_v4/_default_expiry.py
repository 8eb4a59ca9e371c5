# _default_expiry.py - stores whose entries all expire
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The library's store, for a mapping with a default expiry.

Whatever is written without a time of its own gets the default one, in the same step, and what is
read may be renewed. A store without a default is never seen through one of these, and so pays
nothing.
"""

from __future__ import annotations

from typing import Any, List, Optional, Tuple

from ._pack import pack, unpack, unpack_records
from ._values import STRING

_MUST_ASK = b"\x00"


class ExpiringStore:
    """A Store as _dsq describes it."""

    def __init__(self, native: Any, milliseconds: int, sliding: bool) -> None:
        self.native = native
        self.default_milliseconds = milliseconds
        self.sliding = sliding
        # Renewing is a write; one that changes less than a hundredth of the time is left out.
        self._renew_below = milliseconds * 99 // 100

    def __getattr__(self, name: str) -> Any:
        return getattr(self.native, name)

    def get_table_utf8(self, name: bytes) -> ExpiringStore:
        table = self.native.get_table_utf8(name)
        return ExpiringStore(table, self.default_milliseconds, self.sliding)

    def begin(self) -> ExpiringStore:
        return ExpiringStore(self.native.begin(), self.default_milliseconds, self.sliding)

    # --- reads

    def get_text(self, key: str) -> bytes:
        return self.get_record(key.encode())

    def get_record(self, key: bytes) -> bytes:
        record: bytes = self.native.get_record(key)
        if record and self.sliding:
            self._renew(key)
        return record

    def get_pack(self, keys: bytes) -> bytes:
        records: bytes = self.native.get_pack(keys)
        if self.sliding:
            for key, record in zip(unpack(keys), unpack_records(records)):
                if record and record[0]:  # and it is not damaged
                    self._renew(key)
        return records

    def peek_record(self, key: bytes) -> bytes:
        record: bytes = self.native.peek_record(key)
        return _MUST_ASK if record and self.sliding else record

    def _renew(self, key: bytes) -> None:
        if 0 < self.native.get_expiry_key(key) < self._renew_below:
            self.native.touch_key(key, self.default_milliseconds)

    def contains_text(self, key: str) -> int:
        return self.native.contains_text(key)  # type: ignore[no-any-return]

    def remove_text(self, key: str) -> int:
        return self.native.remove_text(key)  # type: ignore[no-any-return]

    # --- writes

    def set_text(self, text: str) -> bool:
        key, found, value = text.encode().partition(STRING)
        return bool(found) and STRING not in value and self.set_record(key, STRING + value)

    def set_stamped_text(self, key: str, record: bytes) -> bool:
        return self.set_record(key.encode(), record)

    def set_record(self, key: bytes, record: bytes) -> bool:
        self.native.set_expiring_record(key, record, self.default_milliseconds)
        return True

    def set_pack(self, entries: bytes) -> bool:
        return self.apply_pack(b"", entries, False, None) == 1

    def apply_pack(
        self, expected: bytes, changes: bytes, clears: bool, times: Optional[List[int]]
    ) -> int:
        if times is None:
            times = [self.default_milliseconds] * (len(unpack(changes)) // 2)
        applied: int = self.native.apply_pack(expected, changes, clears, times)
        return applied

    def increment_key(self, key: bytes, delta: int, initial: int) -> Tuple[bool, int]:
        # As for what is beyond 64 bits: incr() does it by exchanges then, which give a key that is
        # missing its time together with its value.
        raise OverflowError

    def compare_and_set_record(
        self, key: bytes, expected: bytes, record: bytes, keeps_expiry: bool
    ) -> int:
        if record and not (expected and keeps_expiry):
            return self._exchange(key, expected, record)
        return self.native.compare_and_set_record(  # type: ignore[no-any-return]
            key, expected, record, keeps_expiry
        )

    def _exchange(self, key: bytes, expected: bytes, record: bytes) -> int:
        return self.apply_pack(pack((key, expected)), pack((key, record)), False, None)
