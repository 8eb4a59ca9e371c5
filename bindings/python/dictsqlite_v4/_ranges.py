# _ranges.py - keys in the order of their characters
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Keys by their beginnings and between bounds, for which the file is asked alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable, List, Optional

from ._dsq import GError, Store
from ._errors import hides_order, to_exception
from ._keys import MAX_KEY_LENGTH, encode_text
from ._pack import unpack_keys

# Keys listed by one call.
_FIRST_LISTED = 64
_MOST_LISTED = 4096


class Ranges:
    """What StoreMapping has of these."""

    _path: str
    _store: Store
    _peek_keys: Callable[[], Iterator[Any]]

    def iter_prefix(self, prefix: str) -> Iterator[str]:
        """The keys that are str and begin with `prefix`, in the order of their characters.

        These alone are looked for, so it does not matter what else there is. Keys may be set and
        removed meanwhile: those are in it or not. Of an encrypted store, whose file hides the
        order of its keys, all keys are walked, and come in their order of insertion. Any other
        prefix than a str is a TypeError.
        """
        encoded = encode_text(prefix)
        if len(encoded) > MAX_KEY_LENGTH or encoded != str.encode(prefix, "utf-8", "surrogatepass"):
            return iter(())  # a lone surrogate, which no key has, or a longer one than any
        return self._with_prefix(prefix, encoded)

    def iter_from(self, start: str = "", /, stop: Optional[str] = None) -> Iterator[str]:
        """The keys that are str, from `start` on, before `stop`, in the order of their characters.

            page = list(islice(db.iter_from(last + "\\0"), 50))

        The file is asked for these alone; keys may be set and removed meanwhile. Of an encrypted
        store, whose file hides the order of its keys, all keys are listed and sorted.
        """
        return self._between(encode_text(start), None if stop is None else encode_text(stop))

    def _between(self, start: bytes, end: Optional[bytes]) -> Iterator[str]:
        try:
            for keys in self._list_keys(b"", start):
                if end is not None and keys[-1].encode() >= end:
                    yield from [key for key in keys if key.encode() < end]
                    return
                yield from keys
        except GError as error:
            if not hides_order(error):
                raise to_exception(error, self._path) from None
            yield from self._sorted_from(start, end)

    def _sorted_from(self, start: bytes, end: Optional[bytes]) -> Iterator[str]:
        keys = (key.encode() for key in self._texts())
        for key in sorted(key for key in keys if key >= start and (end is None or key < end)):
            yield key.decode()

    def _with_prefix(self, prefix: str, encoded: bytes) -> Iterator[str]:
        try:
            for keys in self._list_keys(encoded, b""):
                yield from keys
        except GError as error:
            if not hides_order(error):
                raise to_exception(error, self._path) from None
            yield from (key for key in self._texts() if key.startswith(prefix))

    def _list_keys(self, prefix: bytes, start: bytes) -> Iterator[List[str]]:
        """The keys that are str, from `start` on, by batches; raises GError."""
        size = _FIRST_LISTED
        while keys := unpack_keys(self._store.list_keys_pack(prefix, start, size, True)):
            yield keys
            start = keys[-1].encode() + b"\0"
            size = min(2 * size, _MOST_LISTED)

    def _texts(self) -> Iterator[str]:
        return (key for key in self._peek_keys() if type(key) is str)
