# _pickle.py - safe pickle: what a pickle may build, decided before it is loaded
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Safe pickle.

Check first, then load. The native library reads the opcodes and tells what the pickle would import
and call, and with which kinds of arguments (Dsq.pickle_check). What imports nothing is plain data
and goes to pickle.loads(). Of anything else each import is decided here by the object that it leads
to, and each call by the class that is called; only then does an unpickler run, which answers from
what was decided and from nothing else.
"""

from __future__ import annotations

import _compat_pickle
import importlib
import io
import os
import pickle
import pkgutil
import re
import struct
import sys
from enum import Enum, Flag
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import (
    Any, Callable, Dict, FrozenSet, Iterable, List, NamedTuple, Optional, Set, Tuple, cast,
)  # fmt: skip

from . import _pickle_table as table
from ._dsq import GError, NativeError, check_pickle
from ._errors import UnsafePickleError
from ._pack import unpack
from ._pickle_table import Entry
from ._values import PICKLE, decode_value, encode_value

_PICKLE_TYPE = PICKLE[0]
_MOST_REPORTS = 1024  # that are remembered, each of at most so many bytes
_LONGEST_REPORT = 4096
_MESSAGE = re.compile(r".*? at offset (\d+)(?:, with (.*?):(.*))?: ([^:]*)", re.DOTALL)
_CALL_HEAD = struct.Struct("<cBII")
_USED_AS_VALUE = 1

# Python's own modules; Python 3.9 does not list them.
_STANDARD_MODULES: FrozenSet[str] = getattr(sys, "stdlib_module_names", None) or frozenset(
    [*sys.builtin_module_names, *(found.name for found in pkgutil.iter_modules(
        [os.path.dirname(os.__file__), os.path.dirname(os.__file__) + "/lib-dynload"]))]
)  # fmt: skip

_Name = Tuple[str, str]  # module and qualified name
_CallRule = Callable[["_Call"], Optional[str]]  # why a call is refused


class _Refusal(Exception):
    """Why an import or a call is refused."""


class _Call(NamedTuple):
    operation: str
    flags: int
    signature: str
    member: str


class _Decision(NamedTuple):
    """What an import is answered with, and what may be done with that."""

    answer: Any
    rule: _CallRule
    is_value: bool = True
    is_current: Callable[[], bool] = lambda: True  # whether the module still has it


class _Unpickler(pickle.Unpickler):
    answers: Dict[_Name, Any]

    def find_class(self, module: str, name: str, /) -> Any:
        """What was decided for that import; KeyError cannot be, as the check saw all of them."""
        return self.answers[module, name]


class SafePickle:
    """encode() and decode() of values for a store with safe pickle.

    :param allowed: names of modules, whose own classes may be built, and 'module:name', a class or
        function of its own; None for plain data only.

    Raises TypeError and ValueError for what is no such list.
    """

    def __init__(self, allowed: Optional[Iterable[str]]) -> None:
        self._modules: Set[str] = set()
        self._names: Set[_Name] = set()
        for name in _check_allowed(allowed):
            module, colon, qualname = name.partition(":")
            module = table.HOMES.get(module, module)
            if colon:
                self._names.add((module, qualname))
            else:
                self._modules.add(module)
        # reports without offsets, with what was decided on them
        self._decided: Dict[bytes, Dict[_Name, _Decision]] = {}

    def encode(self, value: Any) -> bytes:
        """The record of `value`; raises UnsafePickleError for what decode() would refuse."""
        record = encode_value(value)
        if record[0] == _PICKLE_TYPE:
            self._decide(record[1:], "store")
        return record

    def decode(self, record: bytes) -> Any:
        """The value of `record`; raises UnsafePickleError, before anything is run."""
        if record[0] != _PICKLE_TYPE:
            return decode_value(record)
        payload = record[1:]
        decisions = self._decide(payload, "load")
        try:
            if decisions is None:
                return pickle.loads(payload)
            unpickler = _Unpickler(io.BytesIO(payload))
            unpickler.answers = {name: found.answer for name, found in decisions.items()}
            return unpickler.load()
        except (UnsafePickleError, MemoryError, RecursionError):
            raise
        except Exception as error:
            raise UnsafePickleError(
                f"building it failed: {type(error).__name__}: {error}", verb="load"
            ) from error

    # --- deciding --------------------------------------------------------------------------------

    def _decide(self, payload: bytes, verb: str) -> Optional[Dict[_Name, _Decision]]:
        """The answers to each import of a pickle; None for plain data."""
        try:
            report = check_pickle(payload)
        except GError as error:
            found = _MESSAGE.fullmatch(cast(NativeError, error).message)
            if found is None:
                raise UnsafePickleError(str(error), verb=verb) from None
            raise UnsafePickleError(found[4], found[2], found[3], int(found[1]), verb) from None
        if not report:
            return None
        end = 4 + int.from_bytes(report[:4], "little")
        shape = report[4:end]
        known = self._decided.get(shape)
        if known is not None and all([found.is_current() for found in known.values()]):
            return known
        decisions = self._decide_report(unpack(shape), report[end:], verb)
        if len(shape) <= _LONGEST_REPORT:
            if len(self._decided) >= _MOST_REPORTS:
                self._decided.clear()
            self._decided[shape] = decisions
        return decisions

    def _decide_report(
        self, items: List[bytes], offsets: bytes, verb: str
    ) -> Dict[_Name, _Decision]:
        protocol = items[0][0]
        n_imports = int.from_bytes(items[0][1:], "little")
        names: List[_Name] = []
        decisions: List[_Decision] = []

        def refuse(index: int, name: _Name, reason: str) -> UnsafePickleError:
            offset = int.from_bytes(offsets[4 * index : 4 * index + 4], "little")
            return UnsafePickleError(reason, name[0], name[1], offset, verb)

        for index in range(n_imports):
            uses, module, qualname = items[1 + 3 * index : 4 + 3 * index]
            name = (module.decode(), qualname.decode())
            try:
                decision = self._decide_import(*_as_unpickled(name, protocol))
            except _Refusal as refusal:
                raise refuse(index, name, str(refusal)) from None
            if uses[0] & _USED_AS_VALUE and not decision.is_value:
                raise refuse(index, name, "a function is no value")
            names.append(name)
            decisions.append(decision)

        for index, at in enumerate(range(1 + 3 * n_imports, len(items), 3), n_imports):
            operation, flags, callee, base = _CALL_HEAD.unpack(items[at])
            call = _Call(operation.decode(), flags, items[at + 1].decode(), items[at + 2].decode())
            if call.operation == "O":
                if decisions[base].answer is not object:
                    raise refuse(index, names[callee], "it is made on another base than object")
                call = call._replace(operation="N", signature="")
            reason = decisions[callee].rule(call)
            if reason is not None:
                raise refuse(index, names[callee], reason)
        return dict(zip(names, decisions))

    def _decide_import(self, module: str, qualname: str) -> _Decision:
        known = _KNOWN_CALLS.get((module, qualname))
        if known is not None:
            return known
        if module == "builtins":
            return _decide_builtin(qualname)
        is_listed = module in self._modules or (module, qualname) in self._names
        if not is_listed:
            raise _Refusal("its module is not among safe_pickle_allowed_modules")
        if _is_standard(module):
            return _decide_standard(module, qualname)
        holder = _import(module)
        if (module, qualname) in self._names:
            found = _resolve(holder, qualname, classes=False)
            if not _is_class(found):
                return _decide_function(found, holder, qualname)
        found = _resolve(holder, qualname)
        _check_identity(found, module, qualname)
        _check_bases(found)
        return _Decision(found, _rule_of(found), True, _still_there(holder, qualname))


# --- what is allowed -----------------------------------------------------------------------------


def _check_allowed(allowed: Optional[Iterable[str]]) -> List[str]:
    """`allowed` as a list of names that can be such."""
    if allowed is None:
        return []
    if isinstance(allowed, (str, bytes, bytearray)):
        raise TypeError(
            "safe_pickle_allowed_modules must be a list of names, "
            f"not {type(allowed).__name__!r}: [{allowed!r}]?"
        )
    names = list(allowed)
    for name in names:
        if type(name) is not str:
            raise TypeError(
                f"safe_pickle_allowed_modules must hold str, not {type(name).__name__!r}"
            )
        module, colon, qualname = name.partition(":")
        if not _is_dotted(module) or (colon and not _is_dotted(qualname)):
            raise ValueError(
                "safe_pickle_allowed_modules must hold names like 'package.module' or "
                f"'package.module:name', not {name!r}"
            )
        if colon and (module == "builtins" or _is_standard(module)):
            home = table.HOMES.get(module, module)
            if module != "builtins" and qualname in table.TABLE.get(home, {}):
                continue
            raise ValueError(
                f"safe_pickle_allowed_modules: {name!r} is of Python itself, where only the "
                "classes that docs/safe-pickle.md lists can be allowed"
            )
    return names


def _is_dotted(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))


def _is_standard(module: str) -> bool:
    return module.partition(".")[0] in _STANDARD_MODULES


def _as_unpickled(name: _Name, protocol: int) -> _Name:
    """The name that this Python's unpickler makes of one of Python 2's, or of another version's."""
    if protocol < 3:
        module = _compat_pickle.IMPORT_MAPPING.get(name[0], name[0])
        name = _compat_pickle.NAME_MAPPING.get(name, (module, name[1]))
    return table.HOMES.get(name[0], name[0]), name[1]


