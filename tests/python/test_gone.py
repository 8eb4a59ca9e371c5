# test_gone.py - the file under a store is deleted, moved, replaced or cut
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import asyncio
import errno
import os
import shutil
import sqlite3
import subprocess
import sys

import pytest
from conftest import python, wait_until

from dictsqlite_v4 import AsyncDictSQLite, DictSQLiteV4, FormatError


def beside(path, suffix):
    return path.with_name(path.name + suffix)


def replace(path):
    other = path.with_name("other.db")
    with DictSQLiteV4(other) as store:
        store["other"] = 1
    os.replace(other, path)


def move_folder(path):
    path.parent.rename(path.parent.with_name("elsewhere"))


def exchange_folder(path):
    move_folder(path)
    path.parent.mkdir()
    DictSQLiteV4(path.with_name("other.db")).close()
    path.with_name("other.db").rename(path)


def replace_by_copy(path):
    shutil.copy(path, beside(path, ".x"))
    os.replace(beside(path, ".x"), path)


HARM = {
    "deleted": (lambda p: p.unlink(), errno.EIO),
    "moved": (lambda p: p.rename(p.with_name("moved")), errno.EIO),
    "replaced": (replace, errno.EIO),
    "replaced by a copy": (replace_by_copy, errno.EIO),
    "its folder moved": (move_folder, errno.EIO),
    "its folder deleted": (lambda p: shutil.rmtree(p.parent), errno.ENOENT),
    "its folder exchanged": (exchange_folder, errno.EIO),
    "its log deleted": (lambda p: beside(p, "-wal").unlink(), errno.EIO),
    "its log moved": (lambda p: beside(p, "-wal").rename(beside(p, ".x")), errno.EIO),
    "its log replaced": (lambda p: replace_by_copy(beside(p, "-wal")), errno.EIO),
    "cut to nothing": (lambda p: os.truncate(p, 0), errno.EINVAL),
}


@pytest.fixture
def path(tmp_path):
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder" / "store.db"


def told(call, *numbers):
    with pytest.raises(OSError, match="open this one again") as raised:
        call()
    assert raised.value.errno in numbers
    return raised.value


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("durability", ("normal", "full"))
def test_no_write_is_acknowledged(path, harm, durability):
    do, number = HARM[harm]
    store = DictSQLiteV4(path, durability=durability, enable_async=False)
    store["a"] = 1
    do(path)
    if harm == "its log moved" and durability == "normal":
        store.update(b=2)  # which is acknowledged as synced by nothing before the next flush
        told(store.flush, number)
        told(store.close, number)
        return
    error = told(lambda: store.update(b=2), number)
    assert isinstance(error, FormatError) == (number == errno.EINVAL)
    assert "store.db" in error.strerror
    # and that is final, whatever comes back; what is in memory can be read
    number = errno.ENOENT if number == errno.ENOENT else errno.EIO
    told(lambda: store.update(c=3), number)
    told(store.flush, number)
    assert store["a"] == 1
    told(store.close, number)
    with pytest.raises(RuntimeError, match="store is closed"):
        store["a"]


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("background", (False, True))
def test_no_flush_is_acknowledged(path, harm, background):
    """What waits in memory is told to be lost by flush() and close(), and can be read meanwhile."""
    do, number = HARM[harm]
    store = DictSQLiteV4(path, persist_mode="lazy", enable_async=background, flush_interval=3600)
    store["a"] = 1
    store.flush()
    do(path)
    store["b"] = 2
    told(store.flush, number)
    number = errno.ENOENT if number == errno.ENOENT else errno.EIO
    told(store.flush, number)
    assert store["a"] == 1 and store["b"] == 2
    told(store.close, number)


def test_who_has_flushed_may_delete(path, file_mode):
    """What was acknowledged is not again: flush() and close() then have nothing to tell."""
    store = DictSQLiteV4(path, persist_mode=file_mode, enable_async=False)
    store["a"] = 1
    store.flush()
    shutil.rmtree(path.parent)
    store.flush()
    store.close()


