# _readable.py - descriptors that are waited for
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls that are made when a descriptor can be read from: by a thread, or by an event loop."""

from __future__ import annotations

import os
import select
import threading
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop


class Poller:
    """A thread that calls a function whenever a descriptor can be read from, until it gives False.

    It keeps nothing but these two.
    """

    def __init__(self, fd: int, function: Callable[[], bool], name: str) -> None:
        self._process = os.getpid()
        self._is_stopped = False
        self._lock = threading.Lock()  # of what is next
        self._stop_read, self._stop_write = os.pipe()
        self.thread = threading.Thread(
            target=self._run, args=(fd, function), name=name, daemon=True
        )
        try:
            self.thread.start()
        except BaseException:
            self._end()
            raise

    def _run(self, fd: int, function: Callable[[], bool]) -> None:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        poll.register(self._stop_read, select.POLLIN)
        try:
            while True:
                poll.poll()
                if self._is_stopped or not function():
                    break
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
        if threading.current_thread() is not self.thread:
            self.thread.join()


def call_when_readable(
    loop: AbstractEventLoop, fd: int, function: Callable[[], object]
) -> Callable[[], object]:
    """Have `function` called in the loop's thread; gives what ends that."""
    try:
        loop.add_reader(fd, function)
    except NotImplementedError:
        return _call_by_thread(loop, fd, function)
    # one that is closed watches nothing
    return lambda: loop.is_closed() or loop.remove_reader(fd)


def _call_by_thread(
    loop: AbstractEventLoop, fd: int, function: Callable[[], object]
) -> Callable[[], None]:
    """The same for a loop that cannot watch a descriptor."""
    is_stopped = False
    may_poll = threading.Event()

    def call() -> None:
        try:
            function()
        finally:
            may_poll.set()

    def ask() -> bool:
        may_poll.clear()
        try:
            loop.call_soon_threadsafe(call)
        except RuntimeError:
            return False  # the loop is closed
        if not is_stopped:
            may_poll.wait()
        return True

    poller = Poller(fd, ask, "dictsqlite-watcher")

    def stop() -> None:
        nonlocal is_stopped
        is_stopped = True
        may_poll.set()
        poller.stop()

    return stop
