# _aio.py - AsyncDictSQLite: the store for asyncio
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The store whose operations are coroutines, and its tables."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Iterable
from typing import Any, Callable, Dict, List, Optional, Type, TypeVar, Union
from weakref import WeakValueDictionary

from . import _options
from ._aio_call import call_in_thread
from ._aio_copy import call_apart
from ._aio_mapping import AsyncMapping, leave
from ._aio_verbs import Worker, verb
from ._host import check_loop
from ._leave import Progress
from ._store import DictSQLiteV4
from ._table import Table

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_Self = TypeVar("_Self", bound="AsyncDictSQLite[Any, Any]")


class AsyncDictSQLite(AsyncMapping[_Key, _Value]):
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

    # Without type arguments it is a store of anything, as DictSQLiteV4 is.
    def __init__(
        self: AsyncDictSQLite[Any, Any],
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
        self._worker = Worker("dictsqlite")
        self._tables: WeakValueDictionary[str, AsyncTable[Any, Any]] = WeakValueDictionary()
        self._bind(self._db, self._db._mode, set())

    @classmethod
    async def open(
        cls: Type[_Self], db_path: Union[str, os.PathLike[str]], *args: Any, **parameters: Any
    ) -> _Self:
        """Open a store as the constructor does, in a thread, so that the loop does not wait."""
        check_loop()
        is_left = False

        def construct() -> Any:
            opened = cls(db_path, *args, **parameters)
            if is_left:  # nobody has it
                opened._db.close()
            return opened

        try:
            opened: _Self = await call_in_thread(None, construct)
        except asyncio.CancelledError:
            is_left = True
            raise
        return opened

    # --- tables ------------------------------------------------------------------------------

    async def table_async(self, name: str) -> AsyncTable[Any, Any]:
        """The table called `name`, as DictSQLiteV4.table() has it; its operations are coroutines.

        As long as somebody has the table, the same name gives the same object.
        """
        table = await self._do(DictSQLiteV4.table, name)
        known = self._tables.get(table.name)
        if known is None or known._db is not table:
            known = self._tables[table.name] = AsyncTable(self, table)
        return known

    tables_async = atables = verb(DictSQLiteV4.tables)
    drop_table_async = adrop_table = verb(DictSQLiteV4.drop_table)
    atable = table_async

    # --- the store itself --------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether the store is closed."""
        return bool(self._db.closed)

    async def flush(self) -> None:
        """Return when everything written before the call is in the file and synced.

        Does nothing when the store is closed. Raises OSError when it cannot be done; nothing that
        was written is lost by that, and the next flush tries again.
        """
        if not self._db.closed:
            await self._settle_tables()
            await self._lane().ask(b"f", keys=())

    async def close(self) -> None:
        """Flush and close, after what is under way. Does nothing when the store is closed.

        When the flush fails, OSError is raised and the store stays open.
        """
        if self._db.closed:
            return
        lane = self._lane()
        await self.flush()  # behind the writes that this loop's tasks have asked for
        await lane.close_store()
        self._worker.end()
        for mapping in (self, *self._tables.values()):
            leave(mapping._lanes)

    def stats(self) -> Dict[str, Any]:
        """The store's counters, as DictSQLiteV4.stats() gives them; stats_async() waits for none of
        its locks in the loop's thread.
        """
        stats: Dict[str, Any] = self._db.stats()
        return stats

    stats_async = astats = verb(DictSQLiteV4.stats)

    async def check_async(self) -> List[str]:
        """What is wrong with the file, a line each, as DictSQLiteV4.check() tells it.

        It is looked at beside what is asked for meanwhile. When the task is cancelled that ends
        soon.
        """
        problems: List[str] = await self._apart(DictSQLiteV4.check)
        return problems

    async def backup_async(
        self,
        target: Union[str, os.PathLike[str]],
        *,
        new_keys: bool = False,
        password: Optional[str] = None,
        progress: Optional[Progress] = None,
    ) -> None:
        """Copy the store to the new file `target` while it is in use, as DictSQLiteV4.backup().

        `progress` is called in the loop's thread. When the task is cancelled the copying ends soon,
        and leaves no file; unless it was done.
        """
        backup = functools.partial(DictSQLiteV4.backup, new_keys=new_keys, password=password)
        await self._apart(backup, target, progress=progress)

    async def encrypt_copy_async(
        self,
        target: Union[str, os.PathLike[str]],
        password: str,
        progress: Optional[Progress] = None,
    ) -> None:
        """Write everything into the new file `target`, encrypted under `password`, as
        DictSQLiteV4.encrypt_copy(); `progress` and cancelling are as in backup_async().
        """
        await self._apart(DictSQLiteV4.encrypt_copy, target, password, progress=progress)

    async def decrypt_copy_async(
        self, target: Union[str, os.PathLike[str]], progress: Optional[Progress] = None
    ) -> None:
        """Write everything into the new file `target`, in plain, as encrypt_copy_async()."""
        await self._apart(DictSQLiteV4.decrypt_copy, target, progress=progress)

    async def change_password_async(self, old: str, new: str) -> None:
        """Change the password of an encrypted file, as DictSQLiteV4.change_password()."""
        await self._apart(DictSQLiteV4.change_password, old, new)

    @staticmethod
    async def rekey_file_async(
        db_path: Union[str, os.PathLike[str]],
        old: str,
        new: str,
        progress: Optional[Progress] = None,
        *,
        kdf_limit: int = _options.KDF_LIMIT,
    ) -> None:
        """Write an encrypted file anew, under another key, as DictSQLiteV4.rekey_file().

        `progress` and cancelling are as in backup_async(): the file is the old one then.
        """
        check_loop()
        rekey = functools.partial(DictSQLiteV4.rekey_file, db_path, old, new, kdf_limit=kdf_limit)
        await call_apart(rekey, progress=progress)

    async def _apart(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What a method gives that takes long: in a thread of its own, after what was asked for."""
        self._check_usable()
        await self._settle()
        return await call_apart(functools.partial(method, self._db, *args), **kwargs)

    async def _settle(self) -> None:
        await super()._settle()
        await self._settle_tables()

    async def _settle_tables(self) -> None:
        for table in list(self._tables.values()):
            await table._settle()

    async def __aenter__(self: _Self) -> _Self:
        self._check_usable()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        """Class, path and mode."""
        if "_db" not in self.__dict__:  # the constructor has raised something
            return object.__repr__(self)
        state = " closed" if self._db.closed else ""
        return f"<{type(self).__name__} {self._path!r} {self._db._mode}{state}>"

    flush_async = aflush = flush
    close_async = aclose = close
    acheck = check_async
    abackup = backup_async
    aencrypt_copy = encrypt_copy_async
    adecrypt_copy = decrypt_copy_async
    achange_password = change_password_async
    arekey_file = rekey_file_async


class AsyncTable(AsyncMapping[_Key, _Value]):
    """A table of a store: a mapping of its own in the same file, whose operations are coroutines.

    It does all that its store does as a mapping, and lives as long as that is open. Made by the
    store's table_async(). What is asked for comes out in its order in each table; flush() comes
    after what was asked for in all of them.
    """

    def __init__(self, parent: AsyncDictSQLite[Any, Any], table: Table[Any, Any]) -> None:
        self._name = table.name
        self._parent = parent
        self._bind(table, parent._db._mode, parent._busy)

    @property
    def name(self) -> str:
        """The table's name."""
        return self._name

    @property
    def parent(self) -> AsyncDictSQLite[Any, Any]:
        """The store that it is a table of."""
        parent: AsyncDictSQLite[Any, Any] = self._parent
        return parent

    async def dropped_async(self) -> bool:
        """Whether the table was dropped."""
        return await self.parent._do(lambda _: bool(self._db.dropped))

    adropped = dropped_async

    async def flush(self) -> None:
        """Flush the whole store, all of its tables at one instant."""
        await self.parent.flush()

    stats_async = astats = verb(Table.stats)
    flush_async = aflush = flush

    def __repr__(self) -> str:
        """The name and the store's path."""
        return f"<{type(self).__name__} {self.name!r} of {self._path!r}>"
