# _reopen.py - a store object as a pickle: how to open it again
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a pickled store carries: its class, its path and its parameters, and never a password."""

from __future__ import annotations

import os
from typing import Any, Dict, Tuple, Type

_NOT_PARAMETERS = ("self", "db_path", "encryption_password", "__class__")


def keep_parameters(arguments: Dict[str, Any]) -> Dict[str, Any]:
    """Of the constructor's arguments, what is passed when the store is opened again."""
    return {name: value for name, value in arguments.items() if name not in _NOT_PARAMETERS}


def reduce_store(store: Any) -> Tuple[Any, ...]:
    """What pickle asks for. What is not written yet is, so that another process finds it."""
    name = type(store).__name__
    if store._mode == "memory":
        raise TypeError(
            f"cannot pickle {name!r} object: in memory mode there is no file to open again; "
            "take copy()"
        )
    if store._has_password:
        raise TypeError(
            f"cannot pickle {name!r} object: its password would be in the pickle; "
            "pass the path, and open it with the password there"
        )
    store._check_open()
    if not store._parameters["read_only"]:
        store.flush()
    return reopen, (type(store), store._absolute_path, store._parameters)


def reopen(kind: Type[Any], path: str, parameters: Dict[str, Any]) -> Any:
    """The store, opened; called by pickle."""
    return kind(os.fsdecode(path), **parameters)
