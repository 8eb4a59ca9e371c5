# test_old_log.py - a file that was replaced, beside which the log of the one before has stayed
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import format_fixture
import pytest
from conftest import LONG, python
from format_writer import Writer
from test_beside import CHEAP, describe

from dictsqlite_v4 import DictSQLiteV4, FormatError

ROUNDS = 200 if LONG else 12

KILLED = """
import os, sys
from dictsqlite_v4 import DictSQLiteV4
path, password, first = sys.argv[1], sys.argv[2] or None, int(sys.argv[3])
store = DictSQLiteV4(path, encryption_password=password, kdf_memory=19 << 20, kdf_passes=2)
for i in range(first, first + 10):
    store[f"key {i}"] = "x" * 1000
store.flush()
os._exit(0)
"""
ENDLESS = """
import sys
from dictsqlite_v4 import DictSQLiteV4
path, password, who = sys.argv[1], sys.argv[2] or None, sys.argv[3]
store = DictSQLiteV4(path, encryption_password=password, wal_limit=1 << 20)
i = store.get(who, 0)
while True:
    i += 1
    store.update({who: i, **{f"{who} {(i * 7 + j) % 60}": "x" * 3000 for j in range(i % 40)}})
    store.flush()
    print(i, flush=True)
"""


def kill_after_writing(path, password, first=0):
    """Ten keys, in a log that nobody brought in."""
    python(KILLED, path, password or "", first)
    assert os.path.getsize(f"{path}-wal") > 0


def opened(path, password, **parameters):
    return DictSQLiteV4(path, encryption_password=password, **CHEAP, **parameters)


def older_copy(path, password):
    kept = path.with_name("kept")
    shutil.copy(path, kept)
    with opened(path, password) as store:
        store["later"] = 1
    return kept


def backup(path, password):
    with opened(path, password) as store:
        store.backup(path.with_name("kept"))
    return path.with_name("kept")


def another_store(path, password):
    with opened(path.with_name("kept"), password) as store:
        store["another"] = 1
    return path.with_name("kept")


def another_writers(path, password):
    """A file that lacks the tag."""
    shutil.copy(format_fixture.SEALED_FIXTURE if password else format_fixture.FIXTURE,
                path.with_name("kept"))
    return path.with_name("kept")


REPLACEMENTS = (older_copy, backup, another_store, another_writers)
DOORS = {
    "writing": lambda p, w: opened(p, w).close(),
    "lazy": lambda p, w: opened(p, w, persist_mode="lazy").close(),
    "reading": lambda p, w: opened(p, w, read_only=True).close(),
    "rekey_file": lambda p, w: DictSQLiteV4.rekey_file(p, w, "other"),
}


@pytest.mark.parametrize(
    "door, password",
    [(door, password) for door in DOORS for password in (None, "password")
     if password or door != "rekey_file"])
@pytest.mark.parametrize("replacement", REPLACEMENTS)
def test_an_old_log_never_reaches_a_new_file(path, tmp_path, replacement, password, door):
    opened(path, password).close()
    kept = replacement(path, password)
    kill_after_writing(path, password)
    gone, log = path.with_name("gone"), path.with_name("store.db-wal")
    path.rename(gone)
    shutil.copy(kept, path)
    with contextlib.closing(sqlite3.connect(kept)) as database:
        content = database.execute("SELECT * FROM entry").fetchall()
    if door == "lazy":
        path.with_name("store.db-shm").unlink()
    before = describe(tmp_path)
    with pytest.raises(FormatError) as refused:
        DOORS[door](path, password)
    said = str(refused.value)
    assert f"'{path}-wal'" in said and f"'{path}'" in said and "move the log away" in said
    assert describe(tmp_path) == before

    # each of the two ways that the error names
    log.rename(path.with_name("aside"))
    DOORS[door](path, password)
    if door != "rekey_file":
        with contextlib.closing(sqlite3.connect(path)) as database:
            assert database.execute("SELECT * FROM entry").fetchall() == content
    gone.rename(path)
    path.with_name("aside").rename(log)
    with opened(path, password) as store:
        assert [store[f"key {i}"] for i in range(10)] == ["x" * 1000] * 10


