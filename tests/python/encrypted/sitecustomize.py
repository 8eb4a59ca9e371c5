# sitecustomize.py - has every store of a Python encrypted, unless it says otherwise
# SPDX-License-Identifier: LGPL-2.1-or-later
"""With this folder first on PYTHONPATH the tests of plain stores run on encrypted ones, those that
start other Pythons too. Passwords cost the least that they can."""

import functools

from dictsqlite_v4 import AsyncDictSQLite, DictSQLiteV4

_PASSWORD_AT = 4  # among the positional parameters


def _encrypt(store_class):
    init = store_class.__init__

    @functools.wraps(init)
    def encrypted(self, *args, **parameters):
        if len(args) <= _PASSWORD_AT:
            parameters.setdefault("encryption_password", "password")
        parameters.setdefault("kdf_memory", 19 << 20)
        parameters.setdefault("kdf_passes", 2)
        init(self, *args, **parameters)

    store_class.__init__ = encrypted


_encrypt(DictSQLiteV4)
_encrypt(AsyncDictSQLite)
