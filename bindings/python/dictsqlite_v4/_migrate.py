# _migrate.py - reading what other programs wrote: their files, and the values in them
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The sources of an import. migrate.py has what users call."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import itertools
import math
import os
import pickle
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import Any, Callable, Iterator, Optional, Tuple, Union, cast

from ._dsq import GError, migrate_derive_v4_key, migrate_unseal_v4
from ._errors import FormatError, UnsafePickleError, is_of_handler
from ._pickle import SafePickle
from ._repr import printable, short
from ._values import OLD_PICKLE

ValuePolicy = Union[str, Callable[[Any, bytes], Any]]

POLICIES = ("safe", "raw", "text", "pickle")

_SEALED_MARK = b"ENC\0"
_NONCE_AND_TAG = 28  # bytes


class Unreadable(Exception):
    """A value that cannot be read; the message says why."""


# --- values


# Plain containers and scalars only, looked through before they are loaded.
_plain_pickles = SafePickle(None)


def _looks_like_pickle(data: bytes) -> bool:
    """Whether it begins and ends as pickles of protocol 2 and later do."""
    return len(data) >= 4 and data[0] == 0x80 and 2 <= data[1] <= 5 and data[-1:] == b"."


def decode(key: Any, data: bytes, policy: ValuePolicy) -> Any:
    """The value in `data`, or Unreadable."""
    if callable(policy):
        return policy(key, data)
    if policy == "raw":
        return data
    if policy == "text":
        return _decode_text(data)
    if _looks_like_pickle(data):
        return _load_pickle(data, plain_only=policy == "safe")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _decode_text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Unreadable(f"it is not UTF-8: {error.reason}") from None


def _load_pickle(data: bytes, plain_only: bool) -> Any:
    try:
        return _plain_pickles.decode(OLD_PICKLE + data) if plain_only else pickle.loads(data)
    except UnsafePickleError as error:
        raise Unreadable(f"{error}; pass values='pickle' if you trust the file") from None
    except Exception as error:  # a pickle may raise anything
        if is_of_handler(error):
            raise
        problem = printable(f"{type(error).__name__}: {short(str, error)}")
        raise Unreadable(f"its pickle cannot be loaded: {problem}") from None


class Unsealer:
    """Decrypts the values of DictSQLite 2.x and 4.1, and counts them."""

    def __init__(self, password: Optional[str]) -> None:
        self._key = None if password is None else migrate_derive_v4_key(password)
        self.n_unsealed = 0
        self.n_failed = 0

    def open(self, data: bytes) -> bytes:
        """The plain bytes of a value, which may have been plain."""
        marked = data.startswith(_SEALED_MARK)
        if self._key is None:
            if marked:
                raise Unreadable("it is encrypted; pass the password")
            return data
        sealed = data[len(_SEALED_MARK) :] if marked else data
        if len(sealed) < _NONCE_AND_TAG and not marked:
            return data
        try:
            plain = migrate_unseal_v4(self._key, sealed)
        except GError:
            self.n_failed += 1
            if marked:
                raise Unreadable("it was encrypted with another password, or is damaged") from None
            # 4.1 marks nothing, and has plain values beside encrypted ones
            return data
        self.n_unsealed += 1
        return plain


# --- SQLite files that are left as they are


_COPIES = "dictsqlite-"

# What SQLite writes at the end of a journal that names another file, which is removed by whoever
# rolls it back.
_NAMES_ANOTHER = bytes.fromhex("d9d505f920a163d7")


def _locked(folder: str) -> int:
    """A descriptor that holds the lock of a folder of ours, -1 where somebody else does."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return -1
    try:
        if os.fstat(descriptor).st_uid == os.geteuid():
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.isdir(folder):
                return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return -1


def _remove_left() -> None:
    """Remove the folders of imports whose processes have died."""
    for folder in Path(tempfile.gettempdir()).glob(_COPIES + "*"):
        descriptor = _locked(os.fspath(folder))
        if descriptor >= 0:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(descriptor)


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    """A folder of this user's alone, which the next import removes if this process dies."""
    _remove_left()
    descriptor = -1
    while descriptor < 0:
        folder = tempfile.mkdtemp(prefix=_COPIES)
        descriptor = _locked(folder)
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _check_journal(journal: Path, path: Union[str, os.PathLike[str]]) -> None:
    if journal.exists() and journal.read_bytes()[-len(_NAMES_ANOTHER) :] == _NAMES_ANOTHER:
        raise FormatError(
            errno.EINVAL,
            "Failed to import: the rollback journal beside the file belongs to a transaction over"
            " several files, and names another one, which rolling it back would remove; have the"
            " program that wrote them open them first",
            os.fspath(path),
        )


