# _views.py - what keys(), values() and items() give: live views, as a dict's are
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Views."""

from __future__ import annotations

from collections.abc import ItemsView, KeysView, ValuesView
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Iterable, Iterator, Set, Tuple, TypeVar

from ._errors import CorruptError, UnloadableError
from ._keys import refuse_deep

if TYPE_CHECKING:
    from ._mapping import StoreMapping

_MISSING: Any = object()
_ERRORS = ("strict", "skip", "report")

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


def check_errors(errors: str) -> None:
    """Raise ValueError for what does not say what becomes of values that cannot be loaded."""
    if errors not in _ERRORS:
        raise ValueError(f"errors must be 'strict', 'skip' or 'report', not {errors!r}")


def _to_set(items: Iterable[Any]) -> Set[Any]:
    """A set, as operators on views give it."""
    checked = list(items)
    refuse_deep(checked)
    return set(checked)


class StoreKeys(KeysView[_Key]):
    """The keys of a store, in order: a live view, like a set."""

    _mapping: StoreMapping[_Key, Any]
    _from_iterable = staticmethod(_to_set)

    def __iter__(self) -> Iterator[_Key]:
        return iter(self._mapping)

    def __reversed__(self) -> Iterator[_Key]:
        return reversed(self._mapping)

    @property
    def mapping(self) -> MappingProxyType[_Key, Any]:
        """A read-only proxy of the store."""
        return MappingProxyType(self._mapping)


class StoreValues(ValuesView[_Value]):
    """The values of a store, in the order of their keys: a live view."""

    _mapping: StoreMapping[Any, _Value]

    def __init__(self, mapping: StoreMapping[Any, _Value], errors: str = "strict") -> None:
        check_errors(errors)
        super().__init__(mapping)
        self._errors = errors

    def __contains__(self, value: object) -> bool:
        return any(mine is value or mine == value for mine in self)

    def __iter__(self) -> Iterator[_Value]:
        return self._mapping._walk_values(False, self._errors)

    def __reversed__(self) -> Iterator[_Value]:
        return self._mapping._walk_values(True, self._errors)

    @property
    def mapping(self) -> MappingProxyType[Any, _Value]:
        """A read-only proxy of the store."""
        return MappingProxyType(self._mapping)


class StoreItems(ItemsView[_Key, _Value]):
    """The (key, value) pairs of a store, in order: a live view, like a set."""

    _mapping: StoreMapping[_Key, _Value]
    _from_iterable = staticmethod(_to_set)

    def __init__(self, mapping: StoreMapping[_Key, _Value], errors: str = "strict") -> None:
        check_errors(errors)
        super().__init__(mapping)
        self._errors = errors

    def __contains__(self, item: object) -> bool:
        if not isinstance(item, tuple) or len(item) != 2:
            return False
        key, value = item
        try:
            mine = self._mapping.get(key, _MISSING)
        except (UnloadableError, CorruptError):
            if self._errors == "strict":
                raise
            return False
        return mine is not _MISSING and (mine is value or bool(mine == value))

    def __iter__(self) -> Iterator[Tuple[_Key, _Value]]:
        return self._mapping._walk_items(False, self._errors)

    def __reversed__(self) -> Iterator[Tuple[_Key, _Value]]:
        return self._mapping._walk_items(True, self._errors)

    @property
    def mapping(self) -> MappingProxyType[_Key, _Value]:
        """A read-only proxy of the store."""
        return MappingProxyType(self._mapping)
