# _encryption.py - passwords and copies under other keys
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a store can do about its password and its key."""

from __future__ import annotations

import os
from typing import Any, Callable, List, Optional, Union

from . import _options
from ._dsq import COPY_ENCRYPTED, COPY_PLAIN, GError, Store, as_bytes, new_cancellable, rekey_file
from ._errors import to_exception

Progress = Callable[[int, int], object]
Path = Union[str, "os.PathLike[str]"]


class EncryptionMethods:
    """The methods of an encrypted store, and of one that shall be."""

    _store: Store
    _path: str

    def change_password(self, old: str, new: str) -> None:
        """Change the password of an encrypted file, in a time that does not depend on its size.

        Returns when that is on the medium. Raises WrongPasswordError when `old` is not the
        password or the file has none, ValueError when `new` is empty, and OSError.
        """
        passwords = as_bytes(_password("old", old)), as_bytes(_password("new", new))
        try:
            self._store.change_password(*passwords, None)
        except GError as error:
            raise to_exception(error, self._path) from None

    def encrypt_copy(
        self, target: Path, password: str, progress: Optional[Progress] = None
    ) -> None:
        """Flush, and write everything into the new file `target`, encrypted under `password`.

        The file is there when it is whole and synced. `progress` is called with the numbers of
        entries that are done and that there are; what it raises ends the copy and is raised.
        Raises FileExistsError when there is a file, ValueError when the password is empty, and
        OSError.
        """
        self._copy(target, COPY_ENCRYPTED, as_bytes(_password("password", password)), progress)

    def decrypt_copy(self, target: Path, progress: Optional[Progress] = None) -> None:
        """Flush, and write everything into the new file `target`, in plain; as encrypt_copy()."""
        self._copy(target, COPY_PLAIN, None, progress)

    def _copy(
        self, target: Path, form: Any, password: Any, progress: Optional[Progress]
    ) -> None:
        watch = _Watch(progress)
        path = os.fsencode(target)
        try:
            self._store.copy(path, form, password, watch.cancellable, watch.report)
        except GError as error:
            watch.reraise()
            raise to_exception(error, os.fspath(target)) from None
        watch.reraise()

    @staticmethod
    def rekey_file(
        db_path: Path, old: str, new: str, progress: Optional[Progress] = None
    ) -> None:
        """Write an encrypted file anew, under another key and the password `new`, in its place.

        No store may have it open: OSError with EBUSY. At every instant, also
        when the machine stops, the file is the old one or the new one. `progress` is as in
        encrypt_copy(). Raises WrongPasswordError, ValueError for an empty `new`, and OSError.
        """
        passwords = as_bytes(_password("old", old)), as_bytes(_password("new", new))
        watch = _Watch(progress)
        try:
            rekey_file(os.fsencode(db_path), *passwords, watch.cancellable, watch.report)
        except GError as error:
            watch.reraise()
            raise to_exception(error, os.fspath(db_path)) from None
        watch.reraise()


class _Watch:
    """Calls `progress`; the exception that it raises ends what is watched."""

    def __init__(self, progress: Optional[Progress]):
        self.cancellable = new_cancellable()
        self._progress = progress
        self._raised: List[BaseException] = []

    def report(self, n_done: int, n_total: int) -> None:
        if self._progress is None or self._raised:
            return
        try:
            self._progress(n_done, n_total)
        except BaseException as error:  # raised again when the library has returned
            self._raised.append(error)
            self.cancellable.cancel()

    def reraise(self) -> None:
        if self._raised:
            raise self._raised.pop()


def _password(name: str, value: object) -> bytes:
    password = _options.password(name, value)
    if password is None:
        raise TypeError(f"{name} must be str, not None")
    return password