@pytest.mark.parametrize("password", (None, "password"))
def test_a_copy_of_both_goes_on(path, tmp_path, password):
    opened(path, password).close()
    for turn in range(3):
        kill_after_writing(path, password, turn * 10)
        copy = tmp_path / f"copy {turn}"
        shutil.copy(path, copy)
        shutil.copy(f"{path}-wal", f"{copy}-wal")
        for file in (copy, path):
            with opened(file, password) as store:
                assert len(store) == turn * 10 + 10


@pytest.mark.parametrize("password", (None, "password"))
def test_a_state_that_the_log_went_on_from(path, password):
    """The file as it was when the log began: what the log holds is all that it lacks."""
    with opened(path, password) as store:
        store["a"] = 1
    shutil.copy(path, path.with_name("start"))
    kill_after_writing(path, password)
    shutil.copy(path.with_name("start"), path)
    with opened(path, password) as store:
        assert len(store) == 11 and store.check() == []


def test_a_checkpoint_part_way(path):
    """While somebody reads, not all of the log gets into the file."""
    with opened(path, None) as store, contextlib.closing(sqlite3.connect(path)) as reader:
        store["a"] = 1
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM entry").fetchall()
        store["b"] = 2
        python("import sqlite3, sys\n"
               "answer = sqlite3.connect(sys.argv[1]).execute('PRAGMA wal_checkpoint').fetchone()\n"
               "assert 0 < answer[2] < answer[1], answer", path)
        store["c"] = 3
        copy = path.with_name("copy")
        subprocess.run(["cp", path, copy], check=True)
        subprocess.run(["cp", f"{path}-wal", f"{copy}-wal"], check=True)
    with opened(copy, None) as other:
        assert dict(other) == {"a": 1, "b": 2, "c": 3}


def test_a_log_that_is_not_begun_anew(path):
    """Somebody reads from it when all of it is in the file: it goes on, with one more tag."""
    checkpoint = "import sqlite3, sys\n" \
        "answer = sqlite3.connect(sys.argv[1]).execute('PRAGMA wal_checkpoint').fetchone()\n" \
        "assert answer[2] == answer[1], answer"
    with opened(path, None, persist_mode="writethrough") as store:
        store["a"] = 1
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as reader:
            for key in ("b", "c", "d"):
                reader.execute("BEGIN")
                reader.execute("SELECT * FROM entry").fetchall()
                size = os.path.getsize(f"{path}-wal")
                python(checkpoint, path)
                store[key] = 1
                assert os.path.getsize(f"{path}-wal") > size
                copy = path.with_name(f"copy {key}")
                subprocess.run(["cp", path, copy], check=True)
                subprocess.run(["cp", f"{path}-wal", f"{copy}-wal"], check=True)
                with opened(copy, None) as other:
                    assert dict(other) == dict(store)
                reader.execute("COMMIT")


def test_a_kept_file_gets_a_tag(path):
    shutil.copy(format_fixture.FIXTURE, path)

    def tag_length():
        with contextlib.closing(sqlite3.connect(path)) as database:
            return database.execute("SELECT length (header) - 28 FROM store").fetchone()[0]

    assert tag_length() == 0
    with opened(path, None) as store:
        assert list(store.items())[: len(format_fixture.IN_PYTHON)] == format_fixture.IN_PYTHON
    assert tag_length() == 0  # it was only read
    kill_after_writing(path, None)
    os.unlink(f"{path}-shm")
    copy = path.with_name("copy")
    shutil.copy(path, copy)
    shutil.copy(f"{path}-wal", f"{copy}-wal")
    with opened(copy, None) as store:
        assert store["key 9"] == "x" * 1000 and store.check() == []
    with opened(path, None):
        pass
    assert tag_length() == 20
    kill_after_writing(path, None)
    shutil.copy(format_fixture.FIXTURE, path)
    with pytest.raises(FormatError):
        opened(path, None)


# --- other programs -------------------------------------------------------------------------------


def stop_before_closing(work):
    """Run in another process, with `path`, which then dies."""
    return lambda *args: python("import os, sqlite3, sys\n" + work + "\nos._exit(0)", *args)


