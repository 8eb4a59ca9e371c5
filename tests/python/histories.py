# histories.py - what clients of one store were told, and whether it can be
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Run as a program it is a client: histories.py PLAN, a JSON object with what client() takes. It
says "ready", begins when a line comes, and prints the calls that it made: lists of a key, a verb,
its arguments, what it returned, and when it began and ended, in nanoseconds of the monotonic clock,
which is the same for all processes."""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import subprocess
import sys
import threading
import time

from dictsqlite_v4 import DictSQLiteV4, OutcomeUnknownError

KEYS = ("a", "b", "c")
VERBS = ("get", "get", "set", "delete", "incr", "compare_and_set")
UNKNOWN, NEVER = "unknown", 1 << 62


# --- the clients ---


def any_call(chance, first, number, seen):
    """A call of any verb; what it sets is set by no other one."""
    verb, key = chance.choice(VERBS), chance.choice(KEYS)
    fresh = (first + number) * 1000
    arguments = {"set": [fresh], "compare_and_set": [seen.get(key, 0), fresh]}.get(verb, [])
    return key, verb, arguments


def a_read(chance, first, number, seen):
    time.sleep(0.0005)
    return chance.choice(KEYS), "get", []


def a_write(chance, first, number, seen):
    time.sleep(0.01)
    return KEYS[number % len(KEYS)], "set", [number]


def an_increment(chance, first, number, seen):
    return "a", "incr", []


def call_until(store, next_call, chance, first, until, limit, calls):
    seen = {}
    for number in itertools.count():
        if number == limit or time.monotonic() >= until:
            return
        key, verb, arguments = next_call(chance, first, number, seen)
        begun = time.monotonic_ns()
        try:
            told = getattr(store, verb)(key, *arguments)
            ended = time.monotonic_ns()
        except OutcomeUnknownError:
            told, ended = UNKNOWN, NEVER
        except OSError:  # as when a connection is lost: it has not been made
            continue
        if verb in ("get", "incr"):
            seen[key] = told
        calls.append((key, verb, arguments, told, begun, ended))


def client(address, name, next_call, seconds, n_threads=1, limit=None, seed=0, parameters=None):
    """Call for so long, or so often, on each of so many threads."""
    calls, failed = [], []

    def run(number):
        try:
            call_until(store, globals()[next_call], random.Random(f"{seed} {name} {number}"),
                       (name * 100 + number) * 1_000_000, until, limit, calls)
        except BaseException as problem:
            failed.append(problem)

    with DictSQLiteV4(address, persist_mode="writethrough", busy_timeout=60,
                      **parameters or {}) as store:
        print("ready", flush=True)
        sys.stdin.readline()
        until = time.monotonic() + seconds
        threads = [threading.Thread(target=run, args=(number,)) for number in range(n_threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if failed:
        raise failed[0]
    json.dump(calls, sys.stdout)


def run_clients(plans, seconds, meanwhile=None):
    """What each of the clients printed; they are killed where they are not done in so long."""
    command = [sys.executable, "-W", "error", __file__]
    with contextlib.ExitStack() as ending:
        clients = [ending.enter_context(subprocess.Popen(
            [*command, json.dumps(plan)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            for plan in plans]
        killer = threading.Timer(seconds, lambda: [one.kill() for one in clients])
        killer.start()
        ending.callback(lambda: [one.kill() for one in clients])
        ending.callback(killer.cancel)
        assert [one.stdout.readline() for one in clients] == ["ready\n"] * len(clients)
        for one in clients:
            one.stdin.write("\n")
            one.stdin.flush()
        if meanwhile:
            meanwhile()
        told = [one.communicate()[0] for one in clients]
        assert [one.returncode for one in clients] == [0] * len(clients)
    return [[tuple(call) for call in json.loads(one)] for one in told]


# --- the check ---


def step(value, verb, arguments):
    """What a call returns where a key has a value, None for none, and the value that it leaves."""
    if verb == "set":
        return None, arguments[0]
    if verb == "delete":
        return value is not None, None
    if verb == "incr":
        return ((value or 0) + 1,) * 2
    if verb == "compare_and_set":
        is_set = value is not None and value == arguments[0]
        return is_set, arguments[1] if is_set else value
    return value, value


def find_unexplained(calls, value=None):
    """A call of one key that cannot have returned what it did, whatever order the calls had, None
    where there is none. Wing and Gong's search, breadth first: of all ways to have come to a point
    in time, those which have a value and which of the calls under way have been made. The calls of
    each key can be looked at alone, since what is linearizable is so where each object is."""
    events = sorted((call[4 + is_end], is_end, number)
                    for number, call in enumerate(calls) for is_end in (0, 1))
    ways, under_way = {(value, frozenset())}, set()
    for _, is_end, ended in events:
        if not is_end:
            under_way.add(ended)
            continue
        todo, seen, ways = list(ways), set(ways), set()
        while todo:
            value, made = todo.pop()
            if ended in made:
                ways.add((value, made - {ended}))
                continue
            for number in under_way - made:
                told, after = step(value, *calls[number][1:3])
                way = (after, made | {number})
                if calls[number][3] in (told, UNKNOWN) and way not in seen:
                    seen.add(way)
                    todo.append(way)
        under_way.remove(ended)
        if not ways:
            return calls[ended]
    return None


if __name__ == "__main__":
    client(**json.loads(sys.argv[1]))
