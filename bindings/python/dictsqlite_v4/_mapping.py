# _mapping.py - the behaviour of dict over the native store
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The mapping that a store is, and each of its tables.

Every operation is at most one call of the native library, since such a call costs more than all
that is done round it. The library's methods are bound once, by _bind(), as attributes named as
they are. They take keys and records as bytes, and answer b'' for what is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from itertools import islice
from time import monotonic_ns
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    List,
    Optional,
    Tuple,
    TypeVar,
    Union,
    overload,
)

from ._atomic import AtomicMethods
from ._dsq import WORD_LIVE, GError, Store
from ._errors import ConflictError, is_no_key, to_exception, unloadable
from ._expiry import Expiry
from ._keys import MAX_KEY_LENGTH, NO_KEY, decode_key, encode_key, find_key
from ._near import IMMUTABLE_END, MISSING, SHORT, UNKEPT, NearTier, Own
from ._pack import (
    is_of_texts,
    pack,
    pack_entries,
    pack_keys,
    unpack,
    unpack_records,
    unpack_strings,
)
from ._ranges import Ranges
from ._transaction import Transaction, routes_to
from ._values import STRING_TYPE, decode_value, encode_value, load_pickle
from ._verbs import Verbs, as_dict
from ._views import StoreItems, StoreKeys, StoreValues, check_errors
from ._walks import Walks
from ._watch import Watches

if TYPE_CHECKING:
    from ._pickle import SafePickle

_MISSING = MISSING
_EMPTY_PACK = pack(())

# What stands where no value is kept: nothing, or what is to be loaded.
_UNKEPT_TYPES = {type(None), tuple}
# Keys looked up by one call of get_many().
_LOOKUP_BATCH = 1024
# Values that are loaded to be removed before others have changed each of them.
_MOST_TRIES = 1000

_Result = TypeVar("_Result")
_Self = TypeVar("_Self", bound="StoreMapping[Any, Any]")
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_Default = TypeVar("_Default")


