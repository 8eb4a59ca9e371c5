# _pickle_rules.py - what a checked pickle may call, and do to what that gives
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rules, for safe pickle: from a name to the object without running anything, and from a class to
the calls of it that are allowed.

What code of a class may run is __new__, __init__, __setstate__, __hash__ and __eq__, how it fills
itself if it is a container, and what looking up these runs.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
from collections import deque
from collections.abc import MutableMapping, MutableSequence, MutableSet
from enum import Enum
from types import BuiltinFunctionType, FunctionType, MemberDescriptorType, ModuleType
from typing import Any, Callable, Dict, FrozenSet, NamedTuple, Optional, Tuple

from . import _pickle_table as table
from ._pickle_table import Entry

# Python's own modules; Python 3.9 does not list them.
_STANDARD_MODULES: FrozenSet[str] = getattr(sys, "stdlib_module_names", None) or frozenset(
    [*sys.builtin_module_names, *(found.name for found in pkgutil.iter_modules(
        [os.path.dirname(os.__file__), os.path.dirname(os.__file__) + "/lib-dynload"]))]
)  # fmt: skip

CallRule = Callable[["Call"], Optional[str]]  # why a call is refused


class Refusal(Exception):
    """Why an import or a call is refused."""


class Call(NamedTuple):
    """A kind of call, as a report tells it."""

    operation: str
    flags: int
    signature: str
    names: Tuple[bytes, ...]  # attributes that are set, and "(" with the kinds of a state's items


class Cost(NamedTuple):
    """What calls of a class take, in bytes."""

    each: int = 0
    times: int = 1  # the weight of the arguments
    is_hashed: bool = True  # whether hashing an instance visits what is in it


class Decision(NamedTuple):
    """What an import is answered with, and what may be done with that."""

    answer: Any
    rule: CallRule
    is_value: bool = True
    is_current: Optional[Callable[[], bool]] = None  # whether the module still has it
    cost: Cost = Cost()
    make_answer: Optional[Callable[[int], Any]] = None  # for a pickle of so many bytes


# --- from a name to the object, without running anything -----------------------------------------


def is_standard(module: str) -> bool:
    """Whether the module is one of Python's own."""
    return module.partition(".")[0] in _STANDARD_MODULES


def import_listed(module: str) -> ModuleType:
    """A module that is listed, which may be imported for that."""
    if module not in sys.modules:
        try:
            importlib.import_module(module)
        except Exception as error:
            raise Refusal(f"its module cannot be imported: {error}") from None
    holder = sys.modules.get(module)
    if not isinstance(holder, ModuleType):
        raise Refusal("its module is no module")
    return holder


# What a class says of itself, whatever its metaclass says.
_OF_TYPE: Any = type.__dict__
attributes_of: Callable[[type], Dict[str, Any]] = _OF_TYPE["__dict__"].__get__
_module_of: Callable[[type], Any] = _OF_TYPE["__module__"].__get__
_qualname_of: Callable[[type], Any] = _OF_TYPE["__qualname__"].__get__
mro_of: Callable[[type], Tuple[type, ...]] = _OF_TYPE["__mro__"].__get__


def is_class(found: object) -> bool:
    """Whether it is a class, whatever it says of itself."""
    return type in mro_of(type(found))


def members_of(cls: Any) -> Dict[str, Any]:
    """The members of an enumeration by name; of what is none there are none."""
    if not is_class(cls) or Enum not in mro_of(cls):
        return {}
    members: Dict[str, Any] = type.__getattribute__(cls, "_member_map_")
    return members


def is_named(cls: type, module: str, qualname: str) -> bool:
    """Whether the class says of itself that it is the one asked for."""
    return bool(_module_of(cls) == module and _qualname_of(cls) == qualname)


def _find(holder: ModuleType, qualname: str) -> Any:
    """What `qualname` leads to, through namespaces of classes alone; no attribute is computed."""
    namespace: Any = ModuleType.__getattribute__(holder, "__dict__")
    found: Any = None
    for depth, part in enumerate(qualname.split(".")):
        if depth > 0:
            if not is_class(found):
                raise Refusal("its name leads through what is no class")
            namespace = attributes_of(found)
        if part not in namespace:
            raise Refusal("there is nothing of that name in its module")
        found = namespace[part]
    return found


def _describe(found: object) -> str:
    name = type(found).__name__
    return f"a {name}" if name[:1].lower() not in "aeiou" else f"an {name}"


