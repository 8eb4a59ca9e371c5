# on_django.py - the recipe's cache in the tests that Django has for its backends
# SPDX-License-Identifier: LGPL-2.1-or-later

import shutil
import sys
from types import ModuleType

import django
from django.conf import settings
from django.core.management import call_command
from django.test.utils import setup_test_environment

import foreign

CULL = "culls by the number of entries, in whose place there is max_bytes"
LEFT_OUT = {
    "*::test_cull*": CULL,
    "*::test_zero_cull": CULL,
    "docs": "no test",
    "extras": "no test",
    "js_tests": "no test",
    "scripts": "no test",
}


def install():
    """Of Django's tests those of caches; they want a database beside, for what they cache of it."""
    (foreign.SOURCE / "tests/cache").rename(foreign.SOURCE / "cache")
    shutil.rmtree(foreign.SOURCE / "tests")
    settings.configure(
        DATABASES={
            "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
            "other": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
        },
        INSTALLED_APPS=["cache"],
        SECRET_KEY="of the tests",
        USE_TZ=False,
    )
    django.setup()
    setup_test_environment()
    call_command("migrate", run_syncdb=True, verbosity=0)
    backend = ModuleType("dictsqlite_cache")
    backend.DictSQLiteCache = foreign.recipe("Django's cache").DictSQLiteCache
    sys.modules[backend.__name__] = backend
    (foreign.SOURCE / "test_dictsqlite.py").write_text(TESTS)


TESTS = '''
from cache.tests import BaseCacheTests, caches_setting_for_tests
from django.test import TestCase, override_settings
import foreign

@override_settings(CACHES=caches_setting_for_tests(
    BACKEND="dictsqlite_cache.DictSQLiteCache", LOCATION=str(foreign.STORES / "cache.db")))
class DictSQLiteCacheTests(BaseCacheTests, TestCase):
    def setUp(self):
        super().setUp()
        foreign.opened()
'''
