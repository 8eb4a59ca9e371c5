# on_dogpile.py - the recipe's backend in the tests that dogpile.cache has for backends and mutexes
# SPDX-License-Identifier: LGPL-2.1-or-later

import foreign

DictSQLiteBackend = foreign.recipe("dogpile.cache").DictSQLiteBackend
LEFT_OUT = {
    "tests/util/*": "of no cache",
    "tests/test_*.py": "of no cache",
    "tests/cache/test_[!d]*.py": "other backends, and what the regions are without one",
    "tests/cache/test_dbm_backend.py": "another backend",
    "tests/cache/test_decorator.py": "of no cache",
    "tests/cache/plugins/*": "Mako's",
}
OPTIONS = ("-o", "python_classes=*Test")


def install():
    (foreign.SOURCE / "tests/cache/test_dictsqlite_backend.py").write_text(TESTS)


TESTS = '''
import foreign
from dogpile.cache import register_backend
from dogpile.testing.fixtures import _GenericBackendTestSuite
from dogpile.testing.fixtures import _GenericMutexTestSuite
from dogpile.testing.fixtures import _GenericSerializerTestSuite

register_backend("dictsqlite", "on_dogpile", "DictSQLiteBackend")


class DictSQLiteTest(_GenericBackendTestSuite):
    backend = "dictsqlite"
    config_args = {"arguments": {"filename": str(foreign.new_path())}}


class DictSQLiteSerializerTest(_GenericSerializerTestSuite, DictSQLiteTest):
    pass


class DictSQLiteMutexTest(_GenericMutexTestSuite):
    backend = "dictsqlite"
    config_args = {"arguments": {"filename": str(foreign.new_path())}}
'''
