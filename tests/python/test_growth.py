# test_growth.py - calls that are made again and again leave nothing, in each language
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
from conftest import LONG, python
from test_languages import TESTS, build, compiled_c, output  # noqa: F401: build is a fixture

# Of about a dozen calls each: a quarter of a million in the half that is measured.
ROUNDS = 1_000_000 if LONG else 40_000
# What malloc() and collectors of garbage keep is some KiB, whatever the rounds; a GVariant or an
# error that is not freed is a hundred bytes at least.
MOST_KIB = 1536 + ROUNDS // 2 * 32 // 1024

IN_PYTHON = """
import gc, os, sys
from dictsqlite_v4 import DictSQLiteV4

def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024

def call_all(db, i):
    key = f"key {i % 100}"
    db[key] = i
    assert db[key] == i
    db[key] = ["a", i]
    assert db[key] == ["a", i]
    assert db.get("none") is None and key in db
    try:
        del db["none"]
    except KeyError:
        pass
    db.get_many([key, "none"])
    db.incr("count")
    next(iter(db.items()))
    next(db.iter_prefix("key 1"), None)
    db.stats()

rounds = int(sys.argv[2])
with DictSQLiteV4(sys.argv[1], persist_mode="lazy") as db:
    for i in range(rounds):
        if i == rounds // 2:
            before = resident()
        call_all(db, i)
    print(resident() - before)
"""


def test_python(path):
    done = python(IN_PYTHON, path, ROUNDS)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < MOST_KIB


def test_c(build, path, tmp_path):  # noqa: F811
    program = compiled_c(build, tmp_path, "grow.c")
    assert int(output([*program, path, ROUNDS], build)) < MOST_KIB


def test_gjs(build, path):  # noqa: F811
    assert int(output(["gjs", TESTS / "gjs/grow.js", path, ROUNDS], build)) < MOST_KIB


def test_vala(build, path):  # noqa: F811
    program = [sys.executable, TESTS / "vala/run.py", TESTS / "vala/grow.vala", "valac", build]
    assert int(output([*program, path, ROUNDS], build)) < MOST_KIB


@pytest.mark.parametrize("password", (None, "correct horse"))
def test_nothing_of_each_type_is_leaked(build, path, tmp_path, monkeypatch, password):  # noqa: F811
    """share.c writes a value of each type, and reads all of them, under valgrind."""
    if shutil.which("valgrind") is None:
        pytest.skip("there is no valgrind")
    program = compiled_c(build, tmp_path)
    if password is not None:
        monkeypatch.setenv("SHARE_PASSWORD", password)
    monkeypatch.setenv("G_SLICE", "always-malloc")
    watched = ["valgrind", "--quiet", "--leak-check=full", "--errors-for-leak-kinds=definite",
               "--show-leak-kinds=definite", "--error-exitcode=99", "--fair-sched=yes"]
    for readable in ([], ["c"]):
        done = subprocess.run([*watched, *program, path, *readable], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
    assert "c string: 'ключ'" in done.stdout
