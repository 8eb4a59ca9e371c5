# _aio_copy.py - calls that take long, beside all others
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Copies and checks under asyncio: each in a thread of its own."""

from __future__ import annotations

import asyncio
import functools
import threading
from asyncio import AbstractEventLoop
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Optional

from ._aio_call import call_in_thread
from ._dsq import new_cancellable
from ._leave import Progress, call_with

# Seconds between two looks at whether the loop still runs.
_LOOK = 1.0


class _Teller:
    """What the thread of a copy reports to, which tells the loop and waits until that has heard."""

    def __init__(self, loop: AbstractEventLoop, progress: Optional[Progress]) -> None:
        self._loop = loop
        self._progress = progress
        self.raised: Optional[BaseException] = None  # ends the copy

    def __call__(self, n_done: int, n_all: int) -> None:
        if self._progress is not None and self.raised is None:
            heard = threading.Event()
            self._loop.call_soon_threadsafe(self._tell, heard, n_done, n_all)
            while not heard.wait(_LOOK) and self._loop.is_running():
                pass
        if self.raised is not None:
            raise self.raised

    def _tell(self, heard: threading.Event, n_done: int, n_all: int) -> None:
        try:
            if self._progress is not None and self.raised is None:
                self._progress(n_done, n_all)
        except BaseException as error:
            self.raised = error
        heard.set()


async def call_apart(function: Callable[..., Any], progress: Optional[Progress] = None) -> Any:
    """What `function` returns, called in a thread of its own, and ended when the task is cancelled.

    With `progress` it gets one, by which the loop is told.
    """
    teller = _Teller(asyncio.get_running_loop(), progress)
    if progress is not None:
        function = functools.partial(function, progress=teller)
    cancellable = new_cancellable()
    thread = ThreadPoolExecutor(1, thread_name_prefix="dictsqlite-copy")
    try:
        return await call_in_thread(thread, functools.partial(call_with, cancellable, function))
    except asyncio.CancelledError as error:
        teller.raised = error
        cancellable.cancel()
        raise
    finally:
        thread.shutdown(wait=False)
