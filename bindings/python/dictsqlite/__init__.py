# __init__.py - dictsqlite_v4 under its shorter name
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same as :mod:`dictsqlite_v4`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dictsqlite_v4
from dictsqlite_v4 import (
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
)

if TYPE_CHECKING:
    from dictsqlite_v4 import AsyncDictSQLite, import_v4

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


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(dictsqlite_v4, name)  # which is imported now
