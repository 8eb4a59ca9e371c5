# test_safe_pickle_alike.py - keys whose hashes a file's writer can choose
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Instances, and frozensets, hash by what is in them, which Python alone knows. Of n that hash
alike each is compared with all before it; and so is what searches a table on one way."""

from __future__ import annotations

import datetime
import decimal
import fractions
import pickle
import struct
import uuid
from ast import literal_eval

import pickle_classes as user
import pytest
from test_safe_pickle import ALLOWED, LISTED, PLAIN, same
from test_safe_pickle_bombs import M, builtin, length, memoed, name, number, orbit, run, text

from dictsqlite_v4 import DictSQLiteV4, UnsafePickleError
from dictsqlite_v4._pickle import SafePickle
from dictsqlite_v4._pickle_guard import GuardedUnpickler, _Table
from dictsqlite_v4._values import OLD_PICKLE

LONGEST = 12_000


def real(value):


    return b"G" + struct.pack(">d", value)


def each(make, n):
    return (make(k) for k in range(1, n + 1))


def imported(module, qualname):
    return memoed(name(module, qualname), 0)


# Of each kind what it needs in the memo, and the kth of those that hash alike.
KINDS = {
    "Decimals": (imported("decimal", "Decimal"), lambda k: b"h\0" + text(str(k * M)) + b"\x85R"),
    "Fractions": (imported("fractions", "Fraction"), lambda k: b"h\0" + number(k * M) +
                  b"K\1\x86R"),
    "UUIDs": (imported("uuid", "UUID"), lambda k: b"h\0)\x81}" + text("int") + number(k * M) +
              b"sb"),
    "networks": (imported("ipaddress", "IPv6Address"), lambda k: b"h\0" + number(k * M) +
                 b"\x85R"),
    "ranges": (builtin("range"), lambda k: b"h\0" + number(k * M) + number(k * M + 5) +
               b"K\1\x87R"),
    "complex numbers": (builtin("complex"), lambda k: b"h\0" + real(-1000003.0 * k) +
                        real(float(k)) + b"\x86R"),
    "frozensets": (b"", lambda k: b"(" + number(k * M) + b"\x91"),
    "frozen dataclasses": (imported("pickle_classes", "Frozen"), lambda k: b"h\0)\x81}(" + text(
        "a") + number(k * M) + text("b") + b")ub"),
    "tuples of Decimals": (imported("decimal", "Decimal"), lambda k: b"h\0" + text(
        str(k * M)) + b"\x85R\x85\x85"),
    "frozensets of Decimals": (imported("decimal", "Decimal"), lambda k: b"(h\0" + text(
        str(k * M)) + b"\x85R\x91"),
    "integers as text": (b"", lambda k: b"L%dL\n" % (k * M)),
    "negative integers as text": (b"", lambda k: b"L-%dL\n" % (k * M + 5)),
    "short integers as text": (b"", lambda k: b"I%d\n" % (k * M + 1)),
    "long integers of few bytes": (b"", lambda k: b"\x8b\x0b\0\0\0" + (k * M).to_bytes(
        11, "little")),
}  # fmt: skip

# How they become keys.
WAYS = {
    "a set": lambda items: b"\x8f(" + b"".join(items) + b"\x90",
    "a set, one by one": lambda items: b"\x8f" + b"".join(b"(" + item + b"\x90" for item in items),
    "a dict": lambda items: b"}(" + b"".join(item + b"N" for item in items) + b"u",
    "a dict, one by one": lambda items: b"}" + b"".join(item + b"Ns" for item in items),
    "an old dict": lambda items: b"(" + b"".join(item + b"N" for item in items) + b"d",
    "a dict that is there": lambda items: b"(" + b"".join(
        item + b"N" for item in items[::2]) + b"d" + b"".join(
            item + b"Ns" for item in items[1::2]),
    "a frozenset": lambda items: b"(" + b"".join(items) + b"\x91",
    "a set of a list": lambda items: name("builtins", "set") + b"](" + b"".join(items) + b"e\x85R",
    "an OrderedDict": lambda items: name("collections", "OrderedDict") + b")R(" + b"".join(
        item + b"N" for item in items) + b"u",
    "pairs": lambda items: name("collections", "OrderedDict") + b"](" + b"".join(
        b"](" + item + b"Ne" for item in items) + b"e\x85R",
    "pairs that are filled late": lambda items: name(
        "collections", "OrderedDict") + b"](" + b"".join(
            b"]r" + length("I", 2 + at) for at in range(len(items))) + b"e" + b"".join(
                b"j" + length("I", 2 + at) + b"(" + item + b"Ne0" for at, item in enumerate(
                    items)) + b"\x85R",
    "pairs that are left on the stack": lambda items: b"".join(
        b"]r" + length("I", 2 + at) for at in range(len(items))) + b"](" + b"".join(
            b"j" + length("I", 2 + at) for at in range(len(items))) + b"er" + length(
                "I", 1) + b"0" + b"".join(
                    b"(" + item + b"Ne0" for item in reversed(items)) + name(
                        "collections", "OrderedDict") + b"j" + length("I", 1) + b"\x85R",
    "a class of one's own": lambda items: name("pickle_classes", "Members") + b"](" + b"".join(
        items) + b"e\x85R",
}  # fmt: skip


def pickled(kind, way, n):
    head, item = KINDS[kind]
    return b"\x80\x04" + head + WAYS[way](list(each(item, n))) + b"."


def is_refused_in_time(payload):
    ((_, told),) = run({"it": payload}).items()
    outcome, seconds, memory = literal_eval(told)
    assert "hash alike" in outcome, outcome
    assert seconds < 2 + 1e-5 * len(payload), seconds
    assert memory < (16 << 20) + 64 * len(payload), memory


@pytest.mark.parametrize("kind", KINDS)
def test_what_hashes_alike_is_refused(kind):
    is_refused_in_time(pickled(kind, "a set", LONGEST))


@pytest.mark.parametrize("way", WAYS)
def test_by_every_way_into_a_table(way):
    is_refused_in_time(pickled("Decimals", way, LONGEST))


def test_what_searches_on_one_way():
    """No two of these are alike, and each search takes longer than the one before."""
    items = [b"h\0" + text(str(k)) + b"\x85R" for k in literal_orbit(30_000)]
    is_refused_in_time(
        b"\x80\x04" + imported("decimal", "Decimal") + WAYS["a dict, one by one"](items) + b"."
    )


def literal_orbit(n):
    """The numbers of orbit(n), as pickle has them."""
    return pickle.loads(b"\x80\x02](" + orbit(n) + b"e.")


def test_the_same_few_in_many_sets():
    """As each is small, but all of it is one value many times over."""
    some = b"](" + b"".join(each(KINDS["Decimals"][1], 200)) + b"e"
    payload = (
        b"\x80\x04" + KINDS["Decimals"][0] + memoed(some, 1) + memoed(name("builtins", "set"), 2)
        + b"](" + b"h\2h\1\x85R" * 20_000 + b"e."
    )  # fmt: skip
    ((_, told),) = run({"it": payload}).items()
    outcome, seconds, _memory = literal_eval(told)
    assert outcome.startswith("refused"), outcome
    assert seconds < 2, seconds


# --- honest ones ----------------------------------------------------------------------------------

MANY = {
    "dates": {datetime.date(2000, 1, 1) + datetime.timedelta(k): k for k in range(3000)},
    "aware datetimes": {datetime.datetime(2000, 1, 1, tzinfo=datetime.timezone.utc) +
                        datetime.timedelta(0, k): k for k in range(3000)},
    "Decimals": {decimal.Decimal(k) / 4 for k in range(3000)},
    "Fractions": {fractions.Fraction(k, 7) for k in range(3000)},
    "UUIDs": {uuid.uuid4(): k for k in range(3000)},
    "frozen dataclasses": {user.Frozen(k, ("x",)): k for k in range(3000)},
    "pairs with dates": {(k, datetime.date(2000, 1, 1)): k for k in range(3000)},
    "frozensets": {frozenset([k, k + 1]) for k in range(3000)},
    "ranges": {range(k, 2 * k) for k in range(3000)},
    "a few that are alike": {user.Frozen(k * M): k for k in range(600)},
}  # fmt: skip


@pytest.mark.parametrize("protocol", [2, 5])
@pytest.mark.parametrize("kind", MANY)
def test_many_honest_keys_pass(kind, protocol):
    codec = SafePickle(ALLOWED)
    record = b"\x08" + pickle.dumps(MANY[kind], protocol)
    assert codec.decode(record) == MANY[kind]
    assert codec.decode(codec.encode(MANY[kind])) == MANY[kind]


def test_the_guard_loads_what_the_unpickler_loads(monkeypatch):
    """All values that there are a test of, in all protocols."""
    codec = SafePickle(ALLOWED)
    n_loaded = 0
    for protocol in range(6):
        for key, value in {**PLAIN, **LISTED}.items():
            try:
                record = OLD_PICKLE + pickle.dumps(value, protocol)
            except TypeError:
                continue
            try:
                expected = codec.decode(record)
            except UnsafePickleError:
                continue
            with monkeypatch.context() as patch:
                patch.setattr(
                    "dictsqlite_v4._pickle._Unpickler", lambda file: GuardedUnpickler(file.read())
                )
                found = codec.decode(record)
            assert same(found, value) and same(expected, value), (key, protocol)
            n_loaded += 1
    assert n_loaded > 400


class Same:
    """All of its instances hash alike, which is slow but nobody's fault."""

    def __hash__(self):
        return 7


def test_what_would_be_refused_is_not_stored():
    with DictSQLiteV4(
        ":memory:", enable_safe_pickle=True, safe_pickle_allowed_modules=[__name__]
    ) as store:
        store["k"] = {Same() for _ in range(600)}
        assert len(store["k"]) == 600
        with pytest.raises(UnsafePickleError, match="hash alike") as caught:
            store["k"] = {Same() for _ in range(2000)}
        assert "to store" in str(caught.value)
        assert len(store["k"]) == 600


@pytest.mark.parametrize("is_set", [True, False])
def test_the_table_is_about_as_python_s(is_set):
    """Numbers at random look at few places, and those that are alike at all before them."""
    table = _Table(is_set)
    assert sum(table.insert(hash(str(k))) for k in range(10_000)) < 16 * 10_000
    table = _Table(is_set)
    assert sum(table.insert(5) for _ in range(1000)) > 1000 * 999 // 2
