# _fork.py - stores that a child of fork() opens anew
# SPDX-License-Identifier: LGPL-2.1-or-later
"""after_fork='reopen': the objects that a child inherits are bound to a store of its own.

It is done at once, in the child, before it runs anything else. What the parent has not flushed is
not in the file, and is the parent's to write. The inherited store is kept, and never touched.
"""

from __future__ import annotations

import os
import sys
import weakref
from typing import Any, Callable, List, Tuple

AFTER_FORK = {"error": "error", "reopen": "reopen"}

_Open = Callable[..., None]
_reopening: weakref.WeakKeyDictionary[_ById, _Open] = weakref.WeakKeyDictionary()
_inherited: List[Any] = []


class _ById:
    """What stands for a store, which has no hash; the store has it as long as it lives."""

    def __init__(self, store: Any) -> None:
        self.store = weakref.ref(store)


def reopen_after_fork(store: Any, construct: _Open) -> None:
    """Have construct(store, path, **parameters) called in each child."""
    store._after_fork = token = _ById(store)
    _reopening[token] = construct


def _reopen_all() -> None:
    for token, construct in list(_reopening.items()):
        store = token.store()
        if store is not None:
            _reopen(store, construct)


def _reopen(store: Any, construct: _Open) -> None:
    native = store._handle
    _inherited.append(native)
    tables: List[Tuple[str, Any]] = list(store._tables.items())
    _inherited.extend(table._handle for _, table in tables)
    store.__dict__.pop("_transactions", {}).clear()
    try:
        construct(store, store._absolute_path, **store._parameters)
        for name, table in tables:
            native = store._store.get_table_utf8(name.encode())
            table._bind(native, store._safe, store._near_capacity)
            store._tables[name] = table
    except Exception as error:
        # the objects raise what they do without this, at their first use
        print(f"Failed to open {store._path!r} after a fork: {error}", file=sys.stderr)


os.register_at_fork(after_in_child=_reopen_all)