# --- from a name to the object, without running anything -----------------------------------------


def _import(module: str) -> ModuleType:
    """A module that is listed, which may be imported for that."""
    if module not in sys.modules:
        try:
            importlib.import_module(module)
        except Exception as error:
            raise _Refusal(f"its module cannot be imported: {error}") from None
    holder = sys.modules.get(module)
    if not isinstance(holder, ModuleType):
        raise _Refusal("its module is no module")
    return holder


# What a class says of itself, whatever its metaclass says.
_OF_TYPE: Any = type.__dict__
_attributes: Callable[[type], Dict[str, Any]] = _OF_TYPE["__dict__"].__get__
_module_of: Callable[[type], Any] = _OF_TYPE["__module__"].__get__
_qualname_of: Callable[[type], Any] = _OF_TYPE["__qualname__"].__get__
_mro_of: Callable[[type], Tuple[type, ...]] = _OF_TYPE["__mro__"].__get__


def _is_class(found: object) -> bool:
    return type in _mro_of(type(found))


def _resolve(holder: ModuleType, qualname: str, classes: bool = True) -> Any:
    """What `qualname` leads to, through namespaces of classes alone; no attribute is computed."""
    namespace: Any = ModuleType.__getattribute__(holder, "__dict__")
    found: Any = None
    for depth, part in enumerate(qualname.split(".")):
        if depth > 0:
            if not _is_class(found):
                raise _Refusal("its name leads through what is no class")
            namespace = _attributes(found)
        if part not in namespace:
            raise _Refusal("there is nothing of that name in its module")
        found = namespace[part]
    if classes and not _is_class(found):
        raise _Refusal(f"it is no class but {_describe(found)}")
    return found


