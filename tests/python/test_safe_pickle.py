# test_safe_pickle.py - honest values pass, by every way into a store and out of it
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import array
import collections
import concurrent.futures
import datetime
import decimal
import enum
import fractions
import http
import ipaddress
import json
import pathlib
import pickle
import queue
import random
import re
import signal
import socket
import statistics
import string
import sys
import time
import timeit
import types
import urllib.parse
import uuid
import zoneinfo

import pickle_classes as user
import pytest

from dictsqlite_v4 import DictSQLiteV4, UnsafePickleError
from dictsqlite_v4._dsq import check_pickle
from dictsqlite_v4._pickle import SafePickle
from dictsqlite_v4._values import OLD_PICKLE, PICKLE

ALLOWED = [
    "pickle_classes", "pickle_classes:rebuild", "array", "collections", "datetime", "decimal",
    "concurrent.futures", "fractions", "http", "ipaddress", "json", "pathlib", "queue", "random",
    "re", "signal", "socket", "statistics", "string", "time", "types", "urllib.parse", "uuid",
    "zoneinfo",
]  # fmt: skip


def recursive():
    """A list in itself, and an object with a parent."""
    cycle = [1]
    cycle.append(cycle)
    return cycle


def family():
    parent = user.Plain(name="parent")
    parent.__dict__["children"] = [user.Plain(name=str(i), parent=parent) for i in range(50)]
    return parent


NOTED = ValueError("noted")
NOTED.__notes__ = ["a note"]  # as add_note() does from 3.11 on
SHARED = ["shared", (1, 2)]
UTC = datetime.timezone.utc
PARIS = zoneinfo.ZoneInfo("Europe/Paris")

# With no module listed.
PLAIN = {
    "nested": {"a": [1, (2, {"b": {3, 4}}), frozenset([5])]},
    "big int": 2**4000,
    "negative big int": -(2**100),
    "surrogate": "\udc80 and text",
    "surrogate key": {"\udc80": 1},
    "bytearray": bytearray(b"bytes"),
    "complex": 1 + 2j,
    "range": range(0, 10**20, 3),
    "slice": slice(1, None, "x"),
    "slices": [slice((1, 2), [3]), slice(slice(1), 2**100, 1.5)],
    "set": {1, "a", (2, b"x")},
    "frozenset": frozenset({("a", frozenset([1]))}),
    "floats": [float("inf"), -0.0, 1e300],
    "large bytes": [b"x" * 200_000, "y" * 200_000],
    "many": list(range(3000)),
    "shared": [SHARED] * 1000,
    "shared keys": [{"name": i, "value": (1, i)} for i in range(2000)],
    "deep": __import__("functools").reduce(lambda inner, _: [inner], range(200), []),
    "ellipsis": [..., NotImplemented],
    "builtin classes": [int, str, dict, list, set, float, object, ValueError],
    "exceptions": [ValueError("x"), KeyError(1), OSError(2, "no", "file"), StopIteration(3)],
    "empty": [(), [], {}, set(), frozenset(), "", b"", None],
}

