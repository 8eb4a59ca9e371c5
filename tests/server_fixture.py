# server_fixture.py - a PostgreSQL server for the tests of a module
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import contextlib
import itertools
import select
import socket
import subprocess
import threading
from pathlib import Path
from typing import Callable, Iterator

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


@contextlib.contextmanager
def relay(running: Server, folder: Path,
          is_cut: Callable[[bytes, socket.socket], bool]) -> Iterator[Path]:
    """Another way to the server, a folder with a socket. What a client says is passed on unless
    is_cut(what, the server's socket) ends that connection."""
    def carry(client: socket.socket) -> None:
        with contextlib.suppress(OSError), client, socket.socket(socket.AF_UNIX) as server:
            server.connect(str(running.folder / ".s.PGSQL.5432"))
            others = {client: server, server: client}
            while True:
                for ready in select.select(list(others), [], [])[0]:
                    said = ready.recv(1 << 16)
                    if not said or (ready is client and is_cut(said, server)):
                        return
                    others[ready].sendall(said)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=carry, args=(door.accept()[0],), daemon=True).start()

    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(folder / ".s.PGSQL.5432"))
        door.listen()
        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield folder
        finally:
            door.shutdown(socket.SHUT_RDWR)
            accepting.join(60)
