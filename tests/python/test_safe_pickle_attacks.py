# test_safe_pickle_attacks.py - no attack passes, by any way into a store or out of it
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each attack is first seen to work under plain pickle. Then the same bytes are a record."""

from __future__ import annotations

import asyncio
import importlib
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import python
from pickle_attacks import ALLOWED, MARK, USER, attacks

import pickle_classes
from dictsqlite_v4 import AsyncDictSQLite, DictSQLiteV4, UnsafePickleError
from dictsqlite_v4._keys import encode_key
from dictsqlite_v4._pickle import SafePickle

ATTACKS = attacks()
BY_NAME = pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)


@pytest.fixture(autouse=True)
def in_a_scratch_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def nothing_happens(in_a_scratch_folder):
    """No folder is made, no function of the module runs, and what is in it stays as it was."""
    yield
    assert not os.path.exists(MARK)
    assert pickle_classes.MARKS == []
    assert pickle_classes.TABLE == {} and pickle_classes.SET == set()
    assert pickle_classes.Plain.flag == "as it was"
    assert not hasattr(pickle_classes.Color.RED, "flag")


@pytest.fixture(scope="module")
def those_that_work(tmp_path_factory):
    """The names of the attacks that plain pickle falls for."""
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("pickle_attacks.py")],
        cwd=tmp_path_factory.mktemp("plain"), capture_output=True, text=True, timeout=120,
        check=True,
    )  # fmt: skip
    return done.stdout.split("\n"), done.stderr


def put(store, key, payload):
    """A pickle that another writer put into the file."""
    assert store._store.set_record(encode_key(key), b"\x08" + payload)


# What these modules import by name is there in some versions of Python only.
IMPORTED = {"pathlib.os.mkdir": "os", "datetime.sys.modules": "sys", "datetime.sys": "sys"}


@BY_NAME
def test_plain_pickle_falls_for_it(attack, those_that_work):
    worked, errors = those_that_work
    if attack.name in IMPORTED:
        module = importlib.import_module(attack.name.split(".")[0])
        if not hasattr(module, IMPORTED[attack.name]):
            pytest.skip(f"{module.__name__} does not import {IMPORTED[attack.name]}")
    assert attack.name in worked, errors


@BY_NAME
def test_it_is_refused_before_anything_runs(attack):
    codec = SafePickle(ALLOWED)
    for _ in range(2):  # what is remembered of the first changes nothing
        with pytest.raises(UnsafePickleError) as caught:
            codec.decode(b"\x08" + attack.payload)
        # decided by the check, not met while it was being built
        assert caught.value.__cause__ is None
        assert caught.value.offset is not None and caught.value.reason
        assert str(caught.value.offset) in str(caught.value)


def test_there_are_enough():
    assert len(ATTACKS) >= 100
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
    assert len({attack.payload for attack in ATTACKS}) == len(ATTACKS)


@pytest.mark.parametrize("mode", ("memory", "lazy", "writethrough"))
def test_no_way_out_of_a_store_loads_it(path, mode):
    store = DictSQLiteV4(
        path, persist_mode=mode, enable_safe_pickle=True, safe_pickle_allowed_modules=ALLOWED
    )
    same = DictSQLiteV4(":memory:")
    with store, same:
        for attack in ATTACKS:
            store.clear()
            put(store, "k", attack.payload)
            same["k"] = 1
            for way in (
                lambda: store["k"],
                lambda: store.get("k"),
                lambda: store.get_many(["k"]),
                lambda: store.setdefault("k", 1),
                lambda: store.pop("k"),
                lambda: store.pop("k", None),
                store.popitem,
                lambda: list(store.values()),
                lambda: list(reversed(store.values())),
                lambda: list(store.items()),
                lambda: 1 in store.values(),
                lambda: ("k", 1) in store.items(),
                store.copy,
                lambda: dict(store),
                lambda: store == {"k": 1},
                lambda: store == same,
                lambda: same == store,
                lambda: {"k": 1} == store,
                lambda: store | {"a": 1},
                lambda: {"a": 1} | store,
                lambda: same.update(store),
                lambda: next(iter(store.items(errors="report")))[1].key and store["k"],
            ):
                with pytest.raises(UnsafePickleError):
                    way()
            assert store.copy(errors="skip") == {} and "UnsafePickleError" in repr(store)
            # what was refused is there still, and can be overwritten and removed
            assert "k" in store and len(store) == 1 and list(store) == ["k"]
            store["k"] = "harmless"
            assert store["k"] == "harmless"
            put(store, "k", attack.payload)
            del store["k"]


def test_nor_out_of_a_table(path):
    with DictSQLiteV4(
        path, enable_safe_pickle=True, safe_pickle_allowed_modules=[USER]
    ) as store:
        table = store.table("t")
        table["k"] = pickle_classes.Plain(a=1)
        assert table["k"] == pickle_classes.Plain(a=1)
        with pytest.raises(UnsafePickleError):
            table["k"] = Reduced(eval, ("1",))
        put(table, "l", ATTACKS[0].payload)
        for way in (lambda: table["l"], table.popitem, lambda: dict(table.items()), table.copy):
            with pytest.raises(UnsafePickleError):
                way()
        assert list(table) == ["k", "l"]
        assert table.stats()["safe_pickle_enabled"] is True


@pytest.mark.parametrize("mode", ("memory", "lazy", "writethrough"))
def test_nor_out_of_a_store_for_asyncio(path, mode):
    async def use():
        async with AsyncDictSQLite(
            path, persist_mode=mode, enable_safe_pickle=True, safe_pickle_allowed_modules=[USER]
        ) as store:
            await store.set_async("k", pickle_classes.Plain(a=1))
            await store.batch_set({"m": pickle_classes.Color.RED})
            assert await store.get_async("k") == pickle_classes.Plain(a=1)
            for way in (
                lambda: store.set_async("k", Reduced(eval, ("1",))),
                lambda: store.batch_set({"k": Reduced(eval, ("1",)), "new": 1}),
            ):
                with pytest.raises(UnsafePickleError):
                    await way()
            assert await store.items_async() == [
                ("k", pickle_classes.Plain(a=1)), ("m", pickle_classes.Color.RED)
            ]  # fmt: skip
            for attack in ATTACKS:
                put(store, "k", attack.payload)
                for way in (
                    lambda: store.get_async("k"),
                    lambda: store.batch_get(["m", "k"]),
                    store.items_async,
                ):
                    with pytest.raises(UnsafePickleError):
                        await way()
            assert store.stats()["safe_pickle_enabled"] is True

    asyncio.run(use())


class Reduced:
    def __init__(self, *reduced):
        self.reduced = reduced

    def __reduce__(self):
        return self.reduced


UNSTORABLE = {
    "eval": lambda: Reduced(eval, ("1",)),
    "os.system": lambda: Reduced(os.system, ("mkdir " + MARK,)),
    "Popen": lambda: Reduced(subprocess.Popen, (["mkdir", MARK],)),
    "a function of the module": lambda: Reduced(pickle_classes.helper, ()),
    "a function": lambda: pickle_classes.helper,
    "a builtin": lambda: len,
    "in a list": lambda: [1, {"a": (eval,)}],
    "as a key": lambda: {eval: 1},
    "a class of another module": lambda: Path("x"),
    "a method": lambda: "x".join,
    "the type of None": lambda: type(None),
    "an iterator": lambda: iter([1]),
}


@pytest.mark.parametrize("make", UNSTORABLE.values(), ids=UNSTORABLE)
@pytest.mark.parametrize("mode", ("memory", "lazy", "writethrough"))
def test_nothing_of_it_is_stored(path, mode, make):
    with DictSQLiteV4(
        path, persist_mode=mode, enable_safe_pickle=True, safe_pickle_allowed_modules=[USER]
    ) as store:
        store["k"] = "old"
        store["l"] = [1]
        value = make()
        pickle.dumps(value, 5)
        for way in (
            lambda: store.__setitem__("k", value),
            lambda: store.setdefault("new", value),
            lambda: store.update({"a": 1, "k": value}),
            lambda: store.update(k=value),
            lambda: store.bulk_insert({"a": 1, "k": value, "b": 2}),
            lambda: store.__ior__({"k": value}),
        ):
            with pytest.raises(UnsafePickleError, match="Refused to store"):
                way()
        assert store == {"k": "old", "l": [1]}
        assert store.setdefault("k", value) == "old"
    assert DictSQLiteV4(path, persist_mode=mode) == ({} if mode == "memory" else {
        "k": "old", "l": [1]})


def test_the_error_names_what_was_refused():
    store = DictSQLiteV4(":memory:", enable_safe_pickle=True)
    with pytest.raises(ValueError) as caught:
        store["k"] = Reduced(eval, ("1",))
    error = caught.value
    assert isinstance(error, pickle.UnpicklingError)
    assert (error.module, error.qualname, error.offset) == ("builtins", "eval", 29)
    assert "store" in str(error) and "builtins.eval, at offset 29: it is none" in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.offset) == (str(error), 29)


def test_no_module_is_imported_that_is_not_listed(tmp_path):
    (tmp_path / "listed.py").write_text("class A: pass\n")
    (tmp_path / "unlisted.py").write_text("raise SystemExit('imported')\n")
    done = python(
        """
