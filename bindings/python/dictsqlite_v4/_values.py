# _values.py - values to records and back
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Values as the store knows them.

A record is a type byte and its payload. The plain types become typed records, which every
language reads; anything else is a pickle, whose first byte is its type. Only the exact types: an
instance of a subclass, such as an enum, is pickled, and so keeps its class.
"""

from __future__ import annotations

import importlib
import struct
from typing import TYPE_CHECKING, Any, Callable, Optional, Tuple

from ._dsq import unpack_variant

if TYPE_CHECKING:
    import pickle
else:  # its part in C, without the other one in Python
    pickle = importlib.import_module("_pickle")

# The type bytes of DsqValueType.
NONE = b"\x01"
BYTES = b"\x02"
STRING = b"\x03"
INT64 = b"\x04"
DOUBLE = b"\x05"
BOOLEAN = b"\x06"
VARIANT = b"\x07"
OLD_PICKLE = b"\x08"  # before one that begins otherwise than with the next
PICKLE = b"\x80"  # that one's own first byte, from protocol 2 on

STRING_TYPE = STRING[0]

# From this length on a copy of the payload costs more than a memoryview of it does.
LARGE = 16384  # bytes

_PICKLE_PROTOCOL = 5
# Of a record, which is refused by the library as well; checked here before it is copied.
_MAX_LENGTH = (512 << 20) - 1  # bytes
_PLAIN = frozenset((str, int, bytes, bool, float, type(None)))
_TRUE = BOOLEAN + b"\x01"
_FALSE = BOOLEAN + b"\x00"
_INT64 = struct.Struct("<bq")
_DOUBLE = struct.Struct("<bd")


def encode_value(value: Any) -> bytes:
    """The record of `value`. Raises what pickle raises for what cannot be pickled."""
    payload: bytes
    kind = type(value)
    if kind not in _PLAIN:  # asked at once: one by one it would cost a quarter of the pickle
        return pickle.dumps(value, _PICKLE_PROTOCOL)
    if (kind is str or kind is bytes) and len(value) > _MAX_LENGTH:
        raise ValueError("Failed to encode the value: it is longer than 512 MiB")
    if kind is str:
        try:
            payload = value.encode()
            return STRING + payload
        except UnicodeEncodeError:
            pass  # lone surrogates, which UTF-8 does not have but pickle does
    elif kind is int:
        try:
            return _INT64.pack(INT64[0], value)
        except struct.error:
            pass  # beyond 64 bits
    elif kind is bytes:
        payload = value
        return BYTES + payload
    elif kind is bool:
        return _TRUE if value else _FALSE
    elif kind is float:
        return _DOUBLE.pack(DOUBLE[0], value)
    elif value is None:
        return NONE
    return pickle.dumps(value, _PICKLE_PROTOCOL)


load_pickle = pickle.loads  # as a record that encode_value() makes of one is loaded


def decode_value(record: bytes) -> Any:
    """The value of `record`: a fresh object, if it is mutable."""
    return _DECODERS[record[0]](record)


def _decode_string(record: bytes) -> str:
    if len(record) < LARGE:
        return record[1:].decode()
    return str(memoryview(record)[1:], "utf-8")


def pickle_of(record: bytes) -> Optional[bytes]:
    """The pickle that `record` holds, if it holds one."""
    if record[:1] == PICKLE:
        return record
    return record[1:] if record[:1] == OLD_PICKLE else None


def _decode_old_pickle(record: bytes) -> Any:
    return pickle.loads(record[1:] if len(record) < LARGE else memoryview(record)[1:])


def _decode_nothing(record: bytes) -> Any:
    raise ValueError(f"Failed to decode a value: {record[0]} is not a known type")


_DECODERS: Tuple[Callable[[bytes], Any], ...] = (
    _decode_nothing,
    lambda record: None,
    lambda record: record[1:],
    _decode_string,
    lambda record: _INT64.unpack(record)[1],
    lambda record: _DOUBLE.unpack(record)[1],
    lambda record: record[1] != 0,
    lambda record: unpack_variant(record[1:]),
    _decode_old_pickle,
    *[_decode_nothing] * (PICKLE[0] - OLD_PICKLE[0] - 1),
    pickle.loads,
    *[_decode_nothing] * (0xFF - PICKLE[0]),
)
