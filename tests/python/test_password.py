# test_password.py - after a change of the password the old one opens nothing that is on the disk
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import contextlib
import errno
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import pytest
from conftest import LONG
from test_hostile_files import put

from dictsqlite_v4 import ConflictError, DictSQLiteV4, WrongPasswordError
from dictsqlite_v4._dsq import NativeGError, as_bytes, new_cancellable

CHEAP = {"kdf_memory": 19 << 20, "kdf_passes": 2}


def opened(path, password, **parameters):
    return DictSQLiteV4(path, encryption_password=password, **{**CHEAP, **parameters})


def opens(path, password):
    try:
        opened(path, password).close()
    except WrongPasswordError:
        return False
    return True


def header(path):
    with contextlib.closing(sqlite3.connect(path)) as database:
        ((found,),) = database.execute("SELECT header FROM store")
    return found


def secrets(found):
    """What of a header an old password opens: its salt, and the beginning of the sealed key."""
    return found[40:56], found[56:88]


def copy(path, folder):
    """What a thief copies: every file, and the main file alone. By another process, since whoever
    closes a file that it has open as a store loses all locks on it."""
    folder.mkdir()
    whole = folder / "whole"
    whole.mkdir()
    files = [file for file in path.parent.iterdir() if file.is_file()]
    subprocess.run(
        ["cp", *(file for file in files if not file.name.endswith("-shm")), whole], check=True
    )
    alone = folder / "alone.db"
    subprocess.run(["cp", path, alone], check=True)
    return [whole / path.name, alone]


@pytest.mark.parametrize("parameters", [
    {}, {"persist_mode": "lazy"}, {"enable_async": False}, {"durability": "full"},
], ids=str)
def test_nothing_of_older_headers_is_left(path, tmp_path, parameters):
    passwords = [f"password {i}" for i in range(4)]
    with opened(path, passwords[0], **parameters) as store:
        found = [header(path)]
        for n, (old, new) in enumerate(zip(passwords, passwords[1:])):
            store.update({f"key {i}": "x" * 500 for i in range(300)})
            store.change_password(old, new)
            found.append(header(path))
            assert len(set(found)) == n + 2
            for stolen in copy(path, tmp_path / str(n)):
                assert opens(stolen, new)
                for other in passwords[: n + 1]:
                    assert not opens(stolen, other), (stolen, other)
            on_disk = b"".join(
                file.read_bytes() for file in path.parent.iterdir() if file.is_file()
            )
            for old_header in found[:-1]:
                for secret in secrets(old_header):
                    assert secret not in on_disk
            for secret in secrets(found[-1]):
                assert secret in on_disk
        assert len(store) == 300
        store["more"] = 1
    with opened(path, passwords[-1]) as store:
        assert len(store) == 301


def test_no_part_of_the_log_brings_the_old_one_back(path, tmp_path):
    with opened(path, "old") as store:
        store.update({i: "x" * 300 for i in range(100)})
        store.change_password("old", "between")
        store.update({i: "y" * 300 for i in range(100)})
        store.change_password("between", "new")
        store.update({i: "z" * 300 for i in range(100)})
        store.flush()
        main, log = path.read_bytes(), path.with_name(path.name + "-wal").read_bytes()
    stolen = tmp_path / "stolen.db"
    for end in range(0, len(log) + 1, 4096 + 24):
        stolen.write_bytes(main)
        (tmp_path / "stolen.db-wal").write_bytes(log[: 32 + end])
        assert not opens(stolen, "old") and not opens(stolen, "between") and opens(stolen, "new")
        for file in tmp_path.glob("stolen.db*"):
            file.unlink()


READER = """
import sys
from dictsqlite_v4 import DictSQLiteV4
with DictSQLiteV4(sys.argv[1], encryption_password="old") as store:
    print(len(store), flush=True)
    for line in sys.stdin:
        print(store["key"], store.get("missing"), sum(1 for _ in store.items()), flush=True)
"""


def test_while_another_process_has_it_open(path):
    with opened(path, "old") as store:
        store["key"] = 1
        with subprocess.Popen([sys.executable, "-c", READER, path], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True, bufsize=1) as other:
            def ask():
                other.stdin.write("\n")
                other.stdin.flush()
                return other.stdout.readline()

            assert other.stdout.readline() == "1\n"
            for old, new in (("old", "new"), ("new", "newer")):
                for _ in range(5):
                    assert ask() == "1 None 1\n"
                store.change_password(old, new)
                assert ask() == "1 None 1\n"
                for stolen in copy(path, path.parent / new):
                    assert not opens(stolen, old) and opens(stolen, new)
            other.stdin.close()
            assert other.wait(30) == 0


