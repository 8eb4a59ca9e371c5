# _verbs.py - what caches and queues ask for beyond a dict
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Verbs that a dict does not have. Each that writes is one write, unless it says otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from operator import itemgetter
from typing import Any, Callable, Dict, List, Optional, Tuple, TypeVar, Union

from ._dsq import NEVER, GError, Store
from ._errors import ConflictError, to_exception
from ._expiry import DEFAULT, Expire, time_to_live
from ._keys import NO_KEY, encode_key, find_key, refuse_deep
from ._pack import pack, pack_entries, unpack

_MISSING: Any = object()
# Keys that are removed by one call.
_BATCH = 4096
_key_of = itemgetter(0)

_Result = TypeVar("_Result")
_Function = TypeVar("_Function", bound=Callable[..., Any])


class Verbs:
    """What StoreMapping has of these."""

    _path: str
    _store: Store
    _encode: Callable[[Any], bytes]
    _load: Callable[[Any, bytes], Any]
    _lookup: Callable[[bytes], bytes]
    copy: Callable[[], Dict[Any, Any]]
    transaction: Callable[[], Any]
    iter_prefix: Callable[[Any], Iterator[str]]

    def set_many(self, mapping_or_pairs: Any, /, expire: Expire = DEFAULT) -> None:
        """Set all keys of a mapping or of pairs, all or none, to expire as by set()."""
        times = _times(expire)
        entries = as_dict(mapping_or_pairs)
        packed = pack_entries(entries, self._encode)
        self._apply(b"", packed, times and times * len(entries))

    def add(self, key: Any, value: Any, expire: Expire = DEFAULT) -> bool:
        """Set the value of `key` if it is missing, to expire as by set(); whether it was.

        Of several threads that add a key one does; of several processes too, in writethrough mode.
        """
        times = _times(expire)
        encoded = encode_key(key)
        record = self._encode(value)
        return self._apply(pack((encoded, b"")), pack((encoded, record)), times)

    def delete(self, key: Any) -> bool:
        """Remove `key`; whether it was there."""
        try:
            del self[key]  # type: ignore[attr-defined]
        except KeyError:
            return False
        return True

    def delete_many(self, keys: Iterable[Any], /) -> int:
        """Remove those of `keys` that exist, at one instant, and return how many that was."""
        found = dict.fromkeys(map(find_key, keys))
        found.pop(NO_KEY, None)
        encoded = list(found)
        while True:
            try:
                records = unpack(self._store.get_pack(pack(encoded)))
            except GError as error:
                raise to_exception(error, self._path) from None
            there = [entry for entry in zip(encoded, records) if entry[1] and entry[1][0]]
            expected = pack([item for entry in there for item in entry])
            changes = pack([item for key, _ in there for item in (key, b"")])
            # again where somebody came between, so that what is counted is what was removed
            if not there or self._apply(expected, changes, None):
                break
        # what is damaged, see get_pack(), cannot be expected to be anything
        damaged = [key for key, record in zip(encoded, records) if record[:1] == b"\0"]
        try:
            return len(there) + sum(map(self._store.remove_key, damaged))
        except GError as error:
            raise to_exception(error, self._path) from None

    def delete_prefix(self, prefix: str, /) -> int:
        """Remove the keys that are str and begin with `prefix`, and return how many that was.

        It is done in steps, each at one instant, and counts what it has removed itself: what
        others set meanwhile may stay.
        """
        return self._delete_all(self.iter_prefix(prefix))

    def delete_all(self) -> int:
        """Remove all keys, and return how many that was; in steps, as delete_prefix() does.

        clear(), which as a dict's returns None, is one step and does not look at the keys.
        """
        return self._delete_all(list(self))  # type: ignore[call-overload]

    def _delete_all(self, keys: Iterable[Any]) -> int:
        remaining = iter(keys)
        n_deleted = 0
        while batch := list(islice(remaining, _BATCH)):
            n_deleted += self.delete_many(batch)
        return n_deleted

    def get_with_expiry(self, key: Any, default: Any = None) -> Tuple[Any, Optional[float]]:
        """The value of `key`, and the seconds it has to live, None for good; (default, None)
        where it is missing.
        """
        encoded = find_key(key)
        while True:
            record = self._lookup(encoded)
            if not record:
                return default, None
            try:
                milliseconds = self._store.get_expiry_key(encoded)
            except GError as error:
                raise to_exception(error, self._path) from None
            if milliseconds and self._lookup(encoded) == record:
                left = None if milliseconds == NEVER else milliseconds / 1000
                return self._load(key, record), left

    def transact(self, function: Callable[[Any], _Result], retries: int = 10) -> _Result:
        """What function(store) returns, called in a transaction.

        Where somebody else changed a key that it has read it is called again, `retries` times at
        the most; then ConflictError is raised. What it raises is raised, and nothing is written.
        """
        while True:
            try:
                with self.transaction() as store:
                    return function(store)
            except ConflictError:
                retries -= 1
                if retries < 0:
                    raise

    @contextmanager
    def edit(self, key: Any, default: Any = _MISSING) -> Iterator[Any]:
        """A context manager that gives the value of `key`, and writes back what was changed in it.

            with db.edit("basket", []) as basket:
                basket.append("apple")

        A missing key has `default`, and is set to that; without one, KeyError. It expires when it
        would have. After an exception nothing is written. Where somebody else has changed the key
        meanwhile ConflictError is raised, and what that one wrote stays.
        """
        encoded = find_key(key) if default is _MISSING else encode_key(key)
        record = self._lookup(encoded)
        if not record and default is _MISSING:
            raise KeyError(key)
        value = self._load(key, record) if record else default
        yield value
        changed = self._encode(value)
        if changed == record:
            return
        try:
            written = self._store.compare_and_set_record(encoded, record, changed, True)
        except GError as error:
            raise to_exception(error, self._path) from None
        if not written:
            raise ConflictError("the value was changed by others while it was edited")

    def memoize(
        self,
        expire: Expire = DEFAULT,
        *,
        name: Optional[str] = None,
        typed: bool = True,
        ignore: Iterable[Union[str, int]] = (),
        condition: Optional[Callable[[Any], Any]] = None,
        key: Optional[Callable[..., Any]] = None,
        sliding: bool = False,
    ) -> Callable[[_Function], _Function]:
        """A decorator that keeps a function's results in the store.

            @db.memoize(expire=60)
            def price(symbol): ...

        A call with arguments that were there before gives the result that is stored, to this
        process and to all others on the file. Callers that wait for the same result at the same
        time share one computation, threads and tasks alike; what it raises all of them raise, and
        nothing is stored. Coroutine functions stay such, and their loop never waits for the disk.

        :param expire: how long a result is kept: seconds, a timedelta, or None for good; by default
            as long as what is set in the store.
        :param name: what tells the function from others; by default its module and qualified name,
            and for lambdas, functions in functions and such as close over something their code
            and what they close over as well.
        :param typed: whether equal arguments of different types are told apart: 1, 1.0 and True.
        :param ignore: names, or places, of parameters that do not matter to the result; names of
            what ``**`` takes and places of what ``*`` takes too.
        :param condition: called with a result; where it returns something false that is not kept.
        :param key: called with the arguments; what it returns stands for them.
        :param sliding: whether each use of a result has it live for `expire` again.

        Arguments are told apart by their contents, however they were passed and in whichever
        process: containers, dataclasses, enums, arrays, and all else that can be pickled. Raises
        ValueError for a function that cannot be told from others without `name`, and each call
        TypeError for arguments that cannot be told apart.

        Results stand under tuples that begin with 'dictsqlite.memoize' and the name. The function
        has cache_key(*args, **kwargs), which gives the one of a call, cache_clear(), which removes
        all of its results, cache_info() with `hits` and `misses` of this process and `currsize`,
        which is counted by walking the store, and __wrapped__, itself as it was.
        """
        from ._memoize import memoize

        return memoize(
            self,
            expire,
            name=name,
            typed=typed,
            ignore=ignore,
            condition=condition,
            key=key,
            sliding=sliding,
        )

    def _apply(self, expected: bytes, changes: bytes, times: Any) -> bool:
        try:
            return self._store.apply_pack(expected, changes, False, times) == 1
        except GError as error:
            raise to_exception(error, self._path) from None


