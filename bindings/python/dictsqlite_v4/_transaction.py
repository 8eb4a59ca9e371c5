# _transaction.py - many operations, all of them or none
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Transactions.

The library has them, as stores that are committed or rolled back. While one is under way the
operations of its thread on the store and on its tables go there, and those of others to the store.
So the mappings work in a transaction as they always do, and without one nothing is looked at.
"""

from __future__ import annotations

import threading
import weakref
from threading import get_ident
from typing import Any, Callable, Dict, Generic, List, Optional, Tuple, TypeVar

from ._dsq import GError, Store
from ._errors import is_no_table, to_exception
from ._pack import pack

_Mapping = TypeVar("_Mapping", bound="Any")

_EMPTY_PACK = pack(())


class Transaction(Generic[_Mapping]):
    """What transaction() gives: a context manager, to be used once.

    A signal's handler may raise between any two steps of Python. So each change that matters is
    one step: who is first in the store's dict of transactions has it, and where its operations go
    is one attribute. What is to be undone is known before it is done, and undoing it twice does no
    harm.
    Where __exit__() was not reached because a handler raised at its door, the transaction ends when
    this object goes, with that exception.
    """

    _level: Optional[_Level] = None

    def __init__(self, mapping: _Mapping) -> None:
        self._mapping = mapping
        self._entered = False

    def __enter__(self) -> _Mapping:
        if self._entered:
            raise RuntimeError("a transaction can be entered once; call transaction() again")
        self._entered = True
        mapping = self._mapping
        root = mapping._root
        if mapping is not root:
            mapping._check_open()
        # the one under way, by the key None; the dict is made by whoever comes first
        first: _First = root.__dict__.setdefault("_transactions", {})
        way = first.get(None)
        if way is None or way.owner != get_ident():
            way = _UnderWay(root, first)
        self._level = level = _Level(way, self)
        try:
            level.begin()
        except BaseException:
            level.end()
            raise
        return mapping

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        level = self._level
        if level is None:
            return
        try:
            # what comes after is the outer one's or the store's, for this thread too
            level.leave()
            if kind is None:
                level.commit(self._mapping._path)
        finally:
            level.end()


class _Level:
    """A transaction, or a part of one, from before it begins until after it has ended."""

    def __init__(self, way: _UnderWay, transaction: Transaction[Any]) -> None:
        self._way = way
        self._outer = way.level
        self.native: Any = None
        # where it goes before the end; a __del__() would run each time, and swallow what a signal's
        # handler raises in it
        self._watch: Any = weakref.ref(transaction, lambda _: self.end())

    def begin(self) -> None:
        """Have this thread's operations go here."""
        if self._outer is None:
            self._way.wait()
        store = self._way.root._handle if self._outer is None else self._outer.native
        try:
            self.native = store.begin()
        except GError as error:
            raise to_exception(error, self._way.root._path) from None
        self._way.level = self
        if self._outer is None:
            self._way.put_routes()

    def leave(self) -> None:
        """Have them go where they went before, also where parts of this one have not ended."""
        level = self._way.level
        while level is not None and level is not self:
            level = level._outer
        if level is self:
            self._way.level = self._outer
        if self._outer is None:
            self._way.take_routes_back()

    def commit(self, path: str) -> None:
        """Write it all."""
        try:
            self.native.commit(None)
        except GError as error:
            raise to_exception(error, path) from None

    def end(self) -> None:
        """Forget what was not committed. Does nothing the second time."""
        try:
            self._end()
        except BaseException:
            self._end()
            raise

    def _end(self) -> None:
        self.leave()
        if self.native is not None:
            self.native.rollback()
        if self._outer is None:
            self._way.end()
        self._watch = None


