# test_bad_input.py - what is no store is refused, by name of what is wrong, and left as it was
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import contextlib
import errno
import os
import sqlite3

import pytest
from legacy_files import write_diskcache, write_sqlitedict, write_v4
from conftest import NOBODY, python, python_as, snapshot

from dictsqlite_v4 import CorruptError, DictSQLiteV4, FormatError


@pytest.fixture(autouse=True)
def nothing_on_stderr(capfd):
    """No warning of GLib, and no traceback, is written behind the tests' back."""
    yield
    assert capfd.readouterr().err == ""


def refused(path, error_class, **parameters):
    """Opening `path` raises just that class, and changes nothing in its folder."""
    before = snapshot(path.parent)
    with pytest.raises(OSError) as caught:
        DictSQLiteV4(path, **parameters)
    assert caught.type is error_class
    assert caught.value.filename == str(path)
    assert snapshot(path.parent) == before
    return caught.value


def sample(path, n_records=1000):
    with DictSQLiteV4(path) as store:
        store.bulk_insert({f"key_{i}": f"value_{i}" for i in range(n_records)})


def test_a_folder(path, file_mode):
    path.mkdir()
    assert refused(path, IsADirectoryError, persist_mode=file_mode).errno == errno.EISDIR


@pytest.mark.parametrize(
    "content",
    (
        b"x",
        b"just some text\n",
        b"text " * 5000,
        bytes(100),
        bytes(8192),
        b"SQLite format 3\0",
        b"SQLite format 3\0" + b"\xff" * 8000,
        os.urandom(20_000),
    ),
    ids=lambda content: f"{content[:8]!r}, {len(content)} bytes",
)
def test_a_file_of_another_kind(path, file_mode, content):
    path.write_bytes(content)
    refused(path, FormatError, persist_mode=file_mode)


@pytest.mark.parametrize("journal_mode", ("delete", "wal"))
@pytest.mark.parametrize(
    "sql",
    (
        "CREATE TABLE mine (a, b); INSERT INTO mine VALUES (1, 2);",
        "CREATE TABLE entry (place, value); CREATE TABLE store (id, header);",
        "PRAGMA user_version = 1; CREATE TABLE mine (a);",
        "PRAGMA application_id = 1146310961; CREATE TABLE mine (a);",
    ),
    ids=range(4),
)
def test_a_foreign_database(path, file_mode, journal_mode, sql):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA journal_mode = {journal_mode}")
        connection.executescript(sql)
    refused(path, FormatError, persist_mode=file_mode)


@pytest.mark.parametrize(
    "sql",
    (
        "CREATE TABLE mine (a)",
        "CREATE VIEW mine AS SELECT * FROM entry",
        "CREATE TRIGGER mine AFTER INSERT ON entry BEGIN DELETE FROM entry; END",
        "DROP INDEX entry_expires",
        "PRAGMA user_version = 999",
        "PRAGMA application_id = 1",
        "DELETE FROM store",
    ),
)
def test_a_store_with_another_schema(path, sql):
    sample(path, 10)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(sql)
        connection.commit()
    before = snapshot(path.parent)
    with pytest.raises((FormatError, CorruptError)):
        DictSQLiteV4(path)
    assert snapshot(path.parent) == before


@pytest.mark.parametrize("kept", (10, 100, 4096, 5000, 0.3, 0.5, 0.9))
def test_a_truncated_store(path, kept):
    sample(path)
    content = path.read_bytes()
    path.write_bytes(content[: kept if kept > 1 else int(kept * len(content))])
    before = snapshot(path.parent)
    with pytest.raises((FormatError, CorruptError)):
        with DictSQLiteV4(path, enable_async=False) as store:
            for i in range(1000):
                assert store[f"key_{i}"] == f"value_{i}"
    assert snapshot(path.parent) == before


def test_a_flipped_bit_is_an_error_and_never_a_wrong_value(path):
    with DictSQLiteV4(path) as store:
        store["fine"] = "untouched"
        store["damaged"] = "a value that is easy to find"
    content = path.read_bytes()
    assert content.count(b"easy to find") == 1
    path.write_bytes(content.replace(b"easy to find", b"easy to fine"))
    with DictSQLiteV4(path) as store:
        assert store["fine"] == "untouched"
        for read in (
            lambda: store["damaged"],
            lambda: store.get("damaged"),
            lambda: store.get_many(["damaged"]),
            lambda: list(store.values()),
        ):
            with pytest.raises(CorruptError) as caught:
                read()
            assert caught.value.errno == errno.EBADMSG
            assert "easy to" not in str(caught.value)
        store["damaged"] = "mended"
        assert store["damaged"] == "mended"


