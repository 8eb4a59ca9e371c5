# test_memoize.py - results of functions that outlive the process
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import asyncio
import datetime
import inspect
import threading
import time

import pytest
from opcodes import raise_at

from dictsqlite_v4 import _flights


class Calls(list):
    """A function's calls."""

    def function(self, result=lambda *args, **kwargs: (args, kwargs)):
        def counted(*args, **kwargs):
            self.append((args, kwargs))
            return result(*args, **kwargs)

        return counted


def test_a_result_is_computed_once(store):
    calls = Calls()
    function = store.memoize()(calls.function())
    assert function(1, "a", b=2) == function(1, "a", b=2) == ((1, "a"), {"b": 2})
    assert len(calls) == 1
    function.cache_clear()
    function(1, "a", b=2)
    assert len(calls) == 2


@pytest.mark.parametrize("result", [None, False, 0, "", [], {"a": [1]}])
def test_any_result(store, result):
    calls = Calls()
    function = store.memoize()(calls.function(lambda: result))
    assert function() == function() == result and len(calls) == 1


def test_arguments_are_told_apart(store):
    calls = Calls()
    function = store.memoize()(calls.function(lambda *args, **kwargs: len(calls)))
    arguments = [
        ((), {}), ((1,), {}), ((1.0,), {}), ((True,), {}), (("1",), {}), ((b"1",), {}),
        ((None,), {}), ((1, 2), {}), (((1, 2),), {}), (((1.0, 2),), {}), ((), {"a": 1}),
        ((), {"b": 1}), ((("a", 1),), {}), ((0.0,), {}), ((-0.0,), {}), ((float("nan"),), {}),
        ((datetime.date(2020, 1, 1),), {}), ((datetime.date(2020, 1, 2),), {}),
        ((10**30,), {}), ((frozenset({1}),), {}), (("\ud7ff",), {}), ((((),),), {}), (((),), {}),
    ]
    results = [function(*args, **kwargs) for args, kwargs in arguments]
    assert results == list(range(1, len(arguments) + 1))
    assert [function(*args, **kwargs) for args, kwargs in arguments] == results
    assert function(a=1, b=2) == function(b=2, a=1)
    for wrong in (threading.Lock(), [threading.Lock()], (value for value in ())):
        with pytest.raises(TypeError, match="pass key="):
            function(wrong)


def test_functions_are_told_apart(store):
    first = store.memoize(name="first")(lambda: 1)
    second = store.memoize(name="second")(lambda: 2)
    assert (first(), second()) == (1, 2)
    first.cache_clear()
    assert store.get(second.cache_key()) == 2 and first.cache_key() not in store


def test_the_users_keys_are_not_touched(store):
    store.update({"dictsqlite.memoize": 1, ("dictsqlite.memoize",): 2})
    function = store.memoize()(lambda: 3)
    function()
    assert len(store) == 3
    function.cache_clear()
    assert dict(store) == {"dictsqlite.memoize": 1, ("dictsqlite.memoize",): 2}


def test_the_decorated_function_is_as_it_was(store):
    @store.memoize()
    def documented(a: int, b: str = "x") -> None:
        """What it says."""

    assert documented.__name__ == "documented" and documented.__doc__ == "What it says."
    assert str(inspect.signature(documented.__wrapped__)) == "(a: 'int', b: 'str' = 'x') -> 'None'"
    assert not inspect.iscoroutinefunction(documented)
    key = documented.cache_key(1)
    assert key[0] == "dictsqlite.memoize"
    assert key[1].startswith(f"{__name__}.{documented.__qualname__}#")


def test_wrong_parameters(store):
    with pytest.raises(TypeError, match="parentheses"):
        store.memoize(lambda: 1)
    for wrong in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="expire"):
            store.memoize(wrong)


def test_results_expire(store):
    calls = Calls()
    function = store.memoize(expire=0.1)(calls.function(lambda: len(calls)))
    assert function() == function() == 1
    time.sleep(0.15)
    assert function() == 2


def test_another_process_has_the_results(open_store, file_mode):
    calls = Calls()
    with open_store(persist_mode=file_mode) as store:
        store.memoize(name="f")(calls.function(lambda a: a + 1))(1)
    with open_store(persist_mode=file_mode) as store:
        assert store.memoize(name="f")(calls.function(lambda a: a + 1))(1) == 2
    assert len(calls) == 1


