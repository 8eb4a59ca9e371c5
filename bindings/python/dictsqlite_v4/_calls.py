# _calls.py - names of functions, and keys of their calls
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Under which key the result of a call is kept."""

from __future__ import annotations

import functools
import hashlib
import inspect
import os
import sys
import threading
import types
from collections.abc import Iterable
from typing import Any, Callable, Dict, List, Optional, Set, Tuple, Union

from ._canonical import NotCanonicalError, canonical, code_of

MARKER = "dictsqlite.memoize"

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)

# The code of each function that is known by its name alone, by that name.
_named: Dict[str, Optional[types.CodeType]] = {}
_named_lock = threading.Lock()


class Calls:
    """The calls of one function.

    A call is told from others by the values of the function's parameters, defaults among them,
    however they were passed. What a partial function or a bound method adds is among them as well.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        name: Optional[str],
        typed: bool,
        ignore: Iterable[Union[str, int]],
        key: Optional[Callable[..., Any]],
    ) -> None:
        self._function, self._args, self._kwargs = _unwrap(function)
        self.itself: object = None  # the function that is called in its place
        self._name = name
        self._typed = typed
        self._key = key
        try:
            self._signature: Optional[inspect.Signature] = inspect.signature(self._function)
        except ValueError:
            self._signature = None  # of a function in C that does not tell
        parameters = list(self._signature.parameters.values()) if self._signature else []
        self._rest = next((p.name for p in parameters if p.kind is _VARIADIC[0]), None)
        ignored, self._ignored_rest = _find_ignored(ignore, parameters, self._rest)
        self._kept = [p.name for p in parameters if p.name not in ignored]
        self._names = ",".join(self._kept)
        self._ignored_keywords = ignored.difference(p.name for p in parameters)
        self._keywords = next((p.name for p in parameters if p.kind is _VARIADIC[1]), None)
        if self._ignored_keywords and not self._keywords:
            wrong = ", ".join(map(repr, sorted(self._ignored_keywords)))
            raise ValueError(f"ignore must name parameters of the function, not {wrong}")
        # Where all are kept and given by position there is nothing to look up.
        is_plain = not ignored and not any(p.kind in _VARIADIC for p in parameters)
        self._n_plain = len(parameters) if is_plain and parameters else -1
        try:
            self.name  # an error is raised here, rather than by the first call
        except LookupError:
            pass  # a variable that is set later, its own maybe

    @property
    def name(self) -> str:
        """What is in the keys for the function."""
        if self._name is None:
            self._name = _name_of(self._function, self.itself)
        return self._name

    def key_of(self, *args: Any, **kwargs: Any) -> Tuple[str, str, bytes]:
        """The key under which the result for these arguments stands."""
        try:
            encoded = canonical(self._told_apart(args, kwargs), self._typed)
        except NotCanonicalError as error:
            raise TypeError(
                f"Failed to tell the arguments of {self.name} apart: {error}; "
                "leave some out with ignore=, or pass key="
            ) from None
        return MARKER, self.name, hashlib.blake2b(encoded, digest_size=16).digest()

    def _told_apart(self, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Any:
        if self._key is not None:
            return self._key(*args, **kwargs)
        args = (*self._args, *args)
        if self._signature is None:
            return args, kwargs
        if len(args) == self._n_plain and not kwargs and not self._kwargs:
            return (self._names, *args)
        bound = self._signature.bind(*args, **{**self._kwargs, **kwargs})
        bound.apply_defaults()
        if self._ignored_keywords and self._keywords:
            for name in self._ignored_keywords:
                bound.arguments[self._keywords].pop(name, None)
        if self._ignored_rest and self._rest:
            rest = enumerate(bound.arguments[self._rest])
            bound.arguments[self._rest] = tuple(
                value for place, value in rest if place not in self._ignored_rest
            )
        return (self._names, *(bound.arguments[name] for name in self._kept))


def _find_ignored(
    ignore: Iterable[Union[str, int]], parameters: List[inspect.Parameter], rest: Optional[str]
) -> Tuple[Set[str], Set[int]]:
    """The names of what is to be ignored, and places among what `rest`, the *args, takes.

    An int is a place among the parameters, or among the arguments that are given by position where
    there may be more of them than parameters.
    """
    if isinstance(ignore, (str, int)):
        ignore = (ignore,)
    names = [parameter.name for parameter in parameters]
    n_named = len(names) if rest is None else names.index(rest)
    ignored, ignored_rest = set(), set()
    for item in ignore:
        if isinstance(item, str):
            ignored.add(item)
        elif rest is not None and item >= n_named:
            ignored_rest.add(item - n_named)
        elif -n_named <= item < n_named and (item >= 0 or rest is None):
            ignored.add(names[item])
        else:
            raise ValueError(f"ignore must name parameters of the function, not {item!r}")
    return ignored, ignored_rest


def _unwrap(function: Any) -> Tuple[Any, Tuple[Any, ...], Dict[str, Any]]:
    """The function within partial functions and methods, and what these pass to it."""
    args: Tuple[Any, ...] = ()
    kwargs: Dict[str, Any] = {}
    while True:
        if isinstance(function, functools.partial):
            args = function.args + args
            kwargs = {**function.keywords, **kwargs}
            function = function.func
        elif isinstance(function, types.MethodType):
            args = (function.__self__, *args)
            function = function.__func__
        else:
            break
    if not callable(function):
        raise TypeError(f"memoize() takes a function, not {function!r}")
    call = getattr(type(function), "__call__", None)
    if isinstance(call, types.FunctionType) and not isinstance(function, type):
        return call, (function, *args), kwargs
    return function, args, kwargs


def _name_of(function: Any, itself: object) -> str:
    """The module and qualified name, and what else tells the function from others."""
    module = _module_of(function)
    name = f"{module or '__main__'}.{getattr(function, '__qualname__', type(function).__name__)}"
    if not isinstance(function, types.FunctionType):
        if isinstance(function, type) and "<" not in name:
            return name
        return f"{name}#{_digest(_encode(function, name))}"
    is_found = "<" not in function.__qualname__ and module is not None
    if is_found and not set(function.__code__.co_freevars) - {"__class__"}:
        with _named_lock:
            if _named.setdefault(name, function.__code__) == function.__code__:
                return name
    try:
        return f"{name}#{_digest(code_of(function, itself))}"
    except NotCanonicalError as error:
        raise ValueError(
            f"Failed to tell {name} from other functions: {error}; pass name= to memoize()"
        ) from None


def _encode(function: object, name: str) -> bytes:
    try:
        return canonical(function)
    except NotCanonicalError as error:
        raise ValueError(
            f"Failed to tell {name} from other functions: {error}; pass name= to memoize()"
        ) from None


def _digest(encoded: bytes) -> str:
    return hashlib.blake2b(encoded, digest_size=8).hexdigest()


def _module_of(function: Any) -> Optional[str]:
    """The module of a function, by which other processes know it; None where there is no such."""
    module = getattr(function, "__module__", None) or "builtins"
    if module != "__main__":
        return str(module)
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name)
    file = getattr(main, "__file__", None)
    return None if file is None else f"__main__:{os.path.abspath(file)}"
