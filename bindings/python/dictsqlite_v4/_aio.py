# _aio.py - AsyncDictSQLite: the store for asyncio
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The store whose operations are coroutines.

An operation that memory can answer is one call of the library and returns without leaving the loop.
All others go to the library's own threads by way of the loop's lane, so that the loop never waits
for the disk. Values are pickled and unpickled in the loop's thread.
"""

from __future__ import annotations

import asyncio
import functools
import os
import sys
import weakref
from asyncio import AbstractEventLoop
from collections.abc import Iterable
from itertools import islice
from typing import Any, Callable, Dict, List, Optional, Set, Tuple, Type, TypeVar, Union

from ._aio_verbs import AsyncVerbs
from ._dsq import FORWARD, GError
from ._errors import to_exception
from ._expiry import DEFAULT, Expire
from ._host import check_loop
from ._keys import MAX_KEY_LENGTH, NO_KEY, decode_key, encode_key, find_key
from ._lane import Lane
from ._memoize import AsyncMemoized, memoize
from ._pack import pack, pack_entries, unpack
from ._store import DictSQLiteV4
from ._values import STRING_TYPE
from ._verbs import as_dict
from ._views import check_errors

# Entries that are decoded without a break, so that other tasks get their turn.
_STEP = 1000
# Bytes of entries that are put into memory without a break; more goes by way of a thread.
_LARGE_PACK = 1 << 18

_TRUE = b"\x01"
_MUST_ASK = b"\x00"

_Result = TypeVar("_Result")
_Function = TypeVar("_Function", bound=Callable[..., Any])
_Self = TypeVar("_Self", bound="AsyncDictSQLite")


class AsyncDictSQLite(AsyncVerbs):
    """A dict that lives in a file, for asyncio: its operations are coroutines.

    Keys, values, files and errors are those of DictSQLiteV4, and what one class writes the other
    reads. The constructor waits until the file is open, which `await AsyncDictSQLite.open()` has a
    thread do; from then on the event loop never waits for the disk. What the tasks of a loop ask
    for comes out as if it were done one by one, in the order in which it was asked for, awaited or
    not. Cancelling a task that waits for a write may come too late to keep it from taking place.

    One store may be used from several event loops, one after the other or at the same time in
    threads of their own. In a task of trio it is a RuntimeError. The constructor opens the file and
    so blocks, for a fifth of a second where there is a password; ``await
    AsyncDictSQLite.open(...)`` does not.

        async with AsyncDictSQLite("data.db") as db:
            await db.set_async("key", "value")
            print(await db.get_async("key"))

    :param db_path, hot_capacity, enable_async, encryption_password, enable_safe_pickle,
        safe_pickle_allowed_modules: as DictSQLiteV4 has them, like all its other parameters.
    :param persist_mode: as DictSQLiteV4 has it, but by default 'lazy'.
    :param capacity: another name for hot_capacity.
    """

    def __init__(
        self,
        db_path: Union[str, os.PathLike[str]],
        hot_capacity: int = 1_000_000,
        enable_async: bool = True,
        persist_mode: str = "lazy",
        encryption_password: Optional[str] = None,
        enable_safe_pickle: bool = False,
        safe_pickle_allowed_modules: Optional[Iterable[str]] = None,
        *,
        capacity: Optional[int] = None,
        **parameters: Any,
    ) -> None:
        if "after_fork" in parameters:
            raise TypeError("after_fork is for DictSQLiteV4: a loop does not outlive a fork")
        check_loop()
        self._db = DictSQLiteV4(
            db_path,
            hot_capacity if capacity is None else capacity,
            enable_async,
            persist_mode,
            encryption_password,
            enable_safe_pickle,
            safe_pickle_allowed_modules,
            **parameters,
        )
        self._path = self._db._path
        # The native one: what expires by default is written, and read, by way of a thread.
        self._store = store = getattr(self._db._store, "native", self._db._store)
        self._expires = store is not self._db._store
        self._encode, self._load = self._db._encode, self._db._load
        kind = type(store)
        self._peek_string = kind.peek_string
        self._peek_text = kind.peek_text
        self._peek_record = store.peek_record
        self._try_set_text = kind.try_set_text
        self._try_set_record = store.try_set_record
        # Whether the next value is taken for a str until the library says otherwise.
        self._expects_str = True
        # Writes that are committed before they return always wait.
        self._writes_wait = self._db._mode == "writethrough"
        self._lanes: Dict[AbstractEventLoop, Lane] = {}
        # Those with operations under way, which what comes after must not overtake.
        self._busy: Set[Lane] = set()
        weakref.finalize(self, _leave, self._lanes).atexit = False

    @classmethod
    async def open(
        cls: Type[_Self], db_path: Union[str, os.PathLike[str]], *args: Any, **parameters: Any
    ) -> _Self:
        """Open a store as the constructor does, in a thread, so that the loop does not wait."""
        check_loop()
        construct = functools.partial(cls, db_path, *args, **parameters)
        return await asyncio.get_running_loop().run_in_executor(None, construct)

    # --- one entry: the hot path. See DictSQLiteV4's for why it is written so.

    async def get_async(self, key: Any, default: Any = None) -> Any:
        """The value of `key`, or `default` where it is missing."""
        if self._expires:
            return await self._in_thread(self._db.get, key, default)
        if self._busy:
            encoded = find_key(key)
            if encoded != NO_KEY and not self._lane().may_read((encoded,)):
                record = await self._lane().get(encoded)
                return self._load(key, record) if record else default
        if type(key) is str and "\0" not in key and len(key) <= MAX_KEY_LENGTH:
            try:
                if self._expects_str:
                    # A str comes back in half the time of a record, which is to be cut and decoded.
                    value = self._peek_string(self._store, key)
                    return default if value is None else value
            except (GError, UnicodeError):
                pass  # no str, or not in memory; or the key has no UTF-8, or the value is none
            self._expects_str = False
            try:
                record = self._peek_text(self._store, key)
            except (GError, UnicodeEncodeError) as error:
                record = self._db._find_nothing(error)
        else:
            record = self._db._call(self._peek_record, key)
        if record == _MUST_ASK:
            record = await self._lane().get(find_key(key))
        elif record and record[0] == STRING_TYPE:
            self._expects_str = True
        return self._load(key, record) if record else default

    async def set_async(self, key: Any, value: Any, *, expire: Expire = DEFAULT) -> None:
        """Set the value of `key`. Raises what pickle raises for what it cannot take.

        With `expire` it lives that long, as DictSQLiteV4.set() has it.
        """
        if expire is not DEFAULT or self._expires:
            await self._in_thread(self._db.set, key, value, expire=expire)
            return
        if self._writes_wait or (self._busy and not self._may_write(encode_key(key))):
            encoded = encode_key(key)
            await self._lane().ask(b"s", encoded, self._encode(value), keys=(encoded,))
            return
        if type(value) is str and type(key) is str and len(key) + len(value) <= MAX_KEY_LENGTH:
            text = f"{key}\x03{value}"
            if "\0" not in text:
                try:
                    if self._try_set_text(self._store, text):
                        return
                except UnicodeEncodeError:
                    pass  # a lone surrogate: in the key an error, in the value a pickle
                except GError as error:
                    raise to_exception(error, self._path) from None
        encoded = encode_key(key)
        record = self._encode(value)
        if not self._call(self._try_set_record, encoded, record):
            await self._lane().ask(b"s", encoded, record, keys=(encoded,))

    async def delete_async(self, key: Any) -> bool:
        """Remove `key`; whether it was there."""
        encoded = find_key(key)
        answer = -1
        if encoded == NO_KEY:
            self._db._check_open()
            return False
        if not self._busy or self._may_write(encoded):
            answer = self._call(self._store.try_remove_key, encoded)
        if answer < 0:
            return await self._lane().ask(b"d", encoded, keys=(encoded,)) == _TRUE
        return answer == 1

    async def contains_async(self, key: Any) -> bool:
        """Whether there is `key`. Raises TypeError for what is unhashable."""
        encoded = find_key(key)
        answer = -1
        if encoded == NO_KEY:
            self._db._check_open()
            return False
        if not self._busy or self._lane().may_read((encoded,)):
            answer = self._call(self._store.try_contains_key, encoded)
        if answer < 0:
            return await self._lane().ask(b"c", encoded, keys=(encoded,)) == _TRUE
        return answer == 1

    def _may_write(self, *keys: bytes) -> bool:
        """Whether memory may be written to, before all that is under way."""
        return self._lane().may_write(keys)

    def _call(self, function: Callable[..., _Result], *arguments: bytes) -> _Result:
        """One of the library's methods, none of which waits."""
        try:
            return function(*arguments)
        except GError as error:
            raise to_exception(error, self._path) from None

    # --- many entries ------------------------------------------------------------------------

    async def batch_get(
        self, keys: Iterable[Any], /, *, errors: str = "strict"
    ) -> Dict[Any, Any]:
        """The values of those of `keys` that exist, as a dict in the order of `keys`.

        :param errors: as DictSQLiteV4.items() has it.
        """
        check_errors(errors)
        self._db._check_open()
        if self._expires:
            renewed: Dict[Any, Any]
            renewed = await self._in_thread(self._db.get_many, list(keys), errors=errors)
            return renewed
        found: Dict[Any, Any] = {}
        remaining = iter(keys)
        batch = list(islice(remaining, _STEP))
        while batch:
            encoded = list(map(find_key, batch))
            if NO_KEY in encoded:
                batch = [key for key in batch if find_key(key) != NO_KEY]
                encoded = list(map(find_key, batch))
            entries = zip(batch, await self._lookup(encoded))
            found.update(self._db._load_each(entries, errors))
            batch = list(islice(remaining, _STEP))
            if batch:
                await asyncio.sleep(0)
        return found

    async def _lookup(self, encoded: List[bytes]) -> List[bytes]:
        """The records of keys; those that memory does not have are asked for together."""
        if self._busy and not self._lane().may_read(encoded):
            answer = await self._lane().ask(b"G", pack(encoded), keys=encoded)
            return unpack(answer[1:])
        records = unpack(self._call(self._store.peek_pack, pack(encoded)))
        missing = [i for i, record in enumerate(records) if record == _MUST_ASK]
        if missing:
            asked = [encoded[i] for i in missing]
            answer = await self._lane().ask(b"G", pack(asked), keys=asked)
            for i, record in zip(missing, unpack(answer[1:])):
                records[i] = record
        return records

    async def batch_set(self, mapping_or_pairs: Any, /) -> None:
        """Set all keys of a mapping or of pairs, in one transaction: all of them or none."""
        if self._expires:
            await self._in_thread(self._db.set_many, mapping_or_pairs)
            return
        packed = pack_entries(as_dict(mapping_or_pairs), self._encode)
        if len(packed) < _LARGE_PACK and not self._writes_wait:
            if not self._busy or self._may_write(*unpack(packed)[::2]):
                if self._call(self._store.try_set_pack, packed):
                    return
        await self._lane().ask(b"S", packed, keys=unpack(packed)[::2])

    async def clear_async(self) -> None:
        """Remove all keys."""
        await self._lane().ask(b"x", keys=None)

    async def len_async(self) -> int:
        """How many keys there are."""
        count = -1
        if not self._busy or self._lane().may_read(None):
            count = self._call(self._store.try_count)
        if count < 0:
            answer = await self._lane().ask(b"n", keys=None)
            count = int.from_bytes(answer[1:], sys.byteorder)
        return count

    async def keys_async(self) -> List[Any]:
        """All keys, oldest first.

        Other tasks may write meanwhile: keys that are there all the time are in the list, each
        once; those that come or go may be.
        """
        keys: List[Any] = []
        async for batch in self._steps(keys_only=True):
            keys += map(decode_key, batch)
        return keys

    async def items_async(self, *, errors: str = "strict") -> List[Tuple[Any, Any]]:
        """All (key, value) pairs, oldest first; see keys_async() about writes meanwhile.

        :param errors: as DictSQLiteV4.items() has it.
        """
        check_errors(errors)
        items: List[Tuple[Any, Any]] = []
        async for batch in self._steps(keys_only=False):
            items += self._db._load_each(zip(map(decode_key, batch[::2]), batch[1::2]), errors)
        return items

    async def _steps(self, keys_only: bool) -> Any:
        lane = self._lane()
        await lane.wait_for_writes()
        cursor = self._store.walk(FORWARD)
        while batch := unpack((await lane.step(cursor, _STEP, keys_only))[1:]):
            yield batch

    # --- the store itself --------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether the store is closed."""
        return self._db.closed

    async def flush(self) -> None:
        """Return when everything written before the call is in the file and synced.

        Does nothing when the store is closed. Raises OSError when it cannot be done; nothing that
        was written is lost by that, and the next flush tries again.
        """
        if not self._db.closed:
            await self._lane().ask(b"f", keys=())

    async def close(self) -> None:
        """Flush and close, after what is under way. Does nothing when the store is closed.

        When the flush fails, OSError is raised and the store stays open.
        """
        if self._db.closed:
            return
        lane = self._lane()
        await lane.ask(b"f", keys=())  # behind the writes that this loop's tasks have asked for
        await lane.close_store()
        self._end_thread()
        _leave(self._lanes)

    def memoize(
        self, expire: Expire = DEFAULT, **parameters: Any
    ) -> Callable[[_Function], _Function]:
        """A decorator for coroutine functions that keeps their results in the store.

            @db.memoize(expire=60)
            async def price(symbol): ...

        It is DictSQLiteV4's, with its parameters; the loop never waits for the disk. The function's
        cache_clear() and cache_info() are coroutines as well. Raises TypeError for a function that
        is none.
        """
        return memoize(self._db, expire, make=AsyncMemoized, **parameters)

    def stats(self) -> Dict[str, Any]:
        """The store's counters, as DictSQLiteV4.stats() gives them."""
        return self._db.stats()

    def _lane(self) -> Lane:
        """The running loop's."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            check_loop()
            raise
        lane = self._lanes.get(loop)
        if lane is None:
            for old, over in list(self._lanes.items()):
                if over.is_over:
                    over.leave()
                    self._lanes.pop(old, None)  # maybe gone, by another loop's thread
            try:
                lane = self._lanes[loop] = Lane(
                    self._store, loop, self._path, self._busy
                )
            except GError as error:
                raise to_exception(error, self._path) from None
        return lane

    async def __aenter__(self: _Self) -> _Self:
        self._db._check_open()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        """Class, path and mode."""
        if "_db" not in self.__dict__:  # the constructor has raised something
            return object.__repr__(self)
        state = " closed" if self._db.closed else ""
        return f"<{type(self).__name__} {self._path!r} {self._db._mode}{state}>"

    aget = get_async
    aset = set_async
    adelete = delete_async
    acontains = contains_async
    abatch_get = batch_get
    abatch_set = batch_set
    aflush = flush
    aclose = close


def _leave(lanes: Dict[AbstractEventLoop, Lane]) -> None:
    """Have the loops watch the store no longer."""
    for loop, lane in list(lanes.items()):
        lanes.pop(loop, None)
        lane.leave()