@contextlib.contextmanager
def open_untouched(path: Union[str, os.PathLike[str]]) -> Iterator[sqlite3.Connection]:
    """A connection to the SQLite file at `path` that changes nothing about it.

    Reading a file beside which there is a log or a journal would fold it in or make files: such a
    file is copied first, with what stands beside it. The copy loses its names as soon as it is
    open.
    """
    source = Path(path).absolute()
    if not source.is_file():
        raise FileNotFoundError(2, "there is no such file", os.fspath(path))
    with contextlib.ExitStack() as stack:
        beside = [source.with_name(source.name + end) for end in ("-wal", "-journal")]
        options = "?mode=ro&immutable=1"
        if any(log.is_file() and log.stat().st_size > 0 for log in beside):
            scratch = stack.enter_context(contextlib.ExitStack())
            folder = scratch.enter_context(_scratch())
            for file in (source, *beside):
                if file.is_file():
                    shutil.copyfile(file, folder / file.name)
            source, options = folder / source.name, ""
            _check_journal(folder / beside[1].name, path)
        connection = sqlite3.connect(source.as_uri() + options, uri=True, isolation_level=None)
        stack.callback(connection.close)
        connection.text_factory = bytes
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        # where pages of a damaged file point to one another, a table has rows without end
        _limit_steps(connection, _STEPS, (10_000_000 + 64 * source.stat().st_size) // _STEPS)
        if not options:
            connection.execute("PRAGMA schema_version").fetchone()
            scratch.close()
        yield connection


# Instructions of SQLite's machine between two looks at how many there were.
_STEPS = 10_000


def _limit_steps(connection: sqlite3.Connection, n_steps: int, n_looks: int) -> None:
    """Have SQLite's machine make about so many times so many instructions, and then end.

    Nothing of this is Python, or the handlers of signals would run there: what one raises would be
    swallowed, and the file seem to be damaged.
    """
    looks = itertools.repeat(0, n_looks)
    look: functools.partial[int] = functools.partial(next, looks, 1)
    connection.set_progress_handler(look, n_steps)


# Rows that one statement counts: no signal's handler runs within one.
_COUNTED = 1000


def count_rows(connection: sqlite3.Connection, table: str) -> int:
    """How many rows a table has, 0 where it is damaged: what can be read is imported all the same.

    What count(*) does of a whole table is no step, and might not end.
    """
    counting = (
        "SELECT count(*), max(rowid) FROM"
        f" (SELECT rowid FROM {quoted(table)} WHERE rowid > ? ORDER BY rowid LIMIT {_COUNTED})"
    )
    n_rows, n_counted = 0, _COUNTED
    last, before = -1e19, -math.inf  # below any
    try:
        while n_counted == _COUNTED and last > before:
            before = last
            n_counted, last = connection.execute(counting, (before,)).fetchone()
            n_rows += n_counted
    except sqlite3.DatabaseError:
        return 0
    return n_rows


def rows_in_order(
    connection: sqlite3.Connection, columns: str, table: str
) -> Iterator[Tuple[Any, ...]]:
    """`columns` of all rows of a table; sqlite3.DatabaseError where they come in no order."""
    last = -(1 << 63) - 1
    for row in connection.execute(f"SELECT rowid, {columns} FROM {quoted(table)} ORDER BY rowid"):
        if row[0] <= last:
            raise sqlite3.DatabaseError("the rows are in no order")
        last = row[0]
        yield row[1:]


# Times that SQLite may make 1,000 steps for looking whose file it is.
_LOOKS = 8


def with_import_named(error: Exception, path: str) -> Exception:
    """`error`, or where it is that the file at `path` is no store, one that names its import."""
    call = _name_import(path) if isinstance(error, FormatError) else ""
    if not call:
        return error
    return FormatError(errno.EINVAL, f"{cast(FormatError, error).strerror}; {call} reads it", path)


def _name_import(path: str) -> str:
    """The call that imports the file of another program at `path`, '' where none is known.

    A write-ahead log beside it is not looked at, so that nothing has to be copied.
    """
    uri = Path(path).absolute().as_uri() + "?mode=ro&immutable=1"
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
            connection.text_factory = bytes
            # a schema of very many objects would take minutes; those that are known have a few
            _limit_steps(connection, 1000, _LOOKS)
            connection.execute("PRAGMA trusted_schema = OFF")
            names = connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' LIMIT 9"
            )
            for name in [row[0].decode() for row in names]:
                columns = columns_of(connection, name)
                if {"key", "value", "expire_time", "filename"} <= set(columns):
                    return "dictsqlite_v4.migrate.import_diskcache()"
                if name == "kv_store" and {"key", "value"} <= set(columns):
                    return "dictsqlite_v4.import_v4()"
                if columns == ("key", "value"):
                    table = "" if name == "unnamed" else f"..., table={name!r}"
                    return f"dictsqlite_v4.migrate.import_sqlitedict({table})"
    except (sqlite3.Error, UnicodeDecodeError):
        pass  # it is not even an SQLite file, or a damaged one
    return ""


def columns_of(connection: sqlite3.Connection, table: str) -> Tuple[str, ...]:
    """The columns of a table, none where there is no such table: a view is none, nor is what some
    module of SQLite's makes up."""
    is_table = connection.execute(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        " AND sql LIKE 'CREATE TABLE %'",
        (table,),
    ).fetchone()
    if is_table is None:
        return ()
    rows = connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
    return tuple(row[0].decode() for row in rows)


def quoted(name: str) -> str:
    """An identifier in SQL."""
    return '"' + name.replace('"', '""') + '"'
