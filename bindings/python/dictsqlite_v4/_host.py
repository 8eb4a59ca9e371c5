# _host.py - where the package can be used
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which Pythons, interpreters and event loops the package is for; others are refused, clearly."""

from __future__ import annotations

import importlib
import sys
from typing import Any

_FIRST, _LAST = (3, 9), (3, 13)


def _check_host() -> None:
    """Raise ImportError where the package cannot be used.

    PyGObject keeps the interpreter's lock by an interface that knows the main interpreter only:
    in another one its first call would wait for ever.
    """
    version = sys.version_info[:2]
    if not _FIRST <= version <= _LAST:
        raise ImportError(
            f"dictsqlite_v4 is for Python {_name(_FIRST)} to {_name(_LAST)}, not {_name(version)}"
        )
    if _is_subinterpreter():
        raise ImportError(
            "dictsqlite_v4 cannot be used in a subinterpreter, since PyGObject cannot; with "
            "mod_wsgi say WSGIApplicationGroup %{GLOBAL}"
        )


def _name(version: Any) -> str:
    return ".".join(map(str, version))


def _is_subinterpreter() -> bool:
    name = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
    try:
        interpreters: Any = importlib.import_module(name)
    except ImportError:
        return False  # this Python has no others
    return bool(interpreters.get_current() != interpreters.get_main())


def check_loop() -> None:
    """Raise RuntimeError in a task of another library than asyncio, such as trio's."""
    sniffio: Any = sys.modules.get("sniffio")  # which such libraries have imported
    if sniffio is None:
        return
    try:
        library = sniffio.current_async_library()
    except sniffio.AsyncLibraryNotFoundError:
        return  # no task
    if library != "asyncio":
        raise RuntimeError(
            f"AsyncDictSQLite is for asyncio, not for {library}: there use DictSQLiteV4, and "
            f"{library}.to_thread.run_sync() for what may have to wait for the disk"
        )


_check_host()
