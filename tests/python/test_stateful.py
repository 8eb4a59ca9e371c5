# test_stateful.py - a store and a dict side by side, through every operation
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import math
import tempfile

import pytest
from conftest import LONG, MODES, ON_A_SERVER, SECONDS, rounds
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
# Times go by hours, beside which what the run itself takes is nothing.
HOUR = 3600
times = st.sampled_from([None, -HOUR, 0, HOUR, HOUR, 2 * HOUR, 5 * HOUR])
pairs = st.lists(st.tuples(keys, values), max_size=6)


class Model(dict):
    """A dict whose keys come back in the form in which a store gives them, and expire.

    Whoever lets time pass has tick() take out what has expired by then.
    """

    def __init__(self, now):
        super().__init__()
        self.now = now  # hours
        self.ends = {}

    def __setitem__(self, key, value):
        self.set(key, value, expire=None)

    def set(self, key, value, *, expire):
        super().__setitem__(canonical(key), value)
        self.touch(key, expire)

    def touch(self, key, expire):
        if canonical(key) not in self:
            return False
        self.ends.pop(canonical(key), None)
        if expire is not None:
            self.ends[canonical(key)] = self.now + expire // HOUR
        self.tick(self.now)
        return True

    def tick(self, now):
        self.now = now
        for key, end in list(self.ends.items()):
            if end <= self.now or key not in self:
                del self.ends[key]
                self.pop(key, None)

    def expires_in(self, key):
        """In whole hours, begun ones included."""
        self[key]
        end = self.ends.get(canonical(key))
        return None if end is None else end - self.now

    def setdefault(self, key, default):
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, data):
        for key, value in data:
            self[key] = value


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
        self.now = 0  # hours
        self.models = {None: Model(self.now)}
        self.name = None
        self.open()
        self.store.update(data)
        self.model.update(data)

    def open(self):
        self.root = DictSQLiteV4(f"{self.folder.name}/store.db", **self.parameters)
        self.set_clock()

    def set_clock(self):
        self.root._store.set_property("clock-offset", self.now * HOUR * 1000)

    def let_pass(self, hours):
        self.now += hours
        self.set_clock()
        for model in self.models.values():
            model.tick(self.now)

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
            self.models[name] = Model(self.now)
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

    @rule(key=keys, value=values, expire=times)
    def set_expiring(self, key, value, expire):
        self.same(lambda mapping: mapping.set(key, value, expire=expire))

    @rule(key=keys, expire=times)
    def touch(self, key, expire):
        self.same(lambda mapping: mapping.touch(key, expire))

    @rule(hours=st.integers(1, 3))
    def time_passes(self, hours):
        self.let_pass(hours)

    @rule()
    def expire(self):
        self.store.expire()

    @rule(key=keys)
    def expires_in(self, key):
        def hours(mapping):
            left = mapping.expires_in(key)
            return left if mapping is self.model or left is None else math.ceil(left / HOUR)

        self.same(hours)

    @rule(at=st.integers(0, 5), hours=st.integers(1, 3))
    def time_passes_while_walking(self, at, hours):
        walked = []
        for number, key in enumerate(self.store):
            walked.append(key)
            if number == at:
                before = list(self.model)
                self.let_pass(hours)
        if len(walked) > at:
            assert walked[: at + 1] == before[: at + 1]
            assert walked[at + 1 :] == [key for key in before[at + 1 :] if key in self.model]
        else:
            assert walked == list(self.model)

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
    n_examples = 5 if SECONDS else 400 if LONG else 3 if ON_A_SERVER else 40
    for _ in rounds(1, "programs", n_examples):
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=n_examples,
                stateful_step_count=100 if LONG else 60,
                deadline=None,
                derandomize=not SECONDS,
                database=None,
                print_blob=bool(SECONDS),
            ),
        )
