# _memoize.py - results of functions, kept in a store
# SPDX-License-Identifier: LGPL-2.1-or-later
"""memoize(): a decorator whose results outlive the process.

A result stands under a tuple that begins with a marker, so that no str key of the user's is ever
one of these; the arguments are in it as a digest, so that keys stay short.
"""

from __future__ import annotations

import functools
import inspect
import pickle
from collections.abc import Iterable
from typing import Any, Awaitable, Callable, NamedTuple, Optional, Tuple, TypeVar, Union, cast

from ._calls import MARKER, Calls
from ._expiry import DEFAULT, Expire, time_to_live
from ._flights import FLIGHTS, TASK_FLIGHTS
from ._keys import encode_key

_Function = TypeVar("_Function", bound=Callable[..., Any])

_MISSING: Any = object()
_MUST_ASK = b"\x00"


class CacheInfo(NamedTuple):
    """What cache_info() gives: calls in this process, and how many results there are."""

    hits: int
    misses: int
    maxsize: Optional[int]
    currsize: int


class Memoized:
    """What the wrappers of one function share, over a store without coroutines."""

    def __init__(
        self,
        mapping: Any,
        function: Callable[..., Any],
        calls: Calls,
        times: Tuple[Expire, bool],
        condition: Optional[Callable[[Any], Any]],
    ) -> None:
        self.mapping = mapping
        self.function = function
        self.calls = calls
        self.expire, self.sliding = times
        self.condition = condition
        self.hits = 0
        self.misses = 0

    def is_own(self, key: Any) -> bool:
        """Whether a result of the function is under `key`."""
        return type(key) is tuple and key[:2] == (MARKER, self.calls.name)

    def may_save(self, result: Any) -> bool:
        """Whether a result is to be kept."""
        return self.condition is None or bool(self.condition(result))

    def load(self, key: Tuple[Any, ...]) -> Any:
        try:
            result = self.mapping.get(key, _MISSING)
        except pickle.UnpicklingError:
            return _MISSING  # of a class that is not there any more, say
        if self.sliding and result is not _MISSING:
            self.mapping.touch(key, self.expire)
        return result

    def save(self, key: Tuple[Any, ...], result: Any) -> None:
        if self.may_save(result):
            self.mapping.set(key, result, expire=self.expire)

    def clear(self) -> Any:
        """Remove all results of the function, whichever its arguments were."""
        for key in list(self.mapping):
            if self.is_own(key):
                self.mapping.delete(key)

    def info(self) -> Any:
        """The calls of this process that found a result, and that did not, and the results."""
        size = sum(map(self.is_own, list(self.mapping)))
        return CacheInfo(self.hits, self.misses, None, size)

    # --- for coroutine functions: the loop does not wait for the disk

    async def load_async(self, key: Tuple[Any, ...]) -> Any:
        record = self.mapping._handle.peek_record(encode_key(key))
        if not record:
            return _MISSING
        if record != _MUST_ASK and not self.sliding:
            try:
                return self.mapping._load(key, record)
            except pickle.UnpicklingError:
                return _MISSING
        return await _in_thread(self.load, key)

    async def save_async(self, key: Tuple[Any, ...], result: Any) -> None:
        await _in_thread(self.save, key, result)


async def _in_thread(function: Callable[..., Any], *args: Any) -> Any:
    from ._aio_call import call_in_thread  # not where there is no loop

    return await call_in_thread(None, functools.partial(function, *args))


class AsyncMemoized(Memoized):
    """The same over a store with coroutines."""

    async def clear(self) -> None:
        """Remove all results of the function, whichever its arguments were."""
        await _in_thread(super().clear)

    async def info(self) -> CacheInfo:
        """The calls of this process that found a result, and that did not, and the results."""
        info: CacheInfo = await _in_thread(super().info)
        return info


def memoize(
    mapping: Any,
    expire: Expire = DEFAULT,
    *,
    name: Optional[str] = None,
    typed: bool = True,
    ignore: Iterable[Union[str, int]] = (),
    condition: Optional[Callable[[Any], Any]] = None,
    key: Optional[Callable[..., Any]] = None,
    sliding: bool = False,
    make: Callable[..., Any] = Memoized,
) -> Callable[[_Function], _Function]:
    """The decorator; StoreMapping.memoize() says what it does. `make` makes a Memoized."""
    if callable(expire):
        raise TypeError("memoize() takes parameters: write @db.memoize() with parentheses")
    if expire is not DEFAULT and time_to_live(expire) <= 0:
        raise ValueError(f"expire must be a number of seconds above 0 or None, not {expire!r}")
    if sliding and expire in (None, DEFAULT):
        raise ValueError("sliding renews what expires: pass expire as well")
    if name is not None and not isinstance(name, str):
        raise TypeError(f"name must be str or None, not {name!r}")

    def decorate(function: Any) -> Any:
        if isinstance(function, (staticmethod, classmethod)):
            return type(function)(decorate(function.__func__))
        is_coroutine_function = _is_coroutine_function(function)
        if make is AsyncMemoized and not is_coroutine_function:
            raise TypeError(f"memoize() of this store takes coroutine functions, not {function!r}")
        calls = Calls(function, name, typed, ignore, key)
        shared = make(mapping, function, calls, (expire, sliding), condition)
        wrap = _wrap_coroutine if is_coroutine_function else _wrap_function
        wrapper: Any = functools.wraps(function)(wrap(shared))
        wrapper.cache_key = wrapper.__cache_key__ = calls.key_of
        wrapper.cache_clear = shared.clear
        wrapper.cache_info = shared.info
        calls.itself = wrapper
        return wrapper

    return cast(Callable[[_Function], _Function], decorate)


def _is_coroutine_function(function: Any) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)
    )


def _wrap_function(shared: Memoized) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        key = shared.calls.key_of(*args, **kwargs)
        result = shared.load(key)
        if result is not _MISSING:
            shared.hits += 1
            return result

        def compute() -> Any:
            # whoever came first may have just finished
            result = shared.load(key)
            if result is _MISSING:
                result = shared.function(*args, **kwargs)
                shared.save(key, result)
            return result

        shared.misses += 1
        result, is_own = FLIGHTS.run((shared, key), compute)
        if is_own:
            return result
        # an object of its own, where it was kept
        loaded = shared.load(key)
        return result if loaded is _MISSING else loaded

    return wrapper


def _wrap_coroutine(shared: Memoized) -> Callable[..., Awaitable[Any]]:
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        key = shared.calls.key_of(*args, **kwargs)
        result = await shared.load_async(key)
        if result is not _MISSING:
            shared.hits += 1
            return result

        async def compute() -> Any:
            result = await shared.load_async(key)
            if result is _MISSING:
                result = await shared.function(*args, **kwargs)
                await shared.save_async(key, result)
            return result

        shared.misses += 1
        result, is_own = await TASK_FLIGHTS.run((shared, key), compute)
        if is_own:
            return result
        loaded = await shared.load_async(key)
        return result if loaded is _MISSING else loaded

    return wrapper
