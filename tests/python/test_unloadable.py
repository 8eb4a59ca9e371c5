# test_unloadable.py - values that cannot be loaded: they stay, and all else goes on
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import asyncio
import copy
import os
import pickle
import pprint
import warnings

import pytest

from conftest import ENCRYPTED, python
from dictsqlite_v4 import (
    AsyncDictSQLite, ConflictError, DictSQLiteV4, UnloadableError, UnsafePickleError,
)  # fmt: skip


class Loading:
    """A value whose loading calls `done`, and is what that returns."""

    done = None

    def __reduce__(self):
        return _load, ()


def _load():
    return Loading.done()


@pytest.fixture
def loading(monkeypatch):
    """Sets what loading a Loading does."""

    def set_to(done):
        monkeypatch.setattr(Loading, "done", staticmethod(done))

    return set_to


def fail():
    raise AttributeError("its class is gone")



# Each gives a mapping of its own kind.
MAPPINGS = {
    "store": lambda open_store, mode: open_store(persist_mode=mode),
    "table": lambda open_store, mode: open_store(persist_mode=mode).table("t"),
    "expiring": lambda open_store, mode: open_store(
        persist_mode=mode, default_expire=60, sliding=True
    ),
    "safe": lambda open_store, mode: open_store(
        persist_mode=mode,
        enable_safe_pickle=True,
        safe_pickle_allowed_modules=[f"{__name__}:_load"],
    ),
}
REMOVALS = {
    "pop": lambda mapping: mapping.pop("job"),
    "pop with a default": lambda mapping: mapping.pop("job", None),
    "popitem": lambda mapping: mapping.popitem(),
}


@pytest.mark.parametrize("removal", REMOVALS)
@pytest.mark.parametrize("kind", MAPPINGS)
def test_what_cannot_be_loaded_is_not_removed(open_store, mode, kind, removal, loading):
    mapping = MAPPINGS[kind](open_store, mode)
    mapping["first"] = 1
    mapping["job"] = Loading()
    loading(fail)
    for _ in range(2):
        with pytest.raises(UnloadableError, match="its class is gone") as caught:
            REMOVALS[removal](mapping)
        assert caught.value.key == "job"
        assert list(mapping) == ["first", "job"]
    with pytest.raises(UnloadableError, match="its class is gone"), mapping.transaction():
        REMOVALS[removal](mapping)
    assert list(mapping) == ["first", "job"]

    loading(lambda: "loaded")
    assert REMOVALS[removal](mapping) in ("loaded", ("job", "loaded"))
    assert list(mapping) == ["first"]


@pytest.mark.parametrize("in_transaction", [False, True])
def test_what_is_set_while_a_value_is_loaded_is_not_lost(store, loading, in_transaction):
    def set_again():
        store["job"] = "newer"
        return "older"

    for removal, expected in (("pop", "newer"), ("popitem", ("job", "newer"))):
        store["job"] = Loading()
        loading(set_again)
        if in_transaction:
            with store.transaction():
                assert REMOVALS[removal](store) == expected
        else:
            assert REMOVALS[removal](store) == expected
        assert "job" not in store


def test_popitem_takes_the_newest_of_the_moment(store, loading):
    def add():
        del store["job"]
        store["newest"] = 1
        return "gone meanwhile"

    store["job"] = Loading()
    loading(add)
    assert store.popitem() == ("newest", 1)
    assert len(store) == 0


@pytest.mark.parametrize("removal", REMOVALS)
def test_who_is_always_too_late_is_told(store, loading, removal):
    counts = iter(range(10_000_000))

    def set_again():
        store["job"] = Loading() if next(counts) % 2 else (Loading(),)
        return "older"

    store["job"] = Loading()
    loading(set_again)
    with pytest.raises(ConflictError):
        REMOVALS[removal](store)
    assert "job" in store and next(counts) <= 1001


# --- the one class of errors

