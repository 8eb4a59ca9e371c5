# _encryption.py - passwords and copies under other keys
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a store can do about its password and its key."""

from __future__ import annotations

import os
from typing import Optional, Union

from . import _options
from ._dsq import COPY_ENCRYPTED, COPY_PLAIN, GError, Store, as_bytes, rekey_file
from ._errors import to_exception
from ._leave import Progress, leave_free
from ._upkeep import copy_to

Path = Union[str, "os.PathLike[str]"]


class EncryptionMethods:
    """The methods of an encrypted store, and of one that shall be."""

    _store: Store
    _path: str

    def change_password(self, old: str, new: str) -> None:
        """Change the password of an encrypted store, in a time that does not depend on its size.

        Returns when that is on the medium, and `old` opens nothing that is left in the file or its
        write-ahead log. Who reads the file as it was keeps that from being so: that is waited for
        up to busy_timeout, and is then an OSError (EBUSY), with `new` set; change the password from
        `new` to `new` when nobody reads. A try of `new` costs no less than one of `old`.

        Raises WrongPasswordError when `old` is not the password or the file has none, ConflictError
        when somebody else changes it meanwhile, ValueError when `new` is empty, and OSError.
        """
        passwords = as_bytes(_password("old", old)), as_bytes(_password("new", new))
        try:
            leave_free(lambda ended, _: self._store.change_password(*passwords, ended))
        except GError as error:
            raise to_exception(error, self._path) from None

    def encrypt_copy(
        self, target: Path, password: str, progress: Optional[Progress] = None
    ) -> None:
        """Flush, and write everything into the new file `target`, encrypted under `password`.

        A try of it costs no less than one of this file's password, if that is encrypted too.
        The file is there when it is whole and synced. `progress` is called with the numbers of
        entries that are done and that there are; what it raises ends the copy and is raised.
        Raises FileExistsError when there is a file, ValueError when the password is empty, and
        OSError.
        """
        sealed = as_bytes(_password("password", password))
        copy_to(self._store, target, COPY_ENCRYPTED, sealed, progress)

    def decrypt_copy(self, target: Path, progress: Optional[Progress] = None) -> None:
        """Flush, and write everything into the new file `target`, in plain; as encrypt_copy()."""
        copy_to(self._store, target, COPY_PLAIN, None, progress)

    @staticmethod
    def rekey_file(
        db_path: Path,
        old: str,
        new: str,
        progress: Optional[Progress] = None,
        *,
        kdf_limit: int = _options.KDF_LIMIT,
    ) -> None:
        """Write an encrypted file anew, under another key and the password `new`, in its place.

        No store may have it open: OSError with EBUSY. At every instant, also
        when the machine stops, the file is the old one or the new one. `progress` is as in
        encrypt_copy(), and `kdf_limit` as when a store is opened. A try of `new` costs no less
        than one of `old`. Raises WrongPasswordError, ValueError for an empty `new` and where a try
        costs more than `kdf_limit`, and OSError.
        """
        passwords = as_bytes(_password("old", old)), as_bytes(_password("new", new))
        path = os.fsencode(db_path)
        limit = _options.size("kdf_limit", kdf_limit, 1, 2**63 - 1)
        try:
            leave_free(
                lambda ended, report: rekey_file(path, *passwords, limit, ended, report), progress
            )
        except GError as error:
            raise to_exception(error, os.fspath(db_path)) from None


def _password(name: str, value: object) -> bytes:
    password = _options.password(name, value)
    if password is None:
        raise TypeError(f"{name} must be str, not None")
    return password
