# test_gi_store.py - Dsq.Store as PyGObject gives it, which is a mapping
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import math

import pytest
from conftest import python
from gi.repository import Dsq, GLib

from dictsqlite_v4 import DictSQLiteV4

VALUES = {
    "text": "ключ", "empty": "", "yes": True, "no": False, "nothing": None, "zero": 0,
    "most": 2**63 - 1, "least": -(2**63), "real": 1.5, "infinite": math.inf,
    "bytes": b"\0\1\xff", "none": b"",
}


@pytest.fixture
def store(path):
    with Dsq.Store.open(str(path), Dsq.PersistMode.LAZY) as store:
        yield store


def test_values_are_plain(store, path):
    for key, value in VALUES.items():
        store[key] = value
    for key, value in VALUES.items():
        assert (store[key], type(store[key])) == (value, type(value))
    store.flush()
    with DictSQLiteV4(path) as same:  # as of the other class
        assert dict(same) == VALUES
    store["list"] = GLib.Variant("as", ["a", "b"])
    assert store["list"] == ["a", "b"]


def test_it_is_a_mapping(store):
    assert store and len(store) == 0 and list(store) == []
    keys = [f"key {i}" for i in range(1000)]
    for i, key in enumerate(keys):
        store[key] = i
    assert list(store) == keys and len(store) == 1000
    assert "key 1" in store and "none" not in store and 7 not in store and "key 1\0" not in store
    del store["key 1"]
    assert "key 1" not in store and len(store) == 999
    for missing in (lambda: store["key 1"], lambda: store.__delitem__("key 1")):
        with pytest.raises(KeyError, match="key 1"):
            missing()
    table = store.get_table("t")
    table["k"] = 1
    assert dict((key, table[key]) for key in table) == {"k": 1} and "k" not in store


def test_what_has_no_form_is_refused(store):
    for key in (7, b"k", None):
        with pytest.raises(TypeError, match="must be str"):
            store[key] = 1
    for key, value in (("a\0b", 1), ("k", "a\0b")):
        with pytest.raises(ValueError, match="U\\+0000"):
            store[key] = value
    with pytest.raises(OverflowError):
        store["k"] = 2**63
    for value in ({}, [], object(), 1j):
        with pytest.raises(TypeError, match="no plain value"):
            store["k"] = value
    assert len(store) == 0


def test_transactions_are_written_or_not(store):
    with store.begin() as inside:
        inside["a"] = 1
        assert "a" in inside and "a" not in store
    assert store["a"] == 1
    with pytest.raises(ZeroDivisionError):
        with store.begin() as inside:
            inside["a"] = 2
            1 / 0
    assert store["a"] == 1


def test_it_is_closed_at_the_end(path):
    with Dsq.Store.open(str(path), Dsq.PersistMode.LAZY) as store:
        store["k"] = 1
    assert store.is_closed()
    with pytest.raises(GLib.Error) as caught:
        store["k"]
    assert caught.value.matches(Dsq.Error.quark(), Dsq.Error.CLOSED)


def test_nobody_needs_the_other_package(path):
    done = python(
        "import sys, warnings\n"
        "warnings.simplefilter('ignore', ImportWarning)  # PyGObject's importer is of that kind\n"
        "import gi\n"
        "gi.require_version('Dsq', '1.0')\n"
        "from gi.repository import Dsq\n"
        "with Dsq.Store.open(sys.argv[1], Dsq.PersistMode.LAZY) as store:\n"
        "    store['k'] = 'v'\n"
        "    print(store['k'], len(store))\n"
        "assert 'dictsqlite_v4' not in sys.modules\n",
        path,
    )
    assert (done.returncode, done.stdout) == (0, "v 1\n"), done.stderr