class _UnderWay:
    """The transaction of a thread's on a store, and where the operations on its mappings go."""

    level: Optional[_Level] = None  # the innermost part

    def __init__(self, root: Any, first: _First) -> None:
        self.root = root
        self.owner = get_ident()
        self._first = first
        self._is_over = False
        self._routed: List[Any] = []  # mappings
        self._turn = threading.Lock()  # others wait for it; held until the end
        self._turn.acquire()

    def wait(self) -> None:
        """Until there is no other."""
        while (other := self._first.setdefault(None, self)) is not self:
            try:
                with other._turn:
                    pass
            except RuntimeError:
                pass  # it was ended twice, and gave back what was held here

    def put_routes(self) -> None:
        """For the store and all tables that somebody has."""
        self.route(self.root)
        for reference in self.root._tables.valuerefs():
            table = reference()
            if table is not None:
                self.route(table)

    def route(self, mapping: Any) -> None:
        """For one of them. Any thread may have made it."""
        self._routed.append(mapping)
        if mapping._detour is None:
            mapping._detour = _detour(mapping._handle, getattr(mapping, "_name", None))
        router, routes = mapping._detour
        router.way = self
        mapping.__dict__.update(routes)
        if self._is_over:
            self.take_routes_back()

    def take_routes_back(self) -> None:
        """Have all operations go to the store."""
        self._is_over = True
        for mapping in list(self._routed):
            mapping.__dict__.update(mapping._routes)
            if mapping._detour is not None:
                mapping._detour[0].leave(self)

    def end(self) -> None:
        """Let the next begin."""
        if self._first.get(None) is self:
            self._first.pop(None, None)
        if self._turn.locked():
            self._turn.release()


_First = Dict[None, _UnderWay]


def route_table(root: Any, table: Any) -> None:
    """A table has been opened, maybe while a transaction is under way."""
    way = root.__dict__.get("_transactions", {}).get(None)
    if way is not None and way.level is not None:
        way.route(table)


# functions of the handle
_TEXT = ("get_text", "set_text", "set_stamped_text", "contains_text", "remove_text")
_BYTES = ("get_record", "set_record", "contains_key", "remove_key")


def routes_to(store: Store) -> Dict[str, Any]:
    """The attributes of a mapping by which operations go to `store`.

    A thread may be between two of these: either goes with all others.
    """
    routes: Dict[str, Any] = {"_" + name: getattr(type(store), name) for name in _TEXT}
    routes.update({"_" + name: getattr(store, name) for name in _BYTES})
    routes["_store"] = store
    return routes


# What is of the store alone; all else is of the transaction too.
_OUTSIDE = frozenset(
    ("close", "is_closed", "open_channel", "get_table_utf8", "drop_table_utf8")
)


def is_dropped(store: Any) -> bool:
    """Whether the table that `store` is has been dropped, here or by another process."""
    try:
        store.get_pack(_EMPTY_PACK)
    except GError as error:
        return is_no_table(error)
    return False


class _Router:
    """A mapping's store, for others than a transaction's thread; for that, its place there.

    What it is made of does not lead back to it, nor to the mapping but while a transaction is under
    way: else the store would live on until the garbage collector comes by.
    """

    way: Optional[_UnderWay] = None

    def __init__(self, base: Store, name: Optional[str]) -> None:
        self._base = base
        self._name = name  # of the table
        self._inside: Tuple[Optional[_Level], Any] = (None, None)  # as of the level

    def leave(self, way: _UnderWay) -> None:
        """It is over. Does nothing the second time."""
        if self.way is way:
            self._inside = (None, None)
            self.way = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._base if name in _OUTSIDE else self.store(), name)

    def store(self) -> Any:
        """Where the operations of the thread that asks go."""
        way = self.way
        level = way.level if way is not None else None
        if way is None or level is None or get_ident() != way.owner:
            return self._base
        known, store = self._inside
        if known is not level:
            store = level.native
            if self._name is not None:
                # a table that was dropped stays so
                dropped = is_dropped(self._base)
                store = self._base if dropped else store.get_table_utf8(self._name.encode())
            self._inside = level, store
        return store


def _detour(base: Store, name: Optional[str]) -> Tuple[_Router, Dict[str, Any]]:
    """A router, and as routes_to() what goes through it.

    A mapping keeps them from one transaction to the next: to make them anew for each table that
    somebody has would take most of the time of a small one.
    """
    router = _Router(base, name)

    def route(name: str) -> Callable[..., Any]:
        return lambda *args: getattr(router.store(), name)(*args)

    def route_text(name: str) -> Callable[..., Any]:
        # a transaction is a store of the same kind
        function: Callable[..., Any] = getattr(type(base), name)
        return lambda handle, *args: function(router.store(), *args)

    routes: Dict[str, Any] = {"_" + name: route_text(name) for name in _TEXT}
    routes.update({"_" + name: route(name) for name in _BYTES})
    routes["_store"] = router
    routes["_near"] = None
    return router, routes
