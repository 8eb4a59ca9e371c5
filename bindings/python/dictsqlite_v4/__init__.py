# __init__.py - the public names of dictsqlite_v4
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A dict that lives on disk.

    from dictsqlite_v4 import DictSQLiteV4

    with DictSQLiteV4("data.db") as db:
        db["user:1"] = {"name": "Alice", "age": 30}

Values that are not str, int, float, bool, bytes or None are pickled. Unpickling runs what the
pickle says: open only files whose writers you trust, or open them with enable_safe_pickle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, List

from . import _host  # noqa: F401, first: where the package cannot be used, this says so
from ._dsq import VERSION
from ._errors import (
    ConflictError,
    CorruptError,
    FormatError,
    OutcomeUnknownError,
    UnloadableError,
    UnsafePickleError,
    WrongPasswordError,
)
from ._store import DictSQLite, DictSQLiteV4

if TYPE_CHECKING:
    from ._aio import AsyncDictSQLite
    from .migrate import import_v4

__version__ = VERSION

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
    """What is imported when it is first asked for, since most programs use none of it."""
    if name == "AsyncDictSQLite":
        from . import _aio as home
    elif name == "import_v4":
        from . import migrate as home  # type: ignore[no-redef]
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(home, name)
    globals()[name] = found
    return found


def __dir__() -> List[str]:
    return sorted({*globals(), *__all__})
