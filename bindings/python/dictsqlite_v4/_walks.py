# _walks.py - walks over a store's keys and values, in the order in which they were inserted
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Walks.

A scan of the library's gives entries in batches. After each entry the rest of the batch may not be
true any more, as the one who got the entry may have changed anything since. Words in memory tell
when it surely is; else the scan is asked. Where it is not, as little as can be is asked for: who
has changed something will do so again.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from operator import length_hint
from typing import Any, Callable, Generic, List, Optional, Set, Tuple, TypeVar

from ._dsq import WORD_ASKS, WORD_LIVE, WORD_WALKS, GError, Scan, Store
from ._errors import to_exception, unloadable, unreadable
from ._keys import decode_key
from ._pack import unpack, unpack_keys, unpack_text_entries
from ._whole import ITEMS, KEYS, VALUES, WholeTables

# Entries fetched by one call of a scan: one at first, since next(iter(db)) needs no more, then
# these, and so on.
_SECOND_BATCH = 16
_LARGEST_BATCH = 512

# Bytes of a pack of nothing, and of what stands before the item in a pack of one.
_EMPTY, _BEFORE_ONE = 4, 8

_Key = TypeVar("_Key")
_Walk = Tuple[Scan, Any, bool, int]

# What walks look at that must ask each time.
_ASK_ALWAYS = {WORD_LIVE: 0, WORD_WALKS: 0, WORD_ASKS: 1}


def _look_at(words: Any) -> Tuple[int, int]:
    """What is to be the same still, if nothing has changed when it is looked at again, in this
    order. Where others than the words may tell of a change, that it never is."""
    live, walks = words[WORD_LIVE], words[WORD_WALKS]
    return live, -1 if words[WORD_ASKS] else walks


class Walks(WholeTables, Generic[_Key]):
    """What StoreMapping has of these."""

    _path: str
    _has_password: bool
    _handle: Store
    _decode: Callable[[bytes], Any]

    def __iter__(self) -> Iterator[_Key]:
        """The keys, oldest first; RuntimeError when this thread changes the size meanwhile."""
        return self._give(self._walk(False), KEYS)

    def __reversed__(self) -> Iterator[_Key]:
        """The keys, newest first; RuntimeError when this thread changes the size meanwhile."""
        return self._give(self._walk(True), KEYS)

    def _walk(self, backwards: bool) -> _Walk:
        """A scan, the words to look at before it is asked, `backwards`, and the table's word before
        it began."""
        store = self._store
        # a transaction's are the scan's own matter
        words = self._words if store is self._handle and self._words is not None else _ASK_ALWAYS
        begun = 0 if self._near is None else words[self._table_word]
        try:
            # it begins here, as a dict's iterator does: what comes from now on it does not give
            return store.walk_pack(backwards), words, backwards, begun
        except GError as error:
            raise to_exception(error, self._path) from None

    def _peek_keys(self) -> Iterator[Any]:
        """The keys, some of which may be gone when they come; no change is an error."""
        scan = self._walk(False)[0]
        size, then = 1, _SECOND_BATCH
        try:
            while batch := unpack_keys(scan.next_texts_pack(size, True)):
                yield from batch
                size, then = then, min(2 * then, _LARGEST_BATCH)
        except GError as error:
            raise to_exception(error, self._path) from None

    def _walk_values(self, backwards: bool, errors: str) -> Iterator[Any]:
        """The values; what cannot be loaded as `errors` says."""
        return self._give(self._walk(backwards), VALUES, errors)

    def _walk_items(self, backwards: bool, errors: str) -> Iterator[Tuple[Any, Any]]:
        """Keys and values; what cannot be loaded as `errors` says."""
        return self._give(self._walk(backwards), ITEMS, errors)

    def _give(
        self, walk: _Walk, what: int, errors: str = "strict"
    ) -> Iterator[Any]:
        scan, words, backwards, begun = walk
        keys: List[Any]
        values: Optional[List[Any]]
        before = words[WORD_LIVE]
        is_first = what != KEYS
        first: Any = None  # the key that was given first, while nothing has changed since
        size, then = 1, _SECOND_BATCH
        try:
            gathered = self._gather(what, backwards, begun)
            if what == KEYS:
                # by itself, for who uses the store as a queue: next(iter(db)), and no more
                pack = scan.next_key_pack()
                if len(pack) <= _EMPTY:
                    return
                key = decode_key(pack[_BEFORE_ONE:])
                yield key
                if scan.check(1):
                    first, size, then = key, then, 2 * then
                else:
                    then = 2
            while True:
                if first is not None:
                    given = yield from self._give_kept(what, backwards, first, before)
                    if given is None:
                        return
                    if given:
                        scan.check(1)
                        yield from self._give_others(walk, what, errors, given)
                        return
                    first = None
                live, walks = _look_at(words)
                batch = scan.next_texts_pack(size, what == KEYS)
                if len(batch) <= _EMPTY:
                    if gathered is not None:
                        gathered.end()
                    return
                if what == KEYS:
                    keys, values = [], unpack_keys(batch)  # what is given stands in values
                else:
                    keys, values = self._load_batch(batch)
                    if values is None:
                        gathered = None
                    elif gathered is not None:
                        gathered.add(keys, values, len(batch))
                size, then = then, min(2 * then, _LARGEST_BATCH)
                if values is None:
                    each = self._load_slowly(what == ITEMS, errors, scan, unpack(batch))
                    if not (yield from each):
                        size, then = 1, 2
                    is_first = False
                    continue
                rest = iter(values)
                for item in zip(keys, rest) if what == ITEMS else rest:
                    yield item
                    if words[WORD_LIVE] != live or words[WORD_WALKS] != walks:
                        live, walks = _look_at(words)
                        if not scan.check(len(values) - length_hint(rest)):
                            size, then = 1, 2
                            break
                else:
                    first = keys[0] if is_first else None
                is_first = False
        except GError as error:
            raise to_exception(error, self._path) from None

    def _give_others(
        self, walk: _Walk, what: int, errors: str, given: Set[str]
    ) -> Iterator[Any]:
        """What comes behind those that have been given, as it is now."""
        for item in self._give(walk, KEYS if what == KEYS else ITEMS, errors):
            key = item if what == KEYS else item[0]
            if type(key) is not str or key not in given:
                yield item[1] if what == VALUES else item

    def _load_batch(self, batch: bytes) -> Tuple[List[Any], Optional[List[Any]]]:
        """The keys and values of a batch; without values where one of them cannot be loaded."""
        texts = unpack_text_entries(batch)
        if texts is not None:
            return texts
        items = unpack(batch)
        try:
            # no map(), which what loading raises may end as if it were at its end
            return [*map(decode_key, items[::2])], [self._decode(item) for item in items[1::2]]
        except Exception:
            return [], None

    def _load_slowly(
        self, is_of_items: bool, errors: str, scan: Scan, batch: List[bytes]
    ) -> Generator[Any, None, bool]:
        """Load each when its turn has come. Gives whether the batch was current to its end."""
        n_used = 0
        for encoded, record in zip(batch[::2], batch[1::2]):
            n_used += 1
            key = decode_key(encoded)
            try:
                value = self._decode(record)
            except Exception as error:
                value = self._report(error, key, record, errors)
                if errors == "skip":
                    continue
            yield (key, value) if is_of_items else value
            if not scan.check(n_used):
                return False
        return True

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
