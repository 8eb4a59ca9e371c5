# test_stateful.py - a store and a dict side by side, through every operation
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import tempfile

import pytest
from conftest import LONG, MODES
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from dictsqlite_v4 import DictSQLiteV4

# Few keys, so that they are met again and again, of each kind.
KEYS = ["", "a", "b", "c", "d", "e", "a\0b", "é", b"a", b"", 0, 1, -1, 2.5, None, (), ("a", 1)]

keys = st.sampled_from(KEYS) | st.sampled_from([True, 1.0, False])
values = st.sampled_from(["", "v", "日", 0, 2**70, -1, 0.5, None, True, b"", b"x"]) | st.lists(
    st.integers(0, 5), max_size=3
)
pairs = st.lists(st.tuples(keys, values), max_size=6)


class Model(dict):
    """A dict whose keys come back in the form in which a store gives them."""

    def __setitem__(self, key, value):
        super().__setitem__(canonical(key), value)

    def setdefault(self, key, default):
        return super().setdefault(canonical(key), default)

    def update(self, data):
        super().update({canonical(key): value for key, value in data})


def canonical(key):
    return int(key) if isinstance(key, (bool, float)) and key == int(key) else key


TABLES = ["", "a", "a\0"]


class StoreBesideDict(RuleBasedStateMachine):
    """Everything that is done to the store is done to a dict as well, and must give the same.

    So it is with each of its tables. Rules work on one of the mappings, and another rule chooses.
    """

    mode = ""

    @initialize(
        capacity=st.sampled_from([1, 2, 7, 1_000_000]),
        warm_capacity=st.sampled_from([0, 4096, 64 << 20]),
        dirty_limit=st.sampled_from([1, 1000, 64 << 20]),
        background=st.booleans(),
        data=pairs,
    )
    def open_first(self, capacity, warm_capacity, dirty_limit, background, data):
        self.folder = tempfile.TemporaryDirectory()
        self.parameters = {
            "persist_mode": self.mode,
            "hot_capacity": capacity,
            "warm_capacity": warm_capacity,
            "dirty_limit": dirty_limit,
            "enable_async": background,
            "flush_interval": 0.01,
        }
        self.models = {None: Model()}
        self.name = None
        self.open()
        self.store.update(data)
        self.model.update(data)

    def open(self):
        self.root = DictSQLiteV4(f"{self.folder.name}/store.db", **self.parameters)

    @property
    def store(self):
        return self.root if self.name is None else self.root.table(self.name)

    @property
    def model(self):
        return self.models[self.name]

    def teardown(self):
        if hasattr(self, "root"):
            assert self.root.tables() == [name for name in self.models if name is not None]
            for self.name in self.models:
                self.compare_everything()
            self.root.close()
            self.folder.cleanup()

    @rule(name=st.sampled_from([None, *TABLES]))
    def turn_to(self, name):
        self.name = name
        if name not in self.models:
            self.models[name] = Model()
            assert len(self.root.table(name)) == 0

    @rule(name=st.sampled_from(TABLES))
    def drop_table(self, name):
        if name in self.models:
            table = self.root.table(name)
            self.root.drop_table(name)
            del self.models[name]
            with pytest.raises(RuntimeError):
                len(table)
        else:
            with pytest.raises(KeyError):
                self.root.drop_table(name)
        if self.name == name:
            self.name = None

    def same(self, operation):
        """Do it to both: the same result, or the same exception with the same arguments."""
        outcomes = []
        for mapping in (self.store, self.model):
            try:
                result = operation(mapping)
                outcomes.append((type(result), result))
            except (KeyError, RuntimeError) as error:
                outcomes.append((type(error), error.args))
        assert outcomes[0] == outcomes[1]

    @rule(key=keys, value=values)
    def set(self, key, value):
        self.store[key] = value
        self.model[key] = value

    @rule(key=keys)
    def get(self, key):
        self.same(lambda mapping: mapping[key])
        self.same(lambda mapping: mapping.get(key, "missing"))

    @rule(key=keys)
    def contains(self, key):
        self.same(lambda mapping: key in mapping)

    @rule(key=keys)
    def delete(self, key):
        self.same(lambda mapping: mapping.__delitem__(key))

    @rule(key=keys, default=values)
    def pop(self, key, default):
        self.same(lambda mapping: mapping.pop(key, default))

    @rule(key=keys)
    def pop_without_default(self, key):
        self.same(lambda mapping: mapping.pop(key))

    @rule()
    def popitem(self):
        self.same(lambda mapping: mapping.popitem())

    @rule(key=keys, value=values)
    def setdefault(self, key, value):
        self.same(lambda mapping: mapping.setdefault(key, value))

    @rule(data=pairs)
    def update(self, data):
        self.same(lambda mapping: mapping.update(data))

    @rule(data=pairs)
    def bulk_insert(self, data):
        self.store.bulk_insert(data)
        self.model.update(data)

    @rule(data=pairs)
    def update_in_place(self, data):
        store = self.store
        store |= dict(data)
        self.model.update(data)

    @rule(wanted=st.lists(keys, max_size=6))
    def get_many(self, wanted):
        expected = {key: self.model[key] for key in wanted if key in self.model}
        assert list(self.store.get_many(wanted).items()) == list(expected.items())

    @rule()
    def clear(self):
        self.same(lambda mapping: mapping.clear())

    @rule()
    def length(self):
        self.same(len)
        self.same(bool)

    @rule()
    def first_and_last(self):
        self.same(lambda mapping: next(iter(mapping), None))
        self.same(lambda mapping: next(reversed(mapping), None))

    @rule(at=st.integers(0, 5), key=keys, value=values)
    def change_while_walking(self, at, key, value):
        # The size must change or the key be there: a dict does not say what else it does.
        delete = key in self.model

        def walk(mapping):
            walked = []
            for number, item in enumerate(mapping):
                walked.append(item)
                if number == at:
                    if delete:
                        del mapping[key]
                    else:
                        mapping[key] = value
            return walked

        self.same(walk)

    @rule(value=values)
    def overwrite_while_walking(self, value):
        def walk(mapping):
            walked = []
            for key, old in mapping.items():
                walked.append((key, old))
                mapping[key] = value
            return walked

        self.same(walk)

    @rule()
    def compare_everything(self):
        assert list(self.store.items()) == list(self.model.items())
        assert list(self.store.keys()) == list(self.model)
        assert list(self.store.values()) == list(self.model.values())
        assert list(reversed(self.store.items())) == list(reversed(self.model.items()))
        assert self.store == self.model and self.model == self.store
        assert len(self.store) == len(self.model)

    @rule()
    def flush(self):
        self.store.flush()

    @rule()
    def hot_is_within_its_capacity(self):
        assert self.store.stats()["hot_entries"] <= self.parameters["hot_capacity"]

    @precondition(lambda self: self.mode != "memory")
    @rule(capacity=st.sampled_from([1, 2, 7, 1_000_000]))
    def close_and_reopen(self, capacity):
        self.root.close()
        self.parameters["hot_capacity"] = capacity
        self.open()


@pytest.mark.parametrize("persist_mode", MODES)
def test_store_beside_dict(persist_mode):
    machine = type("Machine", (StoreBesideDict,), {"mode": persist_mode})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=400 if LONG else 40,
            stateful_step_count=100 if LONG else 60,
            deadline=None,
            derandomize=True,
            database=None,
            print_blob=False,
        ),
    )
