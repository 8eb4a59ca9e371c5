# test_mapping_protocol.py - CPython's own tests of mappings, in every mode
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import tempfile

from conftest import MODES
from test import mapping_tests

from dictsqlite_v4 import DictSQLiteV4

# What cannot apply. What such a test checks besides is run as far as a base class of
# mapping_tests has it on its own.
LEFT_OUT = {
    "test_fromkeys": "fromkeys() gives a plain dict, not one of the class",
    "test_repr": "repr() names class, path and mode; a store holds no store",
    "test_repr_deep": "a store holds no store",
    "test_setdefault": "mutating what setdefault() returned does not change the store",
    "test_getitem": "a key with a broken __eq__ or __hash__ is none: TypeError",
    "test_pop": "the same",
    "test_eq": "the same",
}

# Which of them a class really cannot pass: the base classes have tamer ones of the same name.
UNFIT = {
    mapping_tests.BasicTestMappingProtocol: (),
    mapping_tests.TestMappingProtocol: ("test_fromkeys", "test_setdefault"),
    mapping_tests.TestHashMappingProtocol: tuple(LEFT_OUT),
}


class StoreUnderTest:
    """Runs a class of mapping_tests on stores in one mode."""

    persist_mode = ""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.stores = []

    def tearDown(self):
        for store in self.stores:
            store.close()
        self.folder.cleanup()

    def type2test(self, *args, **kwargs):
        store = DictSQLiteV4(
            f"{self.folder.name}/{len(self.stores)}.db",
            persist_mode=self.persist_mode,
            enable_async=False,
        )
        self.stores.append(store)
        store.update(*args, **kwargs)
        return store

    def assertIsInstance(self, obj, cls, msg=None):
        # test_copy alone asks for an instance of the store's class: copy() gives a plain dict.
        super().assertIsInstance(obj, dict if cls is DictSQLiteV4 else cls, msg)


def _make_classes():
    for base, unfit in UNFIT.items():
        for persist_mode in MODES:
            name = f"{base.__name__}_{persist_mode}"
            members = dict.fromkeys(unfit)
            members["persist_mode"] = persist_mode
            globals()[name] = type(name, (StoreUnderTest, base), members)


_make_classes()


def test_at_most_seven_are_left_out():
    assert len(LEFT_OUT) <= 7
    for names in UNFIT.values():
        assert set(names) <= set(LEFT_OUT)
    for name in LEFT_OUT:
        assert hasattr(mapping_tests.TestHashMappingProtocol, name)