def find_class(holder: ModuleType, module: str, qualname: str) -> Any:
    """The class of that name, if it is one of its module and says so, or such an enumeration's
    member that is found in the module by its own name."""
    found = _find(holder, qualname)
    if is_class(found):
        if not is_named(found, module, qualname):
            raise Refusal(f"it is {_module_of(found)}.{_qualname_of(found)} under another name")
    elif _module_of(type(found)) != module or members_of(type(found)).get(qualname) is not found:
        raise Refusal(f"it is no class but {_describe(found)}")
    return found


def find_public(holder: ModuleType, module: str, qualname: str) -> Any:
    """The exception of a private module that is found in its public one, or None."""
    found = ModuleType.__getattribute__(holder, "__dict__").get(qualname)
    if is_class(found) and BaseException in mro_of(found) and is_named(found, module, qualname):
        return found
    return None


def find_function(holder: ModuleType, qualname: str) -> Any:
    """The function of that name, or None for a class."""
    found = _find(holder, qualname)
    if is_class(found):
        return None
    if not isinstance(found, (FunctionType, BuiltinFunctionType)):
        raise Refusal(f"it is neither a class nor a function but {_describe(found)}")
    return found


def check_bases(cls: type) -> None:
    """Whether nothing that the class, or its metaclass, is built on is of a dangerous kind."""
    if type in mro_of(cls):
        raise Refusal("it makes classes")
    for base in mro_of(cls) + mro_of(type(cls)):
        module, qualname = _module_of(base), _qualname_of(base)
        if not isinstance(module, str):
            raise Refusal("one of its bases has no module")
        if not is_standard(module) or base is type or BaseException in mro_of(base):
            continue
        names = table.BASES.get(module, ())
        if names is not None and qualname not in names:
            raise Refusal(f"it is built on {module}.{qualname}")


def still_there(holder: ModuleType, qualname: str) -> Callable[[], bool]:
    """Whether a module and its attribute are what they were: they may be reloaded."""
    name = holder.__name__
    first = qualname.partition(".")[0]
    namespace = holder.__dict__
    found = namespace.get(first)
    modules = sys.modules
    return lambda: modules.get(name) is holder and namespace.get(first) is found


# --- what a state may set ------------------------------------------------------------------------


def _inherited(cls: type, name: str) -> Any:
    return next(
        (attributes_of(base)[name] for base in mro_of(cls) if name in attributes_of(base)), None
    )


def _has_setstate(cls: type) -> bool:
    found = _inherited(cls, "__setstate__")
    return found is not None and found is not attributes_of(BaseException)["__setstate__"]


def _refuse_state(cls: type, call: Call) -> Optional[str]:
    """A state that no __setstate__() of the class takes: attributes into its __dict__, and into
    slots. An exception sets all of them one by one."""
    is_exception = BaseException in mro_of(cls)
    if call.flags & (table.DUNDER | table.OPAQUE):
        return "its state holds more than plain attributes, and it has no __setstate__()"
    if not (is_exception and call.flags & table.BUILT) and not call.flags & table.SLOTS:
        return None
    if call.flags & table.UNNAMED or (is_exception and call.operation != "R"):
        return "its state sets attributes that are not told"
    if _inherited(cls, "__setattr__") not in (
        _inherited(object, "__setattr__"), _inherited(BaseException, "__setattr__"),
    ):  # fmt: skip
        return "its state would run __setattr__()"
    for name in call.names:
        found = _inherited(cls, name.decode("utf-8", "replace"))
        is_slot = isinstance(found, MemberDescriptorType)
        if not is_slot and (not is_exception or hasattr(type(found), "__set__")):
            return f"its state would set {name.decode('utf-8', 'replace')!r}, which is no slot"
    return None


# What may be filled: how a class that is none of these takes items is no business of a pickle's.
_FILLED: Tuple[Tuple[int, Tuple[type, ...]], ...] = (
    (table.APPENDED, (list, deque, MutableSequence)),
    (table.SET, (dict, MutableMapping)),
    (table.ADDED, (set, MutableSet)),
)


def _refuse_fill(cls: type, call: Call) -> Optional[str]:
    for flag, containers in _FILLED:
        if call.flags & flag and not any(base in mro_of(cls) for base in containers):
            return "it adds items to what is no container"
    return None


# --- rules: which calls of it, and what may be done to what they give ----------------------------


def refuse_calls(call: Call) -> Optional[str]:
    """The rule of what is a value only."""
    return "it may not be called"


def _is_call_of(entry: Entry, operation: str, signature: str) -> bool:
    if operation == "O":  # judged by check_reconstruction()
        return entry.calls.pattern.startswith("N:")
    shown = f"{operation}:{signature}"
    return bool(entry.calls.fullmatch(shown) or entry.calls.fullmatch(shown.replace("q", "s")))


