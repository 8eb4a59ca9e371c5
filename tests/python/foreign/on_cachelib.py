# on_cachelib.py - the recipe's cache in the place of cachelib's SimpleCache
# SPDX-License-Identifier: LGPL-2.1-or-later

import cachelib

import foreign

OTHERS = "another cache, and its server"
LEFT_OUT = {
    "tests/test_base_cache.py": "the base class alone",
    "tests/test_dynamodb_cache.py": OTHERS,
    "tests/test_file_system_cache.py": "looks at the files, of which there is one a key",
    "tests/test_interface_uniformity.py": OTHERS,
    "tests/test_memcached_cache.py": OTHERS,
    "tests/test_mongodb_cache.py": OTHERS,
    "tests/test_redis_cache.py": OTHERS,
    "tests/test_serializers.py": "cachelib's own pickles",
    "tests/test_uwsgi_cache.py": OTHERS,
    "tests/test_valkey_cache.py": OTHERS,
    "*::test_threshold*": "a threshold of entries, in whose place there is max_bytes",
    "*::test_prune_old_entries*": "the same",
}
EDITS = (
    # looks into SimpleCache's dict
    ("tests/test_simple_cache.py", r"cache\._cache\b", "cache._db"),
)


class SimpleCache(foreign.recipe("cachelib and Flask-Caching").DictSQLiteCache):
    serializer = None  # the store's own

    def __init__(self, default_timeout=300, ignore_delete_many_errors=True):
        super().__init__(foreign.new_path(), default_timeout)
        self.ignore_delete_many_errors = ignore_delete_many_errors


def install():
    cachelib.SimpleCache = SimpleCache
