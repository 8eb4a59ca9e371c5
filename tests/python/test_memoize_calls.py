# test_memoize_calls.py - which calls memoize() takes for one, and which functions
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import array
import asyncio
import dataclasses
import datetime
import decimal
import enum
import functools
import pathlib
import subprocess
import sys
import threading
import time

import pytest

from dictsqlite_v4 import AsyncDictSQLite
from dictsqlite_v4._canonical import NotCanonicalError, canonical

KEYS = """
import dataclasses, datetime, decimal, enum, functools, pathlib, sys, array
class Colour(enum.Enum):
    RED = 1
@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    tags: frozenset
class Plain:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)
def top(x, y=2, *, z=3): return x
from dictsqlite_v4._canonical import canonical
words = ["apple", "pear", "fig", "kiwi", "plum"]
values = [
    set(words), frozenset(words), {word: {word} for word in words}, Point(1, frozenset(words)),
    Colour.RED, Plain(b=1, a={"x", "y", "z"}), decimal.Decimal("1.5"), datetime.date(2020, 1, 1),
    pathlib.PurePosixPath("/a/b"), array.array("d", [1.0]), functools.partial(int, base=2),
    (lambda x: x in {"a", "b", "c"}), [1, [2]], bytearray(b"x"), range(3), 1 + 2j, int, len,
]
print(b"".join(map(canonical, values)).hex())
"""


class Colour(enum.Enum):
    RED = 1
    GREEN = 2


@dataclasses.dataclass
class Point:
    x: int
    y: object = None
    note: str = dataclasses.field(default="", compare=False)


class Plain:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


class Shop:
    def __init__(self, discount):
        self.discount = discount

    def price(self, amount):
        return amount - self.discount


def top(x, y=2, *, z=3):
    return x, y, z


def test_equal_values_have_equal_bytes_in_each_process():
    outputs = {
        subprocess.run(
            [sys.executable, "-W", "error", "-c", KEYS], check=True, capture_output=True
        ).stdout
        for _ in range(4)
    }
    assert len(outputs) == 1 and len(outputs.pop()) > 1000


def test_values_are_told_apart():
    circle = [1]
    circle.append(circle)
    values = [
        [], (), {}, set(), frozenset(), bytearray(), b"", "", 0, 0.0, False, None, 0j, [[]], [()],
        {1}, {1, 2}, {1: 2}, {2: 1}, {(1, 2)}, [1, 2], (1, 2), [(1, 2)], {1: {2: 3}}, circle,
        [1, [1, 2]], Colour.RED, Colour.GREEN, Point(1), Point(2), Point(1, [1]), Plain(a=1),
        Plain(a=2), Plain(b=1), decimal.Decimal(1), datetime.date(2020, 1, 1), Plain, Point, len,
        datetime.datetime(2020, 1, 1), pathlib.PurePosixPath("a"), pathlib.PureWindowsPath("a"),
        array.array("d", [1.0]), array.array("f", [1.0]), array.array("d", [2.0]), range(3),
        slice(3), ..., b"x" * 2000, b"x" * 2001, "x" * 2000, ["x" * 1000, "x" * 1000], top,
        lambda x: x, lambda x: x + 1, lambda x, y=1: x, lambda x, y=2: x, threading,
        functools.partial(top, 1), functools.partial(top, 2), Plain().__init__,
    ]
    assert len(set(map(canonical, values))) == len(values)


@pytest.mark.parametrize("one, other", [
    ({"a": 1, "b": {2, 3}}, {"b": {3, 2}, "a": 1}),
    (Point(1, note="x"), Point(1, note="y")),
    ({"x": "ab" * 2}, {"x": "".join(("abab",))}),
    (["ab" * 2] * 2, ["abab", "".join(("ab", "ab"))]),
    (Plain(a=1, b=2), Plain(b=2, a=1)),
])
def test_equal_values(one, other):
    assert canonical(one) == canonical(other)


