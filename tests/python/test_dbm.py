# test_dbm.py - CPython's own tests of dbm modules and shelves, over stores
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The suites are Debian's libpython3.X-testsuite. What is left out cannot apply, and says why."""

from __future__ import annotations

import contextlib
import dbm
import errno
import os
import pickle
import shelve
import stat
import time
import unittest

import pytest

pytest.importorskip("test.test_dbm", reason="libpython3.X-testsuite is not installed")

pytest.importorskip("test.support.os_helper", reason="of Python 3.10")

from test import mapping_tests, test_dbm, test_dbm_dumb, test_shelve  # noqa: E402
from test.support import os_helper  # noqa: E402

from dictsqlite_v4 import DictSQLiteV4  # noqa: E402
from dictsqlite_v4 import dbm as ours  # noqa: E402


@pytest.fixture(autouse=True)
def in_a_scratch_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


# --- test.test_dbm: every case of AnyDBMTestCase


class TestAnyDBM(test_dbm.AnyDBMTestCase, unittest.TestCase):
    module = ours

    def setUp(self):
        super().setUp()
        # dbm.open() asks whichdb() which of the standard modules made the file.
        self.addCleanup(setattr, dbm, "whichdb", dbm.whichdb)
        self.addCleanup(dbm._modules.pop, ours.__name__, None)
        dbm._modules[ours.__name__] = ours
        dbm.whichdb = lambda path: ours.__name__ if os.path.exists(path) else None


# --- test.test_dbm_dumb: what is not about the two files of dbm.dumb

LEFT_OUT = {
    "test_dumbdbm_creation_mode": "asks for the mode of .dat and .dir: anew below",
    "test_line_endings": "rewrites .dir, a text file",
    "test_eval": "writes Python into .dir",
    "test_missing_index": "removes .dir, one of two files",
    "test_readonly_files": "changes the mode of .dat and .dir: anew below",
    "test_nonascii_filename": "asks for .dat and .dir: anew below",
}
# Tests that came with Python 3.13.
LEFT_OUT_LATER = {
    "test_missing_data": "asks for .dat, .dir and .bak",
    "test_sync_empty_unmodified": "removes .dir",
    "test_sync_nonempty_unmodified": "removes .dir and .bak",
}


def without(case, names, later):
    """A subclass of `case` in which the tests called `names` are none, nor `later` ones."""
    assert set(names) <= set(dir(case))
    names = names.keys() | later.keys() & set(dir(case))
    return type(f"Test{case.__name__}", (case,), dict.fromkeys(names))


class TestDumbDBM(without(test_dbm_dumb.DumbDBMTestCase, LEFT_OUT, LEFT_OUT_LATER)):
    """dumbdbm.open() makes the file by default, which the documented 'r' does not."""

    def setUp(self):
        class Module:
            error = ours.error

            @staticmethod
            def open(file, flag="c", mode=0o666):
                return ours.open(file, flag, mode)

        self.addCleanup(setattr, test_dbm_dumb, "dumbdbm", test_dbm_dumb.dumbdbm)
        test_dbm_dumb.dumbdbm = Module
        self.addCleanup(setattr, test_dbm_dumb, "_delete_files", test_dbm_dumb._delete_files)
        test_dbm_dumb._delete_files = lambda: os_helper.unlink(test_dbm_dumb._fname)
        super().setUp()


def test_creation_mode():
    umask = os.umask(0o002)
    try:
        ours.open("file", "c", 0o637).close()
        ours.open("other", "n", 0o600).close()
    finally:
        os.umask(umask)
    assert stat.S_IMODE(os.stat("file").st_mode) == 0o635
    assert stat.S_IMODE(os.stat("other").st_mode) == 0o600
    ours.open("file", "c", 0o600).close()
    assert stat.S_IMODE(os.stat("file").st_mode) == 0o635


def test_read_only_files():
    with ours.open("file", "n") as db:
        db[b"a"] = b"1"
    os.chmod("file", stat.S_IRUSR)
    with ours.open("file", "r") as db:
        assert db.keys() == [b"a"]
    assert os.listdir(".") == ["file"]


def test_nonascii_file_name():
    with ours.open(os_helper.TESTFN_NONASCII or "é", "c") as db:
        db[b"key"] = b"value"
    with ours.open(os_helper.TESTFN_NONASCII or "é", "r") as db:
        assert db.keys() == [b"key"] and db[b"key"] == b"value"


# --- test.test_shelve: every case of TestCase, and the mapping tests in each pickle protocol


class TestShelve(test_shelve.TestCase):
    def setUp(self):
        open_shelf(self)


def open_shelf(case):
    """shelve.open() makes its file with our module."""

    def open_one(filename, flag="c", protocol=None, writeback=False):
        return shelve.Shelf(ours.open(filename, flag), protocol, writeback)

    case.addCleanup(setattr, shelve, "open", shelve.open)
    shelve.open = open_one


class ShelveMappingTest(test_shelve.TestShelveFileBase):
    dbm_mod = ours

    def setUp(self):
        super().setUp()
        open_shelf(self)


for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
    globals()[f"TestProtocol{protocol}Shelve"] = type(
        f"TestProtocol{protocol}Shelve",
        (ShelveMappingTest, mapping_tests.BasicTestMappingProtocol),
        {"_args": {"protocol": protocol}},
    )
del protocol


# --- what no suite asks for


