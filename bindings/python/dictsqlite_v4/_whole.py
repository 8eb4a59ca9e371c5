# _whole.py - walks over tables that are kept whole
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the near tier keeps of a table may be all of it.

Its dict of all that is as of one word is *whole* when it has every key of the table, in the table's
order. It begins so where the table is empty, or where a walk of all of it has found nothing changed
meanwhile. It stays so by what it goes on by: a set of a key that it has leaves that in its place,
in the table as in a dict, and one of a key that is new puts it at the end. Then a walk needs no
call for each entry, but looks at the words. docs/architecture.md has the proof.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import islice
from operator import length_hint
from typing import Any, List, Optional, Set, Tuple

from ._dsq import WORD_ASKS, WORD_LIVE, GError, Store
from ._near import SHORT, Near, Own

# What a walk gives.
KEYS, VALUES, ITEMS = range(3)

# Entries taken at once: few at first, since many a walk is left soon.
_FIRST_BATCH = 16
_LARGEST_BATCH = 512

_IMMUTABLE = {str, bytes, int, float, bool, type(None)}


class Gathering:
    """The entries of a walk, to be kept if they turn out to be those of a table as it is."""

    def __init__(self, near: Near, words: Any, table_word: int, begun: int) -> None:
        self._near, self._words, self._table_word = near, words, table_word
        self._own: Optional[Own] = Own((), begun, True)
        self._length = 0

    def add(self, keys: List[Any], values: List[Any], length: int) -> None:
        """Entries that have been in a pack of so many bytes."""
        own, near = self._own, self._near
        if own is None:
            return
        self._length += length
        if (
            len(own) + len(keys) > near.capacity
            or self._length > SHORT * near.capacity
            or {*map(type, keys)} != {str}
            or not _IMMUTABLE.issuperset(map(type, values))
        ):
            self._own = None
        else:
            own.update(zip(keys, values))

    def end(self) -> None:
        """The walk has come to its end."""
        own = self._own
        if own is not None and self._words[self._table_word] == own.word:
            self._near.own = own


class WholeTables:
    """What StoreMapping has of these."""

    _near: Optional[Near]
    _words: Any
    _table_word: int
    _store: Store

    def _begin_whole(self) -> None:
        """Of a store that has nothing, what is set from now on is all."""
        if self._near is not None:
            stats = self._store.get_stats()  # which sweep nothing that is due, as a count does
            if not stats.cold_entries and not stats.dirty_entries:
                self._expect_all()

    def _expect_all(self) -> None:
        """Where the table is empty, what is set from now on is all of it."""
        near, words = self._near, self._words
        if near is not None:
            at = words[self._table_word]
            try:
                is_empty = not self._store.count(None)
            except GError:  # which the next call tells as well
                return
            if is_empty and words[self._table_word] == at:
                near.own = Own((), at, True)

    def _gather(self, what: int, backwards: bool, begun: int) -> Optional[Gathering]:
        """For a walk that began when the table's word was, or had been, `begun`."""
        near, words = self._near, self._words
        if near is None or what == KEYS or backwards or words[WORD_ASKS]:
            return None
        if near.own.is_whole and near.own.word == begun:
            return None
        if self._store.count(None) > near.capacity:
            return None
        return Gathering(near, words, self._table_word, begun)

    def _give_kept(
        self, what: int, backwards: bool, first: object, live: int
    ) -> Generator[Any, None, Optional[Set[str]]]:
        """What comes behind `first` in a table that is kept whole; None then.

        Else those keys, `first` too, that have been given before something changed, or none where
        the table is not kept whole. `live` is what that word was before a call that has returned.
        """
        near, words = self._near, self._words
        if near is None or words[WORD_ASKS] or not near.own.is_whole:
            return set()
        own, table = near.own, self._table_word
        at, n_keys = own.word, len(own)
        names: Iterator[str] = reversed(own) if backwards else own.__iter__()
        kept: Iterator[Any] = reversed(own.values()) if backwards else own.values().__iter__()
        n_given, size = 0, 1
        while True:
            try:
                keys, values = [*islice(names, size)], [*islice(kept, size)]
            except RuntimeError:  # another thread has set a key that is new
                break
            if words[WORD_LIVE] != live or words[table] != at:
                break
            if not n_given:
                if keys != [first]:
                    break
                n_given, size = 1, _FIRST_BATCH
                continue
            if not keys:
                return None
            try:
                rest = iter(keys if what == KEYS else _load_all(values))
            except Exception:  # which is told when its turn has come
                break
            for item in zip(keys, rest) if what == ITEMS else rest:
                yield item
                if words[WORD_LIVE] != live or words[table] != at:
                    break
            else:
                n_given, size = n_given + len(keys), min(2 * size, _LARGEST_BATCH)
                continue
            n_given += len(keys) - length_hint(rest)
            break
        given = [*own][:n_keys]
        return {*(given[n_keys - n_given :] if backwards else given[:n_given])}


def _load_all(values: List[Any]) -> List[Any]:
    """Anew, what might be changed."""
    if tuple not in {*map(type, values)}:
        return values
    return [value[0](value[1]) if type(value) is tuple else value for value in values]
