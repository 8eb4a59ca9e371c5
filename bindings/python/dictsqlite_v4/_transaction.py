# _transaction.py - many operations, all of them or none
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Transactions.

While one is under way the store's native methods are replaced by a router, which sends the calls
of the transaction's thread to an overlay and those of others to the store. So the mapping works in
a transaction as it always does, and without one nothing is looked at.

The overlay has the methods of the native store. It keeps what was written, and what was read; at
the end the library compares the one and applies the other at one instant.
"""

from __future__ import annotations

import math
import threading
import time
import weakref
from itertools import islice
from threading import get_ident
from types import SimpleNamespace
from typing import Any, Callable, Dict, Generic, Iterator, List, Optional, Set, Tuple, TypeVar

from ._dsq import FORWARD, NEVER, REVERSE, Cursor, GError, Store
from ._errors import ConflictError, to_exception
from ._pack import pack, unpack
from ._values import INT64, STRING, decode_value, encode_value

_WALK_BATCH = 256
_LIST_BATCH = 4096

_Mapping = TypeVar("_Mapping", bound="Any")


class Transaction(Generic[_Mapping]):
    """What transaction() gives: a context manager, to be used once.

    A signal's handler may raise between any two steps of Python. So each change that others see is
    one step: who is first in the mapping's dict of transactions has it, and its routes are put in
    place, and taken back, by one update of its attributes. What is to be undone is known before it
    is done, and undoing it twice does no harm. Where __exit__() was not reached because a handler
    raised at its door, the transaction ends when this object goes, with that exception.
    """

    _own: Optional[_UnderWay] = None
    _outer: Optional[_UnderWay] = None

    def __init__(self, mapping: _Mapping) -> None:
        self._mapping = mapping
        self._saved: Optional[_Saved] = None
        self._entered = False

    def __enter__(self) -> _Mapping:
        if self._entered:
            raise RuntimeError("a transaction can be entered once; call transaction() again")
        self._entered = True
        mapping = self._mapping
        # the one under way, by the key None; the dict is made by whoever comes first
        first: _First = mapping.__dict__.setdefault("_transactions", {})
        outer = first.get(None)
        if outer is not None and outer.owner == get_ident():
            self._saved = outer.overlay.save()
            self._outer = outer
            return mapping
        mapping._check_open()
        self._own = own = _UnderWay(mapping, first, self)
        try:
            own.begin()
        except BaseException:
            own.end()
            raise
        return mapping

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if self._outer is not None:
            if kind is not None and self._saved is not None:
                self._outer.overlay.restore(self._saved)
        elif self._own is not None:
            try:
                # what comes after is the store's, for this thread too
                self._own.take_routes_back()
                if kind is None:
                    _commit(self._mapping, self._own.overlay)
            finally:
                self._own.end()


class _UnderWay:
    """A transaction of a mapping's, from before it begins until after it has ended."""

    def __init__(self, mapping: Any, first: _First, transaction: Transaction[Any]) -> None:
        store = mapping._handle
        self._first = first
        self._attributes = mapping.__dict__
        self._routes_of_before = routes_to(store, type(store))
        self.overlay = Overlay(store)
        self.owner = get_ident()
        self._over = threading.Lock()  # others wait for it; held until the end
        self._over.acquire()
        router = _Router(store, self.overlay)
        self._routes = routes_to(router, router.functions)
        # where it goes before the end; a __del__() would run each time, and swallow what a signal's
        # handler raises in it
        self._watch: Any = weakref.ref(transaction, lambda _: self.end())

    def begin(self) -> None:
        """Wait until there is no other; have this thread's operations go to the overlay."""
        while (other := self._first.setdefault(None, self)) is not self:
            try:
                with other._over:
                    pass
            except RuntimeError:
                pass  # it was ended twice, and gave back what was held here
        self._attributes.update(self._routes)

    def take_routes_back(self) -> None:
        """Have all operations go to the store."""
        self._attributes.update(self._routes_of_before)

    def end(self) -> None:
        """Let the next begin. Does nothing the second time."""
        try:
            self._end()
        except BaseException:
            self._end()
            raise

    def _end(self) -> None:
        if self._first.get(None) is self:
            self.take_routes_back()
            self._first.pop(None, None)
        if self._over.locked():
            self._over.release()
        self._watch = None