@pytest.mark.parametrize("password", (None, "password"))
def test_a_log_of_another_program_is_the_files_own(path, password):
    with opened(path, password) as store:
        store.update({i: "x" * 500 for i in range(100)})
    stop_before_closing(
        "d = sqlite3.connect(sys.argv[1]); d.execute('DELETE FROM entry WHERE place % 2');"
        "d.execute('UPDATE tables SET holes = 50, floor = 101'); d.commit()")(path)
    assert os.path.getsize(f"{path}-wal") > 0
    with opened(path, password) as store:
        assert len(store) == 50 and store.check() == []


@pytest.mark.parametrize("password", (None, "password"))
def test_a_copy_that_another_program_restored_is_the_files_own(path, password):
    """Its log begins with another tag, and with a new number of the schema."""
    kept = path.with_name("kept")
    with opened(path, password) as store:
        store["a"] = 1
        store.backup(kept)
        store["b"] = 1
    restore = stop_before_closing(
        "d = sqlite3.connect(sys.argv[1]); s = sqlite3.connect(sys.argv[2]); s.backup(d)")
    for _ in range(3):
        restore(path, kept)
        assert os.path.getsize(f"{path}-wal") > 0
        with opened(path, password) as store:
            assert dict(store) == {"a": 1}
        with opened(path, password) as store:
            store["b"] = 1


def test_a_writer_that_leaves_the_tag_as_it_is(path):
    with opened(path, None) as store:
        store["a"] = 1
    with contextlib.closing(Writer(path)) as writer:
        writer.put("b", 2)
        with opened(path, None) as store:
            assert dict(store) == {"a": 1, "b": 2}
            store["c"] = 3
            writer.put("d", 4)
            copy = path.with_name("copy")
            subprocess.run(["cp", path, copy], check=True)
            subprocess.run(["cp", f"{path}-wal", f"{copy}-wal"], check=True)
            with opened(copy, None) as other:
                assert dict(other) == {"a": 1, "b": 2, "c": 3, "d": 4}


# --- honest files under way -----------------------------------------------------------------------


@pytest.mark.parametrize("password", (None, "password"))
def test_no_kill_has_a_file_refused(path, tmp_path, password):
    """Two processes write, with logs that are soon begun anew, and die at any moment; what they
    leave, and copies of it, open with all that was acknowledged."""
    moment = random.Random(1)
    opened(path, password).close()
    for n in range(ROUNDS):
        children = [
            subprocess.Popen([sys.executable, "-c", ENDLESS, str(path), password or "", who],
                             stdout=subprocess.PIPE, text=True)
            for who in ("one", "two")[: 1 + n % 2]
        ]
        for child in children:
            assert child.stdout.readline()
        time.sleep(moment.uniform(0, 0.3))  # the moment is any
        acknowledged = []
        for child in children:
            child.kill()
            said = child.communicate()[0].split("\n")[:-1]
            assert child.returncode == -signal.SIGKILL
            acknowledged.append(int(said[-1]) if said else 1)
        folder = tmp_path / f"{n}"
        folder.mkdir()
        for suffix in ("", "-wal"):
            if os.path.exists(f"{path}{suffix}"):
                shutil.copy(f"{path}{suffix}", f"{folder}/store.db{suffix}")
        for file in (folder / "store.db", path):
            with opened(file, password, read_only=file == path) as store:
                for who, number in zip(("one", "two"), acknowledged):
                    assert store[who] >= number
        shutil.rmtree(folder)


def test_who_opens_beside_writers_is_not_refused(path):
    with opened(path, None) as store:
        store["a"] = 1
    with contextlib.ExitStack() as stack:
        for who in ("one", "two"):
            child = stack.enter_context(subprocess.Popen(
                [sys.executable, "-c", ENDLESS, str(path), "", who], stdout=subprocess.DEVNULL))
            stack.callback(child.kill)
        end = time.monotonic() + (60 if LONG else 4)
        while time.monotonic() < end:
            with opened(path, None, read_only=True) as store:
                assert store["a"] == 1
            with opened(path, None) as store:
                assert store["a"] == 1