CAUSES = [
    AttributeError("its class is gone"),
    ModuleNotFoundError("No module named 'gone'"),
    ImportError("cannot import name"),
    TypeError("__init__() missing 1 required positional argument"),
    EOFError("Ran out of input"),
    KeyError("secret"),
    ValueError("invalid literal: 'secret'"),
    OSError(2, "secret"),
    StopIteration("secret"),
    ZeroDivisionError(),
    DeprecationWarning("secret"),
    type("Own", (Exception,), {"__str__": lambda self: 1 / 0})(),
    type("OwnType", (TypeError,), {"__str__": lambda self: 1 / 0})(),
]
READS = {
    "getitem": lambda mapping: mapping["job"],
    "get": lambda mapping: mapping.get("job"),
    "setdefault": lambda mapping: mapping.setdefault("job", 1),
    "get_many": lambda mapping: mapping.get_many(["first", "job"]),
    "values": lambda mapping: list(mapping.values()),
    "items": lambda mapping: list(mapping.items()),
    "reversed": lambda mapping: list(reversed(mapping.items())),
    "copy": lambda mapping: mapping.copy(),
    "copy.copy": copy.copy,
    "or": lambda mapping: mapping | {},
    "ror": lambda mapping: {} | mapping,
    "eq": lambda mapping: mapping == {"first": 1, "job": 2},
    "in items": lambda mapping: ("job", 1) in mapping.items(),
    "in values": lambda mapping: 2 in mapping.values(),
    "incr": lambda mapping: mapping.incr("job"),
    "decr": lambda mapping: mapping.decr("job", 0.5),
    "compare_and_set": lambda mapping: mapping.compare_and_set("job", 1, 2),
    "get_with_expiry": lambda mapping: mapping.get_with_expiry("job"),
    "edit": lambda mapping: mapping.edit("job").__enter__(),
    "update of another": lambda mapping: DictSQLiteV4(":memory:").update(mapping),
    **REMOVALS,
}


def raised_by(call, *args):
    with pytest.raises(UnloadableError) as caught:
        call(*args)
    return caught.value


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: type(cause).__name__)
def test_whatever_loading_raises_is_one_class(store, loading, cause):
    def refuse():
        raise cause

    store["first"] = 1
    store["job"] = Loading()
    loading(refuse)
    for name, read in READS.items():
        error = raised_by(read, store)
        assert error.__cause__ is cause and error.key == "job", name
        assert str(error).startswith("Failed to load the value of ") and "secret" not in str(error)
        assert type(cause).__name__ in str(error)
        assert ENCRYPTED or "'job'" in str(error)
    assert list(store) == ["first", "job"]
    assert isinstance(error, pickle.UnpicklingError) and isinstance(error, ValueError)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.args, again.key) == (type(error), error.args, "job")


@pytest.mark.parametrize("kind", MAPPINGS)
def test_every_way_to_read_it_names_the_key(open_store, kind, loading):
    mapping = MAPPINGS[kind](open_store, "lazy")
    mapping["first"] = 1
    mapping["job"] = Loading()
    loading(fail)
    for name, read in READS.items():
        for in_transaction in (False, True):
            try:
                if in_transaction:
                    with mapping.transaction():
                        read(mapping)
                else:
                    read(mapping)
            except UnloadableError as error:
                assert error.key == "job" and ("'job'" in str(error) or ENCRYPTED), name
                assert isinstance(error, UnsafePickleError) is (kind == "safe")
            else:
                pytest.fail(name)


@pytest.mark.parametrize(
    "passing", [KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError, RecursionError]
)
@pytest.mark.parametrize("kind", ["store", "safe"])
def test_what_is_not_about_the_value_passes(open_store, loading, passing, kind):
    def stop():
        raise passing("as it is")

    mapping = MAPPINGS[kind](open_store, "lazy")
    mapping["first"] = 1
    mapping["job"] = Loading()
    loading(stop)
    for name, read in READS.items():
        with pytest.raises(passing, match="as it is"):
            read(mapping)
    for errors in ("skip", "report"):
        with pytest.raises(passing):
            list(mapping.items(errors=errors))
        with pytest.raises(passing):
            mapping.get_many(["job"], errors=errors)
    assert list(mapping) == ["first", "job"]


def test_the_message_says_what_is_missing(path):
    python(
        """
import sys, types
from dictsqlite_v4 import DictSQLiteV4
sys.modules["gone"] = gone = types.ModuleType("gone")
exec("class Job: pass", gone.__dict__)
class Task: pass
with DictSQLiteV4(sys.argv[1]) as db:
    db["no module"], db["no class"] = gone.Job(), Task()
""",
        path,
    ).check_returncode()
    with DictSQLiteV4(path) as db:
        message = str(raised_by(db.pop, "no module"))
        assert "ModuleNotFoundError" in message and "'gone'" in message
        message = str(raised_by(db.popitem))
        assert "AttributeError" in message and "'Task'" in message
        assert len(db) == 2
        # and it can be mended here
        db["no class"] = "mended"
        assert db.popitem() == ("no class", "mended")


