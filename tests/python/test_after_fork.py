# test_after_fork.py - stores that a child of fork() opens anew
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import os
import threading
import traceback

import pytest

from dictsqlite_v4 import AsyncDictSQLite


def in_child(function):
    """Run a function in a child; whether it returned."""
    child = os.fork()
    if child == 0:
        try:
            function()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_it_is_an_error_unless_asked_for(open_store):
    store = open_store()

    def child():
        with pytest.raises(RuntimeError, match="fork"):
            store["a"] = 1

    assert in_child(child) == 0


def test_a_child_has_a_store_of_its_own(open_store, file_mode):
    store = open_store(persist_mode=file_mode, after_fork="reopen")
    table = store.table("t")
    store["parent"] = "x"
    table["parent"] = [1]
    store.flush()

    def child():
        assert store["parent"] == "x" and table["parent"] == [1]
        store["child"] = os.getpid()
        table["child"] = 1
        with store.transaction():
            store["in one"] = 1
        assert store.table("t") is table
        store.close()

    for _ in range(2):
        assert in_child(child) == 0
    assert store["child"] != os.getpid() and table["child"] == 1 and store["in one"] == 1
    store["after"] = 1
    assert store["after"] == 1


def test_a_child_of_a_child(open_store):
    store = open_store(after_fork="reopen")

    def grandchild():
        store["grandchild"] = 1

    def child():
        store["child"] = 1
        assert in_child(grandchild) == 0

    assert in_child(child) == 0
    assert dict(store) == {"child": 1, "grandchild": 1}


def test_a_fork_within_a_transaction_and_beside_writers(open_store):
    store = open_store(after_fork="reopen")
    over = threading.Event()

    def write():
        number = 0
        while not over.is_set():
            store["thread", number % 10] = number
            number += 1

    thread = threading.Thread(target=write)
    thread.start()

    def child():
        assert "uncommitted" not in store
        store["child"] = store.get("child", 0) + 1

    try:
        for _ in range(5):
            with store.transaction():
                store["uncommitted"] = 1
                assert in_child(child) == 0
                del store["uncommitted"]
    finally:
        over.set()
        thread.join()
    assert store["child"] == 5


def test_wrong_parameters(open_store, path):
    with pytest.raises(ValueError, match="after_fork"):
        open_store(after_fork="maybe")
    with pytest.raises(ValueError, match="password"):
        open_store(after_fork="reopen", encryption_password="secret")
    with pytest.raises(TypeError, match="after_fork"):
        AsyncDictSQLite(path, after_fork="reopen")