def _times(expire: Expire) -> Optional[List[int]]:
    """What apply_pack() takes for one entry; None for the store's default."""
    return None if expire is DEFAULT else [time_to_live(expire)]


def as_dict(mapping_or_pairs: Any) -> Dict[Any, Any]:
    """A new dict of what dict.update() accepts, which also raises what that raises.

    Raises ValueError for a key whose tuples are too deep to be hashed.
    """
    if isinstance(mapping_or_pairs, Verbs):
        return mapping_or_pairs.copy()
    entries: Dict[Any, Any] = {}
    if isinstance(mapping_or_pairs, dict):
        entries.update(mapping_or_pairs)
    elif hasattr(mapping_or_pairs, "keys"):
        keys = list(mapping_or_pairs.keys())
        refuse_deep(keys)
        entries.update((key, mapping_or_pairs[key]) for key in keys)
    else:
        pairs = list(mapping_or_pairs)
        try:
            kinds = set(map(type, map(_key_of, pairs)))
        except (TypeError, LookupError):  # not of lists or tuples, or of empty ones
            pairs = [tuple(pair) if isinstance(pair, Iterable) else pair for pair in pairs]
            kinds = {tuple}
        if any(issubclass(kind, tuple) for kind in kinds):
            refuse_deep([next(iter(pair), None) for pair in pairs if isinstance(pair, Iterable)])
        entries.update(pairs)
    return entries
