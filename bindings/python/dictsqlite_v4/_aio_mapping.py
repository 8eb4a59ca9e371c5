# _aio_mapping.py - the mapping that AsyncDictSQLite is, and each of its tables
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The operations that memory may answer: each is then one call of the library, and returns without
leaving the loop. All others go to the library's own threads by way of the loop's lane. Values are
pickled and unpickled in the loop's thread.
"""

from __future__ import annotations

import asyncio
import sys
import weakref
from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator, Iterable
from itertools import islice
from time import monotonic_ns
from typing import Any, Callable, Dict, List, Optional, Set, Tuple, TypeVar, Union, overload

from ._aio_verbs import AsyncVerbs
from ._dsq import FORWARD, WORD_LIVE, WORD_UNTIL, GError
from ._errors import to_exception
from ._expiry import DEFAULT, Expire
from ._host import check_loop
from ._keys import MAX_KEY_LENGTH, NO_KEY, decode_key, encode_key, find_key
from ._lane import Lane
from ._mapping import StoreMapping
from ._near import SHORT, UNKEPT, Own
from ._pack import is_of_texts, pack, pack_entries, unpack
from ._values import STRING_TYPE
from ._verbs import Verbs, as_dict
from ._views import check_errors

# Entries that are decoded without a break, so that other tasks get their turn.
_STEP = 1000
# Bytes of entries that are put into memory without a break; more goes by way of a thread.
_LARGE_PACK = 1 << 18

_TRUE = b"\x01"
_MUST_ASK = b"\x00"

_Result = TypeVar("_Result")
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_Default = TypeVar("_Default")


class AsyncMapping(AsyncVerbs[_Key, _Value]):
    """A mapping whose operations are coroutines."""

    def _bind(self, db: StoreMapping[Any, Any], mode: str, busy: Set[Any]) -> None:
        self._db = db
        self._path = db._path
        # The native one: what expires by default is written, and read, by way of a thread.
        handle: Any = db._handle
        self._store = store = getattr(handle, "native", handle)
        self._expires = store is not handle
        self._encode, self._load = db._encode, db._load
        # What the store keeps. In a transaction this is not asked.
        self._near, self._words = db._routes["_near"], db._words
        self._table_word = db._table_word
        kind = type(store)
        self._peek_stamped_string = kind.peek_stamped_string
        self._peek_text = kind.peek_text
        self._peek_record = store.peek_record
        self._try_set_text = kind.try_set_text
        self._try_set_record = store.try_set_record
        # Whether the next value is taken for a str until the library says otherwise.
        self._expects_str = True
        # Writes that are committed before they return always wait.
        self._writes_wait = mode == "writethrough"
        self._lanes: Dict[AbstractEventLoop, Lane] = {}
        # What is under way on the whole store, which what comes after must not overtake: lanes with
        # operations, and transactions.
        self._busy = busy
        weakref.finalize(self, leave, self._lanes).atexit = False

    # --- one entry: the hot path. See DictSQLiteV4's for why it is written so.

    @overload
    async def get_async(self, key: _Key, /) -> Optional[_Value]: ...

    @overload
    async def get_async(
        self, key: _Key, default: Union[_Value, _Default]
    ) -> Union[_Value, _Default]: ...

    async def get_async(self, key: Any, default: Any = None) -> Any:
        """The value of `key`, or `default` where it is missing."""
        near = self._near
        if near is not None and type(key) is str and not self._busy:
            own = near.own
            kept = own.get(key)
            if kept is not None:
                words = self._words
                # Who finds that others have committed looks for it below, where nothing waits.
                if (
                    words[WORD_LIVE] == self._db._seen or monotonic_ns() < words[WORD_UNTIL]
                ) and words[self._table_word] == own.word:
                    return kept if type(kept) is not tuple else self._load(key, kept[1])
        if self._expires or (self._busy and self._is_in_transaction()):
            return await self._do(StoreMapping.get, key, default)
        if self._busy:
            encoded = find_key(key)
            if encoded != NO_KEY and not self._lane().may_read((encoded,)):
                record = await self._lane().get(encoded)
                return self._load(key, record) if record else default
        if type(key) is str and "\0" not in key and len(key) <= MAX_KEY_LENGTH:
            try:
                if self._expects_str:
                    # A str comes back in half the time of a record, which is to be cut and decoded.
                    return self._peek_str(key, default)
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

    def _knows_all(self) -> bool:
        """Whether the words say what others have committed, where there are some."""
        words = self._words
        return bool(
            words is not None
            and (words[WORD_LIVE] == self._db._seen or monotonic_ns() < words[WORD_UNTIL])
        )

    def _peek_str(self, key: str, default: Any) -> Any:
        """The str of `key` from memory, or `default`; raises GError or UnicodeError for others."""
        near, words = self._near, self._words
        if near is not None:
            live, at = words[WORD_LIVE], words[self._table_word]
        stamp, value = self._peek_stamped_string(self._store, key)
        if not stamp:
            raise GError
        if near is not None:
            self._db._seen = live | self._db._unseen
            if stamp > UNKEPT and value is not None:
                own = near.own
                length = len(key) + len(value)
                if own.word == at and length <= SHORT and len(own) < near.capacity:
                    own.setdefault(key, value)
                else:
                    near.take_over(key, value, at, length)
        return default if value is None else value

    async def set_async(self, key: _Key, value: _Value, *, expire: Expire = DEFAULT) -> None:
        """Set the value of `key`. Raises what pickle raises for what it cannot take.

        With `expire` it lives that long, as DictSQLiteV4.set() has it.
        """
        if expire is not DEFAULT or self._expires or (self._busy and self._is_in_transaction()):
            await self._do(StoreMapping.set, key, value, expire=expire)
            return
        if self._writes_wait or (self._busy and not self._may_write(encode_key(key))):
            encoded = encode_key(key)
            await self._lane().ask(b"s", encoded, self._encode(value), keys=(encoded,))
            return
        if type(value) is str and type(key) is str and len(key) + len(value) <= MAX_KEY_LENGTH:
            text = f"{key}\x03{value}"
            if "\0" not in text:
                try:
                    stamp = self._try_set_text(self._store, text)
                    near = self._near
                    if stamp > UNKEPT and near is not None:
                        own = near.own
                        if (
                            own.word == stamp - 1
                            and len(text) <= SHORT
                            and len(own) < near.capacity
                        ):
                            own[key] = value
                            own.word = stamp
                        else:
                            near.note_set(key, value, stamp, len(text))
                    if stamp:
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
        if self._busy and self._is_in_transaction():
            return await self._do(StoreMapping.delete, key)
        encoded = find_key(key)
        answer = -1
        if encoded == NO_KEY:
            self._check_usable()
            return False
        if not self._busy or self._may_write(encoded):
            answer = self._call(self._store.try_remove_key, encoded)
        if answer < 0:
            return await self._lane().ask(b"d", encoded, keys=(encoded,)) == _TRUE
        return answer == 1

    async def contains_async(self, key: Any) -> bool:
        """Whether there is `key`. Raises TypeError for what is unhashable."""
        if self._busy and self._is_in_transaction():
            return await self._do(StoreMapping.__contains__, key)
        encoded = find_key(key)
        answer = -1
        if encoded == NO_KEY:
            self._check_usable()
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
        self, keys: Iterable[_Key], /, *, errors: str = "strict"
    ) -> Dict[_Key, _Value]:
        """The values of those of `keys` that exist, as a dict in the order of `keys`.

        :param errors: as DictSQLiteV4.items() has it.
        """
        check_errors(errors)
        self._check_usable()
        if self._expires or (self._busy and self._is_in_transaction()):
            return await self._do(StoreMapping.get_many, list(keys), errors=errors)
        found: Dict[_Key, _Value] = {}
        remaining = iter(keys)
        batch = list(islice(remaining, _STEP))
        while batch:
            kept = self._db._find_kept(batch) if not self._busy and self._knows_all() else None
            if kept is not None:
                found.update(zip(batch, kept))
            else:
                found.update(await self._find_each(batch, errors))
            batch = list(islice(remaining, _STEP))
            if batch:
                await asyncio.sleep(0)
        return found

    async def _find_each(self, keys: List[Any], errors: str) -> Iterable[Tuple[Any, Any]]:
        encoded = list(map(find_key, keys))
        if NO_KEY in encoded:
            keys = [key for key in keys if find_key(key) != NO_KEY]
            encoded = list(map(find_key, keys))
        found: Iterable[Tuple[Any, Any]]
        found = self._db._load_each(zip(keys, await self._lookup(encoded)), errors)
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
        is_store = isinstance(mapping_or_pairs, Verbs)  # to be read by a thread
        if self._expires or is_store or (self._busy and self._is_in_transaction()):
            entries = mapping_or_pairs if is_store else as_dict(mapping_or_pairs)
            await self._do(StoreMapping.bulk_insert, entries)
            return
        entries = as_dict(mapping_or_pairs)
        packed = pack_entries(entries, self._encode)
        near = self._near
        before = self._words[self._table_word] if near is not None else 0
        is_set = False
        if len(packed) < _LARGE_PACK and not self._writes_wait:
            if not self._busy or self._may_write(*unpack(packed)[::2]):
                is_set = bool(self._call(self._store.try_set_pack, packed))
        if not is_set:
            await self._lane().ask(b"S", packed, keys=unpack(packed)[::2])
        if near is not None and is_of_texts(packed):
            own, after = Own(entries), self._words[self._table_word]
            near.note_sets(own, before, after, len(packed))

    async def clear_async(self) -> None:
        """Remove all keys."""
        if self._busy and self._is_in_transaction():
            await self._do(StoreMapping.clear)
            return
        await self._lane().ask(b"x", keys=None)

    async def len_async(self) -> int:
        """How many keys there are."""
        if self._busy and self._is_in_transaction():
            return await self._do(StoreMapping.__len__)
        count = -1
        if not self._busy or self._lane().may_read(None):
            count = self._call(self._store.try_count)
        if count < 0:
            answer = await self._lane().ask(b"n", keys=None)
            count = int.from_bytes(answer[1:], sys.byteorder)
        return count

    async def keys_async(self) -> List[_Key]:
        """All keys, oldest first.

        Other tasks may write meanwhile: keys that are there all the time are in the list, each
        once; those that come or go may be.
        """
        keys: List[_Key] = []
        async for some in self._keys():
            keys += some
        return keys

    async def items_async(self, *, errors: str = "strict") -> List[Tuple[_Key, _Value]]:
        """All (key, value) pairs, oldest first; see keys_async() about writes meanwhile.

        :param errors: as DictSQLiteV4.items() has it.
        """
        items: List[Tuple[_Key, _Value]] = []
        async for some in self._items(errors):
            items += some
        return items

    async def values_async(self, *, errors: str = "strict") -> List[_Value]:
        """All values, in the order of their keys; otherwise as items_async()."""
        return [value for _, value in await self.items_async(errors=errors)]

    async def copy_async(self, *, errors: str = "strict") -> Dict[_Key, _Value]:
        """All keys and values, as a plain dict; otherwise as items_async()."""
        return dict(await self.items_async(errors=errors))

    async def __aiter__(self) -> AsyncIterator[_Key]:
        """The keys, oldest first, asked for some at a time: ``async for key in db``.

        What is written meanwhile is as keys_async() has it.
        """
        async for some in self._keys():
            for key in some:
                yield key

    async def iter_items(self, *, errors: str = "strict") -> AsyncIterator[Tuple[_Key, _Value]]:
        """The (key, value) pairs, oldest first, asked for some at a time; see items_async().

            async for key, value in db.iter_items(): ...
        """
        async for some in self._items(errors):
            for item in some:
                yield item

    async def _keys(self) -> AsyncIterator[List[_Key]]:
        if self._busy and self._is_in_transaction():
            yield await self._do(list)
            return
        async for batch in self._steps(keys_only=True):
            yield list(map(decode_key, batch))

    async def _items(self, errors: str) -> AsyncIterator[List[Tuple[_Key, _Value]]]:
        check_errors(errors)
        if self._busy and self._is_in_transaction():
            yield await self._do(lambda store: list(store.items(errors=errors)))
            return
        async for batch in self._steps(keys_only=False):
            entries = zip(map(decode_key, batch[::2]), batch[1::2])
            yield list(self._db._load_each(entries, errors))

    async def _steps(self, keys_only: bool) -> AsyncIterator[List[bytes]]:
        lane = self._lane()
        await lane.wait_for_writes()
        cursor = self._store.walk(FORWARD)
        while batch := unpack((await lane.step(cursor, _STEP, keys_only))[1:]):
            yield batch

    # --- lanes -------------------------------------------------------------------------------

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

    async def _settle(self) -> None:
        """Return when the writes that this loop has asked for are done."""
        lane = self._lanes.get(asyncio.get_running_loop())
        if lane is not None:
            await lane.wait_for_writes()

    aget = get_async
    aset = set_async
    adelete = delete_async
    acontains = contains_async
    aget_many = get_many_async = abatch_get = batch_get_async = batch_get
    abatch_set = batch_set_async = batch_set
    aclear = clear_async
    alen = len_async
    akeys = keys_async
    avalues = values_async
    aitems = items_async
    acopy = copy_async


def leave(lanes: Dict[AbstractEventLoop, Lane]) -> None:
    """Have the loops watch the store no longer."""
    for loop, lane in list(lanes.items()):
        lanes.pop(loop, None)
        lane.leave()
