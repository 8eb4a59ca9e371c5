# dbm.py - the interface of Python's dbm modules over a store
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A dbm module whose files are stores.

    import shelve
    from dictsqlite_v4 import dbm

    with shelve.Shelf(dbm.open("shelf.db", "c")) as shelf:
        shelf["key"] = [1, 2, 3]

Keys and values are bytes; a str is taken for its UTF-8. In the file a key that is UTF-8 is a str,
so that DictSQLiteV4 and other languages find it, and a value is bytes.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, MutableMapping
from types import TracebackType
from typing import Any, Dict, List, Optional, Tuple, Type, Union

from ._errors import WrongPasswordError
from ._options import is_address
from ._store import DictSQLiteV4

__all__ = ["error", "open"]

_CLOSED = "DBM object has already been closed"

# Loops of firstkey() and nextkey() that go on from where they are.
_MOST_WALKS = 16


class error(OSError):
    """What goes wrong beside what OSError and KeyError say."""


class _MissingError(error, FileNotFoundError):
    """There is no such file, as dbm.dumb says it and as dbm.gnu does."""


class _Database(MutableMapping[bytes, bytes]):
    """What open() returns."""

    def __init__(self, store: DictSQLiteV4[Any, Any], read_only: bool) -> None:
        self._store: Optional[DictSQLiteV4[Any, Any]] = store
        self._read_only = read_only
        # of firstkey() and nextkey(), each by the key that it gave last, the newest last
        self._walks: Dict[bytes, Iterator[object]] = {}

    def _open_store(self) -> DictSQLiteV4[Any, Any]:
        if self._store is None or self._store.closed:
            raise error(_CLOSED)
        return self._store

    def _writable_store(self) -> DictSQLiteV4[Any, Any]:
        store = self._open_store()
        if self._read_only:
            raise error("The database is opened for reading only")
        return store

    def __getitem__(self, key: Union[bytes, str]) -> bytes:
        return _value_of(self._open_store()[_to_key(key)])

    def get(self, key: Union[bytes, str], default: Any = None) -> Any:
        """The value of `key`, or `default`."""
        try:
            return self[key]
        except KeyError:
            return default

    def __setitem__(self, key: Union[bytes, str], value: Union[bytes, str]) -> None:
        self._writable_store()[_to_key(key)] = _to_bytes(value, "values")

    def __delitem__(self, key: Union[bytes, str]) -> None:
        del self._writable_store()[_to_key(key)]

    def pop(self, key: Union[bytes, str], *default: Any) -> Any:
        """Remove `key` and return its value, or `default`; without one, raises KeyError."""
        return self._writable_store()._pop(_value_of, _to_key(key), *default)

    def popitem(self) -> Tuple[bytes, bytes]:
        """Remove the oldest key and return it with its value; raises KeyError when empty."""
        for key in self:
            try:
                return key, self.pop(key)
            except KeyError:
                pass  # others were first
        raise KeyError("popitem(): database is empty")

    def setdefault(self, key: Union[bytes, str], default: Union[bytes, str] = b"") -> bytes:
        """The value of `key`, which is set to `default`, by default b'', where it is missing."""
        store = self._open_store()
        if self._read_only:
            return self[key]
        return _value_of(store.setdefault(_to_key(key), _to_bytes(default, "values")))

    def __contains__(self, key: object) -> bool:
        return _to_key(key) in self._open_store()

    def __len__(self) -> int:
        return len(self._open_store())

    def __iter__(self) -> Iterator[bytes]:
        return self._iterate(iter(self._open_store()))

    def _iterate(self, keys: Iterator[Any]) -> Iterator[bytes]:
        while True:
            self._open_store()  # the caller may have closed it meanwhile
            try:
                key = next(keys)
            except StopIteration:
                return
            yield _from_key(key)

    iterkeys = __iter__

    def keys(self) -> List[bytes]:  # type: ignore[override]
        """All keys, as a list."""
        return list(self)

    def items(self) -> List[Tuple[bytes, bytes]]:  # type: ignore[override]
        """All keys with their values, as a list."""
        items = self._open_store().items()
        return [(_from_key(key), _value_of(value)) for key, value in items]

    def values(self) -> List[bytes]:  # type: ignore[override]
        """All values, as a list."""
        return [_value_of(value) for value in self._open_store().values()]

    def clear(self) -> None:
        """Remove all keys."""
        self._writable_store().clear()

    def firstkey(self) -> Optional[bytes]:
        """The oldest key, None where there is none; nextkey() goes on from there."""
        return self._step(self._open_store()._peek_keys())

    def nextkey(self, key: Union[bytes, str]) -> Optional[bytes]:
        """The key that follows `key`, None at the end.

        A loop of these meets each key once, also where it sets and deletes keys on its way, be it
        the one that it has met. Loops may stand in each other. For a `key` that none of them was
        given last the keys are walked up to it, which costs as much as they are.
        """
        store = self._open_store()
        wanted = _to_bytes(key, "keys")
        walk = self._walks.pop(wanted, None)
        if walk is None:
            walk = store._peek_keys()
            if wanted not in map(_from_key, walk):
                raise KeyError(key)
        return self._step(walk)

    def _step(self, walk: Iterator[object]) -> Optional[bytes]:
        """The next key of a walk that is there still."""
        store = self._open_store()
        given = next((_from_key(key) for key in walk if key in store), None)
        if given is not None:
            self._walks.pop(given, None)
            self._walks[given] = walk
            while len(self._walks) > _MOST_WALKS:
                del self._walks[next(iter(self._walks))]
        return given

    def sync(self) -> None:
        """Return when all that was written is in the file and on the medium."""
        self._open_store().flush()

    def reorganize(self) -> None:
        """Does nothing: room of what was removed is used again."""
        self._open_store()

    def close(self) -> None:
        """Write what is not written yet, and close; does nothing when it is closed."""
        store, self._store = self._store, None
        self._walks.clear()
        if store is not None:
            store.close()

    def __enter__(self) -> _Database:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        problem: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()


