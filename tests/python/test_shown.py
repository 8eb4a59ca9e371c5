# test_shown.py - repr() describes a store whatever is in it
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import collections
import pickle
import time

import pytest

from dictsqlite_v4 import DictSQLiteV4, UnloadableError, UnsafePickleError
from dictsqlite_v4._repr import show

Point = collections.namedtuple("Point", "x y")

PLAIN = [
    None,
    1,
    1.5,
    "it's",
    b"it's",
    [],
    (),
    {},
    set(),
    frozenset(),
    (1,),
    [(1, [2, {3: 4}]), {5}, frozenset({6}), bytearray(b"7")],
    {"a": {"b": [()]}, (1, 2): (3,)},
    Point(1, [2]),
    collections.OrderedDict(a=1),
]


@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_short_values_are_shown_as_repr_does(value):
    assert show(value) == repr(value)


def test_what_holds_itself_is_shown_as_repr_does():
    for value in ([], {}):
        if isinstance(value, list):
            value.append((value, 1))
        else:
            value["self"] = [value]
        assert show(value) == repr(value)


def test_the_beginning_is_that_of_repr():
    for value in ("x" * 1000, list(range(1000)), {i: str(i) for i in range(1000)}):
        shown = show(value)
        assert len(shown) < 500 and repr(value)[:200] == shown[:200]


def twice(value, times):
    for _ in range(times):
        value = [value, value]
    return value


ODD = {
    "lists that hold others twice": twice(1, 60),
    "the same in a dict": {"a": twice({}, 60)},
    "an int of too many digits": 10**6000,
    "a lone surrogate": "\ud800",
    "a control character": "a\x1b[31m",
}


@pytest.mark.parametrize("name", ODD)
def test_a_store_with_it_is_described(store, name):
    store["key"] = ODD[name]
    store["next"] = 1
    started = time.process_time()
    text = repr(store)
    assert time.process_time() - started < 1
    assert "'key': " in text and "'next': 1" in text and len(text) < 1000 and "\x1b" not in text


# --- names in messages ----------------------------------------------------------------------------

EVIL = "name\n\x1b[2J\u202egnp\x85"


@pytest.mark.parametrize("is_safe", (False, True))
def test_names_in_messages_are_printable(path, is_safe):
    """What a pickle says that it is an instance of."""
    with DictSQLiteV4(path, enable_safe_pickle=is_safe) as store:
        for module, name in (("collections", EVIL), (EVIL, "name"), ("\n", "\u2066")):
            raw = pickle.PROTO + b"\4" + b"".join(
                pickle.SHORT_BINUNICODE + bytes([len(text.encode())]) + text.encode()
                for text in (module, name)
            ) + pickle.STACK_GLOBAL + pickle.STOP
            store._store.set_record(b"key", b"\x08" + raw)
            with pytest.raises((UnloadableError, UnsafePickleError)) as raised:
                store["key"]
            assert str(raised.value).isprintable(), str(raised.value)
            assert repr(store).isprintable()


def test_paths_in_messages_are_printable(tmp_path):
    for name in ("a\nb\x1b[2J", "\u202egnp"):
        with pytest.raises(OSError) as raised:
            DictSQLiteV4(tmp_path / name / "missing" / "store.db")
        assert str(raised.value).isprintable()
