# _table.py - the tables of a store
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tables: mappings of their own in one file, within the same limits and the same flushes."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Dict, List, NoReturn, Optional, TypeVar
from weakref import WeakValueDictionary

from ._dsq import GError, Store
from ._errors import to_exception
from ._mapping import StoreMapping
from ._pack import unpack
from ._repr import describe
from ._transaction import is_dropped, route_table

if TYPE_CHECKING:
    from ._pickle import SafePickle


_MAX_NAME_LENGTH = 1 << 20  # bytes

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class StoreWithTables(StoreMapping[_Key, _Value]):
    """A mapping that has further ones, by name."""

    def _bind(
        self, store: Store, safe: Optional[SafePickle] = None, near_capacity: int = 0
    ) -> None:
        super()._bind(store, safe, near_capacity)
        self._tables: WeakValueDictionary[str, Table[Any, Any]] = WeakValueDictionary()

    def table(self, name: str) -> Table[Any, Any]:
        """The table called `name`, which may be any str; it is made when it is missing.

        A table is a mapping of its own: nothing of it shows in this one or in another table. As
        long as somebody has the table, the same name gives the same object.

        A missing table is in the file as soon as this returns. Raises TypeError for a name that is
        no str, UnicodeEncodeError for one with lone surrogates, ValueError for one beyond 1 MiB,
        and OSError when the file cannot be written.
        """
        encoded = _encode_name(name)
        known = self._tables.get(name)
        if known is not None and not known.dropped:
            self._check_open()
            return known
        try:
            native = self._store.get_table_utf8(encoded)
        except GError as error:
            raise to_exception(error, self._path) from None
        table: Table[Any, Any] = Table(self, str(name), native)
        self._tables[table.name] = table
        route_table(self, table)
        return table

    def tables(self) -> List[str]:
        """The names of all tables, in the order in which they were made."""
        try:
            return [name.decode() for name in unpack(self._store.list_tables_pack())]
        except GError as error:
            raise to_exception(error, self._path) from None

    def drop_table(self, name: str) -> None:
        """Remove the table called `name` with all that is in it; KeyError where it is missing.

        It is gone from the file when this returns, together with a flush of all else that was
        written before. Whoever still has the table gets RuntimeError, "table is dropped", from
        then on, also when another one of that name is made. Raises OSError when the file cannot
        be written; then the table is as it was.
        """
        encoded = _encode_name(name)
        try:
            is_dropped = self._store.drop_table_utf8(encoded)
        except GError as error:
            raise to_exception(error, self._path) from None
        if not is_dropped:
            raise KeyError(name)

    @abstractmethod
    def flush(self) -> None:
        """Return when everything written before the call is in the file and synced."""

    @abstractmethod
    def stats(self) -> Dict[str, Any]:
        """The store's counters."""


class Table(StoreMapping[_Key, _Value]):
    """A table of a store: a dict of its own in the same file.

    It does all that its store does as a mapping, and lives as long as that is open. Made by the
    store's table(). After drop_table(), here or in another process, all but flush() raise
    RuntimeError, "table is dropped".
    """

    def __init__(self, parent: StoreWithTables[Any, Any], name: str, native: Store) -> None:
        self._parent = parent
        self._name = name
        self._path, self._has_password = parent._path, parent._has_password
        self._bind(native, parent._safe, parent._near_capacity)

    @property
    def name(self) -> str:
        """The table's name."""
        return self._name

    @property
    def _root(self) -> Any:
        return self._parent

    @property
    def parent(self) -> StoreWithTables[Any, Any]:
        """The store that it is a table of."""
        return self._parent

    @property
    def dropped(self) -> bool:
        """Whether the table was dropped."""
        return is_dropped(self._handle)

    def flush(self) -> None:
        """Flush the whole store, all of its tables at one instant."""
        self._parent.flush()

    def stats(self) -> Dict[str, Any]:
        """The counters of the whole store."""
        return self._parent.stats()

    def __repr__(self) -> str:
        """The name and the store's path, and at most 20 items."""
        return describe(f"{type(self).__name__} {self._name!r} of {self._path!r}", self)

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError(
            f"cannot pickle {type(self).__name__!r} object: "
            "open the file anew where it is needed, or take copy()"
        )


def _encode_name(name: object) -> bytes:
    if not isinstance(name, str):
        raise TypeError(f"a table's name must be str, not {type(name).__name__!r}")
    if len(name) > _MAX_NAME_LENGTH:
        raise ValueError("Failed to name a table: the name is longer than 1 MiB")
    return name.encode()
