# _aio_transaction.py - transactions of tasks
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Transactions under asyncio.

A transaction of DictSQLiteV4's is a thread's. So a task's has a thread of its own, in which all
that is asked for within it is done; the task's context says that it is under way.
"""

from __future__ import annotations

import asyncio
import functools
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Callable, Generic, Optional, Tuple, TypeVar

from ._aio_call import Call, call_in_thread

if TYPE_CHECKING:
    from ._aio_verbs import AsyncVerbs

_Mapping = TypeVar("_Mapping", bound="AsyncVerbs[Any, Any]")

_innermost: ContextVar[Optional[AsyncTransaction[Any]]] = ContextVar("dictsqlite", default=None)


def transaction_of(root: AsyncVerbs[Any, Any]) -> Optional[AsyncTransaction[Any]]:
    """The transaction on a store that the running task takes part in."""
    transaction = _innermost.get()
    while transaction is not None and (transaction.is_over or transaction.root is not root):
        transaction = transaction.outer
    return transaction


class AsyncTransaction(Generic[_Mapping]):
    """What AsyncDictSQLite.transaction() gives: for `async with`, to be used once."""

    is_over = False
    outer: Optional[AsyncTransaction[Any]] = None
    _task: Optional[asyncio.Task[Any]] = None
    _turn: Optional[asyncio.Lock] = None  # held by one that is no part of another

    def __init__(self, mapping: _Mapping) -> None:
        self._mapping = mapping
        self.root = mapping._root
        self._inner = mapping._db.transaction()

    async def __aenter__(self) -> _Mapping:
        if self._task is not None:
            raise RuntimeError("a transaction can be entered once; call transaction() again")
        self._task = asyncio.current_task()
        self._mapping._check_usable()
        around = transaction_of(self.root)
        if around is None:
            turn = self.root._lane().turn
            await turn.acquire()  # one at a time, of each loop
            self._turn = turn
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="dictsqlite-transaction")
        elif around._task is self._task:
            self._thread = around._thread
        else:
            raise RuntimeError("Failed to begin a transaction: another task's is under way here")
        try:
            if around is None:
                await self.root._settle()
            await self.call(self._inner.__enter__)
        except BaseException as error:
            self._end(type(error), error)  # also what has begun by then; nobody waits for that
            raise
        self.outer = _innermost.get()
        _innermost.set(self)
        self.root._busy.add(self)
        return self._mapping

    async def __aexit__(self, kind: Any, error: Any, traceback: Any) -> None:
        call, ended = self._end(kind, error)
        await call.result_of(asyncio.shield(ended))

    def _end(self, kind: Any, error: Any) -> Tuple[Call, asyncio.Future[Any]]:
        """Have it end after all that was asked for within it, awaited or not."""
        self.is_over = True
        self.root._busy.discard(self)
        if _innermost.get() is self:
            _innermost.set(self.outer)
        leave = self._inner.__exit__
        call = Call(
            functools.partial(leave, kind, error, None),
            functools.partial(leave, asyncio.CancelledError, asyncio.CancelledError(), None),
        )
        ended = asyncio.get_running_loop().run_in_executor(self._thread, call)
        ended.add_done_callback(self._note_end)
        return call, ended

    def _note_end(self, ended: asyncio.Future[Any]) -> None:
        ended.exception()  # which its task may not have waited for
        if self._turn is not None:
            self._thread.shutdown(wait=False)
            self._turn.release()

    async def call(self, function: Callable[[], Any]) -> Any:
        """What `function` returns, called within it."""
        return await call_in_thread(self._thread, function)
