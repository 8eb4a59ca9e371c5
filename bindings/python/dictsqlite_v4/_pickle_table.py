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
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Pattern, Tuple, Type

parser: Any = getattr(re, "_parser", None)  # sre_parse, before Python 3.11
if parser is None:
    import sre_parse as parser

# What was done to an instance: the flags of a report.
(BUILT, DUNDER, OPAQUE, APPENDED, SET, ADDED, KEYWORDS, IS_VALUE, SLOTS, UNNAMED) = (
    1 << bit for bit in range(10)
)


class Entry(NamedTuple):
    """A class or function of the standard library."""

    calls: Pattern[str]  # operation, ":" and signature, as a whole
    flags: int = 0  # what may be done to what such a call gives
    is_value: bool = True  # whether it may be a value, as a class may
    answer: Optional[Callable[..., Any]] = None  # what stands in for it, where it is no class
    make_answer: Optional[Callable[[int], Any]] = None  # the same, for a pickle of so many bytes
    states: Tuple[bytes, ...] = ()  # the kinds of its state's items, where that is no dict
    each: int = 0  # bytes that an instance takes beyond what it is made of
    times: int = 1  # what it is made of is copied so often


def _entry(calls: str, flags: int = 0, **more: Any) -> Entry:
    return Entry(re.compile(calls), flags, **more)


def _function(calls: str, **more: Any) -> Entry:
    return Entry(re.compile(calls), 0, False, **more)


_NEVER = "(?!)"
_INT = "[iIHb]"
_WALKABLE = "[tTldezsyanL]"  # what ends, since it is in the pickle itself


class _Patterns:
    """Compiles the patterns of one pickle. Where case is ignored each character of a range is
    looked at: there may be so many in all."""

    def __init__(self, length: int) -> None:
        self._left = (1 << 20) + 16 * length

    def compile(self, pattern: Any, flags: Any) -> Pattern[Any]:
        flags &= ~int(re.DEBUG)
        text = pattern if isinstance(pattern, str) else pattern.decode("latin1")
        try:
            if "-" in text and (flags & re.IGNORECASE or "(?" in text):
                self._left -= _characters_in(parser.parse(pattern, flags))
                if self._left < 0:
                    raise ValueError("the ranges of its patterns are too wide")
            return re.compile(pattern, flags)
        except RecursionError:
            raise ValueError("its pattern is nested too deeply") from None


def _characters_in(tree: Any) -> int:
    """How many characters the ranges of a parsed pattern have."""
    count = 0
    left: List[Any] = [tree]
    while left:
        item = left.pop()
        if isinstance(item, tuple) and len(item) == 2 and item[0] is parser.RANGE:
            count += item[1][1] - item[1][0]
        elif isinstance(item, (tuple, list, parser.SubPattern)):
            left.extend(item)
    return count


def _make_array(kind: Type[Any], code: Any, form: Any, items: Any) -> Any:
    rebuild: Callable[..., Any] = array.__reduce_ex__(array("b"), 3)[0]  # type: ignore[assignment]
    return rebuild(kind, code, form, items)


def _never_called(*arguments: Any) -> Any:
    """Of what is reached by getattr() alone."""
    raise TypeError("it is a method")


_STRINGS = r"s{0,8}(\*s)?"

# Exceptions take any arguments and keep them, but for those of which the second is walked through.
EXCEPTION = _entry("R:.*", BUILT)
STANDARD_EXCEPTION = _entry("R:[nbiIHfsyatTlLdez]{0,8}", BUILT)
WALKING_EXCEPTION = _entry(rf"R:(s{_WALKABLE}?)?", BUILT)
WALKING_EXCEPTIONS: Tuple[str, ...] = (
    "BaseExceptionGroup", "ExceptionGroup", "IndentationError", "SyntaxError", "TabError",
)  # fmt: skip

TABLE: Dict[str, Dict[str, Entry]] = {
    "array": {
        "array": _entry("R:sl"),
        "_array_reconstructor": _function("R:csiy", answer=_make_array),
    },
    "collections": {
        "ChainMap": _entry("N:", BUILT),
        "Counter": _entry("R:d?", BUILT | SET),
        "OrderedDict": _entry("R:[lL]?", BUILT | SET),
        "UserDict": _entry("N:", BUILT),
        "UserList": _entry("N:", BUILT),
        "UserString": _entry("N:s?", BUILT),
        "defaultdict": _entry("R:[cn]?", BUILT | SET),
        "deque": _entry("R:([tTlL][in]?)?", BUILT | APPENDED, each=640),
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
    "fractions": {"Fraction": _entry("R:([iI]{2}|q)")},
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
    "random": {
        "Random": _entry("R:", BUILT | OPAQUE, states=(b"(itn", b"(itf"), each=2600),
    },
    "re": {
        "_compile": _function(
            "R:[sy][iI]", make_answer=lambda length: _Patterns(length).compile, times=64
        ),
        "Pattern": _entry(_NEVER),
    },
    "statistics": {
        "NormalDist": _entry(
            "N:", BUILT | SLOTS | OPAQUE,
            states=tuple(f"({mu}{sigma}".encode() for mu in "iIf" for sigma in "iIf"),
        )
    },
    "string": {"Template": _entry("N:", BUILT)},
    "time": {"struct_time": _entry("R:td?")},
    "types": {"SimpleNamespace": _entry("R:", BUILT)},
    "urllib.parse": {
        name + kind: _entry(f"N:{letter}{{{length}}}")
        for name, length in (("DefragResult", 2), ("ParseResult", 6), ("SplitResult", 5))
        for kind, letter in (("", "s"), ("Bytes", "y"))
    },
    "uuid": {"UUID": _entry("N:", BUILT)},
    "zoneinfo": {
        "ZoneInfo": _entry(_NEVER),
        "ZoneInfo._unpickle": _function("R:s[bi]", answer=_never_called, each=8192),
    },
}

# Where this Python has what another version pickles from elsewhere.
HOMES: Dict[str, str] = dict.fromkeys(("pathlib", "pathlib._local"), PurePath.__module__)

# Always allowed: what is plain data, but is pickled as a call, at least in some protocol.
BUILTINS: Dict[str, Entry] = {
    "bytearray": _entry("R:y?"),
    "bytes": _entry("R:y?"),
    "complex": _entry("R:f{2}"),
    "frozenset": _entry("R:[lLtT]?"),
    "range": _entry(f"R:{_INT}{{3}}"),
    "set": _entry("R:[lLtT]?"),
    "slice": _entry("R:.{3}"),
    # as values only
    **{name: _entry(_NEVER) for name in ("bool", "dict", "float", "int", "list", "object", "str",
                                         "tuple")},
}  # fmt: skip

# Of what a class is made that leaves it to one of these: nothing that may have no end is walked
# through, no number taken for a length, and nothing printed.
MADE_OF: Dict[type, Entry] = {
    kind: _entry(f"N:({letters})?")
    for kind, letters in (
        (bool, "b"), (bytearray, "y"), (bytes, "y"), (complex, "f{2}"), (dict, "d"), (float, "f"),
        (frozenset, "[lLtT]"), (int, _INT), (list, "[lLtT]"), (set, "[lLtT]"), (str, "s"),
        (tuple, "[lLtT]"),
    )
}  # fmt: skip
ANY_CALL = _entry(".*")

# Functions that give an object of its own each time, whose state is then set.
FRESH = {(f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core")}

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
