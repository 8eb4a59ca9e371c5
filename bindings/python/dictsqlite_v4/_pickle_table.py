# _pickle_table.py - which classes of Python itself a checked pickle may build, and by which calls
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table of the standard library, for safe pickle.

Being listed says nothing of what a module re-exports: each class is here by name, with the calls
by which Python pickles its instances, and no others. So nothing here walks through an argument
that could be endless, opens, imports or runs anything.
"""

from __future__ import annotations

import re
from array import array
from pathlib import PurePath
from typing import Any, Callable, Dict, NamedTuple, Optional, Pattern, Tuple, Type

# What was done to an instance: the flags of a report.
BUILT, DUNDER, OPAQUE, APPENDED, SET, ADDED, KEYWORDS, IS_VALUE = (1 << bit for bit in range(8))


class Entry(NamedTuple):
    """A class or function of the standard library."""

    calls: Pattern[str]  # operation, name of a member, ":" and signature, as a whole
    flags: int = 0  # what may be done to what such a call gives
    is_value: bool = True  # whether it may be a value, as a class may
    answer: Optional[Callable[..., Any]] = None  # what stands in for it, where it is no class


def _entry(calls: str, flags: int = 0) -> Entry:
    return Entry(re.compile(calls), flags)


def _function(calls: str, answer: Callable[..., Any]) -> Entry:
    return Entry(re.compile(calls), 0, False, answer)


_NEVER = "(?!)"
_INT = "[iIHb]"
_WALKABLE = "[tldezsyan]"  # what ends, since it is in the pickle itself


def _compile_pattern(pattern: Any, flags: Any) -> Pattern[Any]:
    return re.compile(pattern, flags & ~int(re.DEBUG))


def _make_array(kind: Type[Any], code: Any, form: Any, items: Any) -> Any:
    rebuild: Callable[..., Any] = array.__reduce_ex__(array("b"), 3)[0]  # type: ignore[assignment]
    return rebuild(kind, code, form, items)


_STRINGS = r"s{0,8}(\*s)?"

# Exceptions take any arguments and keep them, but for those of which the second is walked through.
EXCEPTION = _entry(".*", BUILT)
STANDARD_EXCEPTION = _entry("R:[nbiIHfsyatldez]{0,8}", BUILT)
WALKING_EXCEPTION = _entry(rf"R:(s{_WALKABLE}?)?", BUILT)
WALKING_EXCEPTIONS: Tuple[str, ...] = (
    "BaseExceptionGroup", "ExceptionGroup", "IndentationError", "SyntaxError", "TabError",
)  # fmt: skip

TABLE: Dict[str, Dict[str, Entry]] = {
    "array": {
        "array": _entry("R:sl"),
        "_array_reconstructor": _function("R:csiy", _make_array),
    },
    "collections": {
        "ChainMap": _entry("N:", BUILT),
        "Counter": _entry("R:d?", BUILT | SET),
        "OrderedDict": _entry("R:l?", BUILT | SET),
        "UserDict": _entry("N:", BUILT),
        "UserList": _entry("N:", BUILT),
        "UserString": _entry("N:", BUILT),
        "defaultdict": _entry("R:[cn]?", BUILT | SET),
        "deque": _entry("R:([tl][in]?)?", BUILT | APPENDED),
    },
    "datetime": {
        "date": _entry("R:y"),
        "datetime": _entry("R:yo?"),
        "time": _entry("R:yo?"),
        "timedelta": _entry(f"R:{_INT}{{3}}"),
        "timezone": _entry("R:os?"),
        "tzinfo": _entry("R:|N:", BUILT),
    },
    "decimal": {
        "Context": _entry(f"R:{_INT}s{_INT}{{4}}ll"),
        "Decimal": _entry("R:s"),
        "DecimalTuple": _entry("N:it[is]"),
        **{
            name: EXCEPTION
            for name in (
                "Clamped", "DecimalException", "DivisionByZero", "FloatOperation", "Inexact",
                "InvalidOperation", "Overflow", "Rounded", "Subnormal", "Underflow",
            )
        },
    },
    "fractions": {"Fraction": _entry("R:[iI]{2}")},
    "ipaddress": {
        "IPv4Address": _entry("R:[iI]"),
        "IPv4Interface": _entry("R:s"),
        "IPv4Network": _entry("R:s"),
        "IPv6Address": _entry("R:[iIs]"),
        "IPv6Interface": _entry("R:s"),
        "IPv6Network": _entry("R:s"),
    },
    # pathlib._local in Python 3.13
    PurePath.__module__: {
        name: _entry(f"R:{_STRINGS}")
        for name in (
            "Path", "PosixPath", "PurePath", "PurePosixPath", "PureWindowsPath", "WindowsPath",
        )
    },
    "random": {"Random": _entry("R:", BUILT | OPAQUE)},
    "re": {"_compile": _function("R:[sy][iI]", _compile_pattern), "Pattern": _entry(_NEVER)},
    "statistics": {"NormalDist": _entry("N:", BUILT)},
    "string": {"Template": _entry("N:", BUILT)},
    "time": {"struct_time": _entry("R:td?")},
    "types": {"SimpleNamespace": _entry("R:", BUILT)},
    "urllib.parse": {
        name + kind: _entry(f"N:{letter}{{{length}}}")
        for name, length in (("DefragResult", 2), ("ParseResult", 6), ("SplitResult", 5))
        for kind, letter in (("", "s"), ("Bytes", "y"))
    },
    "uuid": {"UUID": _entry("N:", BUILT)},
    "zoneinfo": {"ZoneInfo": _entry("A_unpickle:s[bi]|M_unpickle:")},
}

# Where this Python has what another version pickles from elsewhere.
HOMES: Dict[str, str] = dict.fromkeys(("pathlib", "pathlib._local"), PurePath.__module__)

# Always allowed: what is plain data, but is pickled as a call, at least in some protocol.
BUILTINS: Dict[str, Entry] = {
    "bytearray": _entry("R:y?"),
    "bytes": _entry("R:y?"),
    "complex": _entry("R:f{2}"),
    "frozenset": _entry("R:[lt]?"),
    "range": _entry(f"R:{_INT}{{3}}"),
    "set": _entry("R:[lt]?"),
    "slice": _entry("R:[nbiIHfsy]{3}"),
    # as values only
    **{name: _entry(_NEVER) for name in ("bool", "dict", "float", "int", "list", "object", "str",
                                         "tuple")},
}  # fmt: skip

# The builtins that are values and no classes.
CONSTANTS: Dict[str, Any] = {"Ellipsis": ..., "NotImplemented": NotImplemented}

# Classes of Python itself on which a class of a listed module may be built, beside exceptions: by
# module, and there by name, or all of them.
BASES: Dict[str, Optional[Tuple[str, ...]]] = {
    **dict.fromkeys(TABLE),
    **dict.fromkeys(("_collections_abc", "abc", "collections.abc", "enum", "numbers", "typing")),
    "_random": ("Random",),
    "builtins": (
        "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "object",
        "set", "str", "tuple",
    ),
    "argparse": ("Namespace",),
    "contextlib": ("AbstractAsyncContextManager", "AbstractContextManager", "ContextDecorator"),
    "_thread": ("_local",),
    "types": ("SimpleNamespace",),
}  # fmt: skip