def _describe(found: object) -> str:
    name = type(found).__name__
    return f"a {name}" if name[:1] not in "aeiou" else f"an {name}"


def _check_identity(cls: type, module: str, qualname: str) -> None:
    """Whether the class says of itself that it is the one asked for."""
    if _module_of(cls) != module or _qualname_of(cls) != qualname:
        raise _Refusal(f"it is {_module_of(cls)}.{_qualname_of(cls)} under another name")


def _check_bases(cls: type) -> None:
    """Whether nothing that the class, or its metaclass, is built on is of a dangerous kind."""
    if type in _mro_of(cls):
        raise _Refusal("it makes classes")
    for base in _mro_of(cls) + _mro_of(type(cls)):
        module, qualname = _module_of(base), _qualname_of(base)
        if not isinstance(module, str):
            raise _Refusal("one of its bases has no module")
        if not _is_standard(module) or base is type or BaseException in _mro_of(base):
            continue
        names = table.BASES.get(module, ())
        if names is not None and qualname not in names:
            raise _Refusal(f"it is built on {module}.{qualname}")


def _still_there(holder: ModuleType, qualname: str) -> Callable[[], bool]:
    """Whether a module and its attribute are what they were: they may be reloaded."""
    name = holder.__name__
    first = qualname.partition(".")[0]
    namespace = holder.__dict__
    found = namespace.get(first)
    modules = sys.modules
    return lambda: modules.get(name) is holder and namespace.get(first) is found