def test_an_empty_file_is_made_a_store(path, file_mode):
    path.touch()
    with DictSQLiteV4(path, persist_mode=file_mode) as store:
        assert len(store) == 0
        store["a"] = 1
    with DictSQLiteV4(path, persist_mode=file_mode) as store:
        assert store["a"] == 1


def test_a_missing_folder(tmp_path, file_mode):
    path = tmp_path / "missing" / "store.db"
    with pytest.raises(FileNotFoundError) as caught:
        DictSQLiteV4(path, persist_mode=file_mode)
    assert caught.value.errno == errno.ENOENT and caught.value.filename == str(path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file(tmp_path, file_mode):
    (tmp_path / "file").write_text("text")
    before = snapshot(tmp_path)
    with pytest.raises(FileNotFoundError):
        DictSQLiteV4(tmp_path / "file" / "store.db", persist_mode=file_mode)
    assert snapshot(tmp_path) == before


def test_what_is_no_file(tmp_path):
    dangling = tmp_path / "dangling.db"
    dangling.symlink_to("nowhere.db")
    assert refused(dangling, OSError).errno == errno.EINVAL
    fifo = tmp_path / "fifo.db"
    os.mkfifo(fifo)
    assert refused(fifo, OSError).errno == errno.EINVAL
    to_fifo = tmp_path / "to-fifo.db"
    to_fifo.symlink_to("fifo.db")
    assert refused(to_fifo, OSError).errno == errno.EINVAL


def test_a_symbolic_link_in_a_folder_of_ones_own(tmp_path, file_mode):
    (tmp_path / "far").mkdir()
    sample(tmp_path / "far" / "real.db", 1)
    (tmp_path / "far" / "second.db").symlink_to("real.db")
    link = tmp_path / "link.db"
    link.symlink_to("far/second.db")
    with DictSQLiteV4(link, persist_mode=file_mode) as store:
        store["by"] = "link"
        with DictSQLiteV4(tmp_path / "far" / "real.db") as real:
            store.flush()
            assert real["by"] == "link"
    assert link.is_symlink() and sorted(path.name for path in tmp_path.iterdir()) == [
        "far", "link.db",
    ]


def test_a_symbolic_link_that_somebody_could_have_put_there(tmp_path):
    sample(tmp_path / "real.db", 1)
    public = tmp_path / "public"
    public.mkdir()
    public.chmod(0o1777)
    (public / "link.db").symlink_to(tmp_path / "real.db")
    assert refused(public / "link.db", OSError).errno == errno.EINVAL
    public.chmod(0o755)
    with DictSQLiteV4(public / "link.db") as store:
        assert len(store) == 1


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a link away")
def test_a_symbolic_link_of_somebody_else(tmp_path):
    sample(tmp_path / "real.db", 1)
    link = tmp_path / "link.db"
    link.symlink_to("real.db")
    os.chown(link, 65534, 65534, follow_symlinks=False)
    assert refused(link, OSError).errno == errno.EINVAL


@pytest.mark.parametrize("length", (300, 3000))
def test_a_path_that_is_too_long(tmp_path, length):
    name = "n" * 300 if length == 300 else "/".join(["n" * 100] * 30)
    if length == 3000:
        os.makedirs(tmp_path / name)
        name += "/store.db"
    with pytest.raises(OSError) as caught:
        DictSQLiteV4(tmp_path / name)
    assert caught.value.errno == errno.ENAMETOOLONG


def test_no_more_files_may_be_opened(path):
    sample(path, 1)
    code = """
import errno, os, resource, sys
from dictsqlite_v4 import DictSQLiteV4
store = DictSQLiteV4(sys.argv[1] + ".first")  # whatever is loaded when it is needed is
held = []
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
try:
    while True:
        held.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
for path in (sys.argv[1], sys.argv[1] + ".new"):
    for n_free in range(3):
        try:
            DictSQLiteV4(path).close()
        except OSError as error:
            assert error.errno == errno.EMFILE, error
        else:
            raise SystemExit(f"it opened with {n_free} files")
        os.close(held.pop())
    held += [os.open("/dev/null", os.O_RDONLY) for _ in range(3)]
del held[:]
"""
    done = python(code, path)
    assert done.returncode == 0, done.stderr


def test_a_file_may_not_grow(path):
    code = """
import errno, resource, sys
from dictsqlite_v4 import DictSQLiteV4
with DictSQLiteV4(sys.argv[1]) as store:
    store["before"] = 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
    try:
        store["large"] = b"x" * (4 << 20)
    except OSError as error:
        assert error.errno == errno.EFBIG, error
    else:
        raise SystemExit("it was written")
    assert store["before"] == 1 and "large" not in store
"""
    done = python(code, path)
    assert done.returncode == 0, done.stderr


def test_files_of_others_name_what_imports_them(tmp_path):
    write_v4(tmp_path / "v4", [("a", b"b")]).close()
    write_sqlitedict(tmp_path / "sqlitedict", {"a": 1})
    write_sqlitedict(tmp_path / "named", {"a": 1}, table="mine")
    write_diskcache(tmp_path / "diskcache", [])
    with contextlib.closing(sqlite3.connect(tmp_path / "other")) as connection:
        connection.execute("CREATE TABLE other (a, b)")
    for name, call in (
        ("v4", "; dictsqlite_v4.import_v4() reads it"),
        ("sqlitedict", "; dictsqlite_v4.migrate.import_sqlitedict() reads it"),
        ("named", "; dictsqlite_v4.migrate.import_sqlitedict(..., table='mine') reads it"),
        ("diskcache/cache.db", "; dictsqlite_v4.migrate.import_diskcache() reads it"),
        ("other", "of another application"),
    ):
        assert refused(tmp_path / name, FormatError).strerror.endswith(call)


def test_a_linked_folder_is_fine(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with DictSQLiteV4(tmp_path / "link" / "store.db") as store:
        store["a"] = 1
    assert (tmp_path / "real" / "store.db").is_file()


def test_an_error_of_opening_imports_nothing(path):
    """Whoever has given up its rights, or its root, may have no modules any more."""
    tried = python(
        "import sys\n"
        "from dictsqlite_v4 import DictSQLiteV4\n"
        "sys.meta_path[:] = []\n"
        "try:\n"
        "    DictSQLiteV4(sys.argv[1] + '/no folder/store.db')\n"
        "except OSError as error:\n"
        "    print(error.errno)\n",
        path,
    )
    assert (tried.stdout, tried.stderr) == ("2\n", "")


def test_no_permission(public_folder):
    """Root may do anything, so the one who opens is somebody else."""
    folder = public_folder
    for name in ("unreadable.db", "readable.db"):
        sample(f"{folder}/{name}", 1)
    os.chmod(f"{folder}/unreadable.db", 0o000)
    os.chmod(f"{folder}/readable.db", 0o444)
    os.mkdir(f"{folder}/closed", 0o700)
    if os.getuid() != 0:
        os.chmod(f"{folder}/closed", 0o000)
        os.chmod(folder, 0o555)
    before = {name: os.stat(f"{folder}/{name}").st_mtime_ns for name in os.listdir(folder)}
    tried = python_as(
        NOBODY,
        NOBODY,
        "import sys\n"
        "from dictsqlite_v4 import DictSQLiteV4\n"
        "for name in ('unreadable.db', 'new.db', 'closed/store.db', 'readable.db'):\n"
        "    try:\n"
        "        with DictSQLiteV4(f'{sys.argv[1]}/{name}') as store:\n"
        "            store['a'] = 1\n"
        "    except OSError as error:\n"
        "        print(type(error).__name__, error.errno)\n",
        folder,
    )
    os.chmod(folder, 0o755)
    assert tried.stderr == ""
    lines = tried.stdout.splitlines()
    assert lines[:3] == [f"PermissionError {errno.EACCES}"] * 3
    assert lines[3] in (f"PermissionError {errno.EACCES}", f"OSError {errno.EROFS}")
    after = {name: os.stat(f"{folder}/{name}").st_mtime_ns for name in os.listdir(folder)}
    assert after == before
    with DictSQLiteV4(f"{folder}/readable.db") as store:
        assert dict(store) == {"key_0": "value_0"}