def test_a_damaged_value_is_unloadable(store):
    for payload in (b"", b"\x80", b"not a pickle", b"\x80\x05]\x94K\x01", b"c__main__\nnone\n."):
        store._store.set_record(b"k", b"\x08" + payload)
        for read in (store.__getitem__, store.pop):
            assert raised_by(read, "k").__cause__ is not None
    # a long string is not looked through when it is set
    store._store.set_record(b"k", b"\x03" + b"x" * 20_000 + b"\xff")
    for read in (lambda: store["k"], lambda: store.get("k"), store.popitem, store.copy):
        assert isinstance(raised_by(read).__cause__, UnicodeDecodeError)
    assert list(store) == ["k"]


def test_the_key_of_an_encrypted_store_is_not_in_the_message(path, loading):
    def refuse():
        raise AttributeError("gone")

    loading(refuse)
    with DictSQLiteV4(path, encryption_password="password", kdf_memory=19 << 20) as store:
        for mapping in (store, store.table("t")):
            mapping["secret name"] = Loading()
            for read in (mapping.popitem, mapping.copy, lambda: mapping["secret name"]):
                error = raised_by(read)
                assert error.key == "secret name" and "secret" not in str(error)
                assert "gone" in str(error)


def test_a_key_that_cannot_be_shown_is_named_all_the_same(store, loading):
    class Key(str):
        def __repr__(self):
            raise OSError

    deep = ()
    for _ in range(999):
        deep = (deep,)
    loading(fail)
    for key in (deep, "k" * 100_000, 5, None, ("a", b"b")):
        store.clear()
        store[key] = Loading()
        assert len(str(raised_by(store.popitem))) < 500 and len(repr(store)) < 1000
    store["a"] = Loading()
    assert "Key" in str(raised_by(store.pop, Key("a"))) or ENCRYPTED


# --- walks and many at once


@pytest.fixture
def mixed(store, loading):
    """A store with two values that cannot be loaded, of five."""
    store.update({"a": 1, "b": Loading(), "c": [3], 4: Loading(), "e": "5"})
    loading(fail)
    return store


LOADED = {"a": 1, "c": [3], "e": "5"}
KEYS = ["a", "b", "c", 4, "e"]


@pytest.mark.parametrize("in_transaction", [False, True])
def test_a_walk_can_leave_them_out(mixed, in_transaction):
    def walk():
        assert list(mixed.items(errors="skip")) == list(LOADED.items())
        assert list(reversed(mixed.items(errors="skip"))) == list(LOADED.items())[::-1]
        assert list(mixed.values(errors="skip")) == list(LOADED.values())
        assert list(reversed(mixed.values(errors="skip"))) == list(LOADED.values())[::-1]
        assert mixed.copy(errors="skip") == LOADED == mixed.get_many([*KEYS, "n"], errors="skip")
        assert ("b", 1) not in mixed.items(errors="skip") and 2 not in mixed.values(errors="skip")
        assert ("e", "5") in mixed.items(errors="skip") and "5" in mixed.values(errors="skip")
        with pytest.raises(UnloadableError):
            ("b", 1) in mixed.items(errors="strict")

    if in_transaction:
        with mixed.transaction():
            walk()
    else:
        walk()


def test_a_walk_can_report_them(mixed):
    for items in (
        dict(mixed.items(errors="report")),
        dict(reversed(mixed.items(errors="report"))),
        dict(zip(mixed, mixed.values(errors="report"))),
        mixed.copy(errors="report"),
        mixed.get_many(KEYS, errors="report"),
    ):
        assert set(items) == set(KEYS)
        for key in ("b", 4):
            error = items.pop(key)
            assert type(error) is UnloadableError and error.key == key
            assert isinstance(error.__cause__, AttributeError)
        assert items == LOADED


def test_a_strict_walk_ends_at_the_first(mixed):
    walk = iter(mixed.items())
    assert next(walk) == ("a", 1)
    assert raised_by(next, walk).key == "b"
    for errors in ("ignore", None, "", "SKIP"):
        for call in (mixed.items, mixed.values, mixed.copy):
            with pytest.raises(ValueError, match="'strict', 'skip' or 'report'"):
                call(errors=errors)
        with pytest.raises(ValueError, match="'strict', 'skip' or 'report'"):
            mixed.get_many(KEYS, errors=errors)


