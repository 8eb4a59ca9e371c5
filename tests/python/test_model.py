# test_model.py - a store's entries as a list, from Python
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest

from dictsqlite_v4 import DictSQLiteV4
from dictsqlite_v4._dsq import _Dsq as Dsq
from dictsqlite_v4._dsq import _GLib as GLib


def settle(what):
    while GLib.MainContext.default().iteration(False) or what.props.loading:
        if what.props.loading:
            GLib.MainContext.default().iteration(True)


def shown(model):
    items = list(model)
    settle(model)
    return {item.props.key: item.props.value and item.props.value.unpack() for item in items}


@pytest.fixture
def store(path):
    store = Dsq.Store.open(str(path), Dsq.PersistMode.LAZY, None)
    yield store
    store.close(None)


def test_what_python_keeps_is_listed(path, store):
    with DictSQLiteV4(path) as db:
        db["text"], db[5], db["list"], db["ключ"] = "t", "of an integer", [1], 2
        model = Dsq.KeyModel.new(store, None, False)
        assert len(model) == 0
        settle(model)
        assert shown(model) == {"text": "t", None: "of an integer", "list": None, "ключ": 2}
        changes = []
        model.connect("items-changed", lambda _, *change: changes.append(change))
        del db[5]
        db["list"] = 3
        settle(model)
        assert changes == [(1, 1, 0)]
        assert list(shown(model)) == ["text", "list", "ключ"] and shown(model)["list"] == 3
        model.props.prefix = "l"
        settle(model)
        assert shown(model) == {"list": 3}
        model.run_dispose()


def test_an_encrypted_store_has_no_order_of_keys(path):
    with DictSQLiteV4(path, encryption_password="p") as db:
        db["a"] = 1
        store = Dsq.Store(path=str(path), password="p")
        store.init(None)
        with pytest.raises(GLib.Error) as caught:
            Dsq.KeyModel.new(store, None, True)
        assert caught.value.matches(Dsq.error_quark(), Dsq.Error.NOT_SUPPORTED)
        model = Dsq.KeyModel(store=store)
        settle(model)
        assert shown(model) == {"a": 1}
        model.run_dispose()
        store.close(None)