_First = Dict[None, _UnderWay]


def _commit(mapping: Any, overlay: Overlay) -> None:
    try:
        applied = overlay.apply()
    except GError as error:
        raise to_exception(error, mapping._path) from None
    if not applied:
        raise ConflictError(
            "a key that the transaction read was changed meanwhile; nothing of it was written"
        )


def routes_to(store: Any, functions: Any) -> Dict[str, Any]:
    """The attributes of a mapping by which operations go to `store`, or through `functions`, which
    get the handle.

    A thread may be between two of these: either goes with all others.
    """
    return {
        "_store": store,
        "_lookup_text": functions.lookup_text,
        "_set_text": functions.set_text,
        "_contains_text": functions.contains_text,
        "_remove_text": functions.remove_text,
        "_lookup_record": store.lookup_record,
        "_set_record": store.set_record,
        "_contains_key": store.contains_key,
        "_remove_key": store.remove_key,
    }


_Saved = Dict[str, Any]

# What is sent to the overlay; all else goes to the store. The first of these are called as
# functions that get the store's handle.
_TEXT = ("lookup_text", "set_text", "contains_text", "remove_text")
_ROUTED = (
    "lookup_record",
    "set_record",
    "set_record_expiring",
    "touch_key",
    "lookup_expiry",
    "expire",
    "contains_key",
    "remove_key",
    "lookup_last",
    "insert_record",
    "lookup_pack",
    "set_pack",
    "apply_pack",
    "increment_key",
    "compare_and_set_record",
    "clear",
    "count",
    "walk",
    "list_prefix",
)


class _Router:
    """The store for other threads than this one, for which it is the overlay."""

    def __init__(self, base: Store, overlay: Overlay) -> None:
        self._base = base
        self.functions = SimpleNamespace()
        owner = get_ident()
        for name in _ROUTED:
            setattr(self, name, _route(owner, getattr(overlay, name), getattr(base, name)))
        for name in _TEXT:
            route = _route_text(owner, getattr(overlay, name), getattr(type(base), name))
            setattr(self.functions, name, route)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._base, name)


def _route(owner: int, inside: Callable[..., Any], outside: Callable[..., Any]) -> Any:
    def call(*args: Any) -> Any:
        return (inside if get_ident() == owner else outside)(*args)

    return call


def _route_text(owner: int, inside: Callable[..., Any], outside: Callable[..., Any]) -> Any:
    def call(handle: Store, text: str) -> Any:
        return inside(text) if get_ident() == owner else outside(handle, text)

    return call


