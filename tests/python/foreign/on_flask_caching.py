# on_flask_caching.py - the recipe's cache in the place of Flask-Caching's SimpleCache
# SPDX-License-Identifier: LGPL-2.1-or-later

import weakref

import cachelib.simple
from flask_caching import backends

import foreign
import on_cachelib

SERIALIZER = "cachelib's serializers, in whose place there is the store's"
LEFT_OUT = {
    "*::TestFileSystemCache::*": "another cache",
    "*::TestRedisCache*": "another cache, and its server",
    "*::TestMemcachedCache::*": "another cache, and its server",
    "*::test_init_nullcache(*": "other caches, and their servers",
    "*::TestSimpleCache::test_purge": "a threshold of entries, in whose place there is max_bytes",
    "*::test_deprecated_ignore_errors": "a parameter of SimpleCache",
    "*::test_cachelib_backend_gets_cache_options": "the same",
    "*::test_backend_uses_cachelib_serializer": SERIALIZER,
    "tests/test_serializer.py": SERIALIZER,
}
EDITS = (
    # its clock moves cachelib's time, and the store's
    ("tests/conftest.py", r"( +)self\.now \+= seconds", r"\g<0>\n\1fsc.backends.advance(seconds)"),
)

_caches = weakref.WeakSet()


class CachelibCache(on_cachelib.SimpleCache):
    """What CACHE_TYPE = "cachelib.SimpleCache" is."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.offset = 0
        _caches.add(self)


class SimpleCache(CachelibCache, backends.base.BaseCache):
    @classmethod
    def factory(cls, app, config, args, kwargs):
        return cls(*args, **kwargs)


def advance(seconds):
    for cache in _caches:
        cache.offset += seconds
        cache._db.set_clock_offset(cache.offset)


def install():
    cachelib.SimpleCache = cachelib.simple.SimpleCache = CachelibCache
    backends.SimpleCache = backends.simplecache.SimpleCache = SimpleCache
    backends.advance = advance
