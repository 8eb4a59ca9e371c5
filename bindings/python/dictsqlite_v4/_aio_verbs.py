# _aio_verbs.py - the verbs of AsyncDictSQLite that a thread does
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is asked for less often than get and set: each is DictSQLiteV4's method, called in a thread,
in its place among all that is asked for.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, Callable, List, Optional, Tuple, TypeVar

from ._expiry import DEFAULT, Expire
from ._lane import Lane
from ._store import DictSQLiteV4
from ._watch import Watch

_Result = TypeVar("_Result")


class AsyncVerbs:
    """What AsyncDictSQLite has of these; each is DictSQLiteV4's method without '_async'."""

    _db: DictSQLiteV4[Any, Any]
    _thread: Optional[ThreadPoolExecutor] = None
    _lane: Callable[[], Lane]

    async def _in_thread(self, function: Callable[..., _Result], *args: Any, **kwargs: Any) -> Any:
        """What `function` returns, called between what was asked for before and after."""
        self._db._check_open()
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="dictsqlite")
        call = functools.partial(function, *args, **kwargs)
        return await self._lane().call(self._thread, call)

    def _end_thread(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.shutdown(wait=False)

    def watch(self, prefix: Optional[str] = None) -> Watch[Any]:
        """Be told what changes, as by DictSQLiteV4's watch(): ``async for keys in db.watch()``."""
        return self._db.watch(prefix)

    async def set_many_async(self, mapping_or_pairs: Any, /, expire: Expire = DEFAULT) -> None:
        """Set all keys of a mapping or of pairs, all or none, to expire as by set_async()."""
        await self._in_thread(self._db.set_many, mapping_or_pairs, expire=expire)

    async def add_async(self, key: Any, value: Any, expire: Expire = DEFAULT) -> bool:
        """Set the value of `key` if it is missing; whether it was."""
        return bool(await self._in_thread(self._db.add, key, value, expire))

    async def delete_many_async(self, keys: Iterable[Any], /) -> int:
        """Remove those of `keys` that exist, at one instant, and return how many that was."""
        return int(await self._in_thread(self._db.delete_many, list(keys)))

    async def delete_prefix_async(self, prefix: str, /) -> int:
        """Remove the keys that are str and begin with `prefix`, and return how many that was."""
        return int(await self._in_thread(self._db.delete_prefix, prefix))

    async def get_with_expiry_async(
        self, key: Any, default: Any = None
    ) -> Tuple[Any, Optional[float]]:
        """The value of `key`, and the seconds it has to live."""
        found: Tuple[Any, Optional[float]]
        found = await self._in_thread(self._db.get_with_expiry, key, default)
        return found

    async def touch_async(self, key: Any, expire: Expire = None) -> bool:
        """Have `key` expire in `expire` seconds from now, or never; whether it is there."""
        return bool(await self._in_thread(self._db.touch, key, expire))

    async def expires_in_async(self, key: Any) -> Optional[float]:
        """The seconds that `key` has to live, None for good; raises KeyError where missing."""
        left: Optional[float] = await self._in_thread(self._db.expires_in, key)
        return left

    async def incr_async(self, key: Any, delta: Any = 1, default: Any = 0) -> Any:
        """Add `delta` to the number at `key`, in one step, and return the sum."""
        return await self._in_thread(self._db.incr, key, delta, default)

    async def compare_and_set_async(self, key: Any, expected: Any, new: Any) -> bool:
        """Set `key` to `new` if its value equals `expected`, in one step; whether it did."""
        return bool(await self._in_thread(self._db.compare_and_set, key, expected, new))

    async def keys_from_async(
        self, start: str = "", /, stop: Optional[str] = None, limit: Optional[int] = None
    ) -> List[str]:
        """The first `limit`, or all, of the keys that iter_from() has, as a list."""
        keys: List[str] = await self._in_thread(_list, self._db, start, stop, limit)
        return keys

    async def transact_async(self, function: Callable[[Any], _Result], retries: int = 10) -> Any:
        """What function(store) returns, called in a transaction, in the thread: a plain function
        that gets a DictSQLiteV4."""
        return await self._in_thread(self._db.transact, function, retries)


def _list(store: Any, start: str, stop: Optional[str], limit: Optional[int]) -> List[str]:
    return list(islice(store.iter_from(start, stop), limit))
