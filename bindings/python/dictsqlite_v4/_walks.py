# _walks.py - walks over a store's keys and values, in the order in which they were inserted
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Walks.

A scan of the library's gives entries in batches. It is asked after each entry whether the rest of
the batch is still true, as the one who got the entry may have changed anything since. Where it is
not, as little as can be is asked for: who has changed something will do so again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Callable, Generic, Tuple, TypeVar

from ._dsq import GError, Scan, Store
from ._errors import to_exception, unloadable, unreadable
from ._keys import decode_key
from ._pack import unpack

# Entries fetched by one call of a scan: one at first, since next(iter(db)) needs no more, then
# these, and so on.
_SECOND_BATCH = 16
_LARGEST_BATCH = 512

# Bytes of a pack of nothing, and of what stands before the item in a pack of one.
_EMPTY, _BEFORE_ONE = 4, 8

_Key = TypeVar("_Key")


class Walks(Generic[_Key]):
    """What StoreMapping has of these."""

    _path: str
    _has_password: bool
    _store: Store
    _decode: Callable[[bytes], Any]

    def __iter__(self) -> Iterator[_Key]:
        """The keys, oldest first; RuntimeError when this thread changes the size meanwhile."""
        return self._walk_keys(self._walk(False))

    def __reversed__(self) -> Iterator[_Key]:
        """The keys, newest first; RuntimeError when this thread changes the size meanwhile."""
        return self._walk_keys(self._walk(True))

    def _walk(self, backwards: bool) -> Scan:
        try:
            return self._store.walk_pack(backwards)  # it begins here, as a dict's iterator does
        except GError as error:
            raise to_exception(error, self._path) from None

    def _walk_keys(self, scan: Scan) -> Iterator[Any]:
        try:
            # by itself, for who uses the store as a queue: next(iter(db)), and no more
            first = scan.next_key_pack()
            if len(first) <= _EMPTY:
                return
            yield decode_key(first[_BEFORE_ONE:])
            size, then = _SECOND_BATCH, 2 * _SECOND_BATCH
            if not scan.check(1):
                size, then = 1, 2
            while batch := unpack(scan.next_pack(size, True)):
                size, then = then, min(2 * then, _LARGEST_BATCH)
                for n_used, key in enumerate(batch, 1):
                    yield decode_key(key)
                    if not scan.check(n_used):
                        size, then = 1, 2
                        break
        except GError as error:
            raise to_exception(error, self._path) from None

    def _peek_keys(self) -> Iterator[Any]:
        """The keys, some of which may be gone when they come; no change is an error."""
        scan = self._walk(False)
        size, then = 1, _SECOND_BATCH
        try:
            while batch := unpack(scan.next_pack(size, True)):
                yield from map(decode_key, batch)
                size, then = then, min(2 * then, _LARGEST_BATCH)
        except GError as error:
            raise to_exception(error, self._path) from None

    def _walk_values(self, backwards: bool, errors: str) -> Iterator[Tuple[bytes, Any]]:
        """Encoded keys, with values; what cannot be loaded as `errors` says."""
        return self._load_walk(self._walk(backwards), errors)

    def _load_walk(self, scan: Scan, errors: str) -> Iterator[Tuple[bytes, Any]]:
        decode = self._decode
        size, then = 1, _SECOND_BATCH
        try:
            while batch := unpack(scan.next_pack(size, False)):
                size, then = then, min(2 * then, _LARGEST_BATCH)
                n_used = 0
                for key, record in zip(batch[::2], batch[1::2]):
                    n_used += 1
                    try:
                        value = decode(record)
                    except Exception as error:
                        value = self._report(error, decode_key(key), record, errors)
                        if errors == "skip":
                            continue
                    yield key, value
                    if not scan.check(n_used):
                        size, then = 1, 2
                        break
        except GError as error:
            raise to_exception(error, self._path) from None

    def _walk_items(self, backwards: bool, errors: str) -> Iterator[Tuple[Any, Any]]:
        return ((decode_key(key), value) for key, value in self._walk_values(backwards, errors))

    def _load_each(
        self, entries: Iterable[Tuple[Any, bytes]], errors: str
    ) -> Iterator[Tuple[Any, Any]]:
        """The keys that have a record, with values; what cannot be loaded as `errors` says."""
        decode = self._decode
        for key, record in entries:
            if not record:
                continue
            try:
                value = decode(record)
            except Exception as error:
                value = self._report(error, key, record, errors)
                if errors == "skip":
                    continue
            yield key, value

    def _report(self, error: Exception, key: object, record: bytes, errors: str) -> Exception:
        """What stands for a value that cannot be loaded; raised where that is to end the walk."""
        problem: Exception
        if record[0]:
            problem = unloadable(error, key, not self._has_password)
        else:  # no type of a record: its row is damaged
            problem = unreadable(record, key, not self._has_password, self._path)
        if errors == "strict":
            raise problem
        return problem
