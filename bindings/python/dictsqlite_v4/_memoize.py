# _memoize.py - results of functions, kept in a store
# SPDX-License-Identifier: LGPL-2.1-or-later
"""memoize(): a decorator whose results outlive the process.

A result stands under a tuple that begins with a marker, so that no str key of the user's is ever
one of these; the arguments are in it as a digest, so that keys stay short. Callers of equal
arguments that wait at the same time share one computation: threads through a concurrent Future,
tasks of one loop through a task of its own, which goes on when one that waits is cancelled.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import inspect
import pickle
import threading
from concurrent.futures import Future
from typing import Any, Awaitable, Callable, Dict, Optional, Tuple, TypeVar, cast

from ._expiry import time_to_live
from ._keys import encode_key

_Function = TypeVar("_Function", bound=Callable[..., Any])

_MARKER = "dictsqlite.memoize"
_MISSING: Any = object()


class _Memoized:
    """What the wrappers of one function share."""

    def __init__(
        self, mapping: Any, function: Callable[..., Any], expire: Optional[float], name: str
    ) -> None:
        self.mapping = mapping
        self.function = function
        self.expire = expire
        self.name = name
        self.lock = threading.Lock()
        self.running: Dict[Tuple[Any, ...], Any] = {}  # by key; tasks by loop and key

    def key_of(self, *args: Any, **kwargs: Any) -> Tuple[str, str, bytes]:
        """The key under which the result for these arguments stands."""
        plain = (
            tuple(map(_plain, args)),
            tuple((name, _plain(kwargs[name])) for name in sorted(kwargs)),
        )
        digest = hashlib.blake2b(encode_key(plain), digest_size=16).digest()
        return _MARKER, self.name, digest

    def load(self, key: Tuple[Any, ...]) -> Any:
        return self.mapping.get(key, _MISSING)

    def save(self, key: Tuple[Any, ...], result: Any) -> None:
        self.mapping.set(key, result, expire=self.expire)

    def clear(self) -> None:
        """Remove all results of the function, whichever its arguments were."""
        for key in list(self.mapping):
            if type(key) is tuple and key[:2] == (_MARKER, self.name):
                self.mapping.pop(key, None)


def memoize(
    mapping: Any, expire: Optional[float], name: Optional[str]
) -> Callable[[_Function], _Function]:
    """The decorator; StoreMapping.memoize() says what it does."""
    if callable(expire):
        raise TypeError("memoize() takes parameters: write @db.memoize() with parentheses")
    if time_to_live(expire) <= 0:
        raise ValueError(f"expire must be a number of seconds above 0 or None, not {expire!r}")

    def decorate(function: _Function) -> _Function:
        shared = _Memoized(mapping, function, expire, name or _full_name(function))
        make = _wrap_coroutine if inspect.iscoroutinefunction(function) else _wrap_function
        wrapper: Any = functools.wraps(function)(make(shared))
        wrapper.cache_key = shared.key_of
        wrapper.cache_clear = shared.clear
        return cast(_Function, wrapper)

    return decorate


def _full_name(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def _plain(argument: Any) -> Tuple[Any, ...]:
    """A key that tells the argument and its type from any other."""
    kind = type(argument)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if kind is tuple:
        return name, tuple(map(_plain, argument))
    if kind in (str, bytes, int, bool) or argument is None:
        return name, argument
    hash(argument)  # raises TypeError for what may change, as functools.lru_cache() does
    if kind is float:
        return name, repr(argument)  # NaN, and -0.0 apart from 0.0
    return name, pickle.dumps(argument, 5)


def _wrap_function(shared: _Memoized) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        key = shared.key_of(*args, **kwargs)
        result = shared.load(key)
        if result is not _MISSING:
            return result
        with shared.lock:
            future = shared.running.get(key)
            is_mine = future is None
            if future is None:
                future = shared.running[key] = Future()
        return _compute(shared, key, future, args, kwargs) if is_mine else future.result()

    return wrapper


def _compute(
    shared: _Memoized,
    key: Tuple[Any, ...],
    future: Future[Any],
    args: Tuple[Any, ...],
    kwargs: Dict[str, Any],
) -> Any:
    try:
        # whoever came first may have just finished
        result = shared.load(key)
        if result is _MISSING:
            result = shared.function(*args, **kwargs)
            shared.save(key, result)
    except BaseException as error:
        future.set_exception(error)
        raise
    else:
        future.set_result(result)
        return result
    finally:
        with shared.lock:
            del shared.running[key]


def _wrap_coroutine(shared: _Memoized) -> Callable[..., Awaitable[Any]]:
    async def compute(key: Tuple[Any, ...], args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Any:
        result = await shared.function(*args, **kwargs)
        shared.save(key, result)
        return result

    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        key = shared.key_of(*args, **kwargs)
        result = shared.load(key)
        if result is not _MISSING:
            return result
        loop = asyncio.get_running_loop()
        waiting = (id(loop), *key)
        task = shared.running.get(waiting)
        if task is None:
            task = shared.running[waiting] = loop.create_task(compute(key, args, kwargs))

            def forget(done: asyncio.Task[Any]) -> None:
                shared.running.pop(waiting, None)
                if not done.cancelled():
                    done.exception()  # it reached those who waited, if there are any left

            task.add_done_callback(forget)
        # one that waits may be cancelled, and the others not
        return await asyncio.shield(task)

    return wrapper
