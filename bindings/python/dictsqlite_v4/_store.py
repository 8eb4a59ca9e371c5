# _store.py - DictSQLiteV4: a dict that lives in a file
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The store: opening, flushing and closing it, round the mapping that it is."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple, TypeVar, Union

from . import _options
from ._default_expiry import ExpiringStore
from ._dsq import DURABILITIES, PERSIST_MODES, GError, Store, create_store
from ._encryption import EncryptionMethods
from ._errors import FormatError, to_exception
from ._exit import close_dropped, watch
from ._expiry import Expire
from ._fork import AFTER_FORK, reopen_after_fork
from ._leave import leave_free, refuse_if_told_of
from ._reopen import keep_parameters, reduce_store
from ._repr import describe
from ._stats import stats_dict
from ._table import StoreWithTables
from ._upkeep import UpkeepMethods

if TYPE_CHECKING:
    from ._pickle import SafePickle

_Self = TypeVar("_Self", bound="DictSQLiteV4[Any, Any]")
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class DictSQLiteV4(EncryptionMethods, UpkeepMethods, StoreWithTables[_Key, _Value]):
    """A dict that lives in a file.

    It behaves as a dict does, order included, with these differences: keys are str, bytes, int,
    float, bool, None and tuples of these, and come back in their canonical form (True and 1.0
    as 1); values are whatever can be pickled, and come back as fresh objects, so that changing
    one in place changes nothing in the store; copy(), ``|`` and fromkeys() give plain dicts.

    Any method may be called from any thread. After close() all but close() and flush() raise
    RuntimeError, "store is closed". A process made by fork must open a store of its own: what it
    inherits raises RuntimeError. Beside what dict raises, operations raise OSError when the file
    cannot be read or written, CorruptError (an OSError) when it is damaged, and UnloadableError
    for a value that cannot be loaded, which stays. To set a key is a TypeError where it is of
    another type, UnicodeEncodeError where it has lone surrogates, ValueError where it is beyond
    1 MiB or has tuples more than 1,000 deep, or its value is beyond 512 MiB; such a key is never
    there.

    :param db_path: the file, made when it is missing; its folder must exist. ':memory:' is no
        file at all. A symbolic link is followed where it and its folder are yours or root's, not
        everybody may write that folder, and it leads to a file; else it is an OSError (EINVAL).
    :param hot_capacity: most entries that are kept decoded in memory once they are in the file,
        at least 1.
    :param enable_async: whether a background thread flushes lazy writes. If not, nothing runs
        in the background, and only flush(), close() and memory pressure flush. A thread that does
        for the main one what that can be interrupted in is gone when the call returns.
    :param persist_mode: 'memory' (no file, but for a private temporary one of what does not fit),
        'lazy' (a write is in the file, or its log beside it, after the next flush) or
        'writethrough' (a write is committed, there, when it returns).
    :param encryption_password: None, or the password of an encrypted file, not empty; a file
        that is made gets it. Python keeps strs in its memory as it likes; the library wipes its
        own copies.
    :param enable_safe_pickle: whether values are checked, when they are stored and when they are
        loaded, to hold nothing but plain data and instances of allowed classes: anything else
        raises UnsafePickleError. Without it, loading a value runs whatever its pickle says.
    :param safe_pickle_allowed_modules: the modules whose own classes are allowed, and
        'module:name' for one class or function of it. None: plain data only. Of no effect
        without enable_safe_pickle.
    :param durability: 'normal' (a power cut may cost the writes of the last interval) or 'full'
        (a writethrough write is synced when it returns).
    :param hot_limit: most bytes that these entries take; one of more than a quarter of it is not
        kept. In memory mode, what all entries may take before some go to a private file.
    :param warm_capacity: bytes of memory for entries that fell out of the hot tier, in a compact
        form; 0 turns it off.
    :param flush_interval: seconds between background flushes.
    :param dirty_limit: bytes of unflushed writes beyond which writers wait for a flush.
    :param busy_timeout: seconds to wait for another process that has the file locked.
    :param wal_limit: bytes that the write-ahead log may reach, at least 1 MiB.
    :param cache_size: bytes of SQLite's cache for each connection, at least 64 KiB.
    :param near_capacity: most values, of at most 1 KiB, that this object keeps itself, in front of
        all other tiers, as do each of its tables; 0 turns that off. A use of them does not renew an
        entry's place in the hot tier, and there are none where entries expire by default or
        max_bytes is set.
    :param kdf_memory: bytes of memory that one try of the password of a new file takes, 19 MiB
        to 1 GiB.
    :param kdf_passes: passes over that memory, 2 to 16.
    :param kdf_limit: bytes of memory times passes that one try of the password of a file that is
        there may take, which the file says; one that asks for more is refused by ValueError. For
        files of others; what kdf_memory and kdf_passes allow is allowed, too.
    :param max_bytes: for a store that is used as a cache: bytes of the file, at least 1 MiB, to
        which it is kept by dropping the least recently used entries; 0 keeps everything.
    :param read_only: every write raises OSError (EROFS), and the file, which must be there, does
        not change. In a folder that cannot be written it must not be changed by others either.
    :param separate: whether it shares no store with other objects of the process on the file: they
        see of each other what is committed, as those of two processes do.
    :param default_expire: how long what is written without a time of its own lives: seconds, a
        timedelta, or None for good. It costs each access a little.
    :param sliding: whether each read of what expires, by [], get or get_many, has it live for
        `default_expire` from then on, to a hundredth of that; in a read-only store none does.
    :param after_fork: 'error' has the object raise RuntimeError in a process made by fork; 'reopen'
        has the file opened anew there, tables included, unless it has a password.

    Raises ValueError for a parameter out of its range, WrongPasswordError (a ValueError) where
    the password is wrong, missing, or one too many, FormatError (an OSError) where the file
    is not a store, FileNotFoundError where its folder is missing, and OSError where it cannot be
    opened otherwise.
    """

    # Without type arguments it is a store of anything, rather than one that wants an annotation.
    def __init__(
        self: DictSQLiteV4[Any, Any],
        db_path: Union[str, os.PathLike[str]],
        hot_capacity: int = 1_000_000,
        enable_async: bool = True,
        persist_mode: str = "writethrough",
        encryption_password: Optional[str] = None,
        enable_safe_pickle: bool = False,
        safe_pickle_allowed_modules: Optional[Iterable[str]] = None,
        *,
        durability: str = "normal",
        hot_limit: int = 256 << 20,
        warm_capacity: int = 64 << 20,
        flush_interval: float = 1.0,
        dirty_limit: int = 64 << 20,
        busy_timeout: float = 30.0,
        wal_limit: int = 64 << 20,
        cache_size: int = 8 << 20,
        near_capacity: int = 65_536,
        kdf_memory: int = 64 << 20,
        kdf_passes: int = 3,
        kdf_limit: int = _options.KDF_LIMIT,
        max_bytes: int = 0,
        read_only: bool = False,
        separate: bool = False,
        default_expire: Expire = None,
        sliding: bool = False,
        after_fork: str = "error",
    ) -> None:
        self._parameters = keep_parameters(locals())
        self._has_password = encryption_password is not None
        safe: Optional[SafePickle] = None
        if enable_safe_pickle or safe_pickle_allowed_modules is not None:
            safe = _new_safe_pickle(safe_pickle_allowed_modules)
        mode = _options.choice("persist_mode", persist_mode, PERSIST_MODES)
        near = _options.count("near_capacity", near_capacity, 0, 2**31 - 1)
        default = _options.default_expire(default_expire, sliding)
        reopens = _options.choice("after_fork", after_fork, AFTER_FORK) == "reopen"
        if reopens and encryption_password is not None:
            raise ValueError("after_fork='reopen' would keep the password: open the file anew")
        raw = os.fsencode(db_path)
        if not raw or b"\0" in raw:
            raise ValueError(f"db_path must be the name of a file, not {db_path!r}")
        self._path = os.fsdecode(raw)
        self._absolute_path = (
            self._path if _options.is_address(raw) else os.path.abspath(self._path)
        )
        self._mode = "memory" if raw == b":memory:" else mode
        try:
            store = create_store(
                raw,
                self._path if _is_utf8(raw) else None,
                _options.password("encryption_password", encryption_password),
                persist_mode=PERSIST_MODES[self._mode],
                read_only=bool(read_only),
                separate=bool(separate),
                hot_capacity=_options.capacity(hot_capacity),
                hot_limit=_options.size("hot_limit", hot_limit, 1, 2**63 - 1),
                warm_capacity=_options.size("warm_capacity", warm_capacity, 0, 2**63 - 1),
                background=bool(enable_async),
                durability=DURABILITIES[_options.choice("durability", durability, DURABILITIES)],
                flush_interval=_options.milliseconds("flush_interval", flush_interval, 1),
                dirty_limit=_options.size("dirty_limit", dirty_limit, 1, 2**63 - 1),
                busy_timeout=_options.milliseconds("busy_timeout", busy_timeout, 0),
                wal_limit=_options.size("wal_limit", wal_limit, 1 << 20, 2**63 - 1),
                cache_size=_options.size("cache_size", cache_size, 1 << 16, 2**31 - 1),
                kdf_memory=_options.size("kdf_memory", kdf_memory, 19 << 20, 1 << 30),
                kdf_passes=_options.count("kdf_passes", kdf_passes, 2, 16),
                kdf_limit=_options.size("kdf_limit", kdf_limit, 1, 2**63 - 1),
                max_bytes=_options.limit("max_bytes", max_bytes, 1 << 20, 2**63 - 1),
            )
            if self._mode == "memory":
                store.init(None)
            else:
                leave_free(lambda ended, _: store.init(ended), undo=lambda: _drop(store))
        except GError as error:
            problem = to_exception(error, self._path)
            if isinstance(problem, FormatError):  # else who asks may have no right to import
                from ._migrate import with_import_named

                problem = with_import_named(problem, self._path)
            raise problem from None
        if default is not None:
            store = ExpiringStore(store, default, bool(sliding) and not read_only)
        # each use is to be seen where it gives an entry more time, or keeps it from being dropped
        is_near = default is None and not max_bytes
        self._bind(store, safe if enable_safe_pickle else None, near if is_near else 0)
        if reopens and self._mode != "memory":
            reopen_after_fork(self, DictSQLiteV4.__init__)

    def _bind(
        self, store: Store, safe: Optional[SafePickle] = None, near_capacity: int = 0
    ) -> None:
        super()._bind(store, safe, near_capacity)
        dropped = weakref.finalize(self, close_dropped, store, self._path, os.getpid())
        dropped.atexit = False
        if self._mode != "memory":
            watch(store, self._path)

    # --- the store itself --------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether the store is closed."""
        return self._store.is_closed()

    def flush(self) -> None:
        """Return when everything written before the call is in the file and synced.

        Does nothing when the store is closed. Raises OSError when it cannot be done, now or in
        the background since the last flush; nothing that was written is lost by that, and the
        next flush tries again.
        """
        try:
            if self._mode == "memory":
                self._store.flush(None)
            else:
                leave_free(lambda ended, _: self._store.flush(ended))
        except GError as error:
            raise to_exception(error, self._path) from None

    def close(self) -> None:
        """Flush and close. Does nothing when the store is closed; raises as flush() does."""
        try:
            refuse_if_told_of(self._store)
            if self._mode == "memory":
                self._store.close(None)
            else:
                leave_free(lambda ended, _: self._store.close(ended))
        except GError as error:
            raise to_exception(error, self._path) from None
        for mapping in (self, *self._tables.values()):
            mapping._forget_near()

    def stats(self) -> Dict[str, Any]:
        """The store's counters: entries, bytes, hits and misses of each tier, and more.

        The keys are the fields of Dsq.Stats, the same by tier under 'tiers', where 'near' is what
        this object keeps itself, tables apart, and hot_tier_size,
        hot_tier_capacity, encryption_enabled, safe_pickle_enabled and persist_mode.
        """
        self._check_open()
        stats = stats_dict(self._store.get_stats(), self._mode)
        stats["safe_pickle_enabled"] = self._safe is not None
        stats["tiers"]["near"] = {
            "entries": self._count_near(),
            "capacity": self._near_capacity,
        }
        return stats

    def __enter__(self: _Self) -> _Self:
        self._check_open()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        """Class, path and mode, and at most 20 items; raises nothing, whatever these are."""
        if "_handle" not in self.__dict__:  # the constructor has raised something
            return object.__repr__(self)
        head = f"{type(self).__name__} {self._path!r} {self._mode}"
        if self.closed:
            return f"<{head} closed>"
        return describe(head, self)

    def __reduce_ex__(self, protocol: Any) -> Tuple[Any, ...]:
        """A pickle of the store opens its file again, by its path and with its parameters.

        Raises TypeError in memory mode, and where there is a password.
        """
        return reduce_store(self)


DictSQLite = DictSQLiteV4


def _drop(store: Store) -> None:
    """Close what was opened for nobody."""
    try:
        store.close(None)
    except GError:
        pass  # nothing was written


def _is_utf8(raw: bytes) -> bool:
    """Whether a file name says the same as UTF-8 and in the encoding of the file system."""
    try:
        return os.fsdecode(raw).encode() == raw
    except UnicodeEncodeError:
        return False


def _new_safe_pickle(allowed_modules: Optional[Iterable[str]]) -> SafePickle:
    from ._pickle import SafePickle

    return SafePickle(allowed_modules)
