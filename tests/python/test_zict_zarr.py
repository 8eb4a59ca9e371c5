# test_zict_zarr.py - the tests that zict and zarr have for their stores, on ours
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The suites are those of Debian's python3-zict and python3-zarr. What is left out says why."""

from __future__ import annotations

import gc
import itertools
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from dictsqlite_v4 import DictSQLiteV4

with warnings.catch_warnings():
    # zarr and numpy have deprecation warnings of their own
    warnings.simplefilter("ignore")
    pytest.importorskip("zict.tests", reason="python3-zict is not installed")
    pytest.importorskip("zarr.tests", reason="python3-zarr is not installed")
    import zict
    from zarr.storage import KVStore
    from zarr.tests import test_storage
    from zarr.tests.test_storage import dimension_separator_fixture  # noqa: F401
    from zict.tests import test_file, test_lmdb, utils_test

pytestmark = pytest.mark.filterwarnings("ignore")


# --- zict: its helpers on a store, and its tests of mappings over stores


def test_check_mapping(store):
    utils_test.check_mapping(store)


def test_check_closing(store):
    utils_test.check_closing(store)


def test_in_the_place_of_dicts(mode, tmp_path):
    shutil.copytree(Path(zict.__file__).parent, tmp_path / "zict")
    run = Path(__file__).parent / "foreign/run"
    done = subprocess.run(
        [sys.executable, run, "zict", tmp_path, "--mode", mode],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False,
    )
    assert done.returncode == 0, done.stdout
    n_passed = re.search(rf"^zict, {mode}: (\d+) passed, 0 failed", done.stdout, re.MULTILINE)
    assert int(n_passed[1]) >= 20


# --- zict: the tests of File and LMDB, its two mappings on disk

FILE_TESTS = ("test_mapping", "test_missing_key", "test_arbitrary_chars")
FILE_TESTS_LEFT_OUT = {
    "test_implementation": "looks at the files, of which there is one a key",
    "test_memmap_implementation": "the same",
    "test_contextmanager": "the same",
    "test_str": "wants the folder in repr()",
    "test_setitem_typeerror": "wants values that are no bytes refused",
    "test_delitem": "looks at the files",
    "test_write_list_of_bytes": "wants a list of bytes back as one bytes",
}
LMDB_TESTS = ("test_mapping", "test_reuse", "test_file_descriptors_dont_leak")
LMDB_TESTS_LEFT_OUT = {"test_creates_dir": "wants a folder to be made for the store"}


def opener():
    """Opens a store for each test that has its folder made."""
    return lambda folder, *args, **kwargs: DictSQLiteV4(f"{folder}.db", *args, **kwargs)


def names_in(module):
    return {name for name in vars(module) if name.startswith("test_")}


def test_all_tests_of_zict_are_named():
    assert names_in(test_file) == set(FILE_TESTS) | set(FILE_TESTS_LEFT_OUT)
    assert names_in(test_lmdb) == set(LMDB_TESTS) | set(LMDB_TESTS_LEFT_OUT)


@pytest.mark.parametrize("name", FILE_TESTS)
def test_as_file(name, tmp_path, monkeypatch):
    monkeypatch.setattr(test_file, "File", opener())
    getattr(test_file, name)(str(tmp_path / "file"))


@pytest.mark.parametrize("name", LMDB_TESTS)
def test_as_lmdb(name, tmp_path, monkeypatch):
    gc.collect()  # what other tests have left: descriptors are counted
    monkeypatch.setattr(test_lmdb, "LMDB", opener())
    getattr(test_lmdb, name)(str(tmp_path / "lmdb"))


# --- zarr: StoreTests, as its TestMappingStore runs them on a dict


class ZarrStoreTests(test_storage.TestMappingStore):
    @pytest.fixture(autouse=True)
    def in_a_folder(self, tmp_path):
        self.paths = (tmp_path / f"{i}.db" for i in itertools.count())
        self.opened = []
        yield
        for store in self.opened:
            store.close()

    def create_store(self, **kwargs):
        test_storage.skip_if_nested_chunks(**kwargs)
        self.opened.append(DictSQLiteV4(next(self.paths), **self.parameters))
        return KVStore(self.opened[-1])


class TestZarrWritethrough(ZarrStoreTests):
    parameters = {"persist_mode": "writethrough"}


class TestZarrLazy(ZarrStoreTests):
    parameters = {"persist_mode": "lazy", "hot_capacity": 2}


class TestZarrMemory(ZarrStoreTests):
    parameters = {"persist_mode": "memory"}

    def test_pickle(self):
        """A store without a file has no pickle; with one it has, which the others show."""
