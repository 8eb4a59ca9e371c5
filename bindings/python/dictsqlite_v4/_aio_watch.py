# _aio_watch.py - watches that a thread opens
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What AsyncDictSQLite.watch() gives."""

from __future__ import annotations

import asyncio
from typing import Any, Generic, TypeVar

from ._watch import Changes, Keys, Watch

_Key = TypeVar("_Key")


class AsyncWatch(Changes, Generic[_Key]):
    """What changes in a store, or in a table: an asynchronous iterator.

    It ends by close(), at the end of a `with`, when the store is closed or the table dropped, and
    when nobody has it any more.
    """

    def __init__(self, opening: asyncio.Future[Watch[_Key]]) -> None:
        self._opening = opening
        self._is_closed = False
        opening.add_done_callback(_look_at)

    def close(self) -> None:
        """End it. Does nothing the second time."""
        self._is_closed = True
        if self._opening.done():
            _close(self._opening)
        else:
            self._opening.add_done_callback(_close)

    async def __anext__(self) -> Keys[_Key]:
        watch = await asyncio.shield(self._opening)
        if self._is_closed:
            raise StopAsyncIteration
        return await watch.__anext__()


def _look_at(opening: asyncio.Future[Any]) -> None:
    """Take note of an error that nobody may wait for."""
    if not opening.cancelled():
        opening.exception()


def _close(opening: asyncio.Future[Watch[Any]]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
