# _flights.py - computations that those who want their result share
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Flights: threads, or tasks of one loop, that want the same result wait for the first of them.

Who would wait for itself does not: a function that calls itself with the arguments it was called
with, at once or by way of other functions and other threads, is simply called, and so meets
RecursionError or its end.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from asyncio import AbstractEventLoop
from contextvars import ContextVar
from threading import get_ident
from typing import Any, Awaitable, Callable, Dict, List, Optional, Tuple

from ._interrupt import find_locals

# Seconds between two looks at whether who computes does so still.
_LOOK = 1.0


class _Flight:
    """A thread's computation."""

    def __init__(self) -> None:
        self.owner = get_ident()
        self.done = threading.Event()
        self.value: Any = None
        self.error: Optional[Exception] = None
        self.given_up = False


class Flights:
    """The computations of threads, by key."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew, in a child of fork(), which has none of the threads."""
        self._lock = threading.Lock()
        self._running: Dict[Any, _Flight] = {}
        self._waits_for: Dict[int, int] = {}  # threads, by the one that waits

    def run(self, key: Any, compute: Callable[[], Any]) -> Tuple[Any, bool]:
        """The result for `key`, and whether this thread has computed it."""
        me = get_ident()
        while True:
            with self._lock:
                flight = self._running.get(key)
                if flight is None:
                    mine = self._running[key] = _Flight()
                    break
                is_circle = self._waits_for_me(flight.owner)
                if not is_circle:
                    self._waits_for[me] = flight.owner
            if is_circle:
                self._end_if_left(key, flight)
                return compute(), True
            try:
                while not flight.done.wait(_LOOK):
                    self._end_if_left(key, flight)
            finally:
                self._waits_for.pop(me, None)
            if flight.error is not None:
                raise flight.error
            if not flight.given_up:
                return flight.value, False
        return self._compute(key, mine, compute), True

    def _end_if_left(self, key: Any, flight: _Flight) -> None:
        """A handler of signals that raises before or behind the computation ends it unsaid; but
        then its owner is no longer in run()."""
        frame = sys._current_frames().get(flight.owner)
        flights = find_locals(frame, Flights.run.__code__, "mine")
        if any(other is flight for other in flights) or flight.done.is_set():
            return
        with self._lock:
            if self._running.get(key) is flight:
                del self._running[key]
        flight.given_up = True
        flight.done.set()

    def _waits_for_me(self, thread: Optional[int]) -> bool:
        me = get_ident()
        while thread is not None and thread != me:
            thread = self._waits_for.get(thread)
        return thread == me

    def _compute(self, key: Any, mine: _Flight, compute: Callable[[], Any]) -> Any:
        try:
            mine.value = compute()
            return mine.value
        except Exception as error:
            mine.error = error
            raise
        except BaseException:
            mine.given_up = True  # a KeyboardInterrupt is this thread's alone
            raise
        finally:
            with self._lock:
                self._running.pop(key, None)
            mine.done.set()


class _TaskFlight:
    """A task's computation."""

    task: asyncio.Task[Any]

    def __init__(self) -> None:
        self.waits_for: List[_TaskFlight] = []

    def leads_to(self, flights: Tuple[_TaskFlight, ...]) -> bool:
        """Whether it waits for one of `flights`, by way of others maybe, or is one."""
        seen = set()
        unseen = [self]
        while unseen:
            flight = unseen.pop()
            if flight in flights:
                return True
            if flight not in seen:
                seen.add(flight)
                unseen += flight.waits_for
        return False


# The computations within which the code that asks runs.
_within: ContextVar[Tuple[_TaskFlight, ...]] = ContextVar("dictsqlite.memoize", default=())


class TaskFlights:
    """The computations of tasks, by loop and key."""

    def __init__(self) -> None:
        self._running: Dict[Tuple[AbstractEventLoop, Any], _TaskFlight] = {}

    async def run(self, key: Any, compute: Callable[[], Awaitable[Any]]) -> Tuple[Any, bool]:
        """The result for `key`, and whether it was computed for this task."""
        loop = asyncio.get_running_loop()
        within = _within.get()
        flight = self._running.get((loop, key))
        is_first = flight is None
        if flight is None:
            flight = self._start(loop, key, compute, within)
        elif flight.leads_to(within):
            return await compute(), True
        if within:
            within[-1].waits_for.append(flight)
        try:
            # one that waits may be cancelled, and the others not
            return await asyncio.shield(flight.task), is_first
        finally:
            if within:
                within[-1].waits_for.remove(flight)

    def _start(
        self,
        loop: AbstractEventLoop,
        key: Any,
        compute: Callable[[], Awaitable[Any]],
        within: Tuple[_TaskFlight, ...],
    ) -> _TaskFlight:
        flight = self._running[loop, key] = _TaskFlight()

        async def run() -> Any:
            _within.set((*within, flight))  # in the task's own context
            return await compute()

        def forget(done: asyncio.Task[Any]) -> None:
            self._running.pop((loop, key), None)
            if not done.cancelled():
                done.exception()  # it reached those who waited, if there are any left

        flight.task = loop.create_task(run())
        flight.task.add_done_callback(forget)
        return flight


FLIGHTS = Flights()
TASK_FLIGHTS = TaskFlights()
os.register_at_fork(after_in_child=FLIGHTS.forget)
