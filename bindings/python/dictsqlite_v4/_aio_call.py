# _aio_call.py - calls that threads make for tasks
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a thread does for a task, which may be cancelled meanwhile."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Executor
from typing import Any, Callable, Optional

from ._errors import OutcomeUnknownError


class Call:
    """A function to be called in a thread for a task, unless that has been cancelled by then.

    `otherwise` is called then.
    """

    def __init__(
        self, function: Callable[[], Any], otherwise: Callable[[], Any] = lambda: None
    ) -> None:
        self._function = function
        self._otherwise = otherwise
        self._first = threading.Lock()  # for good whose it is who is there first

    def __call__(self) -> Any:
        return self._function() if self._first.acquire(False) else self._otherwise()

    async def result_of(self, future: asyncio.Future[Any]) -> Any:
        """What `future` gives, which is the call's; a task that is cancelled leaves at once."""
        try:
            return await future
        except asyncio.CancelledError as error:
            if not self._first.acquire(False):
                raise error from OutcomeUnknownError("the call was left; it may still take effect")
            raise


async def call_in_thread(executor: Optional[Executor], function: Callable[[], Any]) -> Any:
    """What `function` returns, called by a thread of `executor`, or of the loop's own."""
    call = Call(function)
    return await call.result_of(asyncio.get_running_loop().run_in_executor(executor, call))
