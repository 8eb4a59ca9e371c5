# _near.py - values kept beside the store, for as long as words in memory say that they are its own
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A mapping keeps values, believed as long as words of the library's are what they were, which is
seen without a call. docs/architecture.md has the proof. There are two dicts. `own` holds what this
mapping has set, or has read twice, as of one word, which moves with every change of the table: a
set that has moved it by one puts its value there, and any other change is the end of that dict.
`stamped` holds what was read, each with a word that moves with few other keys.
"""

from __future__ import annotations

import ctypes
import sys
from itertools import islice
from time import monotonic_ns
from typing import Any, Callable, Dict, Optional, Tuple

from ._dsq import N_WORDS, WORD_LIVE, WORD_UNTIL, WORD_WALKS, GError, Store
from ._keys import MAX_KEY_LENGTH
from ._values import STRING_TYPE, VARIANT

MISSING: Any = object()
UNKEPT = 1  # the stamp of what is not to be kept
SLOT_MASK = WORD_WALKS - 1  # of a stamp: the number of its word, which is in its lowest bits
_RECORD = 8  # bytes of the stamp before it

# A key with its record is short up to so many bytes, and each so many more count as one that could
# not be kept. Once these are so many times as many as there is room for, all begins anew.
SHORT = 128
_REST = 4

# The types from here on are of values that might be changed: these are loaded each time.
IMMUTABLE_END = VARIANT[0]


class Own(Dict[str, Any]):
    """Values, as they are at a word of the table's; or tuples of what loads a record, and that."""

    __slots__ = ("word", "is_whole")  # _whole.py says what that is

    def __init__(self, entries: Any = (), word: int = -1, is_whole: bool = False) -> None:
        super().__init__(entries)
        self.word, self.is_whole = word, is_whole  # -1: which no word ever is


