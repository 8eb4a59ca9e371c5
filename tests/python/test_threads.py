# test_threads.py - eight threads on one store, counted exactly afterwards
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import threading

import pytest
from conftest import LONG

N_THREADS = 8
N_ROUNDS = 3000 if LONG else 300


def run_in_threads(work):
    """work(number) in each of eight threads that start together; what they raised is raised."""
    barrier = threading.Barrier(N_THREADS)
    errors = []

    def run(number):
        try:
            barrier.wait()
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(N_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@pytest.fixture(params=(3, 1_000_000))
def shared(request, open_store, mode):
    """A store that evicts at once, or never."""
    return open_store(persist_mode=mode, hot_capacity=request.param, flush_interval=0.005)


def test_mixed_operations_with_keys_of_their_own(shared):
    def work(number):
        for i in range(N_ROUNDS):
            key = f"{number}:{i}"
            shared[key] = [number, i]
            assert shared[key] == [number, i]
            if i % 3 == 0:
                del shared[key]
                assert key not in shared
            elif i % 3 == 1:
                assert shared.pop(key) == [number, i]
                assert shared.setdefault(key, "again") == "again"
            if i % 50 == 0:
                batch = {f"{number}:{i}:{j}": j for j in range(10)}
                shared.bulk_insert(batch)
                assert shared.get_many(batch) == batch
                shared.flush()
                assert len(shared) > 0

    run_in_threads(work)
    expected = {}
    for number in range(N_THREADS):
        for i in range(N_ROUNDS):
            if i % 3:
                expected[f"{number}:{i}"] = "again" if i % 3 == 1 else [number, i]
            if i % 50 == 0:
                expected.update({f"{number}:{i}:{j}": j for j in range(10)})
    assert len(shared) == len(expected)
    assert dict(shared) == expected
    shared.flush()
    assert dict(shared) == expected


def test_what_is_taken_is_taken_once(shared):
    shared.bulk_insert({i: i for i in range(N_ROUNDS)})
    taken = [[] for _ in range(N_THREADS)]

    def work(number):
        for i in range(N_ROUNDS):
            if i % 2:
                value = shared.pop(i, None)
                if value is not None:
                    taken[number].append(value)
            else:
                try:
                    taken[number].append(shared.popitem()[1])
                except KeyError:
                    pass

    run_in_threads(work)
    assert sorted(sum(taken, [])) == list(range(N_ROUNDS))
    assert len(shared) == 0 and list(shared) == []


def test_one_default_wins(shared):
    seen = [[] for _ in range(N_THREADS)]

    def work(number):
        for i in range(N_ROUNDS):
            seen[number].append(shared.setdefault(f"k{i}", number))

    run_in_threads(work)
    assert all(values == seen[0] for values in seen)
    assert list(shared.values()) and shared == {f"k{i}": seen[0][i] for i in range(N_ROUNDS)}


def test_a_counter_under_a_lock_is_exact(shared):
    lock = threading.Lock()
    shared["counter"] = 0

    def work(number):
        for _ in range(N_ROUNDS):
            with lock:
                shared["counter"] += 1

    run_in_threads(work)
    assert shared["counter"] == N_THREADS * N_ROUNDS


def test_walks_beside_writers(shared):
    shared.bulk_insert({f"fixed{i}": i for i in range(100)})

    def work(number):
        for i in range(N_ROUNDS // 20):
            if number % 2:
                shared[f"{number}:{i}"] = i
                del shared[f"{number}:{i}"]
                continue
            keys = list(shared)
            assert keys[:100] == [f"fixed{i}" for i in range(100)]
            assert len(set(keys)) == len(keys)

    run_in_threads(work)
    assert list(shared) == [f"fixed{i}" for i in range(100)]


def test_closing_beside_users_ends_them_cleanly(open_store, mode):
    store = open_store(persist_mode=mode, hot_capacity=3)
    store.update({f"k{i}": i for i in range(100)})

    def work(number):
        if number == 0:
            for _ in range(50):
                len(store)
            store.close()
            return
        with pytest.raises(RuntimeError, match="^store is closed$"):
            while True:
                store[f"k{number}"] = number
                assert store[f"k{number}"] == number
                store.get_many([f"k{i}" for i in range(20)])

    run_in_threads(work)
    assert store.closed
