# test_fork_matrix.py - what a family made by fork has flushed is there, whoever ends first
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ENCRYPTED, python, wait_until
from fork_family import keys_of

from dictsqlite_v4 import DictSQLiteV4

PASSWORD = {"encryption_password": "password", "kdf_memory": 19 << 20, "kdf_passes": 2}
THIRD = """
import sys
from dictsqlite_v4 import DictSQLiteV4
parameters = eval(sys.argv[3])
with DictSQLiteV4(sys.argv[1], enable_async=False, **parameters) as store:
    for i in range(300):
        store[f"third.{sys.argv[2]}.{i}"] = "t" * 400
"""


class Family:
    def __init__(self, folder, path, child_path, **options):
        self.folder, self.encrypted = folder, options["encrypted"]
        arguments = [f"--{name}={value}" for name, value in options.items() if name != "encrypted"]
        if self.encrypted:
            arguments.append("--encrypted")
        program = Path(__file__).with_name("fork_family.py")
        self.parent = subprocess.Popen(
            [sys.executable, "-W", "error", program, folder, path, child_path, *arguments])
        self.children = ["parent" + "-child" * n for n in range(1, options["generations"] + 1)]

    def tell(self, what):
        (self.folder / what).touch()

    def wait_for(self, member, what):
        def has_come():
            for error in self.folder.glob("*.error"):
                raise AssertionError(error.read_text(encoding="utf-8"))
            return (self.folder / f"{member}.{what}").exists()

        wait_until(has_come, 90)


def third_process(path, number, encrypted):
    ended = python(THIRD, path, number, repr(PASSWORD if encrypted else {}))
    assert (ended.returncode, ended.stderr) == (0, "")
    return [f"third.{number}.{i}" for i in range(300)]


def live_through(tmp_path, ending, mode, is_same, threads=0, generations=1, encrypted=False):
    """What a file must hold after the life of a family, and its content: both dicts of lists."""
    path = tmp_path / "store.db"
    child_path = path if is_same else tmp_path / "other.db"
    folder = tmp_path / "said"
    folder.mkdir()
    family = Family(folder, path, child_path, ending=ending, mode=mode, threads=threads,
                    generations=generations, encrypted=encrypted)
    expected = {path: [], child_path: []}
    try:
        for child in family.children:
            family.wait_for(child, "first")
            expected[child_path] += keys_of(child, "first")
        expected[path] += keys_of("parent", "first")
        if ending == "closed":
            family.tell("end")
            family.wait_for("parent", "closed")
        elif ending == "killed":
            family.parent.kill()
        expected[child_path] += third_process(child_path, 1, encrypted)
        family.tell("go")
        for member in family.children + ["parent"] * (ending == "open"):
            family.wait_for(member, "second")
            expected[path if member == "parent" else child_path] += keys_of(member, "second")
        expected[child_path] += third_process(child_path, 2, encrypted)
        family.tell("finish")
        for member in family.children + ["parent"] * (ending == "open"):
            family.wait_for(member, "closed")
    finally:
        family.parent.kill()
        family.parent.wait()
    return expected


def check(expected, encrypted=False):
    for path, keys in expected.items():
        with DictSQLiteV4(path, **(PASSWORD if encrypted else {})) as store:
            content = dict(store)
            assert [key for key in keys if key not in content] == []
            assert all(content[key] == key * 20 for key in keys if not key.startswith("third"))
            assert {key for key in content if not key.startswith("noise")} == set(keys)
            assert store.check() == []


@pytest.mark.parametrize(
    "ending, mode, generations",
    list(itertools.product(("open", "closed", "killed"), ("lazy", "writethrough"), (1, 2))))
def test_stores_on_the_parents_file(tmp_path, ending, mode, generations):
    check(live_through(tmp_path, ending, mode, True, generations=generations))


@pytest.mark.parametrize(
    "ending, mode",
    list(itertools.product(("open", "closed", "killed"), ("lazy", "writethrough"))))
def test_stores_on_the_parents_file_with_threads_inside(tmp_path, ending, mode):
    check(live_through(tmp_path, ending, mode, True, threads=3, generations=2))


@pytest.mark.parametrize(
    "ending, threads", list(itertools.product(("closed", "killed"), (0, 3))))
def test_stores_on_another_file(tmp_path, ending, threads):
    check(live_through(tmp_path, ending, "lazy", False, threads=threads, generations=2))


@pytest.mark.skipif(ENCRYPTED, reason="every store is encrypted already")
@pytest.mark.parametrize("mode", ("lazy", "writethrough"))
def test_encrypted_stores_on_the_parents_file(tmp_path, mode):
    check(live_through(tmp_path, "closed", mode, True, 2, 2, encrypted=True), encrypted=True)


def test_stores_in_memory(tmp_path):
    folder = tmp_path / "said"
    folder.mkdir()
    family = Family(folder, tmp_path / "store.db", tmp_path / "store.db", ending="open",
                    mode="memory", threads=3, generations=2, encrypted=False)
    for what in ("first", "second", "closed"):
        for member in ["parent", *family.children]:
            family.wait_for(member, what)
        family.tell({"first": "go", "second": "finish"}.get(what, "over"))
    assert family.parent.wait() == 0