@pytest.mark.parametrize("parameters", [{}, {"persist_mode": "writethrough"}, {"sliding": True}])
def test_coroutines_do_the_same(path, loading, parameters):
    if "sliding" in parameters:
        parameters = {"default_expire": 60, "sliding": True}
    loading(fail)

    async def main():
        async with AsyncDictSQLite(path, hot_capacity=2, **parameters) as db:
            await db.batch_set({"a": 1, "b": Loading(), "c": [3], 4: Loading(), "e": "5"})
            await db.flush()
            for _ in range(2):  # from the file, and maybe from memory
                for read in (
                    lambda: db.get_async("b"),
                    lambda: db.batch_get(KEYS),
                    db.items_async,
                    lambda: db.get_with_expiry_async("b"),
                    lambda: db.incr_async("b"),
                    lambda: db.transact_async(lambda store: store.pop("b")),
                ):
                    with pytest.raises(UnloadableError) as caught:
                        await read()
                    assert caught.value.key == "b"
                assert await db.batch_get(KEYS, errors="skip") == LOADED
                assert dict(await db.items_async(errors="skip")) == LOADED
            for reported in (
                await db.batch_get(KEYS, errors="report"),
                dict(await db.items_async(errors="report")),
            ):
                assert [reported[key].key for key in ("b", 4)] == ["b", 4]
            with pytest.raises(ValueError):
                await db.batch_get(KEYS, errors="ignore")
            with pytest.raises(ValueError):
                await db.items_async(errors="ignore")
            # all at once, so that they wait for each other
            results = await asyncio.gather(
                *(db.get_async(key) for key in KEYS), return_exceptions=True
            )
            assert [type(result) for result in results] == [
                int, UnloadableError, list, UnloadableError, str
            ]  # fmt: skip
            db._store.set_record(b"k", b"\x03" + b"x" * 20_000 + b"\xff")
            for _ in range(2):
                with pytest.raises(UnloadableError):
                    await db.get_async("k")
            assert await db.contains_async("b") and await db.delete_async("b")

    asyncio.run(main())


# --- what is printed


def test_a_store_is_described_whatever_is_in_it(mixed, open_store):
    for text in (
        repr(mixed), str(mixed), f"{mixed}", "%r" % mixed, pprint.pformat(mixed),
        repr(mixed.items()), repr(mixed.values()), repr([mixed]),
    ):  # fmt: skip
        assert "'a': 1" in text and "'e': '5'" in text and "UnloadableError" in text
    mixed["own"] = Shown()
    assert "'a': 1" in repr(mixed) and "OSError" in repr(mixed)
    table = mixed.table("t")
    table["b"] = Loading()
    assert "Table 't'" in repr(table) and "UnloadableError" in repr(table)
    with mixed.transaction():
        assert "'a': 1" in repr(mixed)
    mixed.drop_table("t")
    assert "dropped" in repr(table)
    mixed.close()
    assert "closed" in repr(mixed)


class Shown:
    def __repr__(self):
        raise OSError("not now")


def test_what_was_not_opened_is_described(path):
    for kind in (DictSQLiteV4, AsyncDictSQLite):
        store = kind.__new__(kind)
        with pytest.raises(ValueError):
            store.__init__(path, persist_mode="other")
        assert kind.__name__ in repr(store)


def test_what_a_child_inherits_is_described(open_store):
    store = open_store()
    store["a"] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of threads that a fork does without
        child = os.fork()
    if child == 0:
        os._exit(0 if "inherited" in repr(store) and "DictSQLiteV4" in f"{store}" else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_what_is_damaged_is_described(open_store, path):
    store = open_store(persist_mode="lazy")
    store.bulk_insert({f"key {i}": "x" * 1000 for i in range(1000)})
    store.close()
    size = os.path.getsize(path)
    with open(path, "r+b") as file:
        file.seek(1 << 16)
        file.write(b"\xaa" * (size - (1 << 16)))
    store = open_store(persist_mode="lazy", read_only=True)
    with pytest.raises(OSError):
        list(store.items(errors="skip"))  # a file that cannot be read is no value that cannot be
    assert "DictSQLiteV4" in repr(store)