# --- rules: which calls of it, and what may be done to what they give ----------------------------


def _refuse_calls(call: _Call) -> Optional[str]:
    return "it may not be called"


def _entry_rule(entry: Entry, has_setstate: bool = False) -> _CallRule:
    def rule(call: _Call) -> Optional[str]:
        shown = f"{call.operation}{call.member}:{call.signature}"
        if not entry.calls.fullmatch(shown):
            return "it is called in a way in which Python does not pickle it"
        flags = call.flags
        if has_setstate:
            flags &= ~(table.DUNDER | table.OPAQUE)
        if flags & ~entry.flags:
            return "what is made of it is changed in a way in which Python does not pickle it"
        return None

    return rule


def _enum_rule(cls: type) -> _CallRule:
    """Members by name, as Python before 3.12 pickles them, or by value. They are shared: nothing
    is set on them."""

    def rule(call: _Call) -> Optional[str]:
        if call.operation == "M":
            if call.member not in type.__getattribute__(cls, "_member_map_"):
                return f"it has no member {call.member!r}"
            return None
        if call.operation != "R" or len(call.signature) != 1 or call.flags:
            return "a member of an enumeration is got by its name or value alone"
        if not type.__getattribute__(cls, "_member_map_"):
            return "it has no members"
        # of whose bits each would be looked at
        return "its value is too large" if call.signature == "H" else None

    return rule


# What a class inherits from these walks through its argument, or takes it for a length.
_WALKS = (list, tuple, dict, set, frozenset, bytes, bytearray, int)
_COUNTS = (bytes, bytearray)


def _class_rule(cls: type) -> _CallRule:
    """A class of a listed module: any call, as its user says by listing it, with these limits."""
    mro = _mro_of(cls)
    own = [base for base in mro if not _is_standard(str(_module_of(base)))]
    names = {name for base in own for name in _attributes(base)}
    has_setstate = "__setstate__" in names
    makes_itself = bool({"__new__", "__init__"} & names)
    walks = not makes_itself and any(base in mro for base in _WALKS)
    counts = not makes_itself and any(base in mro for base in _COUNTS)
    standard = next((base for base in mro if base not in own and base is not object), None)
    walks = walks or (not makes_itself and standard is not None and _walks(standard))

    def rule(call: _Call) -> Optional[str]:
        if call.operation in "MA":
            return "an attribute of a class is no value, but for a member of an enumeration"
        if walks and "o" in call.signature:
            return "it would walk through what may have no end"
        if counts and set(call.signature) & set("iIHb"):
            return "it would take a number for a length"
        if call.flags & (table.DUNDER | table.OPAQUE) and not has_setstate:
            return "its state holds more than plain attributes, and it has no __setstate__()"
        return None

    return rule


def _walks(base: type) -> bool:
    return _module_of(base) in ("collections", "array") or issubclass(base, _WALKS)


def _rule_of(cls: type) -> _CallRule:
    return _enum_rule(cls) if Enum in _mro_of(cls) else _class_rule(cls)


# --- by origin -----------------------------------------------------------------------------------


