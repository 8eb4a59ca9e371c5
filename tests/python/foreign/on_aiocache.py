# on_aiocache.py - an AsyncDictSQLite in the place of aiocache's SimpleMemoryCache
# SPDX-License-Identifier: LGPL-2.1-or-later

import aiocache.backends.memory
import aiocache.factory
from aiocache.base import BaseCache
from aiocache.serializers import NullSerializer

import foreign

SERVER = "another cache, and its server"
LEFT_OUT = {
    "setup.py": "no test",
    "tests/performance": "another cache's server",
    "tests/ut/backends/test_redis.py": SERVER,
    "tests/ut/backends/test_memcached.py": SERVER,
    "tests/ut/backends/test_memory.py": "looks into the dict and the timers",
    "tests/ut/test_serializers.py": "of no cache",
    "*::TestRedis*": SERVER,
    "*::TestMemcached*": SERVER,
    "*::test_from_url_redis*": SERVER,
    "*::test_from_url_memcached*": SERVER,
    "*(*redis*": SERVER,
    "*(*memcached*": SERVER,
}
FACTORY = "makes RedisCache, or looks at how SimpleMemoryCache is made"
LEFT_OUT.update({
    "tests/ut/test_factory.py::test_class_from_string": FACTORY,
    "tests/ut/test_factory.py::test_create_simple_cache": FACTORY,
    "tests/ut/test_factory.py::TestCache::test_new(memory]": FACTORY,
    "*::test_create_extra_args": FACTORY,
    "*::test_retrieve_cache*": FACTORY,
    "*::test_multiple_caches": FACTORY,
    "*::test_ensure_plugins_order": FACTORY,
    "*::TestNullSerializer::*_types(*": "wants the very object back",
})
OPTIONS = ("-o", "asyncio_mode=auto", "-o", "markers=redis\nmemcached")
EDITS = (
    # puts a dict in
    (
        "tests/acceptance/test_plugins.py",
        r"memory_cache\._cache = data",
        "await memory_cache._cache.batch_set(data)",
    ),
)


class DictSQLiteCache(BaseCache):
    """With the parameters of SimpleMemoryCache. Values are pickled by the store."""

    NAME = "memory"

    def __init__(self, serializer=None, **kwargs):
        super().__init__(serializer=serializer or NullSerializer(), **kwargs)
        self._cache = foreign.open_async_store()

    async def _get(self, key, encoding="utf-8", _conn=None):
        return await self._cache.get_async(key)

    _gets = _get

    async def _multi_get(self, keys, encoding="utf-8", _conn=None):
        found = await self._cache.batch_get(keys)
        return [found.get(key) for key in keys]

    async def _set(self, key, value, ttl=None, _cas_token=None, _conn=None):
        if _cas_token is not None:
            return await self._cache.transact_async(
                lambda store: store.get(key) == _cas_token
                and store.set(key, value, expire=ttl or None) is None
            )
        await self._cache.set_async(key, value, expire=ttl or None)
        return True

    async def _multi_set(self, pairs, ttl=None, _conn=None):
        await self._cache.set_many_async(pairs, expire=ttl or None)
        return True

    async def _add(self, key, value, ttl=None, _conn=None):
        if not await self._cache.add_async(key, value, ttl or None):
            raise ValueError(f"Key {key} already exists, use .set to update the value")
        return True

    async def _exists(self, key, _conn=None):
        return await self._cache.contains_async(key)

    async def _increment(self, key, delta, _conn=None):
        return await self._cache.incr_async(key, delta)

    async def _expire(self, key, ttl, _conn=None):
        return await self._cache.touch_async(key, ttl or None)

    async def _delete(self, key, _conn=None):
        return int(await self._cache.delete_async(key))

    async def _clear(self, namespace=None, _conn=None):
        if namespace:
            await self._cache.delete_prefix_async(namespace)
        else:
            await self._cache.clear_async()
        return True

    async def _raw(self, command, *args, encoding="utf-8", _conn=None, **kwargs):
        return await self._cache.transact_async(
            lambda store: getattr(store, command)(*args, **kwargs)
        )

    async def _redlock_release(self, key, value):
        return await self._cache.transact_async(
            lambda store: int(store.get(key) == value and store.delete(key))
        )

    async def _close(self, *args, _conn=None, **kwargs):
        await self._cache.flush()

    @classmethod
    def parse_uri_path(cls, path):
        return {}


def install():
    aiocache.SimpleMemoryCache = DictSQLiteCache
    aiocache.backends.memory.SimpleMemoryCache = DictSQLiteCache
    aiocache.Cache.MEMORY = DictSQLiteCache
    aiocache.Cache.__new__.__defaults__ = (DictSQLiteCache,)
    aiocache.factory.AIOCACHE_CACHES["memory"] = DictSQLiteCache