LISTED = {
    "datetime": datetime.datetime(2024, 2, 29, 12, 30, 1, 5),
    "datetime in UTC": datetime.datetime(2024, 2, 29, tzinfo=UTC),
    "datetime in Paris": datetime.datetime(2024, 2, 29, tzinfo=PARIS),
    "datetime with fold": datetime.datetime(2024, 2, 29, fold=1),
    "date": datetime.date(2024, 2, 29),
    "time": datetime.time(1, 2, 3, tzinfo=UTC),
    "timedelta": datetime.timedelta(-5, 3, 2),
    "timezone": datetime.timezone(datetime.timedelta(hours=1), "CET"),
    "ZoneInfo": PARIS,
    "many datetimes": [datetime.datetime(2024, 1, 1 + i % 28) for i in range(3000)],
    "Decimal": decimal.Decimal("1.50"),
    "Decimals": [decimal.Decimal("NaN").is_nan(), decimal.Decimal("1E+999999"),
                 decimal.InvalidOperation],
    "Fraction": fractions.Fraction(1, 2**70),
    "Fractions": [fractions.Fraction(-1, 3), fractions.Fraction(0), fractions.Fraction(5)],
    "UserString": collections.UserString("x"),
    "UserList": collections.UserList([1]),
    "UUID": uuid.UUID(int=5),
    "UUID1": uuid.uuid1(),
    "OrderedDict": collections.OrderedDict(b=1, a=2),
    "defaultdict": collections.defaultdict(list, a=[1]),
    "defaultdict of a class": collections.defaultdict(user.Plain, a=1),
    "defaultdict without": collections.defaultdict(None, a=1),
    "deque": collections.deque([1, 2], 5),
    "Counter": collections.Counter("abca"),
    "ChainMap": collections.ChainMap({"a": 1}, {"b": 2}),
    "UserDict": collections.UserDict(a=1),
    "IPv4": [ipaddress.ip_address("10.0.0.1"), ipaddress.ip_network("10.0.0.0/8"),
             ipaddress.ip_interface("10.0.0.1/8")],
    "IPv6": [ipaddress.ip_address("fe80::1"), ipaddress.ip_network("fe80::/10")],
    "paths": [pathlib.Path("/a/b"), pathlib.PurePosixPath("a"), pathlib.PureWindowsPath("c:/x")],
    "a long path": pathlib.Path(*"abcdefghijklmnop"),
    "pattern": re.compile("a+(b)", re.I | re.M),
    "pattern of bytes": re.compile(b"a"),
    "array": array.array("d", [1.5, 2]),
    "struct_time": time.gmtime(0),
    "SimpleNamespace": types.SimpleNamespace(a=1, b=types.SimpleNamespace()),
    "NormalDist": statistics.NormalDist(1, 2),
    "HTTPStatus": http.HTTPStatus.NOT_FOUND,
    "flags of re": re.I | re.M,
    "split URL": urllib.parse.urlsplit("http://a/b?c#d"),
    "object": user.Plain(a=1, b=[user.Plain()]),
    "nested class": user.Plain.Nested(),
    "class in a nested class": user.Plain.Nested.Deep(a=1),
    "nested classes": [user.Plain.Nested, user.Plain.Nested.Deep, user.Plain.Nested.Kind],
    "nested member": user.Plain.Nested.Kind.ONE,
    "nested flags": user.Plain.Nested.Rights.READ | user.Plain.Nested.Rights.WRITE,
    "dataclass": user.Record("n", ["a"]),
    "frozen dataclass": user.Frozen(1, (2, 3)),
    "frozen dataclasses as keys": {user.Frozen(1): user.Frozen(2), user.FrozenSlots(1, 2): 3},
    "slots": user.Slots(1, [2]),
    "__setstate__": user.WithSetstate(x=1),
    "__getnewargs_ex__": user.WithNewargs(1, b=2),
    "__reduce__": user.WithReduce([1]),
    "a listed function": user.Point(1, 2),
    "namedtuple": user.Pair(1, user.Pair([2], 3)),
    "NamedTuple": user.Typed(1),
    "member": user.Color.RED,
    "members": [user.Color.GREEN, user.Color.RED, {user.Color.RED: user.Level.LOW}],
    "IntEnum": user.Level.HIGH,
    "flag": user.Access.READ,
    "flags": user.Access.READ | user.Access.WRITE | user.Access.RUN,
    "no flags": user.Access(0),
    "IntFlag": user.Bits.A | user.Bits.B,
    "IntFlag beyond": [user.Bits(8), user.Bits(9), user.Bits(11)],
    "signal": [signal.SIGTERM, signal.SIG_DFL],
    "socket": [socket.AF_INET, socket.SOCK_STREAM],
    "exceptions of private modules": [json.JSONDecodeError("m", "doc", 1), queue.Empty(),
                                      concurrent.futures.CancelledError()],
    "exception": user.Problem("no", 5),
    "list subclass": user.Items([1, 2]),
    "dict subclass": user.Mapping(a=1),
    "OrderedDict subclass": user.Ordered(a=1),
    "defaultdict subclass": user.Default(list, a=[1]),
    "set subclass": user.Members([1, 2]),
    "deque subclass": user.Queue([1], 3),
    "str subclass": user.Text("x"),
    "int subclass": user.Number(5),
    "bytes subclass": user.Raw(b"x"),
    "generic": user.Box([1]),
    "generic of a type": user.Box[int](1),
    "aliases": [user.Box[int], user.Box[user.Box[str]], list[int]],
    "class": user.Plain,
    "classes": {"types": [user.Color, user.Record, datetime.date]},
}