class Near:
    """What a mapping keeps: at most `capacity` keys in each dict."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        # a value, and its stamp; or a record that is to be loaded, and that below 0
        self.stamped: Dict[str, Tuple[Any, int]] = {}
        self.forget()

    def forget(self) -> None:
        """Give back the memory."""
        self.stamped.clear()
        self.rest = _REST * self.capacity  # how many more cannot be kept before all begins anew
        self.own = Own()

    def note_set(self, key: str, value: Any, stamp: int, length: int) -> None:
        """`key` has been set to it, and nothing else has made the table's word `stamp`."""
        own = self.own
        if own.word == stamp - 1 and (len(own) < self.capacity or key in own):
            own[key] = value
            own.word = stamp  # which only this thread may do
        else:  # others' changes are not in there, or it is full
            self.own = Own({key: value}, stamp)
        self._spend(length // SHORT)

    def note_sets(self, entries: Own, before: int, after: int, length: int) -> None:
        """All of them have been set, in so many bytes, while the table's word was these."""
        if after != before + len(entries) or length > SHORT * self.capacity:
            return
        own = self.own
        if own.word == before and len(own) + len(entries) <= self.capacity:
            own.update(entries)
            own.word = after
        else:
            is_room = len(entries) <= self.capacity
            own = entries if is_room else Own(islice(entries.items(), self.capacity))
            own.word = after
            self.own = own
        self._spend(max(0, length // SHORT - len(entries)))

    def take_over(self, key: str, value: Any, word: int, length: int = 0) -> None:
        """`key` had that value when the table's word was `word`, or later; and may have another."""
        own = self.own
        if own.word != word:
            self.own = own = Own((), word)
        if len(own) < self.capacity:
            own.setdefault(key, value)
            self._spend(length // SHORT)

    def put(self, key: str, value: Any, stamp: int, length: int) -> None:
        is_room = len(self.stamped) < self.capacity or key in self.stamped
        if is_room:
            self.stamped[key] = value, stamp
        if length >= SHORT or not is_room:
            self._spend(length // SHORT if is_room else 1)

    def _spend(self, n: int) -> None:
        self.rest -= n
        if self.rest < 0:
            self.forget()


class NearTier:
    """What StoreMapping has of it; where _near is None there is none, or not now."""

    _near: Optional[Near]
    _words: Any  # memoryview
    _table_word: int  # its number
    _seen: int  # the word of commits, as it was before some call that has returned
    _until = 0  # the end of a lease, as it was last looked at: it may be later by now
    _unseen: int  # -1 where that word tells nothing, so that it never is what was seen; else 0
    _handle: Store
    _routes: Dict[str, Any]
    _load: Callable[[object, bytes], Any]
    _decode: Callable[[Any], Any]
    _find_nothing: Callable[[Exception], bytes]
    _check_open: Callable[[], None]
    _call: Callable[..., bytes]
    _get_record: Callable[[bytes], bytes]
    _near_capacity: int
    _expects_str = True  # whether the next value is taken for a str until the library says no
    _get_stamped_text: Callable[[Store, str], bytes]
    _get_stamped_string: Callable[[Store, str], Tuple[int, Optional[str]]]

    def _begin_near(self, store: Store, capacity: int) -> None:
        map_words: Any = getattr(store, "map_words", lambda: (0, 0))  # tests have others' stores
        address, self._table_word = map_words()
        words: Any = (ctypes.c_uint64 * N_WORDS).from_address(address) if address else None
        self._words = words and memoryview(words).toreadonly().cast("B").cast("Q")
        self._unseen = self._seen = -1 if words and words[WORD_UNTIL] else 0
        self._near_capacity = capacity
        self._near = Near(capacity) if capacity and address else None
        if self._near is not None:
            self._get_stamped_text = type(store).get_stamped_text
            self._get_stamped_string = type(store).get_stamped_string

    def _catch_up(self) -> bool:
        """Have the words say what others have committed; whether nobody has since."""
        live = self._words[WORD_LIVE]
        if monotonic_ns() >= self._words[WORD_UNTIL]:  # a lease, which runs out with no word moved
            self._check_open()
        if self._unseen:
            self._until = self._words[WORD_UNTIL]
        self._seen = live | self._unseen
        return bool(self._words[WORD_LIVE] == live)

    def _forget_near(self) -> None:
        if self._near is not None:
            self._near.forget()

    def _count_near(self) -> int:
        """How many keys are kept, in a transaction as well."""
        near = self._routes["_near"]
        return 0 if near is None else len({*list(near.own), *list(near.stamped)})

    def _find(self, near: Near, key: str) -> Any:
        """The value of `key`, which `own` does not tell, to be kept; or MISSING."""
        kept = near.stamped.get(key)
        if kept is not None:
            value, stamp = kept
            word, words = abs(stamp), self._words
            at = words[self._table_word]
            is_known = words[WORD_LIVE] == self._seen or self._catch_up()  # what is committed
            if is_known and words[word & SLOT_MASK] == word:
                if value is not None:
                    near.take_over(key, value if stamp > 0 else (self._decode, value), at)
                return value if stamp > 0 else self._load(key, value)
        if "\0" in key or len(key) > MAX_KEY_LENGTH:
            record = self._call(self._get_record, key)
            return self._load(key, record) if record else MISSING
        live = self._words[WORD_LIVE]
        stamp = 0
        text: Optional[str] = None
        try:
            try:
                if self._expects_str:
                    stamp, text = self._get_stamped_string(self._handle, key)
            except UnicodeDecodeError:
                pass  # which is told below
            stamped = b"" if stamp else self._get_stamped_text(self._handle, key)
            self._seen = live | self._unseen
        except (GError, UnicodeEncodeError) as error:
            stamped = self._find_nothing(error)
        if text is not None:
            if stamp > UNKEPT:
                near.put(key, text, stamp, len(key) + len(text))
            return text
        if not stamped:
            return MISSING
        self._expects_str = stamped[_RECORD] == STRING_TYPE
        record = stamped[_RECORD:]
        value = self._load(key, record)
        stamp = int.from_bytes(stamped[:_RECORD], sys.byteorder)
        if stamp > UNKEPT:
            is_immutable = record[0] < IMMUTABLE_END
            held, mark = (value, stamp) if is_immutable else (record, -stamp)
            near.put(key, held, mark, len(key) + len(record))
        return value
