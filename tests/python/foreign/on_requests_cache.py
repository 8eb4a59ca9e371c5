# on_requests_cache.py - the recipe's cache in the tests that requests-cache has for backends
# SPDX-License-Identifier: LGPL-2.1-or-later

import os

import requests_cache.backends

import foreign

SERVER = "another backend, and its server"
LEFT_OUT = {
    "tests/integration/test_dynamodb.py": SERVER,
    "tests/integration/test_mongodb.py": SERVER,
    "tests/integration/test_redis.py": SERVER,
    "tests/integration/test_filesystem.py": "looks at the files, of which there is one a key",
    "tests/integration/test_sqlite.py": "looks into the SQL tables",
    "tests/integration/test_memory.py": "another backend",
    "tests/compat/test_*_load_cache.py::test_mock_session": "reads a SQLite file of its own",
    "tests/unit/test_session.py::test_response_defaults": "fails without the store as well",
    "tests/benchmark_serializers.py": "no test",
    "tests/generate_test_db.py": "no test",
}
if foreign.MODE == "memory":
    LEFT_OUT["*::test_concurrency(*ProcessPool*"] = "processes, which have no memory in common"
os.environ["USE_PYTEST_HTTPBIN"] = "true"


def install():
    recipe = foreign.recipe("requests-cache")
    class Storage(recipe.DictSQLiteStorage):
        def __init__(self, name, table="responses", serializer="pickle", **kwargs):
            self._db = foreign.open_shared(foreign.STORES / f"{os.path.basename(name)}.db")
            super().__init__(self._db.table(table), serializer or "pickle", **kwargs)

    class Cache(recipe.DictSQLiteCache):
        def __init__(self, cache_name="cache", serializer="pickle", **kwargs):
            requests_cache.backends.BaseCache.__init__(self, str(cache_name), **kwargs)
            self.responses = Storage(cache_name, "responses", serializer)
            self.redirects = Storage(cache_name, "redirects")

    requests_cache.backends.SQLiteDict = Storage
    requests_cache.backends.SQLiteCache = Cache
    requests_cache.backends.BACKEND_CLASSES["sqlite"] = Cache
    (foreign.SOURCE / "tests/integration/test_dictsqlite.py").write_text(TESTS)


TESTS = '''
from requests_cache.backends import SQLiteCache, SQLiteDict
from tests.integration.base_cache_test import BaseCacheTest as CacheTests
from tests.integration.base_storage_test import BaseStorageTest as StorageTests

class TestDictSQLiteStorage(StorageTests):
    storage_class = SQLiteDict

class TestDictSQLiteCache(CacheTests):
    backend_class = SQLiteCache
'''