class StoreMapping(
    AtomicMethods,
    Expiry,
    NearTier,
    Ranges,
    Verbs,
    Walks[_Key],
    Watches[_Key],
    MutableMapping[_Key, _Value],
):
    """What behaves as a dict does, order included, over one of the library's stores.

    DictSQLiteV4 says where it differs from dict, and what it raises.
    """

    __hash__ = None  # type: ignore[assignment]

    _path: str  # for the messages of errors
    _has_password = False  # whether these must not name keys

    @property
    def _root(self) -> Any:
        # the store that it is, or is a table of
        return self

    def _bind(
        self, store: Store, safe: Optional[SafePickle] = None, near_capacity: int = 0
    ) -> None:
        # How values become records, and records values: all ways in and out go through these.
        self._safe = safe
        self._encode = encode_value if safe is None else safe.encode
        self._decode = decode_value if safe is None else safe.decode
        self._load_pickle = load_pickle if safe is None else safe.decode
        self._handle = store
        self._routes = routes_to(store)
        self._detour: Optional[Tuple[Any, Dict[str, Any]]] = None  # for a transaction
        self._begin_near(store, near_capacity)
        self._routes["_near"] = self._near  # none in a transaction
        # One by one: where __dict__ is asked for, each look at an attribute takes longer ever on.
        for name, route in self._routes.items():
            setattr(self, name, route)
        self._begin_whole()

    _store: Store
    _get_text: Callable[[Store, str], bytes]
    _set_text: Callable[[Store, str], int]
    _set_stamped_text: Callable[[Store, str, bytes], int]
    _contains_text: Callable[[Store, str], int]
    _remove_text: Callable[[Store, str], int]
    _get_record: Callable[[bytes], bytes]
    _set_record: Callable[[bytes, bytes], bool]
    _contains_key: Callable[[bytes], int]
    _remove_key: Callable[[bytes], int]

    # --- one entry: the hot path. Each is one call of the library. A str travels as a C string,
    # which PyGObject passes in two thirds of the time of an array; it would cut one that holds
    # U+0000, and copy one that is too long, so such a str, like every key of another type, goes as
    # an array. The tests stand in each of these, and the look at what is kept in three: a function
    # of their own would cost more than the tests do, and a fifth of a get that is kept. And the
    # functions are those of the class, given the store: for a bound one PyGObject copies its
    # arguments once more.

    def __getitem__(self, key: _Key) -> _Value:
        """The value of `key`; where it is missing what a subclass's __missing__() gives, else
        KeyError.
        """
        near = self._near
        if near is not None and type(key) is str:
            own = near.own
            kept = own.get(key)
            if kept is not None:
                words = self._words  # looked at in this order
                if (
                    words[WORD_LIVE] == self._seen
                    or monotonic_ns() < self._until
                    or self._catch_up()
                ) and words[self._table_word] == own.word:
                    if type(kept) is not tuple:
                        return kept  # type: ignore[no-any-return]
                    try:
                        return kept[0](kept[1])  # type: ignore[no-any-return]
                    except Exception as error:
                        raise unloadable(error, key, not self._has_password)
            found: Any = self._find(near, key)
            return self._miss(key) if found is MISSING else found  # type: ignore[no-any-return]
        if type(key) is str and "\0" not in key and len(key) <= MAX_KEY_LENGTH:
            try:
                record = self._get_text(self._handle, key)
            except (GError, UnicodeEncodeError) as error:
                record = self._find_nothing(error)
        else:
            record = self._call(self._get_record, key)
        if not record:
            return self._miss(key)  # type: ignore[no-any-return]
        try:
            if record[0] == STRING_TYPE:
                return record[1:].decode()  # type: ignore[return-value]
            return self._decode(record)  # type: ignore[no-any-return]
        except Exception as error:
            raise unloadable(error, key, not self._has_password)

    def __setitem__(self, key: _Key, value: _Value) -> None:
        """Set the value of `key`. Raises what pickle raises for what it cannot take."""
        if type(value) is str and type(key) is str and len(key) + len(value) <= MAX_KEY_LENGTH:
            # One string to pass, where set_record() takes two arrays. It is refused where the type
            # byte between them is in one of them as well.
            text = f"{key}\x03{value}"
            if "\0" not in text:
                try:
                    stamp = self._set_text(self._handle, text)
                    if stamp > UNKEPT:
                        near = self._near
                        if near is not None:
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
                        return
                    if stamp:
                        return
                except UnicodeEncodeError:
                    pass  # a lone surrogate: in the key an error, in the value a pickle
                except GError as error:
                    raise to_exception(error, self._path) from None
        try:
            if type(key) is str and "\0" not in key and len(key) <= MAX_KEY_LENGTH:
                try:
                    record = self._encode(value)
                    stamp = self._set_stamped_text(self._handle, key, record)
                    near = self._near
                    if stamp > UNKEPT and near is not None:
                        kept = value if record[0] < IMMUTABLE_END else (self._load_pickle, record)
                        own, length = near.own, len(key) + len(record)
                        is_next = own.word == stamp - 1 and length <= SHORT
                        if is_next and len(own) < near.capacity:
                            own[key] = kept
                            own.word = stamp
                        else:
                            near.note_set(key, kept, stamp, length)
                    return
                except UnicodeEncodeError:
                    pass
            encoded = encode_key(key)
            self._set_record(encoded, self._encode(value))
        except GError as error:
            raise to_exception(error, self._path) from None

    def __delitem__(self, key: _Key) -> None:
        """Remove `key`; raises KeyError where it is missing."""
        if type(key) is str and "\0" not in key and len(key) <= MAX_KEY_LENGTH:
            try:
                removed = self._remove_text(self._handle, key)
            except (GError, UnicodeEncodeError) as error:
                removed = bool(self._find_nothing(error))
        else:
            removed = bool(self._call(self._remove_key, key))
        if not removed:
            raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        """Whether there is `key`. Raises TypeError for what is unhashable."""
        near = self._near
        if near is not None and type(key) is str:
            own = near.own
            if key in own:
                words = self._words
                if (
                    words[WORD_LIVE] == self._seen
                    or monotonic_ns() < self._until
                    or self._catch_up()
                ) and words[self._table_word] == own.word:
                    return True
        if type(key) is str and "\0" not in key and len(key) <= MAX_KEY_LENGTH:
            try:
                return self._contains_text(self._handle, key) == 1
            except (GError, UnicodeEncodeError) as error:
                return bool(self._find_nothing(error))
        return bool(self._call(self._contains_key, key))

    @overload
    def get(self, key: _Key, /) -> Optional[_Value]: ...

    @overload
    def get(self, key: _Key, default: Union[_Value, _Default]) -> Union[_Value, _Default]: ...

    def get(self, key: Any, default: Any = None) -> Any:
        """The value of `key`, or `default` where it is missing."""
        near = self._near
        if near is not None and type(key) is str:
            own = near.own
            kept = own.get(key)
            if kept is not None:
                words = self._words
                if (
                    words[WORD_LIVE] == self._seen
                    or monotonic_ns() < self._until
                    or self._catch_up()
                ) and words[self._table_word] == own.word:
                    return kept if type(kept) is not tuple else self._load(key, kept[1])
            value = self._find(near, key)
            return default if value is MISSING else value
        if type(key) is str and "\0" not in key and len(key) <= MAX_KEY_LENGTH:
            try:
                record = self._get_text(self._handle, key)
            except (GError, UnicodeEncodeError) as error:
                record = self._find_nothing(error)
        else:
            record = self._call(self._get_record, key)
        try:
            return self._decode(record) if record else default
        except Exception as error:
            raise unloadable(error, key, not self._has_password)

    def _call(self, function: Callable[[bytes], _Result], key: object) -> Union[_Result, bytes]:
        """One of the library's methods that look for a key, on any key; b'' where it is none."""
        encoded = find_key(key)
        try:
            return function(encoded)
        except GError as error:
            return self._find_nothing(error)

    def _find_nothing(self, error: Exception) -> bytes:
        """b'' where `error` says that what was looked for can be no key; raises all others."""
        if not isinstance(error, UnicodeEncodeError) and not is_no_key(error):
            raise to_exception(error, self._path) from None
        self._check_open()  # keys are looked at first
        return b""

    def _miss(self, key: Any) -> Any:
        missing = getattr(type(self), "__missing__", None)
        if missing is None:
            raise KeyError(key)
        return missing(self, key)

    def _load(self, key: object, record: bytes) -> Any:
        """The value in the record of `key`."""
        try:
            return self._decode(record)
        except Exception as error:
            raise unloadable(error, key, not self._has_password)

    @overload
    def pop(self, key: _Key, /) -> _Value: ...

    @overload
    def pop(self, key: _Key, default: Union[_Value, _Default]) -> Union[_Value, _Default]: ...

    def pop(self, key: Any, default: Any = _MISSING) -> Any:
        """Remove `key` and return its value, or `default`; without one, raises KeyError.

        Of several threads that pop a key, one gets it. A value that cannot be loaded stays.
        """
        return self._pop(None, key, default)

    def _pop(
        self, convert: Optional[Callable[[Any], Any]], key: Any, default: Any = _MISSING
    ) -> Any:
        encoded = find_key(key)
        for _ in range(_MOST_TRIES):
            record = self._lookup(encoded)
            if not record:
                if default is _MISSING:
                    raise KeyError(key)
                return default
            value = self._load(key, record)
            if convert is not None:  # what it refuses stays, too
                value = convert(value)
            if self._exchange_record(encoded, record, b"", False):
                return value
        raise ConflictError("the key is set again faster than its value can be loaded")

    def popitem(self) -> Tuple[_Key, _Value]:
        """Remove the newest key and return it with its value; raises KeyError when empty.

        A value that cannot be loaded stays.
        """
        for _ in range(_MOST_TRIES):
            try:
                entry = unpack(self._store.get_last_pack())
            except GError as error:
                raise to_exception(error, self._path) from None
            if not entry:
                raise KeyError("popitem(): dictionary is empty")
            key = decode_key(entry[0])
            value = self._load(key, entry[1])
            if self._exchange_record(entry[0], entry[1], b"", False):
                return key, value
        raise ConflictError("others take the newest key each time before it can be")

    def setdefault(self, key: Any, default: Any = None) -> Any:
        """The value of `key`, which is set to `default` where it is missing.

        Of several threads that set a default, one sets it and all get that one.
        """
        encoded = encode_key(key)
        try:
            # Looked up first, so that nothing is pickled in vain, or fails to be.
            while not (record := self._get_record(encoded)):
                new = self._encode(default)
                if self._store.compare_and_set_record(encoded, b"", new, False):
                    return default
        except GError as error:
            raise to_exception(error, self._path) from None
        return self._load(key, record)

    # --- many entries ------------------------------------------------------------------------

    def update(self, other: Any = (), /, **kwargs: Any) -> None:
        """Set all keys of a mapping, of pairs and of keywords, as dict does, but all or none."""
        if kwargs or type(other) is not dict:
            other = as_dict(other)
            other.update(kwargs)
        self._set_entries(other)

    def bulk_insert(self, mapping_or_pairs: Any, /) -> None:
        """Set all keys of a mapping or of pairs, in one transaction: all of them or none.

        Nothing is stored either when one of the values cannot be pickled. Raises ValueError
        when all of it together is 4 GiB or more.
        """
        is_dict = type(mapping_or_pairs) is dict
        self._set_entries(mapping_or_pairs if is_dict else as_dict(mapping_or_pairs))

    def _set_entries(self, entries: Dict[Any, Any]) -> None:
        near = self._near
        own = Own() if near is None else Own(entries)  # which nobody else changes
        packed = pack_entries(own or entries, self._encode)
        before = self._words[self._table_word] if near is not None else 0
        try:
            self._store.set_pack(packed)
        except GError as error:
            raise to_exception(error, self._path) from None
        if near is not None and is_of_texts(packed):
            near.note_sets(own, before, self._words[self._table_word], len(packed))

    def get_many(
        self, keys: Iterable[_Key], /, *, errors: str = "strict"
    ) -> Dict[_Key, _Value]:
        """The values of those of `keys` that exist, as a dict in the order of `keys`.

        :param errors: as items() has it.
        """
        check_errors(errors)
        self._check_open()
        found: Dict[_Key, _Value] = {}
        remaining = iter(keys)
        while True:
            batch = list(islice(remaining, _LOOKUP_BATCH))
            if not batch:
                return found
            strings: Any = self._find_kept(batch)
            if strings is not None:
                found.update(zip(batch, strings))
                continue
            records = self._lookup_many(batch)
            strings = unpack_strings(records)
            if strings is not None:
                found.update(zip(batch, strings))
            else:
                found.update(self._load_each(zip(batch, unpack_records(records)), errors))

    def _find_kept(self, keys: List[Any]) -> Optional[List[Any]]:
        """The values of `keys`, where each of them is a str and kept as a value; else None.

        For who knows already what others have committed.
        """
        near = self._near
        if near is None or type(keys[0]) is not str or type(keys[-1]) is not str:
            return None
        own = near.own
        if keys[0] not in own or keys[-1] not in own or {*map(type, keys)} != {str}:
            return None
        kept = [*map(own.get, keys)]
        if not _UNKEPT_TYPES.isdisjoint(map(type, kept)):
            return None
        return kept if self._words[self._table_word] == own.word else None

    def _lookup_many(self, keys: List[Any]) -> bytes:
        """The pack of the records of `keys`, from which what is no key is taken out."""
        try:
            return self._store.get_pack(pack_keys(keys))
        except (GError, UnicodeEncodeError) as error:
            self._find_nothing(error)
        keys[:] = [key for key in keys if find_key(key) != NO_KEY]
        return self._lookup_many(keys)

    def clear(self) -> None:
        """Remove all keys."""
        try:
            self._store.clear(None)
        except GError as error:
            raise to_exception(error, self._path) from None
        self._expect_all()

    def transaction(self: _Self) -> Transaction[_Self]:
        """A context manager in which all writes of this thread become one.

            with db.transaction():
                db["from"] -= 10
                db["to"] += 10

        At its end all of them are made at one instant; after an exception none. Until then only
        this thread sees them, through the store as always. They may be writes to the store and to
        any of its tables. Transactions of several threads wait for each other. Other writers do
        not: where one of them, in this process or in another, has changed a key that the
        transaction has read, ConflictError is raised at the end, and nothing is written. A
        transaction in one is a part of it: an exception that leaves only the inner one takes back
        only what that wrote. Await nothing within.

        What a signal's handler raises, KeyboardInterrupt too, is such an exception wherever it
        comes. When that is after the last line of the block, before the end of the transaction has
        begun, nothing is written, but the end comes as late as the exception is let go of: leave
        the except clause before you use the store again.
        """
        return Transaction(self)

    def copy(self, *, errors: str = "strict") -> Dict[_Key, _Value]:
        """All keys and values, as a plain dict; `errors` as items() has it."""
        return dict(StoreItems(self, errors))

    __copy__ = copy

    def __deepcopy__(self, memo: Any) -> Dict[_Key, _Value]:
        return self.copy()

    @classmethod
    def fromkeys(cls, iterable: Iterable[Any], value: Any = None, /) -> Dict[Any, Any]:
        """A plain dict with the keys of `iterable`, each with `value`."""
        return dict.fromkeys(iterable, value)

    def __or__(self, other: Any) -> Dict[Any, Any]:
        if not isinstance(other, (dict, StoreMapping)):
            return NotImplemented
        return {**self.copy(), **as_dict(other)}

    def __ror__(self, other: Any) -> Dict[Any, Any]:
        if not isinstance(other, (dict, StoreMapping)):
            return NotImplemented
        return {**as_dict(other), **self.copy()}

    def __ior__(self: _Self, other: Any) -> _Self:
        self.update(other)
        return self

    def __eq__(self, other: object) -> bool:
        """Whether `other` is a mapping with equal keys and values, in whichever order."""
        if not isinstance(other, Mapping):
            return NotImplemented
        if len(self) != len(other):
            return False
        if self is other:
            return True
        for key, mine in self.items():
            theirs = other.get(key, _MISSING)
            if theirs is _MISSING or not (theirs is mine or mine == theirs):
                return False
        return True

    # --- size and views ----------------------------------------------------------------------

    def __len__(self) -> int:
        """How many keys there are."""
        try:
            return self._store.count(None)
        except GError as error:
            raise to_exception(error, self._path) from None

    def __bool__(self) -> bool:
        """Whether there is any key."""
        return len(self) > 0

    def keys(self) -> StoreKeys[_Key]:
        """A live view of the keys."""
        self._check_open()
        return StoreKeys(self)

    def values(self, *, errors: str = "strict") -> StoreValues[_Value]:
        """A live view of the values; `errors` as items() has it."""
        self._check_open()
        return StoreValues(self, errors)

    def items(self, *, errors: str = "strict") -> StoreItems[_Key, _Value]:
        """A live view of the (key, value) pairs.

        :param errors: what becomes of a value that cannot be loaded, or whose row is damaged:
            'strict' raises its UnloadableError or CorruptError, which ends the walk; 'skip' leaves
            it out, with its key; 'report' gives the error in its place.
        """
        self._check_open()
        return StoreItems(self, errors)

    def _check_open(self) -> None:
        """Raise RuntimeError when the store is closed or inherited by fork."""
        try:
            self._store.get_pack(_EMPTY_PACK)
        except GError as error:
            raise to_exception(error, self._path) from None
