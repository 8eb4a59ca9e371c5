# _upkeep.py - copies of the file, and whether it is sound
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is done to a store as a whole."""

from __future__ import annotations

import os
from typing import Any, Callable, List, Optional, Union

from ._dsq import COPY_SAME, GError, Store, new_cancellable
from ._errors import to_exception


class UpkeepMethods:
    """What DictSQLiteV4 has of this."""

    _path: str
    _store: Store

    def backup(
        self,
        target: Union[str, os.PathLike[str]],
        *,
        progress: Optional[Callable[[int, int], Any]] = None,
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
        cancellable = new_cancellable()
        raised: List[BaseException] = []

        def report(n_done: int, n_total: int) -> None:
            # what is raised here would end up on stderr
            try:
                if progress is not None and not raised:
                    progress(n_done, n_total)
            except BaseException as error:  # noqa: B902
                raised.append(error)
                cancellable.cancel()

        path = os.fsencode(target)
        if not path or b"\0" in path:
            raise ValueError(f"target must be the name of a file, not {target!r}")
        try:
            self._store.copy(path, COPY_SAME, None, cancellable, report)
        except GError as error:
            if raised:
                raise raised[0] from None
            raise to_exception(error, os.fsdecode(path)) from None
        if raised:
            os.unlink(path)
            raise raised[0]

    def check(self) -> List[str]:
        """What is wrong with the file, a line each; an empty list where it is sound.

        The whole of it is read: SQLite's pages and indexes, and the checksum and place of every
        entry. What is not written yet is written before. The store may be in use meanwhile.
        Raises OSError where the file cannot be read.
        """
        try:
            return list(self._store.check(None) or ())
        except GError as error:
            raise to_exception(error, self._path) from None
