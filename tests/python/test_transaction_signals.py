# test_transaction_signals.py - a signal's handler raises somewhere in a transaction
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import random
import signal
import sys
import threading

import pytest
from conftest import LONG
from opcodes import Boom, raise_at

from dictsqlite_v4 import DictSQLiteV4, _transaction


def raise_in_transaction(number, function):
    return raise_at(number, function, lambda code: code.co_filename == _transaction.__file__)


def both(db, value):
    with db.transaction():
        db["a"] = value
        db["b"] = value


def nested(db, value):
    with db.transaction():
        db["a"] = value
        with db.transaction():
            db["b"] = value


def failing(db, value):
    try:
        with db.transaction():
            db["a"] = "never"
            raise KeyError
    except KeyError:
        db["a"] = db["b"] = value


def assert_usable(db, value):
    """No transaction is under way, for this thread or another."""
    def other():
        both(db, value)

    thread = threading.Thread(target=other, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert db["a"] == db["b"] == value
    both(db, -value)
    assert db["a"] == db["b"] == -value


@pytest.mark.parametrize("program", [both, nested, failing])
def test_an_exception_at_each_opcode(open_store, path, mode, program):
    db = open_store(persist_mode=mode)
    both(db, 0)
    # Python 3.12 traces no opcodes the first time
    raise_in_transaction(sys.maxsize, lambda: both(db, 0))
    number = 0
    raised = True
    while raised:
        number += 1
        before = db["a"]
        raised = raise_in_transaction(number, lambda: program(db, number))
        assert db["a"] == db["b"] and db["a"] in (before, number), number
        assert db._store is db._handle and not db._transactions, number
        if number % 50 == 0:
            assert_usable(db, number)
    assert number > 400  # all of them were tried
    assert_usable(db, number)
    if mode != "memory":
        db.close()
        assert open_store(db_path=path)["a"] == -number


def test_who_waits_is_interrupted(open_store):
    """The one that waits gives up; the one that is waited for does not notice."""
    db = open_store(persist_mode="memory")
    db["a"] = db["b"] = 0
    is_in, may_go = threading.Event(), threading.Event()

    def other():
        with db.transaction():
            db["a"] = 1
            is_in.set()
            may_go.wait()
            db["b"] = 1

    def interrupt(*_):
        raise Boom

    thread = threading.Thread(target=other)
    thread.start()
    is_in.wait()
    previous = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(Boom):
            both(db, 2)
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert db["a"] == 0
    may_go.set()
    thread.join()
    assert db["a"] == db["b"] == 1
    assert_usable(db, 3)


def test_alarms_at_random(path):
    is_armed = False

    def interrupt(*_):
        nonlocal is_armed
        if is_armed:
            is_armed = False
            raise Boom

    rng = random.Random(5)
    n_raised = 0
    previous = signal.signal(signal.SIGALRM, interrupt)
    try:
        with DictSQLiteV4(path, persist_mode="lazy", enable_async=False) as db:
            db["a"] = db["b"] = -1
            for i in range(40000 if LONG else 4000):
                try:
                    try:
                        is_armed = True
                        signal.setitimer(signal.ITIMER_REAL, 1e-6 + rng.random() * 9e-5)
                        both(db, i)
                    finally:
                        is_armed = False  # before what is raised can miss the handler
                except Boom:
                    n_raised += 1
                signal.setitimer(signal.ITIMER_REAL, 0)
                assert db["a"] == db["b"], i
            db["later"] = "here"
        with DictSQLiteV4(path) as db:
            assert db["later"] == "here"
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert n_raised > 100
