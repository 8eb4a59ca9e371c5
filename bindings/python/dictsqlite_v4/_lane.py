# _lane.py - how the operations of one event loop reach a store, and their results come back
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lanes.

What a loop's tasks ask for during one turn of the loop is gathered, submitted in one call of the
library, and done by one of its threads. One descriptor, watched by the loop, tells when results are
there. So a thousand tasks that each wait for a key cost a handful of calls and of switches between
threads.

Reads go at the end of the turn, or when there are many: then a thread reads the first of them
while the loop still runs the tasks that ask for the rest. Writes are in line: at most one batch of
them is under way, and those that come meanwhile make up the next. So they take place in the order
in which they were asked for, and share their commits the more the longer these take.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from asyncio import AbstractEventLoop, Future
from typing import Any, Callable, Dict, List, Optional, Tuple

from ._dsq import Channel, Cursor, GError, Store
from ._errors import exception_of, to_exception
from ._pack import pack, unpack

# What a future waits for: the operation's byte, and its arguments.
_Asked = Tuple["Future[bytes]", bytes, Tuple[bytes, ...]]

_READS = b"cGn"

# Gets that are submitted before the turn is over.
_MANY_GETS = 256


class Lane:
    """The way of one loop to one store. To be used in that loop's thread only."""

    def __init__(self, store: Store, loop: AbstractEventLoop, path: str) -> None:
        self._loop = loop
        self._path = path
        self._channel: Channel = store.open_channel()
        self._create_future = loop.create_future
        self._gets: List[bytes] = []  # keys
        self._getters: List["Future[bytes]"] = []  # who waits for them
        self._reads: List[_Asked] = []
        self._writes: List[_Asked] = []
        self._is_submitting = False  # submit() will be called at the end of this turn
        self._write_ticket = 0  # of the writes that are under way
        self._waiting: Dict[int, List["Future[bytes]"]] = {}  # by ticket
        self._is_closing = False
        self._watcher: Optional[_Watcher] = None
        self._watch()

    # --- asking ------------------------------------------------------------------------------

    def get(self, key: bytes) -> "Future[bytes]":
        """Have a key's record read; it may be awaited, b'' where it is missing."""
        future: "Future[bytes]" = self._create_future()
        self._gets.append(key)
        self._getters.append(future)
        if not self._is_submitting:
            self._is_submitting = True
            self._loop.call_soon(self._submit)
        elif len(self._gets) >= _MANY_GETS:
            self._submit_gets()
        return future

    def ask(self, kind: bytes, *arguments: bytes) -> "Future[bytes]":
        """Have an operation done; its result may be awaited. For the kinds see Dsq.Channel."""
        future: "Future[bytes]" = self._create_future()
        line = self._reads if kind in _READS else self._writes
        line.append((future, kind, arguments))
        if not self._is_submitting:
            self._is_submitting = True
            self._loop.call_soon(self._submit)
        return future

    def walk(self, order: Any) -> Cursor:
        """A cursor for step()."""
        return self._channel.walk(order)

    def step(self, cursor: Cursor, max_entries: int, keys_only: bool) -> "Future[bytes]":
        """Have the next step of a walk done; its pack may be awaited."""
        return self._await_one(
            lambda: self._channel.submit_walk(cursor, max_entries, keys_only)
        )

    def close_store(self) -> "Future[bytes]":
        """Have the store closed."""
        return self._await_one(self._channel.submit_close)

    def _await_one(self, submit: Callable[[], int]) -> "Future[bytes]":
        future: "Future[bytes]" = self._create_future()
        try:
            self._waiting[submit()] = [future]
        except GError as error:
            future.set_exception(to_exception(error, self._path))
        return future

    def _submit(self) -> None:
        self._is_submitting = False
        if self._gets:
            self._submit_gets()
        self._submit_batch(self._reads)
        if not self._write_ticket:
            self._write_ticket = self._submit_batch(self._writes)

    def _submit_gets(self) -> None:
        keys, self._gets = self._gets, []
        getters, self._getters = self._getters, []
        self._submit_items([b"g" * len(keys), *keys], getters)

    def _submit_batch(self, asked: List[_Asked]) -> int:
        """Submit what nobody has given up, and empty the list. The ticket, or 0."""
        batch = [entry for entry in asked if not entry[0].done()]
        asked.clear()
        if not batch:
            return 0
        items = [b"".join([kind for _, kind, _ in batch])]
        for _, _, arguments in batch:
            items += arguments
        return self._submit_items(items, [future for future, _, _ in batch])

    def _submit_items(self, items: List[bytes], futures: List["Future[bytes]"]) -> int:
        """Submit a batch that `futures` wait for. Its ticket; 0 where it failed at once."""
        try:
            ticket = self._channel.submit(pack(items))
        except (GError, ValueError) as error:
            failure = to_exception(error, self._path) if isinstance(error, GError) else error
            for future in futures:
                if not future.done():
                    future.set_exception(failure)
            return 0
        self._waiting[ticket] = futures
        return ticket

    # --- results -----------------------------------------------------------------------------

    def _collect(self) -> None:
        while data := self._channel.collect():
            ticket, *results = unpack(data)
            number = int.from_bytes(ticket, sys.byteorder)
            for future, result in zip(self._waiting.pop(number), results):
                if future.done():
                    pass  # the task was cancelled
                elif not result or result[0]:
                    future.set_result(result)
                else:
                    future.set_exception(
                        exception_of(result[2] == 1, result[1], result[3:].decode(), self._path)
                    )
            if number == self._write_ticket:
                self._write_ticket = self._submit_batch(self._writes)
        if self._is_closing and not self._waiting:
            self._unwatch()

    # --- watching ----------------------------------------------------------------------------

    def _watch(self) -> None:
        try:
            self._loop.add_reader(self._channel.get_fd(), self._collect)
        except NotImplementedError:
            self._watcher = _Watcher(self._channel.get_fd(), self._loop, self._collect)

    def _unwatch(self) -> None:
        if self._watcher is not None:
            self._watcher.stop()
        elif not self._loop.is_closed():
            self._loop.remove_reader(self._channel.get_fd())

    def leave(self) -> None:
        """Stop watching, when all that was asked for has its result; from any thread."""
        if self._loop.is_closed():
            self._unwatch()
            return
        try:
            self._loop.call_soon_threadsafe(self._leave)
        except RuntimeError:
            self._unwatch()  # it was closed just now

    def _leave(self) -> None:
        self._is_closing = True
        self._collect()

    @property
    def is_over(self) -> bool:
        """Whether the loop is closed, so that nobody will use this lane any more."""
        return self._loop.is_closed()


class _Watcher:
    """A thread that watches a descriptor for a loop that cannot."""

    def __init__(
        self, fd: int, loop: AbstractEventLoop, callback: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._callback = callback
        self._stop_read, self._stop_write = os.pipe()
        self._may_poll = threading.Event()
        self._may_poll.set()
        self._is_stopped = False
        self._thread = threading.Thread(
            target=self._run, args=(fd,), name="dictsqlite-watcher", daemon=True
        )
        self._thread.start()

    def _run(self, fd: int) -> None:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        poll.register(self._stop_read, select.POLLIN)
        while True:
            self._may_poll.wait()
            if self._is_stopped:
                return
            poll.poll()
            self._may_poll.clear()
            if self._is_stopped:
                return
            try:
                self._loop.call_soon_threadsafe(self._called_back)
            except RuntimeError:
                return  # the loop is closed

    def _called_back(self) -> None:
        self._callback()
        self._may_poll.set()

    def stop(self) -> None:
        """End the thread. Does nothing the second time."""
        if self._is_stopped:
            return
        self._is_stopped = True
        self._may_poll.set()
        os.write(self._stop_write, b"x")
        if threading.current_thread() is not self._thread:
            self._thread.join()
        os.close(self._stop_read)
        os.close(self._stop_write)
