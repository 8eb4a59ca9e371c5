# test_processes.py - several processes, on one file and on a file each
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dictsqlite_v4 import DictSQLiteV4


@pytest.fixture
def other_process(path):
    """A process with a store on the same file, which evaluates what it is sent."""
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys\n"
            "from dictsqlite_v4 import DictSQLiteV4\n"
            "with DictSQLiteV4(sys.argv[1], hot_capacity=100) as store:\n"
            "    for line in sys.stdin:\n"
            "        print(repr(eval(line)), flush=True)\n",
            str(path),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:

        def evaluate(expression):
            process.stdin.write(expression + "\n")
            process.stdin.flush()
            return eval(process.stdout.readline())

        yield evaluate
        process.stdin.close()


def test_two_processes_see_each_others_writes(open_store, other_process):
    store = open_store()
    for i in range(100):
        store["shared"] = i
        assert other_process("store['shared']") == i
        other_process(f"store.__setitem__('shared', [{i}])")
        assert store["shared"] == [i]
        other_process(f"store.bulk_insert({{'theirs{i}': {i}, 'mine{i - 1}': 'overwritten'}})")
        store[f"mine{i}"] = i
    assert len(store) == other_process("len(store)") == 202
    assert list(store.items()) == other_process("list(store.items())")
    assert store["mine5"] == "overwritten"
    other_process("store.pop('shared')")
    assert "shared" not in store and store.get("shared") is None
    other_process("store.clear()")
    assert len(store) == 0 and list(store) == []


def test_another_process_sees_lazy_writes_after_a_flush(open_store, other_process):
    store = open_store(persist_mode="lazy", enable_async=False)
    store["a"] = 1
    assert other_process("store.get('a')") is None
    store.flush()
    assert other_process("store.get('a')") == 1


def write_a_file(path, number):
    store = DictSQLiteV4(path, persist_mode="lazy")
    for i in range(1000):
        store[f"item_{i}"] = {"worker": number, "item": i}
    store.flush()
    store.close()


@pytest.mark.parametrize("method", ("fork", "spawn"))
def test_four_processes_with_a_file_each(tmp_path, method):
    context = multiprocessing.get_context(method)
    workers = [
        context.Process(target=write_a_file, args=(str(tmp_path / f"{number}.db"), number))
        for number in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    for number in range(4):
        with DictSQLiteV4(tmp_path / f"{number}.db") as store:
            assert store == {f"item_{i}": {"worker": number, "item": i} for i in range(1000)}


# --- those of the tests -----------------------------------------------------------------------


LEAVING = """
import pathlib, subprocess, sys
def test_one():
    child = subprocess.Popen([sys.executable, "-c", "while True: pass"], stdin=subprocess.PIPE)
    pathlib.Path("child").write_text(str(child.pid))
    assert %s
"""


@pytest.mark.parametrize("outcome", (True, False))
def test_no_test_leaves_a_process(tmp_path, outcome):
    """Whether it fails or not, and one that does not is told."""
    (tmp_path / "test_leaving.py").write_text(LEAVING % outcome)
    folders = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "conftest",
         "--rootdir", tmp_path, "test_leaving.py"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": os.pathsep.join(folders)},
        capture_output=True, text=True, timeout=300, check=False)  # fmt: skip
    assert done.returncode == 1, done.stdout
    assert ("1 passed, 1 error" if outcome else "1 failed, 1 error") in done.stdout
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "child").read_text()), 0)
