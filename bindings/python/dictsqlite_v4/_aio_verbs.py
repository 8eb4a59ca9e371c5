# _aio_verbs.py - the verbs of AsyncDictSQLite that a thread does
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is asked for less often than get and set: each is DictSQLiteV4's method, called in a thread,
in its place among all that is asked for. A line makes each a coroutine function.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from itertools import islice
from typing import (
    TYPE_CHECKING,
    Any,
    Awaitable,
    Callable,
    Dict,
    Generic,
    List,
    Optional,
    Set,
    Tuple,
    TypeVar,
    Union,
    overload,
)

from ._aio_call import Call
from ._aio_transaction import AsyncTransaction, transaction_of
from ._aio_watch import AsyncWatch
from ._dsq import GError
from ._errors import ConflictError, to_exception
from ._expiry import DEFAULT, Expire
from ._lane import Lane
from ._mapping import StoreMapping
from ._memoize import AsyncMemoized, memoize
from ._pack import pack
from ._verbs import Verbs, as_dict
from ._watch import check_prefix

if TYPE_CHECKING:
    from typing_extensions import Concatenate, ParamSpec

    _Parameters = ParamSpec("_Parameters")

_MISSING: Any = object()
# Keys that an iterator asks for at a time.
_PAGE = 1000
_EMPTY_PACK = pack(())

_Result = TypeVar("_Result")
_Function = TypeVar("_Function", bound=Callable[..., Any])
_Self = TypeVar("_Self", bound="AsyncVerbs[Any, Any]")
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_Default = TypeVar("_Default")


def verb(
    method: Callable[Concatenate[Any, _Parameters], _Result],
    taking: Optional[Callable[[Any], Any]] = None,
) -> Callable[Concatenate[Any, _Parameters], Coroutine[Any, Any, _Result]]:
    """A coroutine function that has a method of the store called in its thread.

    `taking` makes of its first argument what the thread gets: what is the caller's, and may change
    or not be for another thread, is looked at in the loop's.
    """

    async def call(self: AsyncVerbs[Any, Any], *args: Any, **kwargs: Any) -> Any:
        if taking is not None and args:
            args = taking(args[0]), *args[1:]
        return await self._do(method, *args, **kwargs)

    name = method.__name__
    functools.update_wrapper(call, method)
    call.__name__, call.__qualname__ = f"{name}_async", f"AsyncDictSQLite.{name}_async"
    call.__module__ = __name__
    call.__doc__ = f"DictSQLiteV4's {name}(), as a coroutine.\n\n{inspect.getdoc(method)}"
    return call  # type: ignore[return-value]


def _entries(mapping_or_pairs: Any) -> Any:
    # reading a store is for the thread, too
    return mapping_or_pairs if isinstance(mapping_or_pairs, Verbs) else as_dict(mapping_or_pairs)