BY_PROTOCOL = {**PLAIN, **LISTED}
# in protocols 2 and 3 keywords take functools.partial; in 0 and 1 slots cannot be pickled
NOT_IN_OLD = {"__getnewargs_ex__": 4, "slots": 2, "NormalDist": 2}


def same(one, other):
    return type(one) is type(other) and (one == other or repr(one) == repr(other))


@pytest.mark.parametrize("value", PLAIN.values(), ids=PLAIN)
def test_plain_data_passes_with_nothing_listed(value):
    with DictSQLiteV4(":memory:", enable_safe_pickle=True) as store:
        store["k"] = value
        assert same(store["k"], value)


@pytest.mark.parametrize("value", LISTED.values(), ids=LISTED)
def test_an_allowed_value_passes_only_where_its_module_is_listed(value):
    codec = SafePickle(ALLOWED)
    record = codec.encode(value)
    assert same(codec.decode(record), value)
    assert same(codec.decode(record), value)
    if record[:1] == PICKLE:
        with pytest.raises(UnsafePickleError, match="safe_pickle_allowed_modules"):
            SafePickle(["some.other"]).decode(record)


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol(protocol):
    codec = SafePickle(ALLOWED)
    for name, value in BY_PROTOCOL.items():
        if protocol < NOT_IN_OLD.get(name, 0):
            continue
        record = pickle.dumps(value, protocol)
        if protocol < 2:
            record = OLD_PICKLE + record
        assert same(codec.decode(record), value), name


@pytest.mark.parametrize("mode", ("memory", "lazy", "writethrough"))
def test_every_way(path, mode):
    values = {**PLAIN, **LISTED}
    store = DictSQLiteV4(
        path, persist_mode=mode, enable_safe_pickle=True, safe_pickle_allowed_modules=ALLOWED
    )

    def check(found):
        assert found.keys() == values.keys()
        for name, value in found.items():
            assert same(value, values[name]), name

    with store:
        for name, value in values.items():
            store[name] = value
        check(dict(store.items()))
        store.clear()
        store.bulk_insert(values)
        check(store.get_many(values))
        check(dict(zip(store, store.values())))
        check(store.copy())
        check(store | {})
        check({name: store.get(name) for name in values})
        store.clear()
        check({name: store.setdefault(name, value) for name, value in values.items()})
        check({name: store.pop(name) for name in values})
        store |= values
        check(dict(store.popitem() for _ in values))
        assert not store
        store.update(values)
        store.flush()
        assert store.stats()["safe_pickle_enabled"] is True
    if mode != "memory":
        with DictSQLiteV4(
            path, enable_safe_pickle=True, safe_pickle_allowed_modules=ALLOWED
        ) as again:
            check(dict(again.items()))
        with DictSQLiteV4(path) as plain:
            check(dict(plain.items()))
            assert plain.stats()["safe_pickle_enabled"] is False


def test_cycles():
    codec = SafePickle(ALLOWED)
    cycle = codec.decode(codec.encode(recursive()))
    assert cycle[1] is cycle
    parent = codec.decode(codec.encode(family()))
    assert len(parent.children) == 50 and all(c.parent is parent for c in parent.children)
    loop = ([],)
    loop[0].append(loop)
    found = codec.decode(codec.encode(loop))
    assert found[0][0] is found


def test_an_exception_keeps_its_notes():
    codec = SafePickle(None)
    found = codec.decode(codec.encode(NOTED))
    assert found.__notes__ == ["a note"] and found.args == ("noted",)


def test_a_template_passes():
    codec = SafePickle(["string"])
    assert codec.decode(codec.encode(string.Template("$a"))).substitute(a=1) == "1"


def test_a_fraction_as_text():
    """As Python 3.11 of Debian pickles it, whatever this one does."""
    codec = SafePickle(["fractions"])
    head = b"\x08\x80\x02cfractions\nFraction\nU"
    for text, value in ((b"-1/3", fractions.Fraction(-1, 3)), (b"7", fractions.Fraction(7))):
        record = head + bytes([len(text)]) + text + b"\x85R."
        assert codec.decode(record) == value
    for text in (b"1e9", b"1.5", b"1/2/3", b" 1", b"1_0", b"9" * 200 + b"e1", b"/2", b""):
        with pytest.raises(UnsafePickleError):
            codec.decode(head + bytes([len(text)]) + text + b"\x85R.")