class Overlay:
    """Writes that are not made yet over a store; b'' is a key that is missing or removed."""

    def __init__(self, base: Store) -> None:
        self._base = base
        self._read: Dict[bytes, bytes] = {}  # what the store held when it was asked first
        self._written: Dict[bytes, bytes] = {}  # new keys in their order
        self._last: Set[bytes] = set()  # those written after they were removed
        self._deadlines: Dict[bytes, float] = {}  # of those written, in seconds of the clock
        # how long what is written without a time of its own lives, in milliseconds
        self._default: int = getattr(base, "default_milliseconds", NEVER)
        self._cleared = False
        self._n_walks = 0
        self.n_resized = 0  # changes of size while there are walks

    # --- begin and end

    def save(self) -> _Saved:
        """What restore() takes back: the state of the writes."""
        return {
            "_written": dict(self._written),
            "_last": set(self._last),
            "_deadlines": dict(self._deadlines),
            "_cleared": self._cleared,
        }

    def restore(self, saved: _Saved) -> None:
        self.__dict__.update(saved, n_resized=self.n_resized + 1)

    def apply(self) -> bool:
        """Write it all; False where what was read has changed."""
        changes: List[bytes] = []
        times: List[int] = []
        for key, record in self._written.items():
            if not self._cleared and (not record or key in self._last):
                changes += (key, b"")
                times.append(NEVER)
            if record:
                changes += (key, record)
                times.append(self._time_left(key))
        expected = [item for entry in self._read.items() for item in entry]
        if not changes and not self._cleared:
            # nothing to write: what was read need not be true still
            return True
        has_times = self._deadlines or self._default != NEVER
        done = self._base.apply_pack(
            pack(expected), pack(changes), self._cleared, times if has_times else None
        )
        return done == 1

    # --- one entry

    def lookup_record(self, key: bytes) -> bytes:
        if self._deadlines:
            self._sweep()
        record = self._written.get(key)
        if record is not None:
            return record
        return b"" if self._cleared else self._ask(key)

    def _ask(self, key: bytes) -> bytes:
        record = self._read.get(key)
        if record is None:
            record = self._read[key] = self._base.lookup_record(key)
        return record

    def lookup_text(self, key: str) -> bytes:
        return self.lookup_record(key.encode())

    def set_text(self, text: str) -> bool:
        key, found, value = text.encode().partition(STRING)
        return bool(found) and STRING not in value and self.set_record(key, STRING + value)

    def contains_text(self, key: str) -> bool:
        return self.contains_key(key.encode())

    def remove_text(self, key: str) -> bool:
        return self.remove_key(key.encode())

    def set_record(self, key: bytes, record: bytes) -> bool:
        if self._deadlines:
            self._sweep()
            self._deadlines.pop(key, None)
        written = self._written
        before = written.get(key)
        if before == b"":
            del written[key]
            self._last.add(key)
        if self._n_walks and not before:
            self.n_resized += before == b"" or not self.contains_blindly(key)
        written[key] = record
        if self._default != NEVER:
            self._deadlines[key] = time.time() + self._default / 1000
        return True

    def contains_blindly(self, key: bytes) -> bool:
        """Whether the store has a key, without counting that as read."""
        return not self._cleared and self._base.contains_key(key) == 1

    def contains_key(self, key: bytes) -> bool:
        return bool(self.lookup_record(key))

    def remove_key(self, key: bytes) -> bool:
        if not self.lookup_record(key):
            return False
        self._written[key] = b""
        self._deadlines.pop(key, None)
        self.n_resized += 1
        return True

    def lookup_last(self) -> bytes:
        for entry in self.entries(reverse=True):
            return pack(entry)
        return b""

    def insert_record(self, key: bytes, record: bytes) -> bytes:
        existing = self.lookup_record(key)
        if not existing:
            self.set_record(key, record)
        return existing

    def increment_key(self, key: bytes, delta: int, initial: int) -> Tuple[bool, int]:
        record = self.lookup_record(key)
        if record and record[:1] != INT64:
            raise OverflowError  # as for what is beyond 64 bits: incr() does it itself then
        total = (decode_value(record) if record else initial) + delta
        encoded = encode_value(total)
        if encoded[:1] != INT64:
            raise OverflowError
        self.set_record_expiring(key, encoded, self.lookup_expiry(key) or self._default)
        return True, total

    def compare_and_set_record(
        self, key: bytes, expected: bytes, record: bytes, keeps_expiry: bool
    ) -> bool:
        if self.lookup_record(key) != expected:
            return False
        if record:
            left = self.lookup_expiry(key) if keeps_expiry else self._default
            self.set_record_expiring(key, record, left or self._default)
        else:
            self.remove_key(key)
        return True

    # --- expiry

    def set_record_expiring(self, key: bytes, record: bytes, milliseconds: int) -> bool:
        self.set_record(key, record)
        if milliseconds != NEVER:
            self._deadlines[key] = time.time() + milliseconds / 1000
        else:
            self._deadlines.pop(key, None)
        return True

    def touch_key(self, key: bytes, milliseconds: int) -> bool:
        record = self.lookup_record(key)
        return bool(record) and self.set_record_expiring(key, record, milliseconds)

    def lookup_expiry(self, key: bytes) -> int:
        if not self.lookup_record(key):
            return 0
        return self._time_left(key) if key in self._written else self._base.lookup_expiry(key)

    def expire(self, cancellable: None) -> int:
        return self._sweep() + self._base.expire(None)

    def _time_left(self, key: bytes) -> int:
        """The milliseconds that a key that was written has to live."""
        deadline = self._deadlines.get(key)
        return NEVER if deadline is None else math.ceil((deadline - time.time()) * 1000)

    def _sweep(self) -> int:
        """Remove what was written here and has expired, which is nobody's doing."""
        now = time.time()
        over = [key for key, deadline in self._deadlines.items() if deadline <= now]
        for key in over:
            del self._deadlines[key]
            self._written[key] = b""
        return len(over)

    # --- many entries

    def lookup_pack(self, keys: bytes) -> bytes:
        return pack([self.lookup_record(key) for key in unpack(keys)])

    def set_pack(self, entries: bytes) -> bool:
        return self.apply_pack(b"", entries, False, None)

    def apply_pack(
        self, expected: bytes, changes: bytes, clears: bool, times: Optional[List[int]]
    ) -> bool:
        items = unpack(expected)
        if any(self.lookup_record(key) != record for key, record in zip(items[::2], items[1::2])):
            return False
        if clears:
            self.clear(None)
        items = unpack(changes)
        for n, (key, record) in enumerate(zip(items[::2], items[1::2])):
            if record:
                self.set_record_expiring(key, record, times[n] if times else self._default)
            else:
                self.remove_key(key)
        return True

    def clear(self, cancellable: None) -> bool:
        self._written.clear()
        self._last.clear()
        self._deadlines.clear()
        self._cleared = True
        self.n_resized += 1
        return True

    def count(self, cancellable: None) -> int:
        self._sweep()
        n_keys = 0 if self._cleared else self._base.count(None)
        for key, record in self._written.items():
            n_keys += bool(record) - self.contains_blindly(key)
        return n_keys

    # --- walk

    def walk(self, order: Any) -> Cursor:
        self._n_walks += 1
        return _OverlayCursor(self, order == REVERSE)

    def list_prefix(self, prefix: bytes, start: bytes, max_keys: int) -> bytes:
        self._sweep()
        keys = {key for key in self._written if key.startswith(prefix) and key >= start}
        at = start
        listed = self._base.list_prefix
        while not self._cleared and (batch := unpack(listed(prefix, at, _LIST_BATCH))):
            keys.update(batch)
            at = batch[-1] + b"\0"
        live = (key for key in sorted(keys) if self._written.get(key) != b"" and key[:1] != b"\xff")
        return pack(list(islice(live, max_keys)))

    def entries(self, reverse: bool) -> Iterator[Tuple[bytes, bytes]]:
        """The keys and records in order."""
        self._sweep()
        if not reverse:
            yield from self._old_entries(reverse)
        new = [
            (key, record)
            for key, record in self._written.items()
            if record and (key in self._last or not self.contains_blindly(key))
        ]
        yield from reversed(new) if reverse else new
        if reverse:
            yield from self._old_entries(reverse)

    def _old_entries(self, reverse: bool) -> Iterator[Tuple[bytes, bytes]]:
        """Those that stand where the store has them."""
        for key, record in () if self._cleared else _walk_store(self._base, reverse):
            written = self._written.get(key)
            if written is None:
                yield key, record
            elif written and key not in self._last:
                yield key, written


def _walk_store(store: Store, reverse: bool) -> Iterator[Tuple[bytes, bytes]]:
    cursor = store.walk(REVERSE if reverse else FORWARD)
    while batch := unpack(cursor.next_pack(_WALK_BATCH, False)):
        yield from zip(batch[::2], batch[1::2])


class _OverlayCursor:
    """A walk over an overlay. It hands out one entry at a time, so that none is ever stale."""

    def __init__(self, overlay: Overlay, reverse: bool) -> None:
        self._overlay = overlay
        self._entries = overlay.entries(reverse)
        self._n_resized = overlay.n_resized

    def next_pack(self, max_entries: int, keys_only: bool) -> bytes:
        self.check(0)
        entries = list(islice(self._entries, 1))
        return pack([item for entry in entries for item in entry[: 1 if keys_only else 2]])

    def check(self, n_used: int) -> bool:
        if self._overlay.n_resized != self._n_resized:
            raise RuntimeError("dictionary changed size during iteration")
        return True