def _decide_builtin(qualname: str) -> _Decision:
    if qualname in table.CONSTANTS:
        return _Decision(table.CONSTANTS[qualname], _refuse_calls)
    builtins = importlib.import_module("builtins")
    entry = table.BUILTINS.get(qualname)
    if qualname in table.WALKING_EXCEPTIONS:
        entry = table.WALKING_EXCEPTION
    elif entry is None:
        found: Any = builtins.__dict__.get(qualname)
        if _is_class(found) and BaseException in _mro_of(found):
            entry = table.EXCEPTION
    if entry is None:
        raise _Refusal("it is none of the builtins that are plain data")
    found = _resolve(builtins, qualname)
    # OSError has the names EnvironmentError and IOError, too
    if BaseException not in _mro_of(found):
        _check_identity(found, "builtins", qualname)
    return _Decision(found, _entry_rule(entry))


def _decide_standard(module: str, qualname: str) -> _Decision:
    entry = table.TABLE.get(module, {}).get(qualname)
    if entry is not None and entry.answer is not None:
        return _Decision(entry.answer, _entry_rule(entry), entry.is_value)
    holder = _import(module)
    found = _resolve(holder, qualname)
    _check_identity(found, module, qualname)
    if entry is not None:
        has_setstate = any("__setstate__" in _attributes(base) for base in _mro_of(found))
        has_setstate = has_setstate and BaseException not in _mro_of(found)
        rule = _entry_rule(entry, has_setstate)
    elif Enum in _mro_of(found):
        rule = _enum_rule(found)
    elif Exception in _mro_of(found):
        rule = _entry_rule(table.STANDARD_EXCEPTION)
    else:
        raise _Refusal("it is none of the classes of Python itself that can be allowed")
    return _Decision(found, rule, True, _still_there(holder, qualname))


def _decide_function(found: Any, holder: ModuleType, qualname: str) -> _Decision:
    if not isinstance(found, (FunctionType, BuiltinFunctionType)):
        raise _Refusal(f"it is neither a class nor a function but {_describe(found)}")

    def rule(call: _Call) -> Optional[str]:
        return None if call.operation == "R" else "a function is called otherwise"

    return _Decision(found, rule, False, _still_there(holder, qualname))


# --- what stands in for the four functions by which Python pickles ordinary values ---------------


def _get_member(cls: Any, name: Any) -> Any:
    """builtins.getattr() of a member: the check saw class and name."""
    if _is_class(cls) and type(name) is str:
        if Enum in _mro_of(cls):
            return type.__getattribute__(cls, "_member_map_")[name]
        if name == "_unpickle" and _module_of(cls) == "zoneinfo":
            return type.__getattribute__(cls, name)
    raise pickle.UnpicklingError("getattr() of what is no enumeration")


def _join_members(one: Any, other: Any) -> Any:
    """_operator.or_() of flags."""
    if type(one) is not type(other) or Flag not in _mro_of(type(one)):
        raise pickle.UnpicklingError("or_() of what are no flags")
    return one | other


def _make_instance(cls: Any, base: Any, state: Any) -> Any:
    """copyreg._reconstructor() of an instance of a class of Python's own making."""
    if base is not object or state is not None:
        raise pickle.UnpicklingError("_reconstructor() of what is no plain instance")
    return object.__new__(cls)


def _encode_text(text: Any, encoding: Any) -> bytes:
    """_codecs.encode(), as which bytes are pickled before protocol 3."""
    if type(text) is not str or encoding != "latin1":
        raise pickle.UnpicklingError("encode() of what are no bytes")
    return text.encode("latin1")


_KNOWN_CALLS: Dict[_Name, _Decision] = {
    name: _Decision(answer, _refuse_calls, False)
    for name, answer in (
        (("builtins", "getattr"), _get_member),
        (("_operator", "or_"), _join_members),
        (("copyreg", "_reconstructor"), _make_instance),
        (("_codecs", "encode"), _encode_text),
    )
}
