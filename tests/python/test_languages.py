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
from conftest import build_folder

from dictsqlite_v4 import AsyncDictSQLite, DictSQLiteV4

TESTS = Path(__file__).parents[1]
# Each with how GVariant shows it; of a list in Python only who wrote it knows.
VALUES = {
    "string": ("ключ", "'ключ'"), "empty": ("", "''"),
    "bytes": (b"\x00\x01\xff", "[0x00, 0x01, 0xff]"), "int": (-7, "-7"),
    "most": (2**63 - 1, "9223372036854775807"), "least": (-2**63, "-9223372036854775808"),
    "double": (1.5, "1.5"), "infinity": (float("inf"), "inf"), "boolean": (True, "true"),
    "nothing": (None, "nothing"), "list": (["a", "b"], "['a', 'b']"),
}


@pytest.fixture(scope="module")
def build():
    """The folder of the build whose typelib is in use."""
    return build_folder()


def output(command, build):
    environment = {**os.environ, "PKG_CONFIG_PATH": str(build / "meson-uninstalled")}
    done = subprocess.run(
        list(map(str, command)), env=environment, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=300, check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def compiled_c(build, folder, name="share.c"):
    flags = output(["pkg-config", "--cflags", "--libs", "dictsqlite-1"], build)
    source = TESTS / "python" / name
    program = folder / "program"
    output(["gcc", "-Wall", "-Werror", source, "-o", program, *shlex.split(flags)], build)
    return [program]


@pytest.mark.parametrize("password", (None, "correct horse"))
def test_each_reads_what_all_others_wrote(build, path, tmp_path, monkeypatch, password):
    programs = {
        "gjs": ["gjs", TESTS / "gjs" / "share.js"],
        "vala": [sys.executable, TESTS / "vala" / "run.py", TESTS / "vala" / "share.vala", "valac",
                 build],
        "c": compiled_c(build, tmp_path),
    }
    if password is not None:
        monkeypatch.setenv("SHARE_PASSWORD", password)
    with DictSQLiteV4(path, encryption_password=password) as db:
        for kind, (value, _) in VALUES.items():
            # a list would be a pickle, which no other language reads
            db[f"python {kind}"] = value if kind != "list" else None
    shown = {kind: text for kind, (_, text) in VALUES.items()}
    for _ in range(2):  # the first time there is nothing yet to read of those behind
        written = [language for language in ("python", *programs)
                   if has_written(path, password, language)]
        for language, program in programs.items():
            others = [other for other in written if other != language]
            assert output([*program, path, *others], build) == "".join(
                f"{other} {kind}: {'nothing' if (other, kind) == ('python', 'list') else text}\n"
                for other in others for kind, text in shown.items()
            )

    async def main():
        async with AsyncDictSQLite(path, encryption_password=password) as db:
            return dict(await db.items_async())

    expected = {f"{name} {kind}": value for name in ("python", *programs)
                for kind, (value, _) in VALUES.items()}
    expected["python list"] = None
    assert asyncio.run(main()) == expected
    with DictSQLiteV4(path, encryption_password=password) as db:
        assert dict(db) == expected
        assert {type(value) for value in db.values()} == {
            type(value) for value in expected.values()}


def has_written(path, password, language):
    with DictSQLiteV4(path, encryption_password=password, read_only=True) as db:
        return f"{language} int" in db
