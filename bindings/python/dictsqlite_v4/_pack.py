# _pack.py - many byte strings in one, the form in which batches go to the library and come back
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Packs.

n | length[0] ... length[n - 1] | bytes[0] ... bytes[n - 1], all numbers unsigned 32 bits in the
machine's own byte order. Entries are a pack of key, record, key, record, ...

Str keys and values are most often without U+0000, by which the library takes them joined, too:
0xFFFFFFFF | n | columns | item 0 item 0 ... item, where of entries the first column is the keys.
"""

from __future__ import annotations

import sys
from array import array
from itertools import accumulate
from typing import Any, Callable, Dict, Final, List, Optional, Sequence, Tuple

from ._keys import decode_key, encode_key, encode_keys, find_key
from ._values import STRING, encode_value

_U32: Final = "I"
_OF_ONE = array(_U32, (1,)).tobytes()
_OF_TEXTS = b"\xff" * 4
_TEXTS_HEAD: Final = 12  # bytes
_NUL: Final = "\0"
_NUL_STRING = _NUL + STRING.decode()
# Bytes of a text, on average, from which on to find each end is faster than split(), which looks at
# one character after the other.
_LONG: Final = 512
# Characters of what is joined; beyond it each is looked at before it is copied.
_MOST_TEXT: Final = 16 << 20


def pack(items: Sequence[bytes]) -> bytes:
    """The pack of `items`. Raises ValueError where one of them is 4 GiB or more."""
    try:
        head = array(_U32, (len(items), *map(len, items)))
    except OverflowError:
        raise ValueError("Failed to pack the entries: one of them is 4 GiB or more") from None
    return b"".join((head.tobytes(), *items))


def unpack(data: bytes) -> List[bytes]:
    """The items of a pack; none of b''."""
    if data[:4] == _OF_TEXTS:
        texts = data[_TEXTS_HEAD:].split(b"\0")
        if data[8:_TEXTS_HEAD] == _OF_ONE:
            return texts
        items = [b""] * len(texts)
        items[::2], items[1::2] = texts[: len(texts) // 2], texts[len(texts) // 2 :]
        return items
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
    if sum(map(len, keys)) + sum(map(len, values)) > _MOST_TEXT:
        return None
    text = f"{_NUL.join(keys)}{_NUL_STRING}{_NUL_STRING.join(values)}"
    return _pack_text(text, 2 * len(keys), 2)


def pack_keys(keys: List[Any]) -> bytes:
    """The pack of `keys`, to be looked for. Raises as find_key() does."""
    if set(map(type, keys)) == {str} and sum(map(len, keys)) <= _MOST_TEXT:
        packed = _pack_text(_NUL.join(keys), len(keys), 1)
        if packed is not None:
            return packed
    return pack(list(map(find_key, keys)))


def _pack_text(text: str, n_items: int, n_columns: int) -> Optional[bytes]:
    """The pack of items that were joined; None where one of them has U+0000, or is no UTF-8."""
    if text.count(_NUL) != n_items - 1:
        return None
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        return None  # in a key an error, in a value a pickle
    return _OF_TEXTS + array(_U32, (n_items, n_columns)).tobytes() + encoded


def _texts(data: bytes) -> str:
    return str(memoryview(data)[_TEXTS_HEAD:], "utf-8")


def is_of_texts(data: bytes) -> bool:
    """Whether all in a pack came as texts."""
    return data[:4] == _OF_TEXTS


def unpack_strings(data: bytes) -> Optional[List[str]]:
    """The values in a pack of records that came as texts; None of any other pack."""
    if data[:4] != _OF_TEXTS:
        return None
    try:
        text = _texts(data)
    except UnicodeDecodeError:
        return None  # one of them cannot be loaded
    if len(data) < _LONG * int.from_bytes(data[4:8], sys.byteorder):
        return text.split(_NUL)
    texts = []
    begin = 0
    while (end := text.find(_NUL, begin)) >= 0:
        texts.append(text[begin:end])
        begin = end + 1
    texts.append(text[begin:])
    return texts


def unpack_text_entries(data: bytes) -> Optional[Tuple[List[str], List[str]]]:
    """The keys and values in a pack of entries that came as texts; None of any other pack."""
    if data[:4] != _OF_TEXTS:
        return None
    try:
        keys, *values = _texts(data).split(_NUL_STRING)
    except UnicodeDecodeError:
        return None  # one of them cannot be loaded
    names = keys.split(_NUL)
    return (names, values) if len(names) == len(values) else None  # a key looks like a value


def unpack_keys(data: bytes) -> List[Any]:
    """The keys in a pack of keys."""
    if data[:4] == _OF_TEXTS:
        return list(_texts(data).split(_NUL))
    return list(map(decode_key, unpack(data)))


def unpack_records(data: bytes) -> List[bytes]:
    """The records in a pack, which may have come as texts."""
    items = unpack(data)
    return [STRING + item for item in items] if data[:4] == _OF_TEXTS else items