def test_keys_and_values_are_bytes_and_in_the_store_as_a_user_would_put_them():
    with ours.open("file", "c") as db:
        db["text"] = "täxt"
        db[b"\xff\x00"] = bytearray(b"\xff")
        db[b"nul\x00"] = b""
        assert db["text"] == db[b"text"] == "täxt".encode()
        assert db.items() == [
            (b"text", "täxt".encode()), (b"\xff\x00", b"\xff"), (b"nul\x00", b""),
        ]
        for wrong in (1, None, 1.5, ["a"]):
            with pytest.raises(TypeError):
                db[wrong] = b""
            with pytest.raises(TypeError):
                db["a"] = wrong
            with pytest.raises(TypeError):
                db[wrong]
    with DictSQLiteV4("file") as store:
        assert dict(store) == {"text": "täxt".encode(), b"\xff\x00": b"\xff", "nul\0": b""}
        store["number"] = 1
        store["string"] = "str"
        store[7] = b"seven"
    with ours.open("file") as db:
        assert db["string"] == b"str"
        with pytest.raises(ours.error, match="value"):
            db["number"]
        with pytest.raises(ours.error, match="key"):
            db.keys()


def test_what_is_popped_can_be_given():
    with ours.open("file", "c") as db:
        db.update({b"a": b"1", b"b": b"2", b"c": b"3"})
        assert db.pop("b") == b"2" and db.pop("b", None) is None
        with pytest.raises(KeyError):
            db.pop("b")
        assert db.popitem() == (b"a", b"1") == (b"a", db.pop("a", b"1"))
        assert db.keys() == [b"c"]
    with DictSQLiteV4("file") as store:
        store["c"] = [3]
    with ours.open("file", "w") as db:
        for removal in (db.popitem, lambda: db.pop("c"), lambda: db.pop("c", None)):
            with pytest.raises(ours.error, match="value"):
                removal()
        assert db.keys() == [b"c"]
    with ours.open("file") as db:
        for removal in (db.popitem, lambda: db.pop("c")):
            with pytest.raises(ours.error, match="reading only"):
                removal()


def test_first_and_next_key():
    with ours.open("file", "c") as db:
        assert db.firstkey() is None
        db.update({b"a": b"", b"b": b"", b"c": b""})
        keys = []
        key = db.firstkey()
        while key is not None:
            keys.append(key)
            key = db.nextkey(key)
        assert keys == [b"a", b"b", b"c"]
        with pytest.raises(KeyError):
            db.nextkey("missing")


def walk(db, visit=lambda key: None):
    """The keys that a loop of firstkey() and nextkey() meets, each visited before it goes on."""
    keys = []
    key = db.firstkey()
    while key is not None:
        keys.append(key)
        visit(key)
        key = db.nextkey(key)
    return keys


def test_loops_stand_in_each_other_and_change_what_they_meet():
    with ours.open("file", "c") as db:
        names = [b"%d" % i for i in range(40)]
        db.update(dict.fromkeys(names, b""))
        inner = []
        assert walk(db, lambda key: inner.append(walk(db))) == names
        assert inner == [names] * 40
        # two in step, one a key ahead of the other
        ahead, behind = db.nextkey(db.firstkey()), db.firstkey()
        for name in names[2:]:
            ahead, behind = db.nextkey(ahead), db.nextkey(behind)
            assert ahead == name
        assert behind == names[-2]
        assert walk(db, lambda key: db.update({key: b"other", key + b" new": b""})) == names
        assert walk(db, db.__delitem__) == names + [name + b" new" for name in names]
        assert db.firstkey() is None


@pytest.mark.parametrize("what", ("nothing", "set", "delete", "two"))
def test_a_loop_costs_what_there_is(what):
    """Eight times the keys, some eight times the time."""
    costs = []
    for n_keys in (1_000, 8_000):
        with ours.open(f"file{n_keys}", "n") as db:
            db.update({b"%d" % i: b"" for i in range(n_keys)})
            visit = {
                "nothing": lambda key: None,
                "set": lambda key: db.__setitem__(key, b"other"),
                "delete": db.__delitem__,
                "two": None,
            }[what]
            if what == "two":
                other = [db.nextkey(db.firstkey())]

                def visit(key):
                    other[0] = other[0] and db.nextkey(other[0])

            start = time.thread_time()
            assert len(walk(db, visit)) == n_keys
            costs.append(time.thread_time() - start)
    assert costs[1] < 4 * 8 * costs[0]


def test_sync_brings_it_into_the_file():
    with ours.open("file", "c") as db:
        db["a"] = "1"
        db.sync()
        db.reorganize()
        with contextlib.closing(ours.open("file")) as reader:
            assert reader["a"] == b"1"


def test_another_kind_of_file():
    with open("file", "wb") as file:
        file.write(b"text" * 100)
    for flag in ("r", "w", "c"):
        with pytest.raises(ours.error):
            ours.open("file", flag)
    ours.open("file", "n").close()
    with pytest.raises(OSError):
        ours.open("no such folder/file", "c")
    assert issubclass(ours.error, OSError) and set(ours.__all__) == {"error", "open"}


@pytest.mark.parametrize("flag", ("r", "w"))
def test_a_missing_file_is_the_modules_error(flag):
    with pytest.raises(ours.error) as caught:
        ours.open("none", flag)
    assert caught.value.errno == errno.ENOENT and caught.value.filename == "none"
    with pytest.raises(ours.error) as caught:
        ours.open("no such folder/file", "c")
    assert caught.value.errno == errno.ENOENT


def test_an_encrypted_file_is_the_modules_error():
    DictSQLiteV4("file", encryption_password="pass").close()
    with pytest.raises(ours.error):
        ours.open("file")


def test_an_iterator_after_close():
    with ours.open("file", "c") as db:
        db.update({b"a": b"", b"b": b""})
        keys = iter(db)
        assert next(keys) == b"a"
        unused = iter(db)
    for iterator in (keys, unused):
        with pytest.raises(ours.error):
            next(iterator)