def test_numbers_that_are_equal():
    assert len({canonical(value, typed=False) for value in (1, 1.0, True)}) == 1
    assert canonical([1, {1.0}], typed=False) == canonical([True, frozenset({1})], typed=False)
    assert len({canonical(value, typed=False) for value in (1, 1.5, "1", b"1", 2)}) == 5


def test_arrays_by_their_content():
    numpy = pytest.importorskip("numpy")
    one = numpy.arange(6.0).reshape(2, 3)
    assert canonical(one) == canonical(numpy.asfortranarray(one)) == canonical(one.copy())
    values = [
        one, one.T, one.reshape(3, 2), one + 1, one.astype("f4"), one.astype("i8"), one.tolist(),
        numpy.array(["a", None], dtype=object), numpy.array(["b", None], dtype=object),
        numpy.float64(1), numpy.int64(1), numpy.array(1), numpy.zeros(0), numpy.zeros((0, 1)),
    ]
    assert len(set(map(canonical, values))) == len(values)


@pytest.mark.parametrize("value", [threading.Lock(), [threading.Lock()], (x for x in ())])
def test_what_has_no_encoding(value):
    with pytest.raises(NotCanonicalError):
        canonical(value)


# --- calls


def test_one_call_however_its_arguments_are_passed(store):
    calls = []

    @store.memoize(name="f")
    def function(x, y=2, *rest, z=3, **more):
        calls.append(x)
        return x, y, rest, z, more

    for call in (
        lambda: function(1), lambda: function(x=1), lambda: function(1, 2),
        lambda: function(y=2, x=1), lambda: function(1, z=3),
    ):
        assert call() == (1, 2, (), 3, {})
    assert len(calls) == 1
    assert function(1, a=1, b=2) == function(1, b=2, a=1) == (1, 2, (), 3, {"a": 1, "b": 2})
    assert function(1, 2, 3) != function(1, 2, (3,))
    with pytest.raises(TypeError, match="missing"):
        function()


def test_partial_functions_and_methods(store):
    class Within(Shop):
        @store.memoize(name="Within.same", ignore=("self",))
        def same(self, amount):
            return self.discount

        @store.memoize(name="Within.static")
        @staticmethod
        def static(amount):
            return amount + 1

        @store.memoize(name="Within.made", ignore=[0])
        @classmethod
        def made(cls, amount):
            return cls.__name__, amount

    prices = [store.memoize()(Shop(discount).price) for discount in (1, 2, 1)]
    assert [price(10) for price in prices] == [9, 8, 9]
    assert prices[0].cache_key(amount=10) == prices[2].cache_key(10) != prices[1].cache_key(10)
    assert Within(1).same(1) == 1 and Within(2).same(1) == 1 and Within(2).same(2) == 2
    assert Within.static(1) == Within(1).static(1) == 2 and Within.made(1) == ("Within", 1)

    partial = store.memoize()(functools.partial(top, 1, z=4))
    other = store.memoize()(functools.partial(top, 5))
    assert partial() == partial(2) == (1, 2, 4) and other() == (5, 2, 3)
    assert partial.cache_key() == store.memoize()(top).cache_key(1, z=4)


def test_a_class_method_of_what_can_be_imported(store):
    class_method = store.memoize()(classmethod(lambda cls, x: (cls.__name__, x)))
    holder = type("Holder", (Plain,), {"make": class_method, "__module__": __name__})
    globals()["Holder"] = holder
    try:
        assert holder.make(1) == ("Holder", 1)
    finally:
        del globals()["Holder"]


def test_ignored_parameters(store):
    calls = []

    @store.memoize(name="f", ignore=("session", 2, "trace"))
    def function(x, session, log, **more):
        calls.append(x)
        return x

    lock = threading.Lock()
    assert function(1, lock, lock, trace=1) == function(1, log=None, session=2, trace=2) == 1
    assert len(calls) == 1
    function(1, 2, 3, other=1)
    assert len(calls) == 2
    for wrong in (["w"], [3], "w"):
        with pytest.raises(ValueError, match="ignore must name"):
            store.memoize(ignore=wrong)(top)


