# server_fixture.py - a PostgreSQL server for the tests of a module
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import itertools
import subprocess
from typing import Iterator

import pytest
from with_server import NoServer, Server, server

from dictsqlite_v4 import DictSQLiteV4

_numbers = itertools.count()


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    """One that this library can use; skips where there is none."""
    try:
        with server() as one:
            try:
                DictSQLiteV4(one.address).close()
            except OSError as problem:
                pytest.skip(f"this library cannot use it: {problem}")
            yield one
    except NoServer as reason:
        pytest.skip(str(reason))


def new_name() -> str:
    """Of a store that does not exist yet."""
    return f"store{next(_numbers)}"


def sql(running: Server, statement: str) -> str:
    """What the server says to it, as text."""
    done = subprocess.run(
        [running.programs / "psql", "-h", running.folder, "-U", "tests", "-At", "-c", statement,
         "postgres"],
        stdout=subprocess.PIPE, timeout=60, check=True)
    return done.stdout.decode()
