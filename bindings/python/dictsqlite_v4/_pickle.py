# _pickle.py - safe pickle: what a pickle may build, decided before it is loaded
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Safe pickle.

Check first, then load. The native library reads the opcodes and tells what the pickle would import
and call, and with which kinds of arguments (Dsq.pickle_check). What imports nothing is plain data,
for an unpickler that can import nothing. Of anything else each import is decided here by the object
that it leads to, each call by the class that is called, and what all calls copy by its weight; only
then does an unpickler run, which answers from what was decided and from nothing else.
"""

from __future__ import annotations

import _compat_pickle
import importlib
import io
import pickle
import re
import struct
import typing
from enum import Flag
from types import GenericAlias
from typing import (
    Any, Callable, Dict, Iterable, List, NamedTuple, NoReturn, Optional, Set, Tuple, cast,
)  # fmt: skip

from . import _pickle_rules as rules, _pickle_table as table
from ._dsq import GError, NativeError, check_pickle
from ._errors import UnsafePickleError, is_of_handler
from ._pack import unpack
from ._pickle_guard import TOO_MANY_ALIKE, GuardedUnpickler
from ._pickle_rules import Call, Cost, Decision, Refusal
from ._values import decode_value, encode_value, pickle_of

_MOST_REPORTS = 1024  # that are remembered, each of at most so many bytes
_LONGEST_REPORT = 4096
_MESSAGE = re.compile(r".*? at offset (\d+)(?:, with (.*?):(.*))?: ([^:]*)", re.DOTALL)
_CALL_HEAD = struct.Struct("<cIIII")
_WEIGHTS = struct.Struct("<4Q")  # instances, arguments, states, keys
_USED_AS_VALUE = 1
_LOOK_AT_KEYS = 0x80  # with the protocol

_Name = Tuple[str, str]  # module and qualified name


class _Decided(NamedTuple):
    """What was decided on all pickles of one shape."""

    answers: Dict[_Name, Any]
    makers: Dict[_Name, Callable[[int], Any]]
    checks: List[Callable[[], bool]]
    names: List[_Name]  # of each import and then of what each call calls
    costs: List[Cost]  # of each call
    guarded: bool  # whether its keys are to be looked at while it is loaded


class _Unpickler(pickle.Unpickler):
    answers: Dict[_Name, Any] = {}

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
        # reports without numbers, with what was decided on them
        self._decided: Dict[bytes, _Decided] = {}

    def encode(self, value: Any) -> bytes:
        """The record of `value`; raises UnsafePickleError for what decode() would refuse."""
        record = encode_value(value)
        payload = pickle_of(record)
        if payload is not None:
            try:
                report = check_pickle(payload)
            except GError as error:
                raise _explain(error, "store") from None
            if report and self._decide(report, len(payload), "store")[1]:
                try:
                    self.decode(record)
                except UnsafePickleError as error:
                    if error.reason == TOO_MANY_ALIKE:
                        raise UnsafePickleError(TOO_MANY_ALIKE, verb="store") from None
        return record

    def decode(self, record: bytes) -> Any:
        """The value of `record`; raises UnsafePickleError. Where that has an offset nothing has
        been run."""
        payload = pickle_of(record)
        if payload is None:
            return decode_value(record)
        try:
            report = check_pickle(payload)
        except GError as error:
            raise _explain(error, "load") from None
        answers, guarded = self._decide(report, len(payload), "load") if report else ({}, False)
        unpickler: Any = GuardedUnpickler(payload) if guarded else _Unpickler(io.BytesIO(payload))
        unpickler.answers = answers
        try:
            return unpickler.load()
        except (UnsafePickleError, MemoryError, RecursionError):
            raise
        except Exception as error:
            if is_of_handler(error):
                raise
            raise UnsafePickleError(
                f"building it failed: {type(error).__name__}: {error}", verb="load"
            ) from error

    # --- deciding --------------------------------------------------------------------------------

    def _decide(self, report: bytes, length: int, verb: str) -> Tuple[Dict[_Name, Any], bool]:
        """The answers to each import of a pickle of `length` bytes; whether to look at its keys."""
        end = 4 + int.from_bytes(report[:4], "little")
        shape, numbers = report[4:end], report[end:]
        decided = self._decided.get(shape)
        if decided is None or not all([check() for check in decided.checks]):
            decided = self._decide_report(unpack(shape), numbers, verb)
            if len(shape) <= _LONGEST_REPORT:
                if len(self._decided) >= _MOST_REPORTS:
                    self._decided.clear()
                self._decided[shape] = decided
        if len(numbers) > 4 * len(decided.names):
            _check_weights(decided, numbers, length, verb)
        if not decided.makers:
            return decided.answers, decided.guarded
        made = {name: make(length) for name, make in decided.makers.items()}
        return {**decided.answers, **made}, decided.guarded

    def _decide_report(self, items: List[bytes], numbers: bytes, verb: str) -> _Decided:
        protocol = items[0][0] & ~_LOOK_AT_KEYS
        guarded = items[0][0] >= _LOOK_AT_KEYS
        n_imports = int.from_bytes(items[0][1:], "little")
        decided = _Decided({}, {}, [], [], [], guarded)
        decisions: List[Decision] = []
        at = 1
        try:
            for _ in range(n_imports):
                uses, module, qualname = items[at : at + 3]
                at += 3
                name = (module.decode(), qualname.decode())
                decided.names.append(name)
                decision = self._decide_import(*_as_unpickled(name, protocol))
                if uses[0] & _USED_AS_VALUE and not decision.is_value:
                    raise Refusal("a function is no value")
                decisions.append(decision)
                decided.answers[name] = decision.answer
                if decision.make_answer is not None:
                    decided.makers[name] = decision.make_answer
                if decision.is_current is not None:
                    decided.checks.append(decision.is_current)
            while at < len(items):
                operation, flags, callee, base, n_names = _CALL_HEAD.unpack(items[at])
                names = tuple(items[at + 3 : at + 3 + n_names])
                call = Call(operation.decode(), flags, items[at + 1].decode(), names)
                decided.names.append(decided.names[callee])
                name = _as_unpickled(decided.names[callee], protocol)
                decision = decisions[callee]
                if items[at + 2]:
                    decision = self._decide_member(name, items[at + 2].decode())
                at += 3 + n_names
                reason = _judge(decision, decisions[base], call)
                if reason is not None:
                    raise Refusal(reason)
                decided.costs.append(decision.cost)
        except Refusal as refusal:
            _refuse(decided.names, len(decided.names) - 1, numbers, str(refusal), verb)
        return decided

    def _decide_import(self, module: str, qualname: str) -> Decision:
        known = _KNOWN_CALLS.get((module, qualname))
        if known is not None:
            return known
        if module == "builtins":
            return _decide_builtin(qualname)
        if module not in self._modules and (module, qualname) not in self._names:
            return self._decide_exception(module, qualname)
        if rules.is_standard(module):
            return _decide_standard(module, qualname)
        holder = rules.import_listed(module)
        is_current = rules.still_there(holder, qualname)
        if (module, qualname) in self._names:
            function = rules.find_function(holder, qualname)
            if function is not None:
                is_fresh = (module, qualname) in table.FRESH
                return rules.decide_function(function, is_current, is_fresh)
        found = rules.find_class(holder, module, qualname)
        if not rules.is_class(found):
            return Decision(found, rules.refuse_calls, True, is_current)
        rules.check_bases(found)
        return rules.decide_class(found, is_current)

    def _decide_exception(self, module: str, qualname: str) -> Decision:
        """An exception of a private module of Python's, if the module is listed in which it is
        public: json for json.decoder, queue for _queue."""
        for public in self._modules:
            if rules.is_standard(public) and (
                module.startswith(public + ".") or module.startswith("_")
            ):
                holder = rules.import_listed(public)
                found = rules.find_public(holder, module, qualname)
                if found is not None:
                    is_current = rules.still_there(holder, qualname)
                    return rules.decide_entry(table.STANDARD_EXCEPTION, found, is_current)
        raise Refusal("its module is not among safe_pickle_allowed_modules")

    def _decide_member(self, name: _Name, path: str) -> Decision:
        """What getattr() gives: a member of an enumeration, or a class within a class."""
        module, qualname = name
        inner, _, last = path.rpartition(".")
        holder = self._decide_import(module, f"{qualname}.{inner}" if inner else qualname)
        if last in rules.members_of(holder.answer):
            return Decision(rules.members_of(holder.answer)[last], rules.refuse_calls)
        return self._decide_import(module, f"{qualname}.{path}")


def _explain(error: BaseException, verb: str) -> UnsafePickleError:
    """The check's error, as an error of Python's."""
    found = _MESSAGE.fullmatch(cast(NativeError, error).message)
    if found is None:
        return UnsafePickleError(str(error), verb=verb)
    return UnsafePickleError(found[4], found[2], found[3], int(found[1]), verb)


def _judge(decision: Decision, base: Decision, call: Call) -> Optional[str]:
    """Why a call is refused, if it is."""
    if call.operation == "M":
        if call.flags & table.IS_VALUE and not decision.is_value:
            return "a method is no value"
        return None
    if call.operation == "O":
        reason = rules.check_reconstruction(decision.answer, base.answer, call)
        if reason is not None:
            return reason
    return decision.rule(call)


def _refuse(names: List[_Name], index: int, numbers: bytes, reason: str, verb: str) -> NoReturn:
    offset = int.from_bytes(numbers[4 * index : 4 * index + 4], "little")
    raise UnsafePickleError(reason, *names[index], offset, verb) from None


def _check_weights(decided: _Decided, numbers: bytes, length: int, verb: str) -> None:
    """Whether what all calls copy, and hash, is in proportion to the pickle."""
    copied_left = (1 << 20) + 16 * length
    hashed_left = (1 << 24) + 256 * length
    n_imports = len(decided.names) - len(decided.costs)
    weights = _WEIGHTS.iter_unpack(numbers[4 * len(decided.names) :])
    for index, (cost, (n, given, copied, hashed)) in enumerate(zip(decided.costs, weights)):
        copied_left -= cost.each * n + cost.times * given + copied
        hashed_left -= hashed if cost.is_hashed else 0
        if copied_left < 0:
            reason = "its calls are given a value too many times over"
        elif hashed_left < 0:
            reason = "its keys take too long to hash"
        else:
            continue
        _refuse(decided.names, n_imports + index, numbers, reason, verb)


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
        if colon and (module == "builtins" or rules.is_standard(module)):
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


def _as_unpickled(name: _Name, protocol: int) -> _Name:
    """The name that this Python's unpickler makes of one of Python 2's, or of another version's."""
    if protocol < 3:
        module = _compat_pickle.IMPORT_MAPPING.get(name[0], name[0])
        name = _compat_pickle.NAME_MAPPING.get(name, (module, name[1]))
    return table.HOMES.get(name[0], name[0]), name[1]


