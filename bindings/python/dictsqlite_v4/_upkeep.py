# _upkeep.py - copies of the file, and whether it is sound
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is done to a store as a whole."""

from __future__ import annotations

import os
from typing import List, Optional, Union

from ._dsq import COPY_SAME, GError, Store
from ._errors import to_exception
from ._leave import Progress, leave_free


class UpkeepMethods:
    """What DictSQLiteV4 has of this."""

    _path: str
    _store: Store

    def backup(
        self,
        target: Union[str, os.PathLike[str]],
        *,
        progress: Optional[Progress] = None,
    ) -> None:
        """Copy the store to the new file `target` while it is in use.

        Everything written before the call is in the copy, and nothing of what is written
        meanwhile. The copy appears when it is whole and synced; it is a store of its own, with
        the permissions of this one's file and its password, if it has one.

        `progress` is called now and then with the pages copied and those in all. What it raises
        ends the copying, leaves no file, and is raised here.

        Raises FileExistsError where there is something of that name, ValueError in memory mode,
        and OSError.
        """
        path = os.fsencode(target)
        if not path or b"\0" in path:
            raise ValueError(f"target must be the name of a file, not {target!r}")
        try:
            leave_free(
                lambda ended, report: self._store.copy(path, COPY_SAME, None, ended, report),
                progress,
                store=self._store,
                undo=lambda: os.unlink(path),
            )
        except GError as error:
            raise to_exception(error, os.fsdecode(path)) from None

    def check(self) -> List[str]:
        """What is wrong with the file, a line each; an empty list where it is sound.

        The whole of it is read: SQLite's pages and indexes, and the checksum and place of every
        entry. What is not written yet is written before. The store may be in use meanwhile.
        Raises OSError where the file cannot be read.
        """
        try:
            return list(leave_free(lambda ended, _: self._store.check(ended)) or ())
        except GError as error:
            raise to_exception(error, self._path) from None