def open(  # noqa: A001
    file: Union[str, bytes, os.PathLike[str], os.PathLike[bytes]],
    flag: str = "r",
    mode: int = 0o666,
) -> _Database:
    """Open the store `file`, which gets this very name.

    :param flag: 'r' for reading only, 'w' for writing as well, 'c' makes the file where it is
        missing, 'n' always makes a new one in its place.
    :param mode: permissions of a file that is made, less those that the umask takes away.

    Writes are in the file when close() or sync() has returned. Raises `error`, an OSError with
    its errno, where the file is missing or cannot be opened, by whatever cause.
    """
    if flag not in ("r", "w", "c", "n"):
        raise ValueError("Flag must be one of 'r', 'w', 'c', or 'n'")
    path = os.fsdecode(file)
    if is_address(os.fsencode(file)):
        raise error(errno.ENOTSUP, "dbm opens files, and no stores on a server", path)
    made = False
    try:
        if flag == "n":
            for suffix in ("", "-wal", "-shm", "-journal"):
                _remove(path + suffix)
        if flag in ("c", "n"):
            # the store that takes the place of a file of no bytes has its permissions
            made = _touch(path, mode)
        elif not os.path.exists(path):
            raise FileNotFoundError(errno.ENOENT, "there is no such file", path)
        try:
            store = DictSQLiteV4(path, persist_mode="lazy", read_only=flag == "r")
        except BaseException:
            if made and os.path.exists(path) and os.path.getsize(path) == 0:
                _remove(path)
            raise
    except FileNotFoundError as problem:
        raise _MissingError(problem.errno, problem.strerror, path) from None
    except OSError as problem:
        raise error(problem.errno, problem.strerror, path) from None
    except WrongPasswordError as problem:
        raise error(errno.EACCES, str(problem), path) from None
    return _Database(store, flag == "r")


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _touch(path: str, mode: int) -> bool:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode))
    except FileExistsError:
        return False
    return True


def _to_bytes(item: object, what: str) -> bytes:
    if isinstance(item, str):
        return item.encode()
    if isinstance(item, (bytes, bytearray)):
        return bytes(item)
    raise TypeError(f"{what} must be bytes or strings, not {type(item).__name__!r}")


def _to_key(key: object) -> Union[str, bytes]:
    """The key in the store."""
    if isinstance(key, str):
        key.encode()  # raises for lone surrogates, which are in no str key
        return key
    raw = _to_bytes(key, "keys")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _from_key(key: object) -> bytes:
    if isinstance(key, str):
        return key.encode()
    if isinstance(key, bytes):
        return key
    raise error(f"the file holds a key that is not bytes, but {type(key).__name__!r}")


def _value_of(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    raise error(f"the file holds a value that is not bytes, but {type(value).__name__!r}")
