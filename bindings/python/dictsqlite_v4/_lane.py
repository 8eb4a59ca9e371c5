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

All that a loop's tasks ask for comes out as if it were done one by one, in that order. So a read
of a key that a write in the line is for goes into the line as well, and the line waits for the
reads that are under way of what it writes next. A lane keeps account of both by their keys. What
the library does not do in a batch is called in a thread: it stands in the line as a write of any
key, a batch of its own. As long as a lane has anything under way it is one of its store's busy
lanes, and whoever could have an answer from memory asks the lane first whether it may.
"""

from __future__ import annotations

import functools
import sys
from asyncio import AbstractEventLoop, Future, Lock
from concurrent.futures import Executor
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from ._dsq import Channel, Cursor, GError, Store
from ._errors import exception_of, to_exception
from ._pack import pack, unpack
from ._readable import call_when_readable

# The keys that an operation is for; None: any.
_Keys = Optional[Sequence[bytes]]

_READS = b"gcGn"
_CALL = b"t"  # a function, which a thread calls; may be anything
_WRITES = b"sdSx" + _CALL
# The ticket of one that is called.
_CALLED = -1

# Gets that are submitted before the turn is over.
_MANY_GETS = 256


class _Asked(NamedTuple):
    """An operation that a future waits for; its kind is a byte."""

    future: "Future[bytes]"
    kind: bytes
    arguments: Tuple[Any, ...]  # bytes; of a call the executor and the function
    keys: _Keys


class _Batch(NamedTuple):
    """What was submitted."""

    futures: List["Future[bytes]"]  # who waits for the results
    read: Sequence[_Keys]  # the keys of reads that are not in the line
    line: Sequence[_Asked]


class _Account:
    """The keys of operations that are not done."""

    def __init__(self) -> None:
        self._counts: Dict[bytes, int] = {}
        self._n_all = 0  # operations for any key

    def add(self, keys: _Keys) -> None:
        if keys is None:
            self._n_all += 1
            return
        counts = self._counts
        for key in keys:
            counts[key] = counts.get(key, 0) + 1

    def remove(self, keys: _Keys) -> None:
        if keys is None:
            self._n_all -= 1
            return
        counts = self._counts
        for key in keys:
            if counts[key] == 1:
                del counts[key]
            else:
                counts[key] -= 1

    def has(self, keys: _Keys) -> bool:
        """Whether one of the operations is for one of `keys`."""
        if keys is None:
            return bool(self)
        return self._n_all > 0 or (bool(self._counts) and not self._counts.keys().isdisjoint(keys))

    def __bool__(self) -> bool:
        return bool(self._counts) or self._n_all > 0


class Lane:
    """The way of one loop to one store. To be used in that loop's thread only."""

    def __init__(
        self, store: Store, loop: AbstractEventLoop, path: str, busy: Set[Any]
    ) -> None:
        self._loop = loop
        self._path = path
        self._busy = busy
        self.turn = Lock()  # of the transaction under way
        self._channel: Channel = store.open_channel()
        self._create_future = loop.create_future
        self._gets: List[bytes] = []  # keys
        self._getters: List["Future[bytes]"] = []  # who waits for them
        self._reads: List[_Asked] = []
        self._line: List[_Asked] = []  # writes, and reads behind them
        self._reading = _Account()  # of reads that are not in the line
        self._writing = _Account()
        self._n_line = 0  # operations of the line that are not done, but for flushes
        self._is_submitting = False  # submit() will be called at the end of this turn
        self._line_ticket = 0  # of the batch of the line that is under way
        self._waiting: Dict[int, _Batch] = {}  # by ticket
        self._is_closing = False
        self._unwatch = call_when_readable(loop, self._channel.get_fd(), self._collect)

    # --- order -------------------------------------------------------------------------------

    def may_read(self, keys: _Keys) -> bool:
        """Whether reads of `keys` may be done now, before all that is under way."""
        return not self._writing.has(keys)

    def may_write(self, keys: _Keys) -> bool:
        """Whether writes of `keys` may be done now, before all that is under way."""
        return not self._n_line and not self._reading.has(keys)

    async def wait_for_writes(self) -> None:
        """Return when the writes that were asked for are done."""
        if self._n_line:
            await self._enter_line(b"G", (pack(()),), ())

    # --- asking ------------------------------------------------------------------------------

    def get(self, key: bytes) -> "Future[bytes]":
        """Have a key's record read; it may be awaited, b'' where it is missing."""
        keys = (key,)
        if self._writing and self._writing.has(keys):
            return self._enter_line(b"g", keys, keys)
        future: "Future[bytes]" = self._create_future()
        self._gets.append(key)
        self._getters.append(future)
        self._reading.add(keys)
        if not self._is_submitting:
            self._submit_soon()
        elif len(self._gets) >= _MANY_GETS:
            self._submit_gets()
        return future

    def ask(self, kind: bytes, *arguments: bytes, keys: _Keys) -> "Future[bytes]":
        """Have an operation on `keys` done; its result may be awaited.

        For the kinds see Dsq.Channel.
        """
        if kind not in _READS or self._writing.has(keys):
            return self._enter_line(kind, arguments, keys)
        asked = _Asked(self._create_future(), kind, arguments, keys)
        self._reads.append(asked)
        self._reading.add(keys)
        self._submit_soon()
        return asked.future

    def call(self, executor: Executor, function: Callable[[], Any]) -> "Future[Any]":
        """Have a function called by `executor`, between what was asked for before and after."""
        return self._enter_line(_CALL, (executor, function), None)

    def _enter_line(
        self, kind: bytes, arguments: Tuple[Any, ...], keys: _Keys
    ) -> "Future[Any]":
        asked = _Asked(self._create_future(), kind, arguments, keys)
        self._line.append(asked)
        self._n_line += kind != b"f"
        if kind in _WRITES:
            self._writing.add(keys)
        self._submit_soon()
        return asked.future

    def step(self, cursor: Cursor, max_entries: int, keys_only: bool) -> "Future[bytes]":
        """Have the next step of a walk done; its pack may be awaited."""
        return self._await_one(
            lambda: self._channel.submit_walk(cursor, max_entries, keys_only)
        )

    def close_store(self) -> "Future[bytes]":
        """Have the store closed."""
        return self._await_one(lambda: self._channel.submit(pack((b"q",))))

    def _await_one(self, submit: Callable[[], int]) -> "Future[bytes]":
        future: "Future[bytes]" = self._create_future()
        try:
            self._waiting[submit()] = _Batch([future], (), ())
        except GError as error:
            future.set_exception(to_exception(error, self._path))
        return future

    # --- submitting --------------------------------------------------------------------------

    def _submit_soon(self) -> None:
        self._busy.add(self)
        if not self._is_submitting:
            self._is_submitting = True
            self._loop.call_soon(self._submit)

    def _submit(self) -> None:
        self._is_submitting = False
        if self._gets:
            self._submit_gets()
        if self._reads:
            self._submit_reads()
        self._submit_line()
        self._note_idle()

    def _submit_gets(self) -> None:
        keys, self._gets = self._gets, []
        getters, self._getters = self._getters, []
        self._submit_items([b"g" * len(keys), *keys], _Batch(getters, (keys,), ()))

    def _submit_reads(self) -> None:
        reads, self._reads = self._reads, []
        batch = [asked for asked in reads if not asked.future.done()]
        for asked in reads:
            if asked.future.done():
                self._reading.remove(asked.keys)
        if batch:
            keys = [asked.keys for asked in batch]
            self._submit_items(_items(batch), _Batch(_futures(batch), keys, ()))

    def _submit_line(self) -> None:
        """Submit what nobody has given up, unless it has to wait."""
        while self._line and not self._line_ticket:
            n_next = _length_of_next(self._line)
            if self._reading and any(
                asked.kind in _WRITES and self._reading.has(asked.keys)
                for asked in self._line[:n_next]
            ):
                return
            line, self._line = self._line[:n_next], self._line[n_next:]
            self._note_done([asked for asked in line if asked.future.done()])
            batch = [asked for asked in line if not asked.future.done()]
            if batch and batch[0].kind == _CALL:
                self._start_call(batch[0])
            elif batch:
                self._line_ticket = self._submit_items(
                    _items(batch), _Batch(_futures(batch), (), batch)
                )

    def _start_call(self, asked: _Asked) -> None:
        try:
            called = self._loop.run_in_executor(*asked.arguments)
        except RuntimeError as error:  # the store was closed meanwhile, and its thread is gone
            self._note_done((asked,))
            asked.future.set_exception(error)
            return
        self._line_ticket = _CALLED
        called.add_done_callback(functools.partial(self._end_call, asked))

    def _end_call(self, asked: _Asked, called: "Future[Any]") -> None:
        self._line_ticket = 0
        self._note_done((asked,))
        if asked.future.done():
            pass  # the task was cancelled
        elif called.cancelled():
            asked.future.cancel()
        elif (error := called.exception()) is not None:
            asked.future.set_exception(error)
        else:
            asked.future.set_result(called.result())
        if not self._is_submitting:
            self._submit_line()
        self._note_idle()

    def _submit_items(self, items: List[bytes], batch: _Batch) -> int:
        """Submit a batch. Its ticket; 0 where it failed at once."""
        try:
            ticket = self._channel.submit(pack(items))
        except (GError, ValueError) as error:
            failure = to_exception(error, self._path) if isinstance(error, GError) else error
            for future in batch.futures:
                if not future.done():
                    future.set_exception(failure)
            self._note_batch_done(batch)
            return 0
        self._waiting[ticket] = batch
        return ticket

    def _note_batch_done(self, batch: _Batch) -> None:
        for keys in batch.read:
            self._reading.remove(keys)
        self._note_done(batch.line)

    def _note_done(self, line: Sequence[_Asked]) -> None:
        for asked in line:
            self._n_line -= asked.kind != b"f"
            if asked.kind in _WRITES:
                self._writing.remove(asked.keys)

    def _note_idle(self) -> None:
        if not self._n_line and not self._reading and not self._is_submitting:
            self._busy.discard(self)

    # --- results -----------------------------------------------------------------------------

    def _collect(self) -> None:
        while data := self._channel.collect():
            ticket, *results = unpack(data)
            number = int.from_bytes(ticket, sys.byteorder)
            batch = self._waiting.pop(number)
            self._note_batch_done(batch)
            for future, result in zip(batch.futures, results):
                if future.done():
                    pass  # the task was cancelled
                elif not result or result[0]:
                    future.set_result(result)
                else:
                    future.set_exception(
                        exception_of(result[2] == 1, result[1], result[3:].decode(), self._path)
                    )
            if number == self._line_ticket:
                self._line_ticket = 0
            if not self._is_submitting:
                self._submit_line()
        self._note_idle()
        if self._is_closing and not self._waiting:
            self._unwatch()

    # --- its end -----------------------------------------------------------------------------

    def leave(self) -> None:
        """Stop watching, when all that was asked for has its result; from any thread."""
        self._busy.discard(self)
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


def _length_of_next(line: Sequence[_Asked]) -> int:
    """How much of a line makes a batch: one call, or what comes before the next call."""
    for n, asked in enumerate(line):
        if asked.kind == _CALL:
            return max(n, 1)
    return len(line)


def _items(batch: Sequence[_Asked]) -> List[bytes]:
    """What a pack of operations holds."""
    items = [b"".join([asked.kind for asked in batch])]
    for asked in batch:
        items += asked.arguments
    return items


def _futures(batch: Sequence[_Asked]) -> List["Future[bytes]"]:
    return [asked.future for asked in batch]
