# test_servers_histories.py - what clients of a server see of each other, call by call
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from conftest import LONG, SECONDS, rounds, seed
from histories import KEYS, NEVER, find_unexplained, run_clients

from dictsqlite_v4 import DictSQLiteV4

sys.path.insert(0, str(Path(__file__).parents[1]))
from server_fixture import new_name, running, sql  # noqa: E402, F401

LENGTH = 5 if LONG or SECONDS else 2  # of a round, in seconds
N_ROUNDS = 20 if LONG else 1
DEADLINE = 120 + 10 * LENGTH


def calls_of(text):
    """'set 1 @0-5' is a call of set(1) that returned None, 'get=1 @6-9' one of get() that returned
    1; what is behind the @ is when."""
    for one in text.split(";"):
        said, times = one.split("@")
        verb, *arguments = said.split()
        verb, _, told = verb.partition("=")
        begun, ended = map(int, times.split("-"))
        yield "a", verb, tuple(map(int, arguments)), eval(told or "None"), begun, ended


@pytest.mark.parametrize("text", [
    "get=None @0-1",
    "set 1 @0-9; get=1 @1-2; get=1 @3-4",
    "set 1 @0-9; get=None @1-2; get=1 @3-4",
    "set 1 @0-9; set 2 @0-9; get=2 @10-11",
    "set 1 @0-9; set 2 @0-9; get=1 @10-11; get=1 @12-13",
    "set 1 @0-5; get=None @5-6",  # at the same time is no order
    "incr=1 @0-9; incr=2 @0-9; incr=3 @1-2",
    "set 1 @0-1; delete=True @2-9; delete=False @2-9",
    "set 1 @0-1; compare_and_set=True 1 2 @2-9; compare_and_set=False 1 3 @2-9; get=2 @10-11",
])
def test_a_history_that_can_be_is_let_pass(text):
    assert find_unexplained(list(calls_of(text))) is None


@pytest.mark.parametrize("text", [
    "get=1 @0-1",
    "set 1 @0-1; get=None @2-3",
    "set 1 @0-1; set 2 @2-3; get=1 @4-5",
    "set 1 @0-9; get=1 @1-2; get=None @3-4",
    "set 1 @0-9; set 2 @0-9; get=1 @10-11; get=2 @12-13",
    "incr=1 @0-9; incr=1 @0-9",
    "incr=1 @0-1; incr=3 @2-9; get=2 @10-11",
    "set 1 @0-1; delete=True @2-9; delete=True @2-9",
    "set 1 @0-1; compare_and_set=True 1 2 @2-9; compare_and_set=True 1 3 @2-9",
    "set 1 @0-1; compare_and_set=False 1 2 @2-9",
])
def test_a_history_that_cannot_be_is_found(text):
    assert find_unexplained(list(calls_of(text))) is not None


def end_connections(running):
    """Now and then, until the clients are all but done."""
    until = time.monotonic() + LENGTH
    while time.monotonic() < until:
        time.sleep(0.05)
        sql(running, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                     " WHERE application_name = 'dictsqlite' ORDER BY random() LIMIT 1")


@pytest.mark.parametrize("n_clients, n_threads, is_cut", [
    (2, 1, False), (8, 1, False), (2, 4, False), (8, 1, True)])
def test_single_keys_are_linearizable(running, n_clients, n_threads, is_cut):
    first = seed(1)
    n_calls = 0
    for number in rounds(N_ROUNDS, "rounds"):
        address = f"{running.address}&max_staleness=0&table={new_name()}"
        told = run_clients([{"address": address, "name": name, "next_call": "any_call",
                             "seed": first + number, "seconds": LENGTH, "n_threads": n_threads}
                            for name in range(n_clients)], DEADLINE,
                           (lambda: end_connections(running)) if is_cut else None)
        calls = [call for one in told for call in one]
        end = max(call[5] for call in calls if call[5] != NEVER)
        with DictSQLiteV4(address) as store:
            calls += [(key, "get", (), store.get(key), end + 1, end + 2) for key in KEYS]
        for key in KEYS:
            of_key = [call for call in calls if call[0] == key]
            call = find_unexplained(of_key)
            assert call is None, (call, [other for other in of_key
                                         if call[4] - 10**8 < other[5] and other[4] <= call[5]])
        n_calls += len(calls)
    sys.stdout.write(f"reached {n_calls} calls\n")


def test_increments_of_eight_clients_are_exact(running):
    address = f"{running.address}&table={new_name()}"
    told = run_clients([{"address": address, "name": name, "next_call": "an_increment",
                         "seconds": DEADLINE, "limit": 1000 if LONG else 50}
                        for name in range(8)], DEADLINE)
    sums = [[call[3] for call in one] for one in told]
    assert all(one == sorted(one) for one in sums)
    assert sorted(sum(sums, [])) == list(range(1, len(sum(sums, [])) + 1))
    assert [len(one) for one in sums] == [1000 if LONG else 50] * 8
    with DictSQLiteV4(address) as store:
        assert store["a"] == len(sum(sums, []))


def test_no_read_is_of_what_was_overwritten_too_long_ago(running):
    """By one that listens, and two that do not."""
    readers = ({}, {"enable_async": False}, {"near_capacity": 0, "enable_async": False})
    for _ in rounds(N_ROUNDS, "rounds"):
        address = f"{running.address}&max_staleness=300&table={new_name()}"
        writes, *reads = run_clients(
            [{"address": address, "name": 0, "next_call": "a_write", "seconds": LENGTH}] + [
                {"address": address, "name": name, "next_call": "a_read", "seconds": LENGTH,
                 "parameters": parameters} for name, parameters in enumerate(readers, 1)],
            DEADLINE)
        # of each value, when at the latest what was there before it no longer was
        ends = {(key, arguments[0]): ended for key, _, arguments, _, _, ended in writes}
        for key, _, _, value, begun, ended in (call for one in reads for call in one):
            following = KEYS.index(key) if value is None else value + len(KEYS)
            overwritten = ends.get((key, following), ended)
            assert overwritten >= begun - 300_000_000, (key, value, begun - overwritten)