# --- by origin -----------------------------------------------------------------------------------


def _decide_builtin(qualname: str) -> Decision:
    if qualname in table.CONSTANTS:
        return Decision(table.CONSTANTS[qualname], rules.refuse_calls)
    builtins = importlib.import_module("builtins")
    found: Any = builtins.__dict__.get(qualname)
    entry = table.BUILTINS.get(qualname)
    if rules.is_class(found) and BaseException in rules.mro_of(found):
        walks = qualname in table.WALKING_EXCEPTIONS
        entry = table.WALKING_EXCEPTION if walks else table.EXCEPTION
    elif entry is None:
        raise Refusal("it is none of the builtins that are plain data")
    else:
        found = rules.find_class(builtins, "builtins", qualname)
    return rules.decide_entry(entry, found, None)


def _decide_standard(module: str, qualname: str) -> Decision:
    entry = table.TABLE.get(module, {}).get(qualname)
    if entry is not None and (entry.answer or entry.make_answer) is not None:
        return rules.decide_entry(entry, entry.answer, None)
    holder = rules.import_listed(module)
    is_current = rules.still_there(holder, qualname)
    found = rules.find_class(holder, module, qualname)
    if not rules.is_class(found):
        return Decision(found, rules.refuse_calls, True, is_current)
    if entry is None and rules.members_of(found):
        return rules.decide_class(found, is_current)
    if entry is None and Exception in rules.mro_of(found):
        entry = table.STANDARD_EXCEPTION
    if entry is None:
        raise Refusal("it is none of the classes of Python itself that can be allowed")
    return rules.decide_entry(entry, found, is_current)


