# migrate.py - imports from earlier versions and from other programs
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bringing what other programs stored into a store.

    from dictsqlite_v4 import DictSQLiteV4, import_v4

    with DictSQLiteV4("new.db") as db:
        report = import_v4("old.db", db)
        print(report)

Every import takes the mapping to import into, reads its source without changing it, and returns a
Report. What cannot be read is told in the report and left out. Keys that are there already are
overwritten. `values` says what stored bytes are:

'safe'    (the default) a pickle that holds plain containers and scalars only is loaded, and any
          other pickle is left out; else UTF-8 is a str, and the rest bytes
'pickle'  the same, but pickles are loaded whatever they hold, which runs what they say: only for
          files whose writers you trust
'text'    UTF-8, and nothing else
'raw'     bytes as they are
a function, which is called with key and bytes and returns the value

`progress` is called with the entries that are done and those in all (0 where a damaged source does
not tell), at times. Raises OSError and
sqlite3.DatabaseError where the source cannot be opened, and ValueError where it is another kind of
file, besides what writing into the target raises.
"""

from __future__ import annotations

import dataclasses
import dbm
import os
import pickle
import sqlite3
import stat
import time
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple, Union

from ._errors import is_of_handler
from ._migrate import (
    POLICIES,
    Unreadable,
    Unsealer,
    ValuePolicy,
    columns_of,
    count_rows,
    decode,
    open_untouched,
    rows_in_order,
)

__all__ = [
    "Report",
    "Unreadable",
    "import_diskcache",
    "import_mapping",
    "import_shelve",
    "import_sqlitedict",
    "import_v4",
]

Progress = Optional[Callable[[int, int], Any]]
_Path = Union[str, "os.PathLike[str]"]
_Read = Callable[[], Any]

_BATCH = 1000
_NEVER = 1e11  # seconds since 1970, three thousand years


@dataclasses.dataclass
class Report:
    """What came of an import."""

    n_imported: int = 0
    #: those among them that were encrypted
    n_decrypted: int = 0
    #: entries that had expired, and were left out
    n_expired: int = 0
    #: entries that were left out, by key, and why; a key may be bytes where it is no text
    unreadable: List[Tuple[Any, str]] = dataclasses.field(default_factory=list)
    #: set when the source could not be read to its end
    damage: Optional[str] = None

    def __str__(self) -> str:
        text = f"{self.n_imported} entries imported, {len(self.unreadable)} could not be read"
        return text if self.damage is None else f"{text}; the rest is lost: {self.damage}"


def _import(
    into: MutableMapping[Any, Any],
    entries: Iterator[Tuple[Any, _Read]],
    n_entries: int,
    progress: Progress,
    report: Report,
) -> None:
    """Set what `entries` gives: a key, and a function that reads its value."""
    batch: Dict[Any, Any] = {}
    insert = getattr(into, "bulk_insert", into.update)
    n_done = 0

    def write() -> None:
        try:
            insert(batch)
            report.n_imported += len(batch)
        except ValueError:  # one of them is too long, or refused: all others are imported
            for key, value in batch.items():
                try:
                    into[key] = value
                    report.n_imported += 1
                except ValueError as problem:
                    report.unreadable.append((key, str(problem)))
        batch.clear()
        if progress is not None:
            progress(n_done, n_entries)

    try:
        for key, read in entries:
            n_done += 1
            try:
                batch[key] = read()
            except Unreadable as problem:
                report.unreadable.append((key, str(problem)))
            if len(batch) >= _BATCH:
                write()
    except sqlite3.DatabaseError as error:
        report.damage = str(error)
    write()


def _check_policy(values: ValuePolicy) -> None:
    if not callable(values) and values not in POLICIES:
        raise ValueError(f"values must be one of {POLICIES} or a function, not {values!r}")


def _text_key(raw: Any) -> Any:
    """The key in a column of text; what is no text stays bytes."""
    if not isinstance(raw, bytes):
        return raw
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _column_value(
    key: Any, kind: bytes, raw: Any, values: ValuePolicy, unseal: Callable[[bytes], bytes]
) -> Any:
    """The value of a column, which is bytes as a rule, and else what SQLite says."""
    if kind == b"blob":
        return decode(key, unseal(raw), values)
    return raw.decode() if kind == b"text" else raw


def import_v4(
    path: _Path,
    into: MutableMapping[Any, Any],
    *,
    values: ValuePolicy = "safe",
    password: Optional[str] = None,
    table: str = "kv_store",
    progress: Progress = None,
) -> Report:
    """Import a file of the original DictSQLite, version 4.1 or 2.x.

    :param path: the file. If somebody writes to it meanwhile, the import may fail.
    :param into: the store, or any mapping.
    :param values: what stored bytes are; see the module.
    :param password: the password of encrypted values. Plain ones beside them are read as such.
    :param table: the table in the file.

    Raises ValueError where the password opens no value though some look encrypted.
    """
    _check_policy(values)
    unsealer = Unsealer(password)
    report = Report()
    with open_untouched(path) as connection:
        n_entries, rows = _read_pairs(connection, table, path)

        def entries() -> Iterator[Tuple[Any, _Read]]:
            for raw_key, kind, raw in rows:
                key = _text_key(raw_key)
                yield key, lambda: _column_value(key, kind, raw, values, unsealer.open)

        if password is not None:
            _check_password(connection, table, password)
        _import(into, entries(), n_entries, progress, report)
    report.n_decrypted = unsealer.n_unsealed
    return report


def _read_pairs(
    connection: sqlite3.Connection, table: str, path: _Path
) -> Tuple[int, Iterable[Tuple[Any, ...]]]:
    """How many rows there are, and key, type and value of each."""
    if not {"key", "value"} <= set(columns_of(connection, table)):
        raise ValueError(f"{os.fspath(path)!r} has no table {table!r} with keys and values")
    rows = rows_in_order(connection, "key, typeof(value), value", table)
    return count_rows(connection, table), rows


def _check_password(connection: sqlite3.Connection, table: str, password: str) -> None:
    """Before anything is imported: plain values and a wrong password look the same one by one."""
    unsealer = Unsealer(password)
    rows = rows_in_order(connection, "typeof(value), value", table)
    for kind, raw in rows:
        if kind != b"blob":
            continue
        try:
            unsealer.open(raw)
        except Unreadable:
            pass
        if unsealer.n_unsealed:
            return
    if unsealer.n_failed:
        raise ValueError("the password opens none of the values")


def import_sqlitedict(
    path: _Path,
    into: MutableMapping[Any, Any],
    *,
    values: ValuePolicy = "safe",
    table: str = "unnamed",
    progress: Progress = None,
) -> Report:
    """Import a table of a file of sqlitedict, whose values are pickles as a rule."""
    return import_v4(path, into, values=values, table=table, progress=progress)


def import_diskcache(
    directory: _Path,
    into: MutableMapping[Any, Any],
    *,
    values: ValuePolicy = "safe",
    progress: Progress = None,
) -> Report:
    """Import the folder of a diskcache Cache, Index or FanoutCache.

    Expired entries are left out. Where the target has per-key expiry, others keep theirs. Keys
    that are pickles of other things than a store's keys are left out.
    """
    _check_policy(values)
    folder = Path(directory)
    shards = [folder] if (folder / "cache.db").exists() else sorted(folder.glob("[0-9][0-9][0-9]"))
    shards = [shard for shard in shards if (shard / "cache.db").is_file()]
    if not shards:
        raise ValueError(f"{os.fspath(directory)!r} is no folder of diskcache")
    report = Report()
    for shard in shards:
        with open_untouched(shard / "cache.db") as connection:
            if "filename" not in columns_of(connection, "Cache"):
                raise ValueError(f"{os.fspath(directory)!r} is no folder of diskcache")
            n_entries = count_rows(connection, "Cache")
            deadlines: Dict[Any, float] = {}
            entries = _diskcache_entries(connection, shard, values, report, deadlines)
            _import(into, entries, n_entries, progress, report)
            _keep_deadlines(into, deadlines)
    return report


def _diskcache_entries(
    connection: sqlite3.Connection,
    folder: Path,
    values: ValuePolicy,
    report: Report,
    deadlines: Dict[Any, float],
) -> Iterator[Tuple[Any, _Read]]:
    rows = rows_in_order(
        connection,
        "typeof(key), key, raw, expire_time, mode, filename, typeof(value), value",
        "Cache",
    )
    now = time.time()
    for key_kind, raw_key, is_raw, expires, mode, filename, kind, raw in rows:
        if not isinstance(expires, (int, float, type(None))):
            report.unreadable.append((raw_key, "its expiry is no time"))
            continue
        if expires is not None and expires <= now:
            report.n_expired += 1
            continue
        try:
            key = raw_key.decode() if key_kind == b"text" else raw_key
            if not is_raw:
                key = decode(None, raw_key, "safe")
                hash(key)
        except (Unreadable, TypeError, UnicodeDecodeError) as problem:
            report.unreadable.append((raw_key, f"its key cannot be read: {problem}"))
            continue
        if expires is not None:
            deadlines[key] = expires

        def read() -> Any:
            data = _read_beside(folder, filename) if filename is not None else raw
            if mode in (3, 4) and not isinstance(data, bytes):
                raise Unreadable("it is a number where bytes should be")
            if mode == 4 or callable(values):  # a pickle
                return decode(key, data, values)
            if mode == 3 or (filename is None and kind == b"text"):  # text, in a file or not
                return decode(key, data, "text")
            return data

        yield key, read


def _read_beside(folder: Path, filename: bytes) -> bytes:
    """A value's own file, which must be in the folder."""
    try:
        path = (folder / os.fsdecode(filename)).resolve()
        if folder.resolve() not in path.parents:
            raise Unreadable("its file is outside of the folder")
        # a pipe without a writer would be waited for
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Unreadable("its file is no regular one")
            with open(descriptor, "rb", closefd=False) as file:
                return file.read()
        finally:
            os.close(descriptor)
    except OSError as error:
        raise Unreadable(f"its file cannot be read: {error.strerror}") from None
    except (TypeError, ValueError, RuntimeError) as error:  # no name, or links in a circle
        raise Unreadable(f"its file cannot be found: {error}") from None


