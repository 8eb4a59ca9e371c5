# sitecustomize.py - has every store of a Python on the server at DSQ_SERVER
# SPDX-License-Identifier: LGPL-2.1-or-later
"""With this folder first on PYTHONPATH, under tests/with_server.py, the tests of files run on
stores there, those that start other Pythons too; each file's path is that of one store. A file that
is there is a copy of one, and opened as it is. The server is asked at every read, since what one
store was told these tests ask of another at once. With DSQ_ENCRYPTED=1 in the environment they are
encrypted too."""

import functools
import hashlib
import os
import runpy
from pathlib import Path

from dictsqlite_v4 import DictSQLiteV4

if os.environ.get("DSQ_ENCRYPTED") == "1":
    runpy.run_path(str(Path(__file__).parents[1] / "encrypted" / "sitecustomize.py"))
_init = DictSQLiteV4.__init__


@functools.wraps(_init)
def _on_the_server(self, db_path, *args, **parameters):
    path = os.fspath(db_path)
    is_there = path == ":memory:" or str(path).startswith("postgresql:") or os.path.isfile(path)
    if not is_there:
        name = hashlib.sha256(os.path.abspath(os.fsencode(path))).hexdigest()
        db_path = f"{os.environ['DSQ_SERVER']}&max_staleness=0&table={name}"
    _init(self, db_path, *args, **parameters)


DictSQLiteV4.__init__ = _on_the_server
