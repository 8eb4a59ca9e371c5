# _near.py - values kept beside the store, for as long as words in memory say that they are its own
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The near tier.

A mapping has a dict of values, each with the number of a word of the library's and with what that
was when the library gave the value. Every change of the key moves its word, whoever makes it, once
it is known of; that nothing is to be known of, another word tells. So a value is the store's as
long as both are what they were, which is seen without a call. docs/architecture.md has the proof.

A write leaves what is kept as it is: it is not believed any more.
"""

from __future__ import annotations

import ctypes
import struct
from typing import Any, Callable, Dict, Optional, Tuple

from ._dsq import N_WORDS, WORD_LIVE, GError, Store
from ._errors import unloadable
from ._keys import MAX_KEY_LENGTH
from ._values import STRING_TYPE, VARIANT

MISSING: Any = object()

# What stands before a record: the word, 0 where nothing is to be kept, and its number.
_unpack_stamp = struct.Struct("=QI").unpack_from
_RECORD = 12
# Once it is full, so many times as many keys are looked for elsewhere before it begins anew.
_REST = 4
# A key, and its record whenever it is kept, take the room of one more for each of so many bytes.
_BYTES_A_KEY = 128

# The types from here on are of values that might be changed: these are loaded each time.
_IMMUTABLE_END = VARIANT[0]

_Words = ctypes.c_uint64 * N_WORDS

UNSEEN: Any = ()  # for what is not there; None is for what is worth to be kept

# The value, or its record where the next is below 0; the number of its word, from the front or
# from behind; what that was.
Kept = Tuple[Any, int, int]


def look_at_words(store: Store) -> Optional[memoryview]:
    """The words of the library's by which changes of `store` are seen, if there are any."""
    address = getattr(store, "map_words", int)()
    if not address:
        return None
    return memoryview(_Words.from_address(address)).toreadonly().cast("B").cast("Q")


class NearTier:
    """What StoreMapping has of it; where _near is None there is none, or not now."""

    _near: Optional[Dict[str, Optional[Kept]]]
    _words: Any  # memoryview
    _seen = 0  # the word of commits, as it was before some call that has returned
    _handle: Store
    _routes: Dict[str, Any]
    _has_password: bool
    _decode: Callable[[bytes], Any]
    _load: Callable[[object, bytes], Any]
    _find_nothing: Callable[[Exception], bytes]
    _check_open: Callable[[], None]
    _call: Callable[..., bytes]
    _get_record: Callable[[bytes], bytes]
    _near_capacity: int
    _near_room: int  # keys that may be added; below 0, those that could not
    _get_stamped_text: Callable[[Store, str], bytes]

    def _begin_near(self, store: Store, capacity: int) -> None:
        self._words = look_at_words(store)
        self._near_capacity = self._near_room = capacity
        self._near = None
        if capacity and self._words is not None:
            self._near = {}
            self._get_stamped_text = type(store).get_stamped_text

    def _catch_up(self) -> bool:
        """Have the words say what others have committed; whether nobody has since."""
        live = self._words[WORD_LIVE]
        self._check_open()
        self._seen = live
        return bool(self._words[WORD_LIVE] == live)

    def _forget_near(self) -> None:
        """Give back the memory."""
        if self._near is not None:
            self._near.clear()
            self._near_room = self._near_capacity

    def _count_near(self) -> int:
        """How many values are kept, in a transaction as well; keys that were seen once are not."""
        return sum(kept is not None for kept in list((self._routes["_near"] or {}).values()))

    def _note_seen(self, near: Dict[str, Optional[Kept]], key: str) -> None:
        """`key` is looked for: when it is again, it is worth to be kept."""
        self._near_room -= 1 + len(key) // _BYTES_A_KEY
        if self._near_room > 0:
            near[key] = None
        elif self._near_room < -_REST * self._near_capacity:
            self._forget_near()

    def _fetch(self, near: Dict[str, Optional[Kept]], key: str) -> Any:
        """The value of `key`, from the library, to be kept; or MISSING."""
        if "\0" in key or len(key) > MAX_KEY_LENGTH:
            record = self._call(self._get_record, key)
            return self._load(key, record) if record else MISSING
        live = self._words[WORD_LIVE]
        try:
            stamped = self._get_stamped_text(self._handle, key)
        except (GError, UnicodeEncodeError) as error:
            self._find_nothing(error)
            return MISSING
        self._seen = live
        if not stamped:
            return MISSING
        word, slot = _unpack_stamp(stamped)
        kind = stamped[_RECORD]
        kept: Any
        if kind == STRING_TYPE:
            try:
                value = kept = stamped[_RECORD + 1 :].decode()
            except UnicodeDecodeError as error:
                raise unloadable(error, key, not self._has_password)
        else:
            kept = stamped[_RECORD:]
            value = self._load(key, kept)
            if kind >= _IMMUTABLE_END:
                slot -= N_WORDS
            else:
                kept = value
        if word:
            near[key] = kept, slot, word
            self._near_room -= len(stamped) // _BYTES_A_KEY
            if self._near_room < -_REST * self._near_capacity:
                self._forget_near()
        return value