@contextlib.contextmanager
def reading(path):
    """A transaction of another program that reads, and so keeps the log as it is."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("BEGIN")
    database.execute("SELECT count(*) FROM entry").fetchone()
    yield
    database.execute("ROLLBACK")
    database.close()


def test_of_two_who_change_it_at_once_one_does(path):
    for _ in range(3):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        stores = [opened(path, "password"), opened(path, "password")]
        start, told = threading.Barrier(2), [None, None]

        def change(i, stores=stores, start=start, told=told):
            start.wait(60)
            try:
                stores[i].change_password("password", f"password {i}")
            except (ConflictError, WrongPasswordError) as error:  # it had been changed before
                told[i] = error

        threads = [threading.Thread(target=change, args=(i,)) for i in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        for store in stores:
            store.close()
        assert told.count(None) == 1
        assert [opens(path, f"password {i}") for i in range(2)] == [e is None for e in told]
        assert not opens(path, "password")
        for error in filter(None, told):
            assert "password" in str(error)


def test_who_reads_all_the_while_is_told_of(path, tmp_path):
    with opened(path, "old", busy_timeout=0.3) as store:
        store["key"] = 1
        with reading(path):
            started = time.monotonic()
            with pytest.raises(OSError, match="the old one may still open it") as raised:
                store.change_password("old", "new")
            assert raised.value.errno == errno.EBUSY and time.monotonic() - started < 10
            store["more"] = 2  # nothing is held
            with pytest.raises(WrongPasswordError):
                store.change_password("old", "new")
        store.change_password("new", "new")
        for stolen in copy(path, tmp_path / "stolen"):
            assert opens(stolen, "new") and not opens(stolen, "old")


def test_who_reads_for_a_while_is_waited_for(path, tmp_path):
    program = (
        "import sqlite3, sys, time\n"
        "database = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "database.execute('BEGIN')\n"
        "database.execute('SELECT count(*) FROM entry').fetchone()\n"
        "print(flush=True)\n"
        "time.sleep(1)\n"
    )
    with opened(path, "old") as store:
        store["key"] = 1
        with subprocess.Popen([sys.executable, "-c", program, path],
                              stdout=subprocess.PIPE) as other:
            other.stdout.readline()
            store.change_password("old", "new")
            other.wait(30)
        for stolen in copy(path, tmp_path / "stolen"):
            assert opens(stolen, "new") and not opens(stolen, "old")


CHANGER = """
import sys
from dictsqlite_v4 import DictSQLiteV4
cheap = {"kdf_memory": 19 << 20, "kdf_passes": 2}
names = sys.argv[2:4]
with DictSQLiteV4(sys.argv[1], encryption_password=names[0], **cheap) as store:
    print("open", flush=True)
    while True:
        store["n"] = store.get("n", 0) + 1
        store.change_password(*names)
        names.reverse()
        print("changed", flush=True)
