# _keys.py - keys to bytes and back
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Keys as the store knows them.

A str is its UTF-8. Anything else is the byte 0xFF, which UTF-8 never has, and one item:
a tag and an encoding that delimits itself. Equal keys are equal bytes: numbers that are equal
fold into the integer, as they do in a dict. Both directions are loops, not recursions, since a
tuple may be nested deeper than the stack goes.
"""

from __future__ import annotations

import struct
from typing import Any, Iterator, List, Tuple

_OTHER = 0xFF
_FLOAT = struct.Struct(">d")

# Longer keys are refused by the store. Checked here as well, so that a tuple that holds another
# one twice, again and again, ends before memory does.
_MAX_KEY_LENGTH = 1 << 20  # bytes


def encode_key(key: object) -> bytes:
    """The bytes of `key`.

    Raises TypeError for what cannot be a key, UnicodeEncodeError for a str with lone surrogates,
    and ValueError for a tuple that grows beyond 1 MiB.
    """
    if isinstance(key, str):
        return str.encode(key)
    out = bytearray((_OTHER,))
    if not isinstance(key, tuple):
        out += _encode_item(key)
        return bytes(out)

    out += b"("
    unfinished: List[Iterator[Any]] = [tuple.__iter__(key)]
    while unfinished:
        for item in unfinished[-1]:
            if isinstance(item, tuple):
                out += b"("
                unfinished.append(tuple.__iter__(item))
                break
            out += _encode_item(item)
        else:
            out += b")"
            unfinished.pop()
        if len(out) > _MAX_KEY_LENGTH:
            raise ValueError("Failed to encode the key: it is longer than 1 MiB")
    return bytes(out)


def encode_text(text: object) -> bytes:
    """The bytes of a prefix or a bound of keys, which is a str; raises TypeError for others."""
    if not isinstance(text, str):
        raise TypeError(f"what keys begin or end with must be a str, not {type(text).__name__!r}")
    return str.encode(text)


def _encode_item(item: object) -> bytes:
    """The tag and bytes of anything but a tuple."""
    if isinstance(item, str):
        text = str.encode(item)
        return b"s" + _encode_length(len(text)) + text
    if isinstance(item, float):
        if item != item:
            raise TypeError("NaN cannot be a key: it equals no key, not even itself")
        if not item.is_integer():
            return b"f" + _FLOAT.pack(item)
        item = int(item)
    if isinstance(item, int):
        number = int(item)
        length = (number if number >= 0 else ~number).bit_length() // 8 + 1 if number else 0
        return b"i" + _encode_length(length) + number.to_bytes(length, "big", signed=True)
    if isinstance(item, bytes):
        return b"b" + _encode_length(len(item)) + item
    if item is None:
        return b"N"
    hash(item)  # raises what a dict raises for what is unhashable
    raise TypeError(
        "keys must be str, bytes, int, float, bool, None or tuples of these, "
        f"not {type(item).__name__!r}"
    )


def _encode_length(length: int) -> bytes:
    """Unsigned LEB128."""
    if length < 0x80:
        return bytes((length,))
    out = bytearray()
    while length >= 0x80:
        out.append(length & 0x7F | 0x80)
        length >>= 7
    out.append(length)
    return bytes(out)


def decode_key(data: bytes) -> Any:
    """The key whose bytes are `data`, in its canonical form."""
    if not data or data[0] != _OTHER:
        return data.decode()

    at = 1
    unfinished: List[List[Any]] = [[]]
    while at < len(data):
        tag = data[at]
        at += 1
        if tag == 0x28:  # (
            unfinished.append([])
            continue
        item: Any
        if tag == 0x29:  # )
            item = tuple(unfinished.pop())
        elif tag == 0x4E:  # N
            item = None
        elif tag == 0x66:  # f
            (item,) = _FLOAT.unpack_from(data, at)
            at += 8
        else:
            length, at = _decode_length(data, at)
            raw = data[at : at + length]
            at += length
            if tag == 0x69:  # i
                item = int.from_bytes(raw, "big", signed=True)
            elif tag == 0x73:  # s
                item = raw.decode()
            else:  # b
                item = raw
        unfinished[-1].append(item)
    return unfinished[0][0]


def _decode_length(data: bytes, at: int) -> Tuple[int, int]:
    """The length at `at`, and where it ends."""
    length = shift = 0
    while True:
        byte = data[at]
        at += 1
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            return length, at
        shift += 7
