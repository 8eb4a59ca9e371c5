# test_transaction_model.py - programs of transactions, beside dicts that are copied and put back
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from conftest import LONG
from hypothesis import given, settings
from hypothesis import strategies as st

from dictsqlite_v4 import DictSQLiteV4

KEYS = st.sampled_from(["a", "b", "c", "d", b"a", 1])
TABLES = st.sampled_from([0, 0, 1, 2])

STEPS = st.one_of(
    st.tuples(st.just("set"), TABLES, KEYS, st.integers(0, 9)),
    st.tuples(st.just("delete"), TABLES, KEYS),
    st.tuples(st.just("pop"), TABLES, KEYS),
    st.tuples(st.just("popitem"), TABLES),
    st.tuples(st.just("setdefault"), TABLES, KEYS),
    st.tuples(st.just("get"), TABLES, KEYS),
    st.tuples(st.just("contains"), TABLES, KEYS),
    st.tuples(st.just("incr"), TABLES, KEYS),
    st.tuples(st.just("update"), TABLES, st.dictionaries(KEYS, st.integers(0, 9))),
    st.tuples(st.just("clear"), TABLES),
    st.tuples(st.just("expired"), TABLES, KEYS),
    st.tuples(st.just("prefix"), TABLES),
    st.tuples(st.just("len"), TABLES),
    st.tuples(st.just("look"), TABLES),
)
# a part is the steps and parts in it, and whether it is taken back
PROGRAMS = st.recursive(
    STEPS,
    lambda inner: st.tuples(st.just("part"), st.lists(inner, max_size=6), st.booleans()),
    max_leaves=40,
)


class TakenBack(Exception):
    pass


def outcome(function):
    try:
        return function()
    except (KeyError, TypeError) as error:
        return type(error)


def do(name, mapping, is_model, *arguments):
    """One step on the store, or on the dict that it is to be like."""
    if name == "set":
        mapping[arguments[0]] = arguments[1]
    elif name == "delete":
        del mapping[arguments[0]]
    elif name == "contains":
        return arguments[0] in mapping
    elif name == "incr":
        if not is_model:
            return mapping.incr(*arguments)
        mapping[arguments[0]] = mapping.get(arguments[0], 0) + 1
        return mapping[arguments[0]]
    elif name == "expired":
        if not is_model:
            mapping.set(*arguments, "over", expire=0)
        else:
            mapping.pop(*arguments, None)
    elif name == "prefix":
        if not is_model:
            return list(mapping.iter_prefix(""))
        return sorted(key for key in mapping if isinstance(key, str))
    elif name == "len":
        return len(mapping)
    elif name == "look":
        return list(mapping.items()), list(reversed(mapping))
    else:
        return getattr(mapping, name)(*arguments)
    return None


def run(program, mappings, models):
    for name, *arguments in program:
        if name != "part":
            at, *rest = arguments
            mapping, model = mappings[at], models[at]
            assert outcome(lambda: do(name, mapping, False, *rest)) == outcome(
                lambda: do(name, model, True, *rest)
            ), (name, arguments)
            continue
        inner, is_taken_back = arguments
        before = [dict(model) for model in models]
        try:
            with mappings[len(inner) % 3].transaction():
                run(inner, mappings, models)
                if is_taken_back:
                    raise TakenBack
        except TakenBack:
            models[:] = before
    for mapping, model in zip(mappings, models):
        assert list(mapping.items()) == list(model.items())
        assert len(mapping) == len(model)


@settings(max_examples=3000 if LONG else 150, deadline=None)
@given(
    program=st.lists(PROGRAMS, max_size=12),
    mode=st.sampled_from(["memory", "lazy", "writethrough"]),
    capacity=st.sampled_from([1, 1000]),
)
def test_programs(program, mode, capacity):
    folder = tempfile.mkdtemp()
    models = [{}, {}, {}]
    try:
        path = Path(folder, "store.db")
        with DictSQLiteV4(
            path, persist_mode=mode, hot_capacity=capacity, enable_async=False
        ) as store:
            run(program, [store, store.table("one"), store.table("two")], models)
        if mode != "memory":
            with DictSQLiteV4(path) as store:
                found = [list(m.items()) for m in (store, store.table("one"), store.table("two"))]
                assert found == [list(model.items()) for model in models]
                assert store.check() == []
    finally:
        shutil.rmtree(folder)