class AsyncVerbs(Generic[_Key, _Value]):
    """What AsyncDictSQLite and its tables have of these."""

    _db: Any  # a StoreMapping
    _parent: Any = None  # the AsyncDictSQLite that it is a table of
    _busy: Set[Any]  # what is under way on the whole store, and so may have to be waited for
    _lane: Callable[[], Lane]

    # --- how they are done -------------------------------------------------------------------

    @property
    def _root(self) -> Any:  # no attribute, or it would be in a circle
        """The AsyncDictSQLite that it is, or is a table of."""
        return self if self._parent is None else self._parent

    def _check_usable(self) -> None:
        """Raise RuntimeError when the store is closed or inherited by fork, as far as memory knows:
        the loop waits for nothing."""
        try:
            self._db._store.peek_pack(_EMPTY_PACK)
        except GError as error:
            raise to_exception(error, self._db._path) from None

    async def _do(self, function: Callable[..., _Result], *args: Any, **kwargs: Any) -> _Result:
        """function(store, ...), called between what was asked for before and after."""
        self._check_usable()
        bound = functools.partial(function, self._db, *args, **kwargs)
        transaction = transaction_of(self._root)
        if transaction is not None:
            result: _Result = await transaction.call(bound)
            return result
        call = Call(bound)
        done: _Result = await call.result_of(self._lane().call(self._root._worker(), call))
        return done

    def _is_in_transaction(self) -> bool:
        return transaction_of(self._root) is not None

    # --- one entry ---------------------------------------------------------------------------

    @overload
    async def pop_async(self, key: _Key, /) -> _Value: ...

    @overload
    async def pop_async(
        self, key: _Key, default: Union[_Value, _Default]
    ) -> Union[_Value, _Default]: ...

    async def pop_async(self, key: Any, default: Any = _MISSING) -> Any:
        """Remove `key` and return its value, or `default`; without one, raises KeyError.

        Of several tasks that pop a key, one gets it. A value that cannot be loaded stays.
        """
        given = () if default is _MISSING else (default,)
        return await self._do(StoreMapping.pop, key, *given)

    async def popitem_async(self) -> Tuple[_Key, _Value]:
        """Remove the newest key and return it with its value; raises KeyError when empty."""
        found: Tuple[_Key, _Value] = await self._do(StoreMapping.popitem)
        return found

    setdefault_async = asetdefault = verb(StoreMapping.setdefault)
    add_async = aadd = verb(StoreMapping.add)
    incr_async = aincr = verb(StoreMapping.incr)
    decr_async = adecr = verb(StoreMapping.decr)
    compare_and_set_async = acompare_and_set = verb(StoreMapping.compare_and_set)
    get_with_expiry_async = aget_with_expiry = verb(StoreMapping.get_with_expiry)
    touch_async = atouch = verb(StoreMapping.touch)
    expires_in_async = aexpires_in = verb(StoreMapping.expires_in)
    expire_async = aexpire = verb(StoreMapping.expire)
    set_clock_offset_async = aset_clock_offset = verb(StoreMapping.set_clock_offset)
    apop = pop_async
    apopitem = popitem_async

    @asynccontextmanager
    async def edit(self, key: Any, default: Any = _MISSING) -> AsyncIterator[Any]:
        """A context manager that gives the value of `key`, and writes back what was changed in it.

            async with db.edit("basket", []) as basket:
                basket.append("apple")

        It is DictSQLiteV4's: a missing key has `default`, or is a KeyError; after an exception
        nothing is written; where somebody else has changed the key meanwhile ConflictError is
        raised.
        """
        given = () if default is _MISSING else (default,)
        editor = StoreMapping.edit(self._db, key, *given)
        yield await self._do(lambda _: editor.__enter__())
        await self._do(lambda _: editor.__exit__(None, None, None))

    # --- many entries ------------------------------------------------------------------------

    update_async = aupdate = verb(StoreMapping.update, _entries)
    bulk_insert_async = abulk_insert = verb(StoreMapping.bulk_insert, _entries)
    set_many_async = aset_many = verb(StoreMapping.set_many, _entries)
    delete_many_async = adelete_many = verb(StoreMapping.delete_many, list)
    delete_prefix_async = adelete_prefix = verb(StoreMapping.delete_prefix)
    delete_all_async = adelete_all = verb(StoreMapping.delete_all)

    async def iter_prefix(self, prefix: str) -> AsyncIterator[str]:
        """The keys that are str and begin with `prefix`, in the order of their characters.

            async for key in db.iter_prefix("user/"): ...

        It asks for some at a time; see DictSQLiteV4.iter_prefix().
        """
        async for key in self._pages(StoreMapping.iter_prefix, prefix):
            yield key

    async def iter_from(
        self, start: str = "", /, stop: Optional[str] = None
    ) -> AsyncIterator[str]:
        """The keys that are str, from `start` on, before `stop`, in the order of their characters.

        It asks for some at a time; see DictSQLiteV4.iter_from().
        """
        async for key in self._pages(StoreMapping.iter_from, start, stop):
            yield key

    async def _pages(self, method: Callable[..., Iterator[Any]], *args: Any) -> AsyncIterator[Any]:
        keys: Iterator[Any] = await self._do(method, *args)
        while page := await self._do(lambda _: list(islice(keys, _PAGE))):
            for key in page:
                yield key

    async def keys_from_async(
        self, start: str = "", /, stop: Optional[str] = None, limit: Optional[int] = None
    ) -> List[str]:
        """The first `limit`, or all, of the keys that iter_from() has, as a list."""

        def list_keys(store: StoreMapping[Any, Any]) -> List[str]:
            return list(islice(store.iter_from(start, stop), limit))

        return await self._do(list_keys)

    akeys_from = keys_from_async

    # --- all at once, and functions ----------------------------------------------------------

    def transaction(self: _Self) -> AsyncTransaction[_Self]:
        """An asynchronous context manager in which all writes of this task become one.

            async with db.transaction():
                await db.set_async("from", await db.get_async("from") - 10)
                await db.set_async("to", await db.get_async("to") + 10)

        At its end all of them are made at one instant; after an exception, and where the task is
        cancelled before, none. Until then only this task sees them, and such as are begun within
        it, as gather() does; through the store as always, and any of its tables. Transactions of
        the tasks of a loop wait for each other. Other writers do not: where one of them has changed
        a key that the transaction has read, ConflictError is raised at the end, and nothing is
        written. One within one, of the same task, is a part of it, as DictSQLiteV4 has it.
        """
        return AsyncTransaction(self)

    @overload
    async def transact_async(
        self, function: Callable[[Any], Awaitable[_Result]], retries: int = 10
    ) -> _Result: ...

    @overload
    async def transact_async(
        self, function: Callable[[Any], _Result], retries: int = 10
    ) -> _Result: ...

    async def transact_async(self, function: Callable[[Any], Any], retries: int = 10) -> Any:
        """What function(store) returns, called in a transaction, again as DictSQLiteV4.transact().

        A coroutine function gets this store, and runs in the loop; any other gets a DictSQLiteV4,
        and runs in a thread.
        """
        if not inspect.iscoroutinefunction(function):
            return await self._do(StoreMapping.transact, function, retries)
        while True:
            try:
                async with self.transaction() as store:
                    return await function(store)
            except ConflictError:
                retries -= 1
                if retries < 0:
                    raise

    atransact = transact_async

    def memoize(
        self, expire: Expire = DEFAULT, **parameters: Any
    ) -> Callable[[_Function], _Function]:
        """A decorator for coroutine functions that keeps their results in the store.

            @db.memoize(expire=60)
            async def price(symbol): ...

        It is DictSQLiteV4's, with its parameters; the loop never waits for the disk. The function's
        cache_clear() and cache_info() are coroutines as well. Raises TypeError for a function that
        is none.
        """
        return memoize(self._db, expire, make=AsyncMemoized, **parameters)

    def watch(self, prefix: Optional[str] = None) -> AsyncWatch[_Key]:
        """Be told what changes from now on, by this process or any other.

            async for keys in db.watch("user/"):
                ...

        `keys` is as DictSQLiteV4.watch() has it. What is asked for after this call is told, awaited
        or not. Raises TypeError for a prefix that is no str; OSError where the system gives no more
        descriptors, when it is waited for.
        """
        check_prefix(prefix)
        self._check_usable()
        opening = functools.partial(self._db.watch, prefix)
        return AsyncWatch(self._lane().call(self._root._worker(), opening))


class Worker:
    """A thread that is started when it is first needed."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._executor: Optional[ThreadPoolExecutor] = None

    def __call__(self) -> ThreadPoolExecutor:
        executor = self._executor
        if executor is None:
            executor = self._executor = ThreadPoolExecutor(1, thread_name_prefix=self._name)
        return executor

    def end(self) -> None:
        """Let it end when it has done what it was given."""
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=False)
