# with_server.py - a PostgreSQL server for as long as a command runs
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Starts a server in a scratch folder, on a Unix socket alone, as a user that has no rights, and
ends it with the command:

    with_server.py COMMAND [ARGUMENT...]

The command finds in DSQ_SERVER an address of the server, to which parameters can be added. Where
there can be no server the exit status is 77, and the reason is said.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, Iterator, List, Optional

SKIPPED = 77
SECONDS = 60


class NoServer(Exception):
    """There can be none, for the reason that it says."""


def find_programs() -> Path:
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "postgres").exists():
            return folder
    found = shutil.which("postgres")
    if found is None:
        raise NoServer("PostgreSQL's server is not installed")
    return Path(found).parent


class Server:
    """One that runs; `address` leads to it, `folder` is where it is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = find_programs()
        self.address = f"postgresql://tests@/postgres?host={folder}"
        self.user: Optional[pwd.struct_passwd] = None
        if os.geteuid() == 0:  # as which it would not run
            try:
                self.user = pwd.getpwnam("postgres")
            except KeyError:
                raise NoServer("there is no user postgres to run the server as") from None
            os.chown(folder, self.user.pw_uid, self.user.pw_gid)
        folder.chmod(0o755)
        self.run("initdb", "-A", "trust", "-U", "tests", "-E", "UTF8", "--locale", "C", "--no-sync")

    def run(self, program: str, *arguments: str, check: bool = True) -> int:
        options: Dict[str, object] = {}
        if self.user is not None:
            options = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
        command = [str(self.programs / program), "-D", str(self.folder / "data"), *arguments]
        with open(self.folder / f"{program}.log", "ab") as log:
            code = subprocess.run(  # type: ignore[call-overload]
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                timeout=2 * SECONDS, **options).returncode
        if code != 0 and check:
            raise NoServer((self.folder / f"{program}.log").read_text(errors="replace"))
        return code

    def start(self) -> None:
        self.run("pg_ctl", "-w", "-t", str(SECONDS), "-l", str(self.folder / "data" / "log"), "-o",
                 f"-k {self.folder} -c listen_addresses= -c fsync=off -c max_connections=300",
                 "start")

    def stop(self, mode: str = "fast") -> None:
        self.run("pg_ctl", "-w", "-t", str(SECONDS), "-m", mode, "stop", check=False)


@contextlib.contextmanager
def server() -> Iterator[Server]:
    """One of its own; NoServer where there can be none."""
    with tempfile.TemporaryDirectory(prefix="dsq-server-", ignore_cleanup_errors=True) as name:
        made = Server(Path(name))
        try:
            made.start()
            yield made
        finally:
            made.stop("immediate")


def leave(number: int, frame: object) -> None:
    sys.exit(128 + number)


def main(command: List[str]) -> int:
    signal.signal(signal.SIGTERM, leave)  # or the server would stay
    try:
        with server() as running:
            environment = {**os.environ, "DSQ_SERVER": running.address}
            return subprocess.run(command, env=environment).returncode
    except NoServer as reason:
        print(f"skipped: {reason}")
        return SKIPPED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
