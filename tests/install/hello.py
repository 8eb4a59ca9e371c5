# hello.py - a Python program on the installed package
# SPDX-License-Identifier: LGPL-2.1-or-later
import sys

import dictsqlite
from dictsqlite_v4 import DictSQLiteV4

with DictSQLiteV4(sys.argv[1], persist_mode="lazy") as db:
    db["python"] = {"from": "Python"}

with dictsqlite.DictSQLite(sys.argv[1]) as db:
    for key, value in db.items():
        print(f"{key}: {value!r}")