import sys
from dictsqlite_v4._pickle import SafePickle
from dictsqlite_v4 import UnsafePickleError
sys.path.insert(0, ".")
codec = SafePickle(["listed"])
for module in ("unlisted", "listed.sub", "Listed", "listed ", " listed", "listed\\n", "liste", ""):
    raw = module.encode()
    record = b"\\x08\\x80\\x04\\x8c" + bytes([len(raw)]) + raw + b"\\x8c\\x01A\\x93)\\x81."
    try:
        codec.decode(record)
    except UnsafePickleError as error:
        assert error.module == module, error
    else:
        raise AssertionError(module)
assert "listed" not in sys.modules
print(codec.decode(b"\\x08\\x80\\x04\\x8c\\x06listed\\x8c\\x01A\\x93)\\x81."))
"""
    )
    assert done.stdout.startswith("<listed.A object"), done.stderr


@pytest.mark.parametrize("wrong", ("datetime", b"datetime", 5, [5], [None], [b"datetime"], True))
def test_what_is_no_list_of_names_is_a_type_error(wrong):
    with pytest.raises(TypeError):
        DictSQLiteV4(":memory:", enable_safe_pickle=True, safe_pickle_allowed_modules=wrong)


@pytest.mark.parametrize(
    "wrong", ("", " ", "a b", ".a", "a.", "a..b", "a:", ":b", "a:b:c", "a-b", "a\n", "*",
              "os:system", "builtins:eval", "copyreg:_reconstructor"),
)  # fmt: skip
def test_what_is_no_name_is_a_value_error(wrong):
    with pytest.raises(ValueError):
        DictSQLiteV4(":memory:", enable_safe_pickle=True, safe_pickle_allowed_modules=[wrong])
