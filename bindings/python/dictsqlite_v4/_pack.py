# _pack.py - many byte strings in one, the form in which batches go to the library and come back
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Packs.

n | length[0] ... length[n - 1] | bytes[0] ... bytes[n - 1], all numbers unsigned 32 bits in the
machine's own byte order. Entries are a pack of key, record, key, record, ...
"""

from __future__ import annotations

import sys
from array import array
from itertools import accumulate
from typing import Any, Callable, Dict, Final, Iterable, List, Optional, Sequence

from ._keys import encode_key, encode_keys, find_key
from ._values import STRING, encode_value

_U32: Final = "I"
_OF_ONE = array(_U32, (1,)).tobytes()
_STRING_TEXT = STRING.decode()
_HIGHEST_BYTE: Final = 3 if sys.byteorder == "little" else 0  # of a length's four


def pack(items: Sequence[bytes]) -> bytes:
    """The pack of `items`. Raises ValueError where one of them is 4 GiB or more."""
    try:
        head = array(_U32, (len(items), *map(len, items)))
    except OverflowError:
        raise ValueError("Failed to pack the entries: one of them is 4 GiB or more") from None
    return b"".join((head.tobytes(), *items))


def unpack(data: bytes) -> List[bytes]:
    """The items of a pack; none of b''."""
    if data[:4] == _OF_ONE:
        return [data[8:]]
    if not data:
        return []
    start = 4 + 4 * int.from_bytes(data[:4], sys.byteorder)
    lengths = memoryview(data)[4:start].cast(_U32)
    begins = accumulate(lengths, initial=start)
    return [data[begin : begin + length] for begin, length in zip(begins, lengths)]


def pack_entries(
    entries: Dict[Any, Any], encode: Callable[[Any], bytes] = encode_value
) -> bytes:
    """The pack of all keys and values of `entries`. Raises as encode_key() and `encode` do."""
    keys = list(entries)
    values = list(entries.values())
    if set(map(type, keys)) == {str} == set(map(type, values)):
        packed = _pack_texts(keys, values)
        if packed is not None:
            return packed
    items = [b""] * (2 * len(keys))
    items[::2] = encode_keys(keys, encode_key)
    items[1::2] = map(encode, values)
    return pack(items)


def _pack_texts(keys: List[str], values: List[str]) -> Optional[bytes]:
    """The pack of what nearly every batch has; None where it is not to be made so."""
    lengths = [0] * (2 * len(keys))
    lengths[::2] = map(len, keys)
    lengths[1::2] = [len(value) + 1 for value in values]
    head = _pack_lengths(lengths)
    if not head:
        return None
    parts = [_STRING_TEXT] * (3 * len(keys))
    parts[::3] = keys
    parts[2::3] = values
    text = "".join(parts)
    if text.isascii():  # one join and one encode for all of it, a quarter of the time
        return head + text.encode()
    items = [b""] * (2 * len(keys))
    try:
        items[::2] = map(str.encode, keys)
        items[1::2] = [STRING + value.encode() for value in values]
    except UnicodeEncodeError:
        return None  # in a key an error, in a value a pickle
    return pack(items)


def pack_keys(keys: List[Any]) -> bytes:
    """The pack of `keys`, to be looked for. Raises as find_key() does."""
    if set(map(type, keys)) == {str}:
        head = _pack_lengths(map(len, keys))
        if head:
            text = "".join(keys)
            return head + text.encode() if text.isascii() else pack(list(map(str.encode, keys)))
    return pack(list(map(find_key, keys)))


def _pack_lengths(lengths: Iterable[int]) -> bytes:
    """How the pack of texts of these lengths begins, if they are ASCII. b'' where one of them is of
    16 MiB or more, which is not to be copied before it is known to fit.
    """
    try:
        numbers = array(_U32, lengths)
    except OverflowError:
        return b""
    raw = numbers.tobytes()
    if raw[_HIGHEST_BYTE::4].count(0) < len(numbers):
        return b""
    return array(_U32, (len(numbers),)).tobytes() + raw
