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
from typing import Any, Callable, Dict, Final, List, Sequence

from ._keys import encode_key
from ._values import STRING, encode_value

_U32: Final = "I"
_OF_ONE = array(_U32, (1,)).tobytes()
_STRING_TEXT = STRING.decode()


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
        # Nearly every batch: one join and one encode for all of it, a quarter of the time.
        parts = [_STRING_TEXT] * (3 * len(keys))
        parts[::3] = keys
        parts[2::3] = values
        text = "".join(parts)
        if text.isascii():
            head = array(_U32, bytes(8 * len(keys)))
            head[::2] = array(_U32, map(len, keys))
            head[1::2] = array(_U32, [len(value) + 1 for value in values])
            return b"".join((array(_U32, (len(head),)).tobytes(), head.tobytes(), text.encode()))
    items = [b""] * (2 * len(keys))
    items[::2] = [key.encode() if type(key) is str else encode_key(key) for key in keys]
    items[1::2] = map(encode, values)
    return pack(items)
