# test_languages.py - what each language writes, all the others read
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from dictsqlite_v4 import AsyncDictSQLite, DictSQLiteV4

TESTS = Path(__file__).parents[1]
VALUES = {"string": "ключ", "bytes": b"\x00\x01\xff", "int": -7, "double": 1.5, "boolean": True,
          "list": ["a", "b"]}
SEEN = "ключ, 0 1 255, -7, 1.5, true"


@pytest.fixture(scope="module")
def build():
    """The folder of the build whose typelib is in use."""
    typelibs = [Path(folder) for folder in os.environ["GI_TYPELIB_PATH"].split(":")]
    return next(folder.parent for folder in typelibs if (folder / "Dsq-1.0.typelib").exists())


def output(command, build):
    environment = {**os.environ, "PKG_CONFIG_PATH": str(build / "meson-uninstalled")}
    done = subprocess.run(
        list(map(str, command)), env=environment, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=300, check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def compiled_c(build, folder):
    flags = output(["pkg-config", "--cflags", "--libs", "dictsqlite-1"], build)
    source = TESTS / "python" / "share.c"
    output(["gcc", "-Wall", "-Werror", source, "-o", folder / "share", *shlex.split(flags)], build)
    return [folder / "share"]


def test_each_reads_all(build, path, tmp_path):
    programs = {
        "gjs": ["gjs", TESTS / "gjs" / "share.js"],
        "vala": [sys.executable, TESTS / "vala" / "run.py", TESTS / "vala" / "share.vala", "valac",
                 build],
        "c": compiled_c(build, tmp_path),
    }
    written = ["python"]
    with DictSQLiteV4(path) as db:
        db.update({f"python {kind}": value for kind, value in VALUES.items()})
    for language, program in programs.items():
        seen = output([*program, path, *written], build)
        assert seen == "".join(
            f"{other} {SEEN}{'' if other == 'python' else ', a b'}\n" for other in written
        )
        written.append(language)

    async def main():
        async with AsyncDictSQLite(path) as db:
            return dict(await db.items_async())

    expected = {f"{name} {kind}": value for name in written for kind, value in VALUES.items()}
    assert asyncio.run(main()) == expected
    with DictSQLiteV4(path) as db:
        assert dict(db) == expected