"""


def test_a_kill_leaves_one_password_of_two(path):
    """Killed anywhere within: one of both opens the file, and the other does not."""
    names = ["one", "two"]
    draw = random.Random(6)
    opened(path, "one").close()
    n_changed = n = 0
    for _ in range(15 if not LONG else 200):
        with subprocess.Popen([sys.executable, "-c", CHANGER, path, *names],
                              stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout.readline() == "open\n"
            time.sleep(draw.uniform(0, 0.25))
            os.kill(child.pid, signal.SIGKILL)
            n_changed += child.stdout.read().count("changed")
        which = [opens(path, name) for name in names]
        assert sorted(which) == [False, True], which
        if which[1]:
            names.reverse()
        with opened(path, names[0]) as store:
            assert store.get("n", 0) >= n and store.check() == []
            n = store.get("n", 0)
    assert n_changed > 0


# --- what a try costs -----------------------------------------------------------------------------


def cost(path):
    """Bytes of memory and passes that the header asks for."""
    found = header(path)
    return tuple(int.from_bytes(found[at : at + 4], "little") << shift for at, shift in
                 ((28, 10), (32, 0)))


@pytest.mark.parametrize("of_file, asked, kept", [
    ((96 << 20, 2), (19 << 20, 2), (96 << 20, 2)),
    ((19 << 20, 6), (64 << 20, 3), (64 << 20, 6)),
    ((19 << 20, 2), (32 << 20, 3), (32 << 20, 3)),
], ids=str)
def test_a_try_of_the_next_password_costs_no_less(path, tmp_path, of_file, asked, kept):
    kdf = dict(zip(("kdf_memory", "kdf_passes"), of_file))
    with DictSQLiteV4(path, encryption_password="old", **kdf) as store:
        store["key"] = 1
    with DictSQLiteV4(path, encryption_password="old", kdf_memory=asked[0],
                      kdf_passes=asked[1]) as store:
        assert cost(path) == of_file
        store.encrypt_copy(tmp_path / "copy.db", "password")
        assert cost(tmp_path / "copy.db") == kept
        store.change_password("old", "new")
        assert cost(path) == kept
    DictSQLiteV4.rekey_file(path, "new", "newer")
    assert cost(path) == (max(kept[0], 64 << 20), max(kept[1], 3))
    with DictSQLiteV4(path, encryption_password="newer") as store:
        assert store["key"] == 1


def test_where_both_together_are_beyond_the_limit_the_file_s_stays(path):
    with DictSQLiteV4(path, encryption_password="old", kdf_memory=96 << 20, kdf_passes=2) as store:
        store["key"] = 1
    limit = 200 << 20
    with DictSQLiteV4(path, encryption_password="old", kdf_memory=19 << 20, kdf_passes=8,
                      kdf_limit=limit) as store:
        store.change_password("old", "new")
        assert cost(path) == (96 << 20, 2)
    DictSQLiteV4(path, encryption_password="new", kdf_memory=19 << 20, kdf_passes=2,
                 kdf_limit=limit).close()


def test_what_is_beyond_the_limit_is_refused_before_it_is_paid_for(path, tmp_path):
    with DictSQLiteV4(path, encryption_password="old", kdf_memory=64 << 20, kdf_passes=4) as store:
        store["key"] = 1
    before = path.read_bytes()
    limits = {"kdf_memory": 19 << 20, "kdf_passes": 2, "kdf_limit": (256 << 20) - 1}
    for read_only in (False, True):
        with pytest.raises(ValueError, match="64 MiB x 4 passes.*kdf-limit") as raised:
            DictSQLiteV4(path, encryption_password="old", read_only=read_only, **limits)
        assert not isinstance(raised.value, WrongPasswordError)
    with pytest.raises(ValueError, match="kdf-limit"):
        DictSQLiteV4.rekey_file(path, "old", "new", kdf_limit=limits["kdf_limit"])
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]
    limits["kdf_limit"] += 1
    with DictSQLiteV4(path, encryption_password="old", **limits) as store:
        assert store["key"] == 1
    DictSQLiteV4.rekey_file(path, "old", "new", kdf_limit=limits["kdf_limit"])
    # no password, no derivation
    DictSQLiteV4(tmp_path / "plain.db", kdf_limit=1).close()


def test_the_default_limit_is_a_gibibyte_and_four_passes(path):
    """A file that asks for more within the format's bounds, without one that was paid for."""
    opened(path, "old").close()
    put(28, 1 << 20)(path)
    put(32, 5)(path)
    started = time.monotonic()
    with pytest.raises(ValueError, match="1024 MiB x 5 passes"):
        DictSQLiteV4(path, encryption_password="old")
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("limit", [0, -1, 2**63, 1.5, "4", None])
def test_limits_that_are_none(path, limit):
    with pytest.raises(ValueError, match="kdf_limit"):
        DictSQLiteV4(path, kdf_limit=limit)
    with pytest.raises(ValueError, match="kdf_limit"):
        DictSQLiteV4.rekey_file(path, "old", "new", kdf_limit=limit)


def test_deriving_is_left_at_once(path):
    """By the library's own means, without the thread that the binding has."""
    with DictSQLiteV4(path, encryption_password="old", kdf_memory=64 << 20,
                      kdf_passes=16) as store:
        started = time.monotonic()
        ended = new_cancellable()
        threading.Timer(0.05, ended.cancel).start()
        with pytest.raises(NativeGError, match="cancelled"):
            store._store.change_password(as_bytes(b"old"), as_bytes(b"new"), ended)
        took = time.monotonic() - started
        store["key"] = 1  # it goes on
    started = time.monotonic()
    assert opens(path, "old")
    assert took < (time.monotonic() - started) / 2
