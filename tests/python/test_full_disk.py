# test_full_disk.py - media without room, files that may not grow, too many open files
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import contextlib
import errno
import os
import subprocess

import pytest
from conftest import python

from dictsqlite_v4 import DictSQLiteV4

CHEAP = {"kdf_memory": 19 << 20, "kdf_passes": 2}


@pytest.fixture
def disk(request, tmp_path):
    """A file system of 16 MiB, with what options are asked for besides."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ",".join(["size=16m", "mode=755", *filter(None, [getattr(request, "param", "")])])
    mounting = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mounting, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(folder):
    with open(folder / "filled", "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


def free(folder):
    (folder / "filled").unlink()


# --- reading --------------------------------------------------------------------------------------


@pytest.mark.parametrize("password", (None, "pw"))
def test_a_full_disk_keeps_nobody_from_reading(disk, password):
    path = disk / "store.db"
    parameters = {"encryption_password": password, **CHEAP}
    with DictSQLiteV4(path, **parameters) as store:
        store.update({f"key {i}": i for i in range(1000)})
    fill(disk)
    before = path.read_bytes()
    with DictSQLiteV4(path, read_only=True, **parameters) as store:
        assert dict(store) == {f"key {i}": i for i in range(1000)} and store["key 7"] == 7
        assert store.check() == [] and len(store) == 1000
        with pytest.raises(OSError) as refused:
            store["key 7"] = 8
        assert refused.value.errno == errno.EROFS
    assert sorted(os.listdir(disk)) == ["filled", "store.db"] and path.read_bytes() == before


def test_who_reads_so_is_told_when_others_come(disk):
    path = disk / "store.db"
    with DictSQLiteV4(path) as store:
        store.update({f"key {i}": i for i in range(1000)})
    fill(disk)
    reader = DictSQLiteV4(path, read_only=True, hot_capacity=1, warm_capacity=0)
    assert reader["key 7"] == 7 and reader["key 9"] == 9
    free(disk)
    code = ("import sys; from dictsqlite_v4 import DictSQLiteV4\n"
            "with DictSQLiteV4(sys.argv[1]) as store: store['key 7'] = 'other'")
    python(code, path)
    for read in (lambda: reader["key 7"], lambda: list(reader.items()), lambda: reader["key 11"]):
        with pytest.raises(OSError, match="open it again") as told:
            read()
        assert told.value.errno == errno.EIO
    reader.close()
    with DictSQLiteV4(path, read_only=True) as reader:
        assert reader["key 7"] == "other"


def test_a_log_takes_room_to_be_read(disk):
    path = disk / "store.db"
    python("import os, sys; from dictsqlite_v4 import DictSQLiteV4\n"
           "store = DictSQLiteV4(sys.argv[1]); store['a'] = 1; store.flush(); os._exit(0)", path)
    (disk / "store.db-shm").unlink()
    fill(disk)
    for read_only in (True, False):
        with pytest.raises(OSError) as refused:
            DictSQLiteV4(path, read_only=read_only)
        assert refused.value.errno == errno.ENOSPC
        assert sorted(os.listdir(disk)) == ["filled", "store.db", "store.db-facts", "store.db-wal"]
    free(disk)
    with DictSQLiteV4(path, read_only=True) as store:
        assert store["a"] == 1


@pytest.mark.parametrize("disk", ["nr_inodes=12"], indirect=True)
def test_a_log_takes_a_file_to_be_written(disk):
    """What is wanting is the room for another file, not a descriptor."""
    path = disk / "store.db"
    with DictSQLiteV4(path) as store:
        store["a"] = 1
    with contextlib.suppress(OSError):
        for i in range(100):
            (disk / f"filled {i}").touch()
    with pytest.raises(OSError) as refused:
        DictSQLiteV4(path)
    assert refused.value.errno == errno.ENOSPC
    (disk / "filled 0").unlink()
    (disk / "filled 1").unlink()
    (disk / "filled 2").unlink()
    with DictSQLiteV4(path) as store:
        assert store["a"] == 1


# --- writing --------------------------------------------------------------------------------------

WRITER = """
import errno, os, resource, sys, warnings
from dictsqlite_v4 import DictSQLiteV4
folder, mode, background = sys.argv[1], sys.argv[2], sys.argv[3] == "1"
password = sys.argv[4] or None
expected = int(sys.argv[5])
path = folder + "/store.db"
parameters = dict(persist_mode=mode, enable_async=background, encryption_password=password,
                  kdf_memory=19 << 20, kdf_passes=2, flush_interval=5)

