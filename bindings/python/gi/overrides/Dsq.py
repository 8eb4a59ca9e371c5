# Dsq.py - what PyGObject adds to the library: a store as a mapping of plain values
# SPDX-License-Identifier: LGPL-2.1-or-later
"""`from gi.repository import Dsq` gives the library's own calls, and stores that are mappings too.

The class stays what PyGObject makes it, so that its calls cost what they did.
"""

from __future__ import annotations

from typing import Any, Dict, Iterator

from gi.module import get_introspection_module
from gi.repository import GLib

Dsq = get_introspection_module("Dsq")

_PAGE = 256  # entries that a walk takes at a time


def _text(string: Any, what: str) -> str:
    if not isinstance(string, str):
        raise TypeError(f"a {what} must be str, not {type(string).__name__!r}")
    if "\0" in string:  # where PyGObject cuts it without a word
        raise ValueError(f"a {what} that holds U+0000 has no form in C")
    return string


def _variant_of(value: Any) -> Any:
    if isinstance(value, GLib.Variant):
        return value
    if value is None:
        return GLib.Variant("mv", None)
    if isinstance(value, bool):
        return GLib.Variant.new_boolean(value)
    if isinstance(value, int):
        return GLib.Variant("x", value)  # an OverflowError beyond 64 bits
    if isinstance(value, float):
        return GLib.Variant.new_double(value)
    if isinstance(value, str):
        return GLib.Variant.new_string(_text(value, "string"))
    if isinstance(value, bytes):
        return GLib.Variant.new_from_bytes(GLib.VariantType("ay"), GLib.Bytes(value), True)
    raise TypeError(f"a {type(value).__name__!r} is no plain value: make a GLib.Variant of it")


def _plain_of(variant: Any) -> Any:
    kind = variant.get_type_string()
    if kind == "ay":
        return variant.get_data_as_bytes().get_data() or b""
    if kind == "mv":
        inner = variant.get_maybe()
        return None if inner is None else _plain_of(inner.get_variant())
    return variant.unpack()


def _getitem(self: Any, key: str) -> Any:
    value = self.get(_text(key, "key"), None)
    if value is None:
        raise KeyError(key)
    return _plain_of(value)


def _setitem(self: Any, key: str, value: Any) -> None:
    self.set(_text(key, "key"), _variant_of(value), None)


def _delitem(self: Any, key: str) -> None:
    if not self.remove(_text(key, "key"), None):
        raise KeyError(key)


def _contains(self: Any, key: Any) -> bool:
    return isinstance(key, str) and "\0" not in key and bool(self.contains(key, None))


def _iter(self: Any) -> Iterator[str]:
    cursor = self.walk(Dsq.WalkOrder.FORWARD)
    while page := cursor.next_many(_PAGE, None).unpack():
        for key, _ in page:
            yield key


def _exit_store(self: Any, *exc_info: object) -> None:
    self.close(None)


def _exit_transaction(self: Any, kind: Any, *exc_info: object) -> None:
    if kind is None:
        self.commit(None)
    else:
        self.rollback()


_OF_STORES: Dict[str, Any] = {
    "__getitem__": _getitem,
    "__setitem__": _setitem,
    "__delitem__": _delitem,
    "__contains__": _contains,
    "__iter__": _iter,
    "__len__": lambda self: self.count(None),
    "__bool__": lambda self: True,  # also an empty one
    "__enter__": lambda self: self,
    "__exit__": _exit_store,
}
for _name, _function in _OF_STORES.items():
    setattr(Dsq.Store, _name, _function)
Dsq.Transaction.__exit__ = _exit_transaction
