# test_fork.py - a store that a child inherits by fork is not its to use
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import os

import pytest
from conftest import python
from operations import ANY_OPERATION

EVERY_CALL = {
    **ANY_OPERATION,
    "flush": lambda store: store.flush(),
    "close": lambda store: store.close(),
}


def in_child(work):
    """What work() gives, a str, in a child made by fork that ends at once."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, work().encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, encoding="utf-8") as answer:
        text = answer.read()
    assert os.waitpid(child, 0)[1] == 0
    return text


def test_every_call_in_the_child_is_an_error(open_store, mode):
    store = open_store(persist_mode=mode, hot_capacity=2)
    store.update({f"k{i}": i for i in range(100)})

    def call_everything():
        wrong = []
        for name, operation in EVERY_CALL.items():
            try:
                operation(store)
            except RuntimeError as error:
                if str(error) != "store is closed":
                    continue
                wrong.append(f"{name}: {error}")
            except BaseException as error:
                wrong.append(f"{name}: {error!r}")
            else:
                wrong.append(name)
        repr(store)
        return "; ".join(wrong) or "all are errors"

    assert in_child(call_everything) == "all are errors"
    store["after"] = 1
    assert len(store) == 101 and store["k0"] == 0
    store.flush()
    if mode != "memory":
        store.close()
        assert len(open_store(persist_mode=mode)) == 101


def test_a_child_may_open_a_store_of_its_own(open_store, file_mode, path):
    store = open_store(persist_mode=file_mode)
    store["parent"] = 1
    store.flush()

    def work():
        with open_store(persist_mode=file_mode) as own:
            own["child"] = own["parent"] + 1
        return "written"

    assert in_child(work) == "written"
    assert store["child"] == 2
    assert dict(store) == {"parent": 1, "child": 2}


@pytest.mark.parametrize(
    "ending", ("sys.exit()", "os._exit(0)", "del store; gc.collect(); sys.exit()")
)
def test_the_childs_end_does_not_disturb(path, file_mode, ending):
    ended = python(
        "import gc, os, sys\n"
        "from dictsqlite_v4 import DictSQLiteV4\n"
        "store = DictSQLiteV4(sys.argv[1], persist_mode=sys.argv[2], flush_interval=0.01)\n"
        "store.update({f'k{i}': i for i in range(1000)})\n"
        "for round in range(3):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        f"        {ending}\n"
        "    store[f'round{round}'] = round\n"
        "    assert os.waitpid(child, 0)[1] == 0\n"
        "    store[f'after{round}'] = round\n"
        "store.close()\n"
        "with DictSQLiteV4(sys.argv[1]) as store:\n"
        "    assert len(store) == 1006\n"
        "    print(store['after2'])\n",
        path,
        file_mode,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "2\n", "")