def _keep_deadlines(into: MutableMapping[Any, Any], deadlines: Dict[Any, float]) -> None:
    expire_at = getattr(into, "touch", None)
    if expire_at is None:
        return
    for key, deadline in deadlines.items():
        if deadline < _NEVER and key in into:
            expire_at(key, max(deadline - time.time(), 0.001))


def import_shelve(
    path: _Path,
    into: MutableMapping[Any, Any],
    *,
    values: ValuePolicy = "safe",
    progress: Progress = None,
) -> Report:
    """Import a shelf: any file that Python's dbm module opens, keys as str where they are UTF-8."""
    _check_policy(values)
    report = Report()
    with dbm.open(os.fspath(path), "r") as source:
        keys = source.keys()

        def entries() -> Iterator[Tuple[Any, _Read]]:
            for raw_key in keys:
                key = _text_key(raw_key)
                yield key, lambda: decode(key, _value_in(source, raw_key), values)

        _import(into, entries(), len(keys), progress, report)
    return report


def _value_in(shelf: Any, key: Any) -> bytes:
    try:
        value: bytes = shelf[key]
    except Exception as error:  # any that a damaged file makes a module of dbm's raise
        raise Unreadable(f"it is not where it should be: {type(error).__name__}") from None
    return value


def import_mapping(
    source: Mapping[Any, Any],
    into: MutableMapping[Any, Any],
    *,
    values: Optional[ValuePolicy] = None,
    progress: Progress = None,
) -> Report:
    """Import any mapping; with `values`, what it holds as bytes is read as that says."""
    if values is not None:
        _check_policy(values)
    report = Report()

    def read(key: Any) -> Any:
        try:
            value = source[key]
        except (pickle.UnpicklingError, ValueError, OSError, AttributeError, ImportError) as error:
            if is_of_handler(error):
                raise
            raise Unreadable(f"{type(error).__name__}: {error}") from None
        return value if values is None or type(value) is not bytes else decode(key, value, values)

    entries = ((key, lambda key=key: read(key)) for key in source)
    _import(into, entries, len(source), progress, report)
    return report