def test_ignored_places_of_a_function_that_takes_any_number(store):
    @store.memoize(name="f", ignore={0, 2, "trace"})
    def function(x, *rest, y=0, **more):
        return x, rest, y, more

    first = (1, (2, 3), 0, {"trace": 1})
    assert function(1, 2, 3, trace=1) == function(9, 2, 9, trace=2) == function(1, 2) == first
    assert function(1, 8, 3) == (1, (8, 3), 0, {})
    assert function(1, 2, 3, 4) == (1, (2, 3, 4), 0, {})
    assert function(1, 2, 3, y=5) == (1, (2, 3), 5, {})
    assert function(1, 2, 3, other=6) == (1, (2, 3), 0, {"other": 6})
    with pytest.raises(ValueError, match="ignore must name"):
        store.memoize(ignore=[-1])(function)


def test_untyped(store):
    kind = store.memoize(name="kind", typed=False)(lambda x: type(x).__name__)
    assert kind(1) == kind(1.0) == kind(True) == "int"
    kind = store.memoize(name="typed kind")(lambda x: type(x).__name__)
    assert [kind(1), kind(1.0), kind(True)] == ["int", "float", "bool"]


def test_a_condition(store):
    calls = []

    @store.memoize(name="f", condition=lambda result: result is not None)
    def find(x):
        calls.append(x)
        return x

    assert find(None) is None and find(None) is None and find(1) == find(1) == 1
    assert calls == [None, None, 1]


def test_a_key_of_ones_own(store):
    folded = store.memoize(name="f", key=lambda word, **_: word.lower())(lambda word, **_: word)
    assert folded("A") == folded("a", lock=threading.Lock()) == "A"


def test_counts(store):
    function = store.memoize(name="f")(lambda x: x)
    other = store.memoize(name="g")(lambda x: x)
    other(1)
    store["key"] = 1
    for x in (1, 2, 1):
        function(x)
    assert function.cache_info() == (1, 2, None, 2)
    function.cache_clear()
    assert function.cache_info().currsize == 0 and len(store) == 2
    assert function.__cache_key__(1) == function.cache_key(1)


def test_times(store):
    function = store.memoize(datetime.timedelta(seconds=60), name="f", sliding=True)(lambda x: x)
    function(1)
    store.touch(function.cache_key(1), datetime.timedelta(seconds=2))
    assert store.expires_in(function.cache_key(1)) <= 2
    function(1)
    assert store.expires_in(function.cache_key(1)) > 50
    with pytest.raises(ValueError, match="sliding"):
        store.memoize(sliding=True)


# --- functions


def test_closures_and_lambdas(store):
    def made(n):
        return store.memoize()(lambda x: x * n)

    assert (made(1)(3), made(100)(3), made(1)(4)) == (3, 300, 4)
    first, second = store.memoize()(lambda: 1), store.memoize()(lambda: 2)
    assert (first(), second()) == (1, 2)
    assert made(1).cache_key(1) == made(1).cache_key(1) != made(2).cache_key(1)

    def scaled(n):
        def inner(x):
            return top(x)[0] * n

        return store.memoize()(inner)

    assert (scaled(2)(3), scaled(3)(3)) == (6, 9)

    lock = threading.Lock()
    with pytest.raises(ValueError, match="pass name="):
        store.memoize()(lambda x: lock)
    assert store.memoize(name="locked")(lambda x: lock.locked())(1) is False


def test_another_function_of_the_same_name(store):
    one, two = {}, {}
    exec("def f(x): return x", {"__name__": "some.module"}, one)
    exec("def f(x): return -x", {"__name__": "some.module"}, two)
    assert (store.memoize()(one["f"])(1), store.memoize()(two["f"])(1)) == (1, -1)