def test_an_index_that_is_gone_is_told(path, file_mode):
    store = DictSQLiteV4(path, persist_mode=file_mode, enable_async=False)
    store["a"] = 1
    store.flush()
    beside(path, "-shm").unlink()
    store.update(b=2)
    told(store.flush, errno.EIO)
    told(store.close, errno.EIO)


@pytest.mark.parametrize("end", ("moved", "its log deleted", "its folder moved"))
def test_who_moves_what_is_in_two_files_is_told_at_the_end(path, end):
    store = DictSQLiteV4(path, enable_async=False)
    store["a"] = 1
    store.flush()
    HARM[end][0](path)
    store.flush()  # which has nothing to acknowledge
    told(store.close, errno.EIO)


def test_who_wrote_nothing_is_told_nothing(path, file_mode):
    DictSQLiteV4(path).close()
    writer = DictSQLiteV4(path, persist_mode=file_mode)
    reader = DictSQLiteV4(path, read_only=True)
    path.unlink()
    writer.flush()
    writer.close()
    reader.close()


def test_in_the_background_it_is_told_as_well(path):
    store = DictSQLiteV4(path, persist_mode="lazy", flush_interval=0.005)
    store["a"] = 1
    store.flush()
    path.unlink()
    store["b"] = 2
    wait_until(lambda: store.stats()["failed_flushes"] > 0)
    assert "deleted" in store.stats()["last_error"]
    told(store.flush, errno.EIO)
    told(store.close, errno.EIO)


def test_at_exit_it_is_told(path):
    said = python(
        "import os, sys; from dictsqlite_v4 import DictSQLiteV4\n"
        "store = DictSQLiteV4(sys.argv[1], persist_mode='lazy', enable_async=False)\n"
        "store['a'] = 1; store.flush(); os.unlink(sys.argv[1]); store['b'] = 2\n",
        path,
    )
    assert "Failed to write 1 entries at the end" in said.stderr
    assert "was deleted or moved" in said.stderr and said.returncode == 120


@pytest.mark.parametrize("end", ("del store", "pass"))
@pytest.mark.parametrize("mode", ("lazy", "writethrough"))
def test_what_was_done_with_and_deleted_ends_without_a_word(path, mode, end):
    said = python(
        "import shutil, sys, time; from dictsqlite_v4 import DictSQLiteV4\n"
        "store = DictSQLiteV4(sys.argv[1], persist_mode=sys.argv[2], flush_interval=0.02)\n"
        f"store['a'] = 1; store.flush(); shutil.rmtree(sys.argv[3]); time.sleep(0.1); {end}",
        path, mode, path.parent,
    )
    assert (said.returncode, said.stderr) == (0, "")


@pytest.mark.parametrize("end", ("del store", "pass"))
def test_what_was_not_written_into_what_is_deleted_is_counted(path, end):
    said = python(
        "import shutil, sys; from dictsqlite_v4 import DictSQLiteV4\n"
        "store = DictSQLiteV4(sys.argv[1], persist_mode='lazy', flush_interval=3600)\n"
        "store.flush(); store.update(a=1, b=2)\n"
        f"shutil.rmtree(sys.argv[2]); {end}",
        path, path.parent,
    )
    assert "Failed to write 2 entries at the end" in said.stderr


def test_a_transaction_is_not_acknowledged(path):
    store = DictSQLiteV4(path, enable_async=False)
    store["a"] = 1
    with pytest.raises(OSError), store.transaction():
        store["b"] = 2
        path.unlink()
    told(store.close, errno.EIO)


def test_no_awaited_write_is_acknowledged(path):
    async def use():
        store = AsyncDictSQLite(path, persist_mode="writethrough")
        await store.set_async("a", 1)
        path.unlink()
        with pytest.raises(OSError, match="deleted or moved"):
            await store.set_async("b", 2)
        with pytest.raises(OSError):
            await store.close()
        told(store._db.close, errno.EIO)  # which does close

    asyncio.run(use())


# --- what comes to stand there --------------------------------------------------------------------