def test_threads_that_wait_share_one_computation(store):
    calls = Calls()
    begun, go_on = threading.Event(), threading.Event()

    def slow(argument):
        begun.set()
        assert go_on.wait(30)
        return argument

    function = store.memoize(name="slow")(calls.function(slow))
    results = []
    threads = [threading.Thread(target=lambda: results.append(function(7))) for _ in range(10)]
    threads[0].start()
    assert begun.wait(30)
    for thread in threads[1:]:
        thread.start()
    time.sleep(0.05)
    go_on.set()
    for thread in threads:
        thread.join()
    assert results == [7] * 10 and len(calls) == 1


def test_what_is_raised_is_not_kept(store):
    calls = Calls()

    def fail():
        raise LookupError("no")

    function = store.memoize()(calls.function(fail))
    for n_calls in (1, 2):
        with pytest.raises(LookupError):
            function()
        assert len(calls) == n_calls
    assert len(store) == 0


def test_threads_that_wait_raise_the_same(store):
    begun, go_on = threading.Event(), threading.Event()
    errors = []

    @store.memoize(name="fail")
    def fail():
        begun.set()
        assert go_on.wait(30)
        raise LookupError("no")

    def call():
        try:
            fail()
        except LookupError as error:
            errors.append(error)

    threads = [threading.Thread(target=call) for _ in range(3)]
    threads[0].start()
    assert begun.wait(30)
    for thread in threads[1:]:
        thread.start()
    time.sleep(0.05)
    go_on.set()
    for thread in threads:
        thread.join()
    assert len(errors) == 3 and len(set(map(id, errors))) == 1


def test_recursion(store):
    @store.memoize()
    def fibonacci(n):
        return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

    assert fibonacci(50) == 12586269025


def test_coroutines(store):
    calls = Calls()

    async def slow(argument):
        calls.append(argument)
        await asyncio.sleep(0.02)
        return [argument]

    function = store.memoize()(slow)
    assert inspect.iscoroutinefunction(function)

    async def main():
        results = await asyncio.gather(*(function(i % 2) for i in range(100)))
        assert results == [[0], [1]] * 50
        assert await function(1) == [1]
        assert sorted(calls) == [0, 1]

    asyncio.run(main())
    asyncio.run(main())  # in another loop, from the store
    assert function.cache_key(1) in store


def test_a_task_that_is_cancelled_leaves_the_others_waiting(store):
    calls = Calls()

    @store.memoize()
    async def slow():
        calls.append(1)
        await asyncio.sleep(0.05)
        return "done"

    async def main():
        first, second = asyncio.ensure_future(slow()), asyncio.ensure_future(slow())
        await asyncio.sleep(0.01)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await second == "done"

    asyncio.run(main())
    assert len(calls) == 1


def test_tasks_raise_what_the_computation_raises(store):
    calls = Calls()

    @store.memoize()
    async def fail():
        calls.append(1)
        await asyncio.sleep(0.01)
        raise LookupError("no")

    async def main():
        results = await asyncio.gather(fail(), fail(), return_exceptions=True)
        assert [type(result) for result in results] == [LookupError] * 2
        with pytest.raises(LookupError):
            await fail()

    asyncio.run(main())
    assert len(calls) == 2 and len(store) == 0


def test_no_computation_is_left_that_nobody_ends(monkeypatch):
    """Wherever a handler of signals raises: others, and the thread itself, compute anew."""
    monkeypatch.setattr(_flights, "_LOOK", 0.01)
    codes = (_flights.Flights.run.__code__, _flights.Flights._compute.__code__)
    number = n_left = 0
    has_raised = True
    while has_raised:
        number += 1
        flights = _flights.Flights()
        has_raised = raise_at(number, lambda: flights.run("key", lambda: 1),
                              lambda code: code in codes)
        if flights._lock.locked():
            continue  # as it is given back no handler is called
        n_left += bool(flights._running)
        results = []
        if number % 2 == 0:
            assert flights.run("key", lambda: 2) == (2, True)
        thread = threading.Thread(
            target=lambda: results.append(flights.run("key", lambda: 3)), daemon=True)
        thread.start()
        thread.join(30)
        assert results == [(3, True)] and not flights._running
    assert number > 40 and n_left > 0


def test_who_waits_for_long_is_not_taken_for_left(monkeypatch):
    monkeypatch.setattr(_flights, "_LOOK", 0.001)
    flights = _flights.Flights()
    may_end = threading.Event()
    results = []

    def compute():
        may_end.wait(30)
        return 1

    threads = [threading.Thread(target=lambda: results.append(flights.run("key", compute)))
               for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)  # some two hundred looks
    may_end.set()
    for thread in threads:
        thread.join(30)
    assert sorted(results) == [(1, False), (1, False), (1, True)]