def fill():
    with open(folder + "/filled", "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass

def take_room():
    if expected == errno.ENOSPC:
        fill()
    else:
        size = max(os.path.getsize(path + suffix) for suffix in ("", "-wal"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 8192, resource.RLIM_INFINITY))

def give_room():
    if expected == errno.ENOSPC:
        os.unlink(folder + "/filled")
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)

def fails(call):
    try:
        call()
    except OSError as error:
        assert error.errno == expected, error
        return True
    return False

def write(n):
    for i in range(n, n + 200):
        kept[f"key {i}"] = value = f"{i}" * 30
        try:
            store[f"key {i}"] = value
        except OSError as error:
            assert error.errno == expected, error
            assert mode == "writethrough" and f"key {i}" not in store
            del kept[f"key {i}"]

store, kept = DictSQLiteV4(path, **parameters), {}
write(0)
store.flush()
take_room()
write(1000)
failed = fails(store.flush)
assert failed or len(kept) < 400, "there was room"
assert dict(store) == kept
assert mode == "writethrough" or store.stats()["last_error"]
if expected == errno.EFBIG:
    resource.setrlimit(resource.RLIMIT_FSIZE, (20000, resource.RLIM_INFINITY))
assert fails(lambda: store.backup(folder + "/copy"))
assert not os.path.exists(folder + "/copy")
assert [name for name in os.listdir(folder) if name.endswith(".tmp")] == []
give_room()
store.flush()
assert dict(store) == kept
write(2000)
store.backup(folder + "/copy")
take_room()
for i in range(3000, 3050):
    try:
        store[f"key {i}"] = "y" * 500
        kept[f"key {i}"] = "y" * 500
    except OSError as error:
        assert error.errno == expected, error
try:
    store.close()  # a log that there is no room to bring in stays beside the file
except OSError as error:
    assert error.errno == expected, error
    give_room()
    store.close()
else:
    give_room()
with DictSQLiteV4(path, **parameters) as store:
    assert dict(store) == kept
    assert store.check() == []
