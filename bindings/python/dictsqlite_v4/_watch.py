# _watch.py - being told what changes
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Watches: what changes in a mapping, told to a function or to a task, whoever changes it.

The library collects what has changed, and has a descriptor that can be read from while there is
something. A thread or an event loop waits for that, and takes it.
"""

from __future__ import annotations

import os
import select
import threading
from typing import TYPE_CHECKING, Any, Callable, Generic, List, Optional, Tuple, TypeVar

from ._dsq import GError, NativeWatch, Store
from ._errors import to_exception
from ._exit import show
from ._keys import decode_key
from ._pack import unpack

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future

_Key = TypeVar("_Key")
_Self = TypeVar("_Self", bound="Watch[Any]")

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


class Watch(Generic[_Key]):
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
        self._caller: Optional[_Caller] = None
        self._waiter: Optional[Tuple[AbstractEventLoop, Future[None]]] = None
        if callback is not None:
            self._caller = _Caller(native, callback)

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

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __aiter__(self: _Self) -> _Self:
        return self

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
        stop = _call_when_readable(loop, native.get_fd(), lambda: _wake(future))
        try:
            await future
        finally:
            self._waiter = None
            stop()


def _wake(future: Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _call_when_readable(
    loop: AbstractEventLoop, fd: int, function: Callable[[], None]
) -> Callable[[], object]:
    """Have `function` called; gives what ends that."""
    try:
        loop.add_reader(fd, function)
        return lambda: loop.remove_reader(fd)
    except NotImplementedError:
        from ._lane import Watcher

        return Watcher(fd, loop, function).stop


def _take(native: NativeWatch) -> Tuple[Keys[Any], bool]:
    packed, has_ended = native.take()
    return list(map(decode_key, unpack(packed))) if packed else None, has_ended


class _Caller:
    """The thread that calls a callback. It keeps nothing of the watch and of the mapping."""

    def __init__(self, native: NativeWatch, callback: Callable[[Keys[Any]], object]) -> None:
        self._process = os.getpid()
        self._is_stopped = False
        self._lock = threading.Lock()  # of what is next
        self._stop_read, self._stop_write = os.pipe()
        self._thread = threading.Thread(
            target=self._run, args=(native, callback), name="dictsqlite-watch", daemon=True
        )
        try:
            self._thread.start()
        except BaseException:
            self._end()
            raise

    def _run(self, native: NativeWatch, callback: Callable[[Keys[Any]], object]) -> None:
        poll = select.poll()
        poll.register(native.get_fd(), select.POLLIN)
        poll.register(self._stop_read, select.POLLIN)
        has_ended = False
        try:
            while not has_ended:
                poll.poll()
                if self._is_stopped:
                    break
                keys, has_ended = _take(native)
                if keys is not None and not keys:
                    continue
                try:
                    callback(keys)
                except Exception as error:
                    show(error)
        finally:
            self._end()

    def _end(self) -> None:
        with self._lock:
            self._is_stopped = True
            os.close(self._stop_read)
            os.close(self._stop_write)

    def stop(self) -> None:
        """End the thread, and wait for it. In the child of a fork there is none."""
        if os.getpid() != self._process:
            return
        with self._lock:
            if not self._is_stopped:
                self._is_stopped = True
                os.write(self._stop_write, b"x")
        if threading.current_thread() is not self._thread:
            self._thread.join()
