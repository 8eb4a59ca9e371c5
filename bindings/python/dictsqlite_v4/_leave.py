# _leave.py - calls that the main thread can leave before they are done
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A sync of the medium and the derivation of a key cannot be broken off. So a call that comes to
one is made on a thread of its own, and the main thread waits for that where handlers of signals
run: what they raise ends the wait, and the call as far as it can be ended.

A call that was waited for has ended when its thread has: a fork in between could leave the child
with a lock of GLib's memory that a thread takes at its very end.
"""

from __future__ import annotations

import _thread
import os
import queue
import sys
import threading
import time
from typing import Any, Callable, Generic, Optional, Tuple, TypeVar

from ._dsq import Store, new_cancellable
from ._interrupt import OutcomeUnknownError, find_locals, is_in_handler

Progress = Callable[[int, int], object]
_Result = TypeVar("_Result")

# Seconds for a call that was cancelled to end.
_GRACE = 0.2
# Between two looks at whether this is a child that a handler has forked, or who waited has left.
_LOOK = 1.0
# For a thread to end that has nothing left to do, and between two looks at that.
_END = 1.0
_TURN = 2e-5

# The cancellable of what this thread calls, if that is given.
_given = threading.local()


def refuse_if_told_of(store: Store) -> None:
    """Raise RuntimeError in a `progress` for what would wait for its own end."""
    calls = find_locals(sys._getframe(), _Call._tell.__code__, "self")
    if any(call._store is store for call in calls):
        raise RuntimeError("Failed to close the store: a copy of it is under way, which has asked")


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def call_with(cancellable: Any, function: Callable[[], _Result]) -> _Result:
    """What `function` returns, whose calls of this thread end when `cancellable` is cancelled."""
    _given.cancellable = cancellable
    try:
        return function()
    finally:
        del _given.cancellable


def leave_free(
    call: Callable[[Any, Optional[Callable[..., None]]], _Result],
    progress: Optional[Progress] = None,
    *,
    store: Optional[Store] = None,
    undo: Optional[Callable[[], None]] = None,
) -> _Result:
    """call(cancellable, report), which the main thread can leave.

    `progress` is called on this thread with what `report` is called with; what it raises cancels
    the call, and is raised. It may not close `store`. `undo` is called where the call has raised
    something else than its own error, and succeeds.
    """
    made = _Call(call, progress, store, undo)
    # a thread that begins when the interpreter ends would never run
    if _is_main_thread() and not is_in_handler() and not sys.is_finalizing():
        return made.wait()
    return made.run_here()


def _wait_for_end(thread_id: int) -> None:
    deadline = time.monotonic() + _END
    while time.monotonic() < deadline:
        try:
            os.sched_getscheduler(thread_id)
        except OSError:
            break  # there is no such thread
        time.sleep(_TURN)


class _Call(Generic[_Result]):
    def __init__(
        self,
        call: Callable[[Any, Optional[Callable[..., None]]], _Result],
        progress: Optional[Progress],
        store: Optional[Store],
        undo: Optional[Callable[[], None]],
    ) -> None:
        self._call = call
        self._progress = progress
        self._store = store
        self._undos = [] if undo is None else [undo]
        self._cancellable = getattr(_given, "cancellable", None) or new_cancellable()
        self._raised: Optional[BaseException] = None
        # what the waiting thread gets: numbers to pass on, or None at the end
        self._news: queue.SimpleQueue[Optional[Tuple[int, int]]] = queue.SimpleQueue()
        self._passed_on: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._outcome: Optional[Tuple[Any, Optional[BaseException]]] = None
        self._is_left = False
        self._thread_id = 0  # of the thread that makes the call

    # --- on the thread that asks for it

    def run_here(self) -> _Result:
        report = None if self._progress is None else self._report_here
        try:
            result = self._call(self._cancellable, report)
        except Exception:
            if self._raised is None:
                raise
        else:
            if self._raised is None:
                return result
            self._undo()
        raise self._raised

    def _undo(self) -> None:
        """Take back what has succeeded, once."""
        try:
            undo = self._undos.pop()
        except IndexError:
            return
        undo()

    def _report_here(self, n_done: int, n_total: int) -> None:
        try:
            if self._progress is not None and self._raised is None:
                self._progress(n_done, n_total)
        except BaseException as error:  # noqa: B902, raised again when the library has returned
            self._raised = error
            self._cancellable.cancel()

    # --- on a thread of its own, for the main one

    def wait(self) -> _Result:
        try:
            try:
                _thread.start_new_thread(self._run, ())
            except RuntimeError:
                return self.run_here()  # there can be none, as when the interpreter ends
            outcome = self._wait()
            _wait_for_end(self._thread_id)
        except BaseException as error:
            self._is_left = True
            self._cancellable.cancel()
            self._passed_on.put(None)
            self._say_what_is_known(error)
            if self._outcome is not None and self._outcome[1] is None:
                self._undo()
            raise
        if outcome[1] is not None:
            raise outcome[1]
        result: _Result = outcome[0]
        return result

    def _wait(self) -> Tuple[Any, Optional[BaseException]]:
        process = os.getpid()
        while self._outcome is None:
            try:
                news = self._news.get(timeout=_LOOK)
                if news is not None and self._progress is not None:
                    self._tell(self._progress, news)
                    self._passed_on.put(None)
            except queue.Empty:
                pass
            if os.getpid() != process:
                # the thread that makes the call is not in this child
                raise RuntimeError("Failed to go on: the call was inherited by fork")
        return self._outcome

    def _tell(self, progress: Progress, news: Tuple[int, int]) -> None:
        """The frame of it is what refuse_if_told_of() looks for."""
        progress(*news)

    def _say_what_is_known(self, error: BaseException) -> None:
        """Wait a little for the end, so that nothing is left to say."""
        try:
            while self._outcome is None:
                self._news.get(timeout=_GRACE)
        except queue.Empty:
            error.__cause__ = OutcomeUnknownError(
                "the call goes on in a thread of its own, and may still take effect"
            )

    def _run(self) -> None:
        self._thread_id = _thread.get_native_id()
        report = None if self._progress is None else self._report
        result: Any = None
        try:
            result = self._call(self._cancellable, report)
        except BaseException as error:  # noqa: B902
            self._outcome = None, error
        else:
            self._outcome = result, None
            if self._is_left:
                self._undo()
        self._news.put(None)

    def _report(self, n_done: int, n_total: int) -> None:
        if not self._is_left:
            self._news.put((n_done, n_total))
        while not self._is_left:  # who leaves may be kept from saying so, by another handler
            try:
                self._passed_on.get(timeout=_LOOK)
                break
            except queue.Empty:
                pass
