# _watch.py - being told what changes
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Watches: what changes in a mapping, told to a function or to a task, whoever changes it.

The library collects what has changed, and has a descriptor that can be read from while there is
something. A thread or an event loop waits for that, and takes it.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Callable, Generic, List, Optional, Tuple, TypeVar

from ._dsq import GError, NativeWatch, Store
from ._errors import to_exception
from ._exit import show
from ._keys import decode_key
from ._pack import unpack
from ._readable import Poller, call_when_readable

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future

_Key = TypeVar("_Key")
_Self = TypeVar("_Self", bound="Changes")

Keys = Optional[List[_Key]]


class Watches(Generic[_Key]):
    """What StoreMapping has of these."""

    _path: str
    _handle: Store

    def watch(
        self,
        prefix: Optional[str] = None,
        callback: Optional[Callable[[Keys[_Key]], object]] = None,
    ) -> Watch[_Key]:
        """Be told what changes from now on, by this process or any other.

        With `callback`, a thread calls callback(keys) until the watch is closed, or the store.
        Without it, the watch is an asynchronous iterator of the same, for asyncio, which ends then:

            async for keys in db.watch("user/"):
                ...

        `keys` is a list of the keys that have changed since the last time, each once, in the order
        in which they first did; or None when any key may have: after clear(), beyond a thousand of
        them, and when another process's commit does not say. Who is told of a key reads what it is
        now. With `prefix` only keys that are str and begin with it are told, and None.

        A key that has expired is told when it is removed, what a transaction has written when it is
        committed. In the child of a fork nothing is told. What `callback` raises is shown by
        sys.unraisablehook, and it goes on. Raises TypeError for a prefix that is no str, and
        OSError where the system gives no more descriptors or inotify instances.
        """
        check_prefix(prefix)
        try:
            native = self._handle.watch_utf8((prefix or "").encode())
        except GError as error:
            raise to_exception(error, self._path) from None
        return Watch(self, native, callback)


def check_prefix(prefix: object) -> None:
    """Raise TypeError for what can be no prefix."""
    if prefix is not None and not isinstance(prefix, str):
        raise TypeError(f"a prefix must be str, not {type(prefix).__name__!r}")


class Changes:
    """What every watch is beside its own."""

    close: Callable[[], None]

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __aiter__(self: _Self) -> _Self:
        return self


class Watch(Changes, Generic[_Key]):
    """What changes in a mapping: made by its watch(), where it is told what this gives.

    It ends by close(), at the end of a `with`, when the store is closed or the table dropped; and
    one without a callback when nobody has it any more.
    """

    def __init__(
        self,
        mapping: object,
        native: NativeWatch,
        callback: Optional[Callable[[Keys[_Key]], object]],
    ) -> None:
        self._mapping = mapping  # which is not dropped, and so closed, while this is waited for
        self._native: Optional[NativeWatch] = native
        self._caller: Optional[Poller] = None
        self._waiter: Optional[Tuple[AbstractEventLoop, Future[None]]] = None
        if callback is not None:
            function = functools.partial(_tell, native, callback)  # keeps nothing of the mapping
            self._caller = Poller(native.get_fd(), function, "dictsqlite-watch")

    def close(self) -> None:
        """End it. No call of the callback begins after this, and the one under way has ended,
        unless it is that which closes. Does nothing the second time.
        """
        self._native = None
        if self._caller is not None:
            self._caller.stop()
        if (waiter := self._waiter) is not None:
            loop, future = waiter
            try:
                loop.call_soon_threadsafe(_wake, future)
            except RuntimeError:
                pass  # that loop is closed

    async def __anext__(self) -> Keys[_Key]:
        if self._caller is not None:
            raise RuntimeError("Failed to wait for changes: the watch has a callback")
        if self._waiter is not None:
            raise RuntimeError("Failed to wait for changes: another task waits for this watch")
        while (native := self._native) is not None:
            keys, has_ended = _take(native)
            if keys is None or keys:
                return keys
            if has_ended:
                self._native = None
                break
            await self._wait(native)
        raise StopAsyncIteration

    async def _wait(self, native: NativeWatch) -> None:
        import asyncio

        loop = asyncio.get_running_loop()
        future: Future[None] = loop.create_future()
        self._waiter = loop, future
        stop = call_when_readable(loop, native.get_fd(), lambda: _wake(future))
        try:
            await future
        finally:
            self._waiter = None
            stop()


def _wake(future: Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _take(native: NativeWatch) -> Tuple[Keys[Any], bool]:
    packed, has_ended = native.take()
    return list(map(decode_key, unpack(packed))) if packed else None, has_ended


def _tell(native: NativeWatch, callback: Callable[[Keys[Any]], object]) -> bool:
    """Call back with what has changed; whether more may come."""
    keys, has_ended = _take(native)
    if keys is None or keys:
        try:
            callback(keys)
        except Exception as error:
            show(error)
    return not has_ended