def test_no_old_log_or_index_reaches_a_new_file(path, file_mode):
    """A process goes on with the file that was deleted; what is made in its place is another."""
    code = (
        "import sys; from dictsqlite_v4 import DictSQLiteV4\n"
        "store = DictSQLiteV4(sys.argv[1], enable_async=False)\n"
        "for i in range(100): store[f'old {i}'] = i\n"
        "print('there', flush=True); sys.stdin.readline()\n"
        "try: store['late'] = 1\n"
        "except OSError as error: print(error.errno, flush=True)\n"
        "try: store.close()\n"
        "except OSError: pass\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "there\n"
        path.unlink()
        with pytest.raises(FileExistsError, match="file that is gone"):
            DictSQLiteV4(path)
        beside(path, "-wal").unlink()
        with DictSQLiteV4(path, persist_mode=file_mode) as store:
            assert len(store) == 0
            store.update(new=1)
            store.flush()
            other.stdin.write("\n")
            other.stdin.flush()
            assert other.stdout.readline() == f"{errno.EIO}\n"
            assert other.wait() == 0
            # who is done with the old file has not touched what stands there now
            store["newer"] = 2
            store.flush()
            assert python(
                "import sys; from dictsqlite_v4 import DictSQLiteV4\n"
                "print(dict(DictSQLiteV4(sys.argv[1])))", path
            ).stdout == "{'new': 1, 'newer': 2}\n"
    with DictSQLiteV4(path) as store:
        assert dict(store) == {"new": 1, "newer": 2}


def test_in_one_process_too(path):
    """None is made in its place before the one that lost its file is closed: both would have one
    name for their logs."""
    old = DictSQLiteV4(path, enable_async=False)
    old["old"] = 1
    path.unlink()
    beside(path, "-wal").unlink()
    for separate in (False, True):
        with pytest.raises(OSError, match="close that first") as raised:
            DictSQLiteV4(path, separate=separate)
        assert raised.value.errno == errno.EBUSY and not path.exists()
    told(lambda: old.update(late=1), errno.ENOENT)
    told(old.close, errno.ENOENT)
    with DictSQLiteV4(path, enable_async=False) as new:
        assert len(new) == 0
        new["new"] = 1
    with DictSQLiteV4(path) as store:
        assert dict(store) == {"new": 1}


def test_an_empty_file_beside_a_log_is_no_new_store(path):
    store = DictSQLiteV4(path, enable_async=False)
    store["a"] = 1
    saved = path.read_bytes(), beside(path, "-wal").read_bytes()
    store.close()
    path.write_bytes(b"")
    beside(path, "-wal").write_bytes(saved[1])
    for read_only in (False, True):
        with pytest.raises(FormatError, match="cut to nothing"):
            DictSQLiteV4(path, read_only=read_only)
    path.write_bytes(saved[0])
    with DictSQLiteV4(path) as store:
        assert dict(store) == {"a": 1}


def test_a_file_that_is_cut_is_told_to_who_reads(path):
    with DictSQLiteV4(path, enable_async=False) as store:
        store.update({f"k{i}": b"x" * 1000 for i in range(100)})
    store = DictSQLiteV4(path, read_only=True)
    os.truncate(path, 0)
    with pytest.raises(FormatError, match="cut to nothing"):
        list(store.items())
    store.close()


# --- what is all the same -------------------------------------------------------------------------


def test_paths_are_what_they_were_at_opening(tmp_path, monkeypatch):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "link").symlink_to("one")
    monkeypatch.chdir(tmp_path / "link")
    store = DictSQLiteV4("store.db", enable_async=False)
    monkeypatch.chdir(tmp_path / "two")
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("two")
    store["a"] = 1
    store.flush()
    store.close()
    assert os.listdir(tmp_path / "two") == []
    with DictSQLiteV4(tmp_path / "one" / "store.db") as store:
        assert dict(store) == {"a": 1}


def test_others_may_checkpoint_and_come_and_go(path):
    store = DictSQLiteV4(path, enable_async=False)
    for i in range(20):
        store[f"k{i}"] = i
        other = sqlite3.connect(path)
        other.execute("PRAGMA wal_checkpoint (TRUNCATE)" if i % 2 else "SELECT 1 FROM entry")
        other.close()
        DictSQLiteV4(path).close()
        store.flush()
    store.close()
    with DictSQLiteV4(path) as store:
        assert len(store) == 20
