# _upkeep.py - copies of the file, and whether it is sound
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is done to a store as a whole."""

from __future__ import annotations

import os
from typing import Any, List, Optional, Union

from . import _options
from ._dsq import COPY_NEW_KEYS, COPY_SAME, GError, Store, as_bytes
from ._errors import to_exception
from ._leave import Progress, leave_free


def copy_to(
    store: Store,
    target: Union[str, os.PathLike[str]],
    form: Any,
    password: Any,
    progress: Optional[Progress],
) -> None:
    """Copy `store` to the new file `target`."""
    path = os.fsencode(target)
    if not path or b"\0" in path:
        raise ValueError(f"target must be the name of a file, not {target!r}")
    try:
        leave_free(
            lambda ended, report: store.copy(path, form, password, ended, report),
            progress,
            store=store,
            undo=lambda: os.unlink(path),
        )
    except GError as error:
        raise to_exception(error, os.fsdecode(path)) from None


class UpkeepMethods:
    """What DictSQLiteV4 has of this."""

    _path: str
    _store: Store

    def backup(
        self,
        target: Union[str, os.PathLike[str]],
        *,
        new_keys: bool = False,
        password: Optional[str] = None,
        progress: Optional[Progress] = None,
    ) -> None:
        """Copy the store to the new file `target` while it is in use.

        Everything written before the call is in the copy, and nothing of what is written
        meanwhile. The copy appears when it is whole and synced; it is a store of its own, with
        the permissions of this one's file, if that is one, and its password, if it has one.

        The copy of an encrypted store has its keys too: who learns those of one can read and write
        both. With `new_keys` it has keys of its own, under the same password, which the store does
        not keep and so must be given; the mode is 0600 at most, and no row of one file passes in
        the other.

        `progress` is called now and then with the pages copied and those in all, with `new_keys`
        and from a server the entries. What it raises ends the copying, leaves no file, and is
        raised here.

        Raises FileExistsError where there is something of that name, WrongPasswordError where
        `password` is not the store's or it has none, ValueError in memory mode and for one of
        `new_keys` and `password` without the other, and OSError.
        """
        if bool(new_keys) != (password is not None):
            raise ValueError(
                "new_keys and password go together: it is the password of a store that is encrypted"
            )
        sealed = _options.password("password", password)
        copy_to(
            self._store,
            target,
            COPY_SAME if sealed is None else COPY_NEW_KEYS,
            None if sealed is None else as_bytes(sealed),
            progress,
        )

    def check(self) -> List[str]:
        """What is wrong with the store, a line each; an empty list where it is sound.

        The whole of it is read: the checksum and place of every entry, and of a file SQLite's pages
        and indexes. What is not written yet is written before. The store may be in use meanwhile.
        Raises OSError where the file cannot be read.
        """
        try:
            return list(leave_free(lambda ended, _: self._store.check(ended)) or ())
        except GError as error:
            raise to_exception(error, self._path) from None