"""


@pytest.mark.parametrize("error", (errno.ENOSPC, errno.EFBIG))
@pytest.mark.parametrize("password", ("", "pw"))
@pytest.mark.parametrize("mode, background", [
    ("lazy", 0), ("lazy", 1), ("writethrough", 0), ("writethrough", 1)])
def test_nothing_is_lost_without_room(disk, mode, background, password, error):
    """The error has its number, nothing is printed, and all goes on when there is room again."""
    done = python(WRITER, disk, mode, str(background), password, str(error))
    assert done.stdout == done.stderr == ""


def leave(folder, room):
    fill(folder)
    os.truncate(folder / "filled", os.path.getsize(folder / "filled") - room)


@pytest.mark.parametrize("mode", ("lazy", "writethrough"))
@pytest.mark.parametrize("password", (None, "pw"))
def test_clear_takes_little_room_and_gives_much(disk, mode, password):
    """Also where there are other tables, as long as these are empty."""
    path = disk / "store.db"
    parameters = {"encryption_password": password, **CHEAP}
    with DictSQLiteV4(path, **parameters) as store:
        store.update({f"key {i}": "x" * 100 for i in range(20000)})
        store.table("other").update({"a": 1})
        store.table("other").clear()
    before = os.path.getsize(path)
    assert before > 2 << 20
    leave(disk, 256 << 10)
    with DictSQLiteV4(path, persist_mode=mode, **parameters) as store:
        store.clear()
        store.flush()
        assert len(store) == 0 and "key 7" not in store
        assert os.path.getsize(disk / "store.db-wal") < 192 << 10
    assert os.path.getsize(path) < before / 20
    with DictSQLiteV4(path, **parameters) as store:
        assert len(store) == 0 and store.check() == []


def test_what_there_was_no_room_for_is_not_kept(disk):
    """The log gives back what a transaction that failed has put there, as soon as it has failed."""
    path = disk / "store.db"
    with DictSQLiteV4(path) as store:
        store.update({f"key {i}": "x" * 100 for i in range(20000)})
    store = DictSQLiteV4(path, persist_mode="writethrough", cache_size=1 << 20)
    other = python("import sys; from dictsqlite_v4 import DictSQLiteV4\n"
                   "with DictSQLiteV4(sys.argv[1]) as store: store['other'] = 1", path)
    assert other.stderr == ""
    leave(disk, 1 << 20)
    before = os.path.getsize(disk / "store.db-wal")
    for _ in range(3):
        with pytest.raises(OSError) as refused:
            store.update({f"new {i}": "y" * 100 for i in range(20000)})
        assert refused.value.errno == errno.ENOSPC
        assert os.path.getsize(disk / "store.db-wal") <= before
        assert store["other"] == 1 and len(store) == 20001
    store["little"] = 1
    assert store["little"] == 1
    store.close()
    assert sorted(os.listdir(disk)) == ["filled", "store.db"]
    with DictSQLiteV4(path) as store:
        assert len(store) == 20002 and store.check() == []


@pytest.mark.parametrize("room", range(0, 160, 8))
def test_a_store_is_made_whole_or_not(disk, room):
    fill(disk)
    os.truncate(disk / "filled", max(0, os.path.getsize(disk / "filled") - room * 1024))
    path = disk / "store.db"
    try:
        with DictSQLiteV4(path) as store:
            store["a"] = 1
    except OSError as error:
        assert error.errno == errno.ENOSPC
        assert room < 128
    free(disk)
    assert set(os.listdir(disk)) <= {"store.db", "store.db-wal"}
    with DictSQLiteV4(path) as store:
        assert store.check() == [] and store.get("a", 1) == 1


def test_too_many_open_files(path):
    code = """
import errno, os, resource, sys
from dictsqlite_v4 import DictSQLiteV4
path = sys.argv[1]
with DictSQLiteV4(path) as store:
    store.update({f"key {i}": "x" * 100 for i in range(1000)})

def limit(n):  # of the numbers that a file can get, n are left
    used = [os.path.exists(f"/proc/self/fd/{i}") for i in range(1024)]
    most = 0
    while n > 0 or used[most]:
        n -= not used[most]
        most += 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, 4096))

n_failed = {"open": 0, "backup": 0, "read": 0}
for n in range(16):
    for call in n_failed:
        store = None
        try:
            if call == "open":
                limit(n)
            store = DictSQLiteV4(path, persist_mode="lazy", hot_capacity=1, warm_capacity=0)
            limit(n)
            store["key 1"] = "y" * (n + 1)
            if call == "backup":
                store.backup(path + ".copy")
            if call == "read":
                assert len(list(store.items())) == 1000
            store.flush()
        except OSError as error:
            assert error.errno == errno.EMFILE, error
            n_failed[call] += 1
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 4096))
        if store is not None:
            assert store["key 1"] == "y" * (n + 1) and len(store) == 1000
            store.close()
        if os.path.exists(path + ".copy"):
            os.unlink(path + ".copy")
        with DictSQLiteV4(path) as store:
            assert len(store) == 1000 and store.check() == []
assert n_failed["open"] and n_failed["backup"], n_failed
"""
    done = python(code, path)
    assert done.stdout == done.stderr == ""


def test_a_medium_that_is_read_only(disk):
    path = disk / "store.db"
    with DictSQLiteV4(path) as store:
        store["a"] = 1
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with pytest.raises(OSError) as refused:
        DictSQLiteV4(path)
    assert refused.value.errno == errno.EROFS
    with pytest.raises(OSError) as refused:
        DictSQLiteV4(disk / "new.db")
    assert refused.value.errno == errno.EROFS
    with DictSQLiteV4(path, read_only=True) as store:
        assert dict(store) == {"a": 1}
        with pytest.raises(OSError) as refused:
            store.backup(disk / "copy")
        assert refused.value.errno == errno.EROFS
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    with DictSQLiteV4(path) as store:
        store["b"] = 2
        assert dict(store) == {"a": 1, "b": 2}
