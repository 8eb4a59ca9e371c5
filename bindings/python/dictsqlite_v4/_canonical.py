# _canonical.py - equal values to equal bytes, in every process
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The canonical encoding by which memoize() tells arguments, and functions, apart.

A pickle is no such thing: the order of a set is another one in each process, that of a dict is how
it came about, and whether two equal strings are one object shows. Here each value is a tag, the
name of its type and its contents, each with its length before it. What is unordered is sorted by
its encoding; arrays are their bytes; what has no rule of its own is what it gives to pickle, taken
apart. A value within itself is the number of steps up to it.
"""

from __future__ import annotations

import copyreg
import dataclasses
import enum
import functools
import hashlib
import sys
import types
from array import array
from collections import OrderedDict
from pathlib import PurePath
from typing import Any, Callable, Dict, Iterable, List, Type

from ._errors import is_of_handler

_NUMBERS = (bool, int, float)
# Contents beyond this are in it as a digest.
_LONG = 1024


class NotCanonicalError(TypeError):
    """A value that has no canonical encoding."""


def canonical(value: object, typed: bool = True) -> bytes:
    """The bytes of `value`; those of equal values are equal.

    With `typed` equal values of different types are told apart: 1, 1.0 and True. Raises
    NotCanonicalError where there are none: for what cannot be pickled either.
    """
    return _Encoder(typed).encode(value)


def code_of(function: types.FunctionType, itself: object = None) -> bytes:
    """What tells a function apart that no name does: code, defaults, and what it closes over.

    `itself` is what stands for the function where it closes over itself. Raises NotCanonicalError
    where one of these has no canonical encoding, and LookupError where it closes over a variable
    that has no value yet.
    """
    encoder = _Encoder(True)
    encoder.path[id(function)] = 0
    encoder.path[id(itself)] = 0
    return encoder.function(function)


def _pack(tag: bytes, *items: bytes) -> bytes:
    """The items, each with its length; long ones shortened to a digest of a length of its own."""
    out = [tag]
    for item in items:
        if len(item) > _LONG:
            item = b"digest:" + hashlib.blake2b(item, digest_size=32).digest()
            out.append(b"\xff")
        else:
            out.append(b"\x00")
        out += (len(item).to_bytes(2, "big"), item)
    out.append(len(items).to_bytes(4, "big"))
    return b"".join(out)


def _name_of(thing: Any) -> bytes:
    # Python 3.13 moved the classes of pathlib to a module of another name.
    module = str(thing.__module__).replace("pathlib._local", "pathlib")
    return f"{module}.{thing.__qualname__}".encode("utf-8", "surrogatepass")


class _Encoder:
    """One encoding under way."""

    def __init__(self, typed: bool) -> None:
        self.typed = typed
        # the depth of each value that is being encoded, by its id
        self.path: Dict[int, int] = {}

    def encode(self, value: Any) -> bytes:
        kind = type(value)
        if kind is str:
            return _pack(b"s", value.encode("utf-8", "surrogatepass"))
        if value is None:
            return b"N"
        if kind in _NUMBERS:
            return self._number(value)
        if kind is bytes:
            return _pack(b"b", value)
        above = self.path.get(id(value))
        if above is not None:
            return _pack(b"^", str(len(self.path) - above).encode())
        self.path[id(value)] = len(self.path)
        try:
            return self._compound(value, kind)
        finally:
            del self.path[id(value)]

    def _number(self, value: Any) -> bytes:
        if self.typed:
            return _pack(type(value).__name__.encode(), repr(value).encode())
        if isinstance(value, float) and not value.is_integer():
            return _pack(b"f", repr(value).encode())
        return _pack(b"i", hex(int(value)).encode())

    def _compound(self, value: Any, kind: Type[Any]) -> bytes:
        rule = _RULES.get(kind)
        if rule is not None:
            return rule(self, value)
        if isinstance(value, enum.Enum):
            name = value.name if isinstance(value.name, str) else None
            member = self.encode(value.value if name is None else name)
            return _pack(b"E", _name_of(kind), member)
        if isinstance(value, type):
            return _pack(b"c", _name_of(value), self._by_name(value))
        if dataclasses.is_dataclass(value):
            fields = [field for field in dataclasses.fields(value) if field.compare]
            return _pack(
                b"D",
                _name_of(kind),
                *(self.encode((field.name, getattr(value, field.name))) for field in fields),
            )
        if not self.typed and isinstance(value, (str, bytes, int, float)):
            base: Any = next(base for base in (str, bytes, int, float) if isinstance(value, base))
            return self.encode(base(value))
        if isinstance(value, PurePath):
            return _pack(b"p", _name_of(kind), self.encode(str(value)))
        numpy = sys.modules.get("numpy")
        if numpy is not None and kind is numpy.ndarray:
            return self._array(value)
        return self._reduced(value, kind)

    def _items(self, tag: bytes, items: Iterable[Any]) -> bytes:
        return _pack(tag, *map(self.encode, items))

    def _set(self, value: Any) -> bytes:
        tag = b"F" if self.typed and type(value) is frozenset else b"S"
        return _pack(tag, *sorted(map(self.encode, value)))

    def _dict(self, value: Dict[Any, Any]) -> bytes:
        pairs = ((self.encode(key), self.encode(value[key])) for key in value)
        return _pack(b"d", *(_pack(b"", *pair) for pair in sorted(pairs)))

    def _ordered(self, value: Dict[Any, Any]) -> bytes:
        return self._items(b"O", value.items())

    def _buffer(self, value: Any) -> bytes:
        view = memoryview(value)
        shape = self.encode((view.format, view.shape))
        return _pack(b"B", type(value).__name__.encode(), shape, view.tobytes())

    def _array(self, value: Any) -> bytes:
        content = self.encode(value.tolist()) if value.dtype.hasobject else value.tobytes()
        return _pack(b"A", self.encode((str(value.dtype.descr), value.shape)), content)

    def _module(self, value: types.ModuleType) -> bytes:
        return _pack(b"m", value.__name__.encode())

    def _method(self, value: types.MethodType) -> bytes:
        return self._items(b"M", (value.__func__, value.__self__))

    def _partial(self, value: functools.partial[Any]) -> bytes:
        return self._items(b"P", (value.func, value.args, value.keywords))

    # --- functions

    def function(self, value: types.FunctionType) -> bytes:
        """A function that is not where its name says."""
        cells = []
        for cell in value.__closure__ or ():
            try:
                cells.append(self.encode(cell.cell_contents))
            except ValueError:
                raise LookupError("a variable of the closure has no value yet") from None
        defaults = self.encode((value.__defaults__, value.__kwdefaults__))
        return _pack(b"L", self._code(value.__code__), defaults, *cells)

    def _function(self, value: types.FunctionType) -> bytes:
        if hasattr(value, "cache_key") and hasattr(value, "__wrapped__"):
            return self.encode(value.__wrapped__)  # one that is memoized
        if _is_found(value):
            return _pack(b"c", _name_of(value))
        return self.function(value)

    def _code(self, code: types.CodeType) -> bytes:
        constants = tuple(
            self._code(item) if isinstance(item, types.CodeType) else item
            for item in code.co_consts
        )
        names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
        numbers = (code.co_flags, code.co_argcount, code.co_kwonlyargcount)
        return self._items(b"C", (code.co_code, constants, names, numbers))

    def _by_name(self, value: Any) -> bytes:
        if not _is_found(value):
            raise NotCanonicalError(f"{value!r} is not found by its name")
        return b""

    # --- all else: what it is to pickle

    def _reduced(self, value: Any, kind: Type[Any]) -> bytes:
        identity = getattr(value, "_memoize_identity", None)
        if identity is not None:
            return self._items(b"I", (_name_of(kind), identity()))
        try:
            reduce = copyreg.dispatch_table.get(kind)
            parts: Any = reduce(value) if reduce else value.__reduce_ex__(4)
        except Exception as error:
            if is_of_handler(error):
                raise
            raise NotCanonicalError(str(error)) from error
        if isinstance(parts, str):
            return _pack(b"g", f"{getattr(value, '__module__', kind.__module__)}.{parts}".encode())
        make, arguments, state, listed, mapped = (*parts, None, None, None)[:5]
        encoded: List[bytes] = [_name_of(kind), self.encode(make), self.encode(arguments)]
        encoded.append(self.encode(state))
        encoded.append(self.encode(None if listed is None else list(listed)))
        if mapped is not None:
            encoded.append((self._ordered if isinstance(value, OrderedDict) else self._dict)(
                dict(mapped)
            ))
        return _pack(b"R", *encoded)


def _is_found(value: Any) -> bool:
    """Whether the name of a class or function leads to it, here and so in other processes."""
    found: Any = sys.modules.get(value.__module__)
    if value.__module__ == "__main__":
        return False if isinstance(value, types.FunctionType) else "<locals>" not in str(value)
    for name in value.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is value


_RULES: Dict[Type[Any], Callable[[_Encoder, Any], bytes]] = {
    tuple: lambda encoder, value: encoder._items(b"t", value),
    list: lambda encoder, value: encoder._items(b"l", value),
    dict: _Encoder._dict,
    OrderedDict: _Encoder._ordered,
    set: _Encoder._set,
    frozenset: _Encoder._set,
    bytearray: _Encoder._buffer,
    memoryview: _Encoder._buffer,
    array: _Encoder._buffer,
    complex: lambda encoder, value: _pack(b"z", repr(value).encode()),
    type(Ellipsis): lambda encoder, value: b"...",
    type(NotImplemented): lambda encoder, value: b"!",
    range: lambda encoder, value: encoder._items(b"r", (value.start, value.stop, value.step)),
    slice: lambda encoder, value: encoder._items(b":", (value.start, value.stop, value.step)),
    types.ModuleType: _Encoder._module,
    types.FunctionType: _Encoder._function,
    types.MethodType: _Encoder._method,
    functools.partial: _Encoder._partial,
}