def test_random():
    codec = SafePickle(["random"])
    assert codec.decode(codec.encode(random.Random(5))).random() == random.Random(5).random()


def test_arrays_of_numpy():
    numpy = pytest.importorskip("numpy")
    codec = SafePickle(NUMPY)
    fields = numpy.dtype([("a", "i4"), ("b", "f8")])
    for value in (
        numpy.arange(6, dtype="f4").reshape(2, 3), numpy.arange(6).reshape(2, 3).T[::2],
        numpy.array(["a", "bc"]), numpy.array([1, None], dtype=object), numpy.zeros(2, fields),
        numpy.array(["2024-02-29"], dtype="M8[D]"),
    ):  # fmt: skip
        for protocol in range(6):
            found = codec.decode(b"\x08" + pickle.dumps(value, protocol))
            assert found.dtype == value.dtype and (found == value).all()
    for value in (numpy.float32(1.5), numpy.int64(3), numpy.dtype("c16"), fields):
        assert codec.decode(codec.encode(value)) == value


# As docs/safe-pickle.md lists them.
NUMPY = [
    f"{module}:{name}"
    for core in ("core", "_core")
    for module, name in (
        ("numpy", "ndarray"), ("numpy", "dtype"), (f"numpy.{core}.multiarray", "_reconstruct"),
        (f"numpy.{core}.multiarray", "scalar"), (f"numpy.{core}.numeric", "_frombuffer"),
    )
]  # fmt: skip


def test_a_single_name_is_listed():
    codec = SafePickle(["pickle_classes:Plain", "datetime:date"])
    for value in (user.Plain(a=1), datetime.date(2024, 1, 1)):
        assert codec.decode(codec.encode(value)) == value
    for value in (user.Other(a=1), datetime.timedelta(1)):
        with pytest.raises(UnsafePickleError):
            codec.encode(value)


def test_a_reloaded_class_is_the_one_that_is_there_now(monkeypatch):
    codec = SafePickle(["pickle_classes"])
    record = codec.encode(user.Plain(a=1))
    assert type(codec.decode(record)) is user.Plain
    renewed = type("Plain", (), {"__module__": "pickle_classes", "__qualname__": "Plain"})
    monkeypatch.setattr(user, "Plain", renewed)
    assert type(codec.decode(record)) is renewed


def test_a_class_that_fails_says_so():
    codec = SafePickle(["pickle_classes", "uuid"])
    record = codec.encode(user.Problem("no", 5)).replace(b"K\x05\x86", b"0\x85" + b"")
    with pytest.raises(UnsafePickleError) as caught:
        codec.decode(codec.encode(user.WithSetstate(x=1)).replace(b"K\x02", b"K\x03"))
    assert isinstance(caught.value.__cause__, AssertionError)
    assert record


def test_typed_records_are_no_pickles(monkeypatch):
    codec = SafePickle(None)
    monkeypatch.setattr(pickle, "loads", None)
    monkeypatch.setattr(pickle, "dumps", None)
    monkeypatch.setattr("dictsqlite_v4._values.pickle", None)
    for value in ("text", 5, -1, 1.5, True, None, b"bytes"):
        assert codec.decode(codec.encode(value)) == value


def test_classes_of_this_very_program():
    codec = SafePickle([__name__])

    assert codec.decode(codec.encode(Here.ONE)) is Here.ONE
    with pytest.raises(Exception):  # it has no name that leads to it
        codec.encode(types.new_class("Local", ())())


class Here(enum.Enum):
    ONE = "one"


def test_what_the_check_costs(capsys):
    """Printed, as figures of a busy machine fail nothing: about a microsecond for a small value."""
    plain, safe = SafePickle(None), SafePickle(["datetime"])
    for name, codec, value in (
        ("a small dict", plain, {"name": "Alice", "age": 30}),
        ("a datetime", safe, datetime.datetime(2024, 1, 1)),
    ):
        record = codec.encode(value)
        check = best(lambda record=record: check_pickle(record))
        loads = best(lambda record=record: pickle.loads(record))
        load = best(lambda codec=codec, record=record: codec.decode(record))
        with capsys.disabled():
            sys.stdout.write(
                f"\nsafe pickle, {name}: check {check:.2f} us, decode {load:.2f} us, "
                f"plain pickle {loads:.2f} us\n"
            )


def best(function, number=2000):
    return min(timeit.repeat(function, number=number, repeat=7)) / number * 1e6
