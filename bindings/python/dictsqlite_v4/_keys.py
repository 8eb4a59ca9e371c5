# _keys.py - keys to bytes and back
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Keys as the store knows them.

A str is its UTF-8. Anything else is the byte 0xFF, which UTF-8 never has, and one item:
a tag and an encoding that delimits itself. Equal keys are equal bytes: numbers that are equal
fold into the integer, as they do in a dict. Both directions are loops, not recursions, since a
tuple may be nested deeper than the stack goes.
"""

from __future__ import annotations

import operator
import struct
from typing import Any, Callable, Iterable, Iterator, List, Sequence, Tuple, cast

_OTHER = 0xFF
_FLOAT = struct.Struct(">d")
_PLAIN = (str, int, float, bytes, type(None))
_EXACTLY_PLAIN = frozenset((*_PLAIN, bool))

# Longer keys are refused by the store. Checked here as well, so that a tuple that holds another
# one twice, again and again, ends before memory does.
MAX_KEY_LENGTH = 1 << 20  # bytes
_TOO_LONG = "Failed to encode the key: it is longer than 1 MiB"
# Deeper ones are refused as well: hashing a tuple recurses, whoever does it.
_MAX_DEPTH = 1000
_TOO_DEEP = "Failed to encode the key: its tuples are more than 1,000 deep"
# More decimal digits than an int of that length has.
_MAX_DIGITS = 2_600_000

# What find_key() gives for what no key equals. The library says that it is none.
NO_KEY = b"\xff"


def encode_key(key: object) -> bytes:
    """The bytes of `key`, to be stored.

    Raises TypeError for what cannot be a key, UnicodeEncodeError for a str with lone surrogates,
    and ValueError for one beyond 1 MiB, which is not copied for that, and for a tuple that is more
    than 1,000 tuples deep.
    """
    if type(key) is str and len(key) <= MAX_KEY_LENGTH:
        return key.encode()
    return _encode(key, _refuse)


def find_key(key: object) -> bytes:
    """The bytes of the key that equals `key`, to be looked for, or NO_KEY where there can be none.

    It is found by what a dict goes by: a number of whichever type is the int or the float that it
    equals. Raises TypeError for what is unhashable, as a dict does.
    """
    try:
        encoded = encode_key(key)
    except (TypeError, ValueError):
        encoded = _find_odd_key(key)
    return encoded if len(encoded) <= MAX_KEY_LENGTH else NO_KEY


def _find_odd_key(key: object) -> bytes:
    misfits = []

    def stand_in(item: object) -> object:
        plain = _find_equal(item)
        if plain is None:
            misfits.append(item)
        return plain

    try:
        encoded = _encode(key, stand_in)
    except ValueError:
        return NO_KEY
    return NO_KEY if misfits else encoded


def encode_keys(keys: Sequence[object], encode: Callable[[object], bytes]) -> Iterable[bytes]:
    """The bytes of each of `keys`, as `encode` gives them, which is one of the two above."""
    if set(map(type, keys)) == {str}:
        texts: Any = keys
        if max(map(len, texts)) <= MAX_KEY_LENGTH:
            return map(str.encode, texts)
    return map(encode, keys)


def refuse_deep(keys: Sequence[object]) -> None:
    """Raise ValueError where one of `keys` is a tuple that is too deep to be hashed.

    For what is hashed before it is encoded.
    """
    if _EXACTLY_PLAIN.issuperset(map(type, keys)):
        return
    for key in keys:
        level = {id(key): key} if _is_tuple(key) else {}
        for _ in range(_MAX_DEPTH + 1):  # one for the pair that a key may be in
            if not level:
                break
            level = {
                id(inner): inner
                for outer in level.values()
                for inner in tuple.__iter__(cast(Tuple[object, ...], outer))
                if _is_tuple(inner)
            }
        if level:
            raise ValueError(_TOO_DEEP)


def encode_text(text: object) -> bytes:
    """The bytes of a bound of keys, which is a str; raises TypeError for others.

    A lone surrogate, which no key has, ends a bound: the next character that there is stands for it
    and for what follows. What is beyond the longest key is left out.
    """
    if not isinstance(text, str):
        raise TypeError(f"what keys begin or end with must be a str, not {type(text).__name__!r}")
    if len(text) > MAX_KEY_LENGTH:
        text = str.__getitem__(text, slice(MAX_KEY_LENGTH + 1))
    try:
        return str.encode(text)
    except UnicodeEncodeError as error:
        return f"{error.object[: error.start]}\ue000".encode()


def _encode(key: Any, stand_in: Callable[[object], Any]) -> bytes:
    """The bytes of `key`, in which stand_in(item) is in the place of what is not plain."""
    if not _is_tuple(key):
        if type(key) not in _EXACTLY_PLAIN or key != key:
            key = _make_plain(key, stand_in)
        _refuse_long(key)
        if isinstance(key, str):
            return str.encode(key)
        return b"\xff" + _encode_item(key)

    out = bytearray(b"\xff(")
    unfinished: List[Iterator[Any]] = [tuple.__iter__(key)]
    while unfinished:
        for item in unfinished[-1]:
            if type(item) not in _EXACTLY_PLAIN or item != item:
                if _is_tuple(item):
                    out += b"("
                    unfinished.append(tuple.__iter__(item))
                    if len(unfinished) > _MAX_DEPTH:
                        raise ValueError(_TOO_DEEP)
                    break
                item = _make_plain(item, stand_in)
            _refuse_long(item)
            out += _encode_item(item)
        else:
            out += b")"
            unfinished.pop()
        if len(out) > MAX_KEY_LENGTH:
            raise ValueError(_TOO_LONG)
    return bytes(out)


def _refuse_long(item: Any) -> None:
    """Raise ValueError for what is beyond any key, by its size alone."""
    if isinstance(item, (str, bytes)):
        is_long = len(item) > MAX_KEY_LENGTH
    else:
        is_long = isinstance(item, int) and int.bit_length(item) > 8 * MAX_KEY_LENGTH
    if is_long:
        raise ValueError(_TOO_LONG)


# By type(), and not by isinstance(): a proxy says that it is of the class that it stands for.


def _is_tuple(item: object) -> bool:
    kind = type(item)
    return kind is tuple or (issubclass(kind, tuple) and kind.__hash__ is not None)


def _make_plain(item: Any, stand_in: Callable[[object], Any]) -> Any:
    """`item`, if it is of a plain class or of one derived from such, or else stand_in(item)."""
    kind = type(item)
    if issubclass(kind, _PLAIN) and kind.__hash__ is not None and item == item:  # NaN is not
        return item
    return stand_in(item)


def _refuse(item: object) -> None:
    """Raise TypeError for what cannot be a key."""
    hash(item)  # raises what a dict raises for what is unhashable
    if isinstance(item, float):
        raise TypeError("NaN cannot be a key: it equals no key, not even itself")
    raise TypeError(
        "keys must be str, bytes, int, float, bool, None or tuples of these, "
        f"not {type(item).__name__!r}: str(), isoformat() or int() make one of it"
    )


def _find_equal(item: Any) -> Any:
    """The plain item that equals `item` and has its hash; None where there is none."""
    digest = hash(item)  # raises what a dict raises for what is unhashable
    conversions: List[Callable[[Any], object]] = [operator.index, _to_float, _to_int]
    if isinstance(item, memoryview):
        conversions = [bytes]
    elif getattr(type(item), "__str__") is not object.__str__:  # else it is its repr()
        conversions.append(str)
    for convert in conversions:
        try:
            plain = convert(item)
        except Exception:
            continue
        if type(plain) in _EXACTLY_PLAIN and hash(plain) == digest and plain == item:
            return plain
    return None


def _to_float(item: Any) -> float:
    return float(getattr(item, "real", item))  # a complex number has no float(), its part has


def _to_int(item: Any) -> int:
    if hasattr(item, "adjusted") and item.adjusted() > _MAX_DIGITS:
        raise OverflowError  # a Decimal's, which would take its time
    return int(item)


def _encode_item(item: Any) -> bytes:
    """The tag and bytes of a plain item."""
    if isinstance(item, str):
        text = str.encode(item)
        return b"s" + _encode_length(len(text)) + text
    if isinstance(item, float):
        if not item.is_integer():
            return b"f" + _FLOAT.pack(item)
        item = int(item)
    if isinstance(item, int):
        number = int(item)
        length = (number if number >= 0 else ~number).bit_length() // 8 + 1 if number else 0
        return b"i" + _encode_length(length) + number.to_bytes(length, "big", signed=True)
    if isinstance(item, bytes):
        return b"b" + _encode_length(len(item)) + item
    return b"N"


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
