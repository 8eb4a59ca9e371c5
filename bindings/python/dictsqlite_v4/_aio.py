# _aio.py - the name of the asyncio class
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The store for asyncio."""

from __future__ import annotations

from typing import Any


class AsyncDictSQLite:
    """A store whose operations are coroutines. This version does not have it yet.

    The name can be imported; constructing raises NotImplementedError.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            "AsyncDictSQLite is not part of this version; use DictSQLiteV4, "
            "from asyncio by way of asyncio.to_thread()"
        )