# --- what stands in for the functions by which Python pickles ordinary values --------------------


def _get_member(cls: Any, name: Any) -> Any:
    """builtins.getattr() of a member: the check saw class and name."""
    if rules.is_class(cls) and type(name) is str:
        if name in rules.members_of(cls):
            return rules.members_of(cls)[name]
        found = rules.attributes_of(cls).get(name)
        if rules.is_class(found):
            return found
        if name == "_unpickle" and cls.__module__ == "zoneinfo":
            return type.__getattribute__(cls, name)
    raise pickle.UnpicklingError("getattr() of what is no class or enumeration")


def _join_members(one: Any, other: Any) -> Any:
    """_operator.or_() of flags, and of bits that are none of them."""
    if Flag not in rules.mro_of(type(one)) or type(other) not in (int, type(one)):
        raise pickle.UnpicklingError("or_() of what are no flags")
    return one | other


def _make_instance(cls: Any, base: Any, state: Any) -> Any:
    """copyreg._reconstructor(), of an instance on one of Python's own classes: the check saw both,
    and the kind of data."""
    made = base.__new__(cls) if base is object else base.__new__(cls, state)
    if base.__init__ is not object.__init__:
        base.__init__(made, state)
    return made


def _encode_text(text: Any, encoding: Any) -> bytes:
    """_codecs.encode(), as which bytes are pickled before protocol 3."""
    if type(text) is not str or encoding != "latin1":
        raise pickle.UnpicklingError("encode() of what are no bytes")
    return text.encode("latin1")