def test_scripts_are_told_apart(tmp_path):
    for number in (1, 2):
        (tmp_path / f"script{number}.py").write_text(
            "from dictsqlite_v4 import DictSQLiteV4\n"
            "db = DictSQLiteV4('m.db')\n"
            "@db.memoize()\n"
            f"def f(): return {number}\n"
            "print(f())\n",
            encoding="utf-8",
        )
    for name, printed in ("script1.py", "1\n"), ("script2.py", "2\n"), ("script1.py", "1\n"):
        done = subprocess.run(
            [sys.executable, name], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        assert done.stdout == printed


# --- recursion: none of these hangs


def run_in_time(function):
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()


def test_endless_recursion(store):
    raised = []

    @store.memoize()
    def one(x):
        return two(x)

    @store.memoize(name="two")
    def two(x):
        return one(x)

    def call():
        try:
            one(1)
        except RecursionError:
            raised.append(1)

    run_in_time(call)
    assert raised == [1]


def test_two_threads_that_would_wait_for_each_other(store):
    meet = threading.Barrier(2)
    results = {}

    @store.memoize(name="one")
    def one():
        if threading.current_thread().name == "first":
            meet.wait(10)
            return two()
        return "within two"

    @store.memoize(name="two")
    def two():
        if threading.current_thread().name == "second":
            meet.wait(10)
            return one()
        return "within one"

    threads = [
        threading.Thread(target=lambda: results.update(one=one()), name="first", daemon=True),
        threading.Thread(target=lambda: results.update(two=two()), name="second", daemon=True),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    # one of them waits for the other, which computes what it asks for itself
    assert set(results) == {"one", "two"} and len(set(results.values())) == 1


def test_endless_recursion_of_coroutines(store):
    @store.memoize(name="one")
    async def one(x):
        return await two(x)

    @store.memoize(name="two")
    async def two(x):
        return await one(x)

    async def main():
        with pytest.raises(RecursionError):
            await asyncio.wait_for(one(1), 30)
        # each is under way when the other asks for it
        results = await asyncio.wait_for(asyncio.gather(one(2), two(2), return_exceptions=True), 30)
        assert {type(result) for result in results} == {RecursionError}

    asyncio.run(main())


def test_a_keyboard_interrupt_is_its_threads_alone(store):
    begun, go_on = threading.Event(), threading.Event()
    results = []

    @store.memoize(name="f")
    def function(x):
        if not begun.is_set():
            begun.set()
            go_on.wait(30)
            raise KeyboardInterrupt
        return x

    def interrupted():
        with pytest.raises(KeyboardInterrupt):
            function(1)

    first = threading.Thread(target=interrupted)
    first.start()
    begun.wait(30)
    second = threading.Thread(target=lambda: results.append(function(1)))
    second.start()
    time.sleep(0.05)
    go_on.set()
    first.join()
    second.join()
    assert results == [1]


def test_those_that_wait_get_objects_of_their_own(store):
    begun = threading.Event()

    @store.memoize(name="f")
    def function():
        begun.set()
        time.sleep(0.1)
        return []

    results = []
    threads = [threading.Thread(target=lambda: results.append(function())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, results))) == 3


# --- coroutines


def test_the_loop_does_not_wait_for_the_disk(open_store, path, monkeypatch):
    db = open_store(persist_mode="writethrough")

    @db.memoize(name="f")
    async def function(x):
        return x

    loops_thread = threading.get_ident()
    native_set = type(db).set
    threads = []

    def watched(self, *args, **kwargs):
        threads.append(threading.get_ident())
        return native_set(self, *args, **kwargs)

    monkeypatch.setattr(type(db), "set", watched)
    assert asyncio.run(function(1)) == 1
    assert threads and loops_thread not in threads


def test_an_asynchronous_store_has_it(path):
    async def main():
        calls = []
        async with AsyncDictSQLite(path) as db:
            @db.memoize(expire=60, name="f")
            async def function(x, y=2):
                calls.append(x)
                return [x, y]

            assert await asyncio.gather(*(function(i % 3) for i in range(30))) == [
                [i % 3, 2] for i in range(30)
            ]
            assert await function(x=1, y=2) == [1, 2] and sorted(calls) == [0, 1, 2]
            info = await function.cache_info()
            assert info.hits + info.misses == 31 and info.currsize == 3
            await function.cache_clear()
            assert await db.len_async() == 0
            assert await function(1) == [1, 2] and len(calls) == 4
            with pytest.raises(TypeError, match="coroutine functions"):
                db.memoize()(top)

    asyncio.run(main())
