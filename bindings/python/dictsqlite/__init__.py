# __init__.py - dictsqlite_v4 under its shorter name
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same as :mod:`dictsqlite_v4`."""

from __future__ import annotations

from dictsqlite_v4 import (
    AsyncDictSQLite,
    ConflictError,
    CorruptError,
    DictSQLite,
    DictSQLiteV4,
    FormatError,
    OutcomeUnknownError,
    UnloadableError,
    UnsafePickleError,
    WrongPasswordError,
    __version__,
    import_v4,
)

__all__ = [
    "AsyncDictSQLite",
    "ConflictError",
    "CorruptError",
    "DictSQLite",
    "DictSQLiteV4",
    "FormatError",
    "OutcomeUnknownError",
    "UnloadableError",
    "UnsafePickleError",
    "WrongPasswordError",
    "import_v4",
]