_GENERIC: Tuple[Any, ...] = (typing.Generic, typing.Protocol)


def _get_alias(cls: Any, parameters: Any) -> Any:
    """_operator.getitem(), as which an alias like Box[int] is pickled: no code of Box runs."""
    if rules.is_class(cls) and _GENERIC[0] in rules.mro_of(cls):
        owner = next(
            base for base in rules.mro_of(cls) if "__class_getitem__" in rules.attributes_of(base)
        )
        if owner in _GENERIC:
            return cls[parameters]
    raise pickle.UnpicklingError("getitem() of what is no generic class")


def _make_alias(cls: Any, parameters: Any) -> Any:
    """types.GenericAlias(), as which list[int] is pickled."""
    if not rules.is_class(cls):
        raise pickle.UnpicklingError("an alias of what is no class")
    return GenericAlias(cls, parameters)


def _refuse_other_calls(call: Call) -> Optional[str]:
    if call.operation == "R" and re.fullmatch("c[ctTon]", call.signature) and not call.flags:
        return None
    return "it is called in a way in which Python does not pickle it"


_KNOWN_CALLS: Dict[_Name, Decision] = {
    ("builtins", "getattr"): Decision(_get_member, rules.refuse_calls, False),
    ("_operator", "or_"): Decision(_join_members, rules.refuse_calls, False),
    ("copyreg", "_reconstructor"): Decision(_make_instance, rules.refuse_calls, False),
    ("_codecs", "encode"): Decision(_encode_text, rules.refuse_calls, False),
    ("_operator", "getitem"): Decision(_get_alias, _refuse_other_calls, False),
    ("types", "GenericAlias"): Decision(_make_alias, _refuse_other_calls, False),
}