def decide_entry(entry: Entry, found: Any, is_current: Optional[Callable[[], bool]]) -> Decision:
    """What the table says of a class or function of Python itself."""

    def rule(call: Call) -> Optional[str]:
        if not _is_call_of(entry, call.operation, call.signature):
            return "it is called in a way in which Python does not pickle it"
        if call.flags & ~entry.flags & ~table.UNNAMED:
            return "what is made of it is changed in a way in which Python does not pickle it"
        if call.flags & table.OPAQUE:
            if not set(call.names) <= set(entry.states):
                return "its state is none that Python pickles"
        elif call.flags & table.BUILT and not _has_setstate(found):
            return _refuse_state(found, call)
        return None

    cost = Cost(entry.each, entry.times)
    return Decision(found, rule, entry.is_value, is_current, cost, entry.make_answer)


def _decide_enum(cls: type, is_current: Optional[Callable[[], bool]]) -> Decision:
    """Members by value, and by name, as some versions of Python pickle them. They are shared:
    nothing is set on them."""

    def rule(call: Call) -> Optional[str]:
        if call.operation != "R" or len(call.signature) != 1 or call.flags:
            return "a member of an enumeration is got by its name or value alone"
        if not members_of(cls):
            return "it has no members"
        # of whose bits each would be looked at
        return "its value is too large" if call.signature == "H" else None

    return Decision(cls, rule, True, is_current)


def _own_entry(cls: type) -> Optional[Entry]:
    """How instances are made where the class leaves that to one of Python's own, which walks
    through its arguments or takes them for lengths; None where it makes them itself."""
    for base in mro_of(cls):
        module, qualname = str(_module_of(base)), str(_qualname_of(base))
        if not is_standard(module):
            if {"__new__", "__init__"} & set(attributes_of(base)):
                return None
        elif base in table.MADE_OF:
            return table.MADE_OF[base]
        elif BaseException in mro_of(base):
            walks = any(kind.__name__ in table.WALKING_EXCEPTIONS for kind in mro_of(base))
            return table.WALKING_EXCEPTION if walks else table.EXCEPTION
        elif qualname in table.TABLE.get(module, {}):
            return table.TABLE[module][qualname]
    return table.ANY_CALL


def decide_class(cls: type, is_current: Optional[Callable[[], bool]]) -> Decision:
    """A class of a listed module: any call, as its user says by listing it, with these limits."""
    if Enum in mro_of(cls):
        return _decide_enum(cls, is_current)
    entry = _own_entry(cls)
    has_setstate = _has_setstate(cls)

    def rule(call: Call) -> Optional[str]:
        if entry is not None and call.operation != "O" and not any(
            _is_call_of(entry, operation, call.signature) for operation in "RN"
        ):
            return f"it is made of what {_describe(cls)} is not made of"
        if entry is not None and entry is not table.ANY_CALL and call.flags & table.KEYWORDS:
            return "it takes no keywords"
        if call.flags & table.BUILT and not has_setstate:
            return _refuse_state(cls, call) or _refuse_fill(cls, call)
        return _refuse_fill(cls, call)

    is_hashed = _inherited(cls, "__hash__") is not attributes_of(object)["__hash__"]
    return Decision(cls, rule, True, is_current, Cost(
        0 if entry is None else entry.each, 0 if entry is None else entry.times, is_hashed
    ))  # fmt: skip


def decide_function(found: Any, is_current: Callable[[], bool], is_fresh: bool) -> Decision:
    """A function that is listed itself. What it gives may be somebody else's: it stays as it is,
    unless it is known to be new."""

    def rule(call: Call) -> Optional[str]:
        if call.operation != "R":
            return "a function is called otherwise"
        if call.flags & ~(table.BUILT | table.OPAQUE if is_fresh else 0):
            return "what a function gave is changed"
        return None

    return Decision(found, rule, False, is_current, Cost(0, 0))


# What copyreg._reconstructor() makes instances on, by the kinds of data that it makes them of.
_RECONSTRUCTED: Dict[type, str] = {
    object: "n", bytes: "y", complex: "o", dict: "d", float: "f", frozenset: "z", int: "iIb",
    list: "lL", set: "e", str: "sq", tuple: "tT",
}  # fmt: skip


def check_reconstruction(cls: Any, base: Any, call: Call) -> Optional[str]:
    """Whether protocols 0 and 1 pickle an instance of `cls` so: made on `base`, of its data."""
    if not is_class(cls) or base not in mro_of(cls):
        return "it is made on a base that it does not have"
    if call.signature[-1:] not in tuple(_RECONSTRUCTED.get(base, "")):
        return "it is made on what is none of Python's own"
    return None
