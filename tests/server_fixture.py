# server_fixture.py - a PostgreSQL server for the tests of a module
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import contextlib
import itertools
import select
import socket
import subprocess
import tempfile
import threading
from typing import Callable, Iterator

import pytest
from with_server import NoServer, Server, server

from dictsqlite_v4 import DictSQLiteV4

# Of pg_stat_activity: the connections that listen, by what each has said last.
LISTENS = "query ~ '^(LISTEN|SELECT pg_notify)'"

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


def passes(said: bytes, server: socket.socket) -> bool:
    """Cuts no connection."""
    return False


class Relay:
    """Passes on what clients and the server say, and counts how often a client has said something
    after it was answered. Where is_cut(what a client has said, the server's socket) says so, that
    is not passed on, and the connection ends."""

    def __init__(self, server: Server,
                 is_cut: Callable[[bytes, socket.socket], bool] = passes) -> None:
        self.server = server
        self.is_cut = is_cut
        self.n_trips = 0
        self.folder = tempfile.TemporaryDirectory()  # a short name, as a socket's has to be
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(f"{self.folder.name}/.s.PGSQL.5432")
        self.socket.listen()
        self.address = f"postgresql://tests@/postgres?host={self.folder.name}"
        self.threads = [threading.Thread(target=self.accept)]

    def accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self.socket.accept()[0]
                self.threads.append(threading.Thread(target=self.pass_on, args=(client,)))
                self.threads[-1].start()

    def pass_on(self, client: socket.socket) -> None:
        was_answered = False
        with contextlib.suppress(OSError), client, socket.socket(socket.AF_UNIX) as server:
            server.connect(f"{self.server.folder}/.s.PGSQL.5432")
            other = {client: server, server: client}
            while True:
                for ready in select.select(list(other), [], [])[0]:
                    said = ready.recv(1 << 16)
                    if not said or (ready is client and self.is_cut(said, server)):
                        return
                    self.n_trips += ready is client and was_answered
                    was_answered = ready is server
                    other[ready].sendall(said)

    def __enter__(self) -> Relay:
        self.threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive()
        self.socket.close()
        self.folder.cleanup()
