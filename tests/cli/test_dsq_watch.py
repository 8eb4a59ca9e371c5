# test_dsq_watch.py - dsq watch: the keys that change
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time

import pytest

from dictsqlite_v4 import DictSQLiteV4
from program import DONE, DSQ, FAILED, MISSING, PASSWORD, USAGE, fails

WAIT = 60
ANY = {"any": True}


class Watch:
    """A dsq watch under way."""

    def __init__(self, *words, **options):
        self.process = subprocess.Popen(
            [DSQ, "watch", *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True, bufsize=0, **options)
        self.text = b""

    def has_line(self, seconds):
        deadline = time.monotonic() + seconds
        while b"\n" not in self.text:
            ready, _, _ = select.select([self.process.stdout], [], [],
                                        max(0, deadline - time.monotonic()))
            if not ready:
                return False
            some = os.read(self.process.stdout.fileno(), 65536)
            assert some, self.process.communicate()
            self.text += some
        return True

    def line(self):
        assert self.has_line(WAIT), "nothing was told"
        line, self.text = self.text.split(b"\n", 1)
        return json.loads(line)

    def until(self, key):
        """The lines up to the one of that key, or that of all keys."""
        lines = [self.line()]
        while lines[-1] not in (key, ANY):
            lines.append(self.line())
        return lines

    def begin(self, db, key="begin"):
        """Returns when it tells of changes."""
        for i in range(100 * WAIT):
            db[key] = i
            db.flush()
            if self.has_line(0.02):
                break
        db[key] = "end"
        db.flush()
        time.sleep(0.1)
        while self.has_line(0.2):
            self.line()

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=WAIT)
        return self.process.returncode, out, err


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


@pytest.fixture
def db(path):
    with DictSQLiteV4(path) as db:
        yield db


def test_keys_of_each_kind_are_told(db, path):
    watch = Watch(path)
    watch.begin(db)
    keys = {"k": "k", "\n\"": "\n\"", 7: 7, (1, "a"): [1, "a"], b"\0": {"bytes": "AA=="}}
    for key, shown in keys.items():
        db[key] = 1
        assert watch.until(shown)[-1] in (shown, ANY)
    db.clear()
    assert watch.until(ANY)
    status, _, err = watch.end()
    assert status in (-signal.SIGTERM, 128 + signal.SIGTERM) and err == b"dsq: interrupted\n"


def test_a_prefix_and_a_table(db, path):
    table = db.table("table")
    watch = Watch(path, "--table", "table", "--prefix", "us")
    watch.begin(table, "us")
    for i in range(20):
        db[f"us{i}"] = i
        table[f"other{i}"] = i
        table[f"us{i}"] = i
        lines = watch.until(f"us{i}")
        assert all(line == ANY or line.startswith("us") for line in lines)
    db.drop_table("table")
    assert watch.until(ANY)
    out, err = watch.process.communicate(timeout=WAIT)
    assert (watch.process.returncode, out, err) == (DONE, b"", b"")


def test_a_file_that_others_open_later(db, path):
    db["k"] = 1
    db.close()
    watch = Watch(path)
    for i in range(10):
        with DictSQLiteV4(path) as later:
            later["begin"] = i
        if watch.has_line(0.5):
            break
    assert watch.until("begin")
    watch.end()


def test_an_encrypted_file(path):
    with DictSQLiteV4(path, encryption_password="secret", kdf_memory=19 << 20,
                      kdf_passes=2) as db:
        db["k"] = 1
        watch = Watch(path, "--password-env", "WORD", env={**os.environ, "WORD": "secret"})
        watch.begin(db)
        db["secret key"] = 1
        assert watch.until("secret key")
        watch.end()
    fails(PASSWORD, "watch", path, "--password-env", "WORD", env={"WORD": "other"})


def test_who_reads_may_go(db, path):
    watch = Watch(path)
    watch.begin(db)
    watch.process.stdout.close()
    deadline = time.monotonic() + WAIT
    while watch.process.poll() is None and time.monotonic() < deadline:
        db["k"] = time.monotonic()
        time.sleep(0.01)
    assert watch.process.returncode not in (None, DONE)
    watch.process.stdout = None
    watch.process.communicate()


def test_wrong_calls(db, path, tmp_path):
    fails(USAGE, "watch")
    fails(USAGE, "watch", path, "--prefix", b"\xff", says="UTF-8")
    fails(MISSING, "watch", path, "--table", "none")
    fails(FAILED, "watch", tmp_path / "none.db")
    assert not (tmp_path / "none.db").exists()
