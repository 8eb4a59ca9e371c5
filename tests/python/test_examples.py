# test_examples.py - the programs of docs/examples do what they say, twice in one folder
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import build_folder

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs/examples"
# What the first and the second run print.
PRINTED = {
    "cache.py": [r"\[0, 1, 4, 9, 16\] \d+ ms\n\[0, 1, 4, 9, 16\] \d+ ms\n"] * 2,
    "crawl.py": ["100 pages, page 7\n"] * 2,
    "jobs.py": ["200 jobs were done by 2 processes\n"] * 2,
    "notes.js": ["a note\n", "a note\na note\n"],
    "sessions.py": [r"{'user': 'alice'}\nNone\n"] * 2,
    "settings.vala": [r"started 1 times, \(640, 480\)\n", r"started 2 times, \(640, 480\)\n"],
    "words.c": ["one: 1\ntwo: 1\none: 2\n", "one: 3\ntwo: 2\none: 4\n"],
}

# What test_gtk.py shows.
WINDOWS = ["entries.py"]


def run(command, folder: Path, text: str = "") -> str:
    environment = {**os.environ, "PKG_CONFIG_PATH": str(build_folder() / "meson-uninstalled")}
    done = subprocess.run(command, cwd=folder, env=environment, input=text, capture_output=True,
                          text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout


def command_of(program: Path, folder: Path):
    """What runs it, compiled where that has to be."""
    if program.suffix == ".py":
        return [sys.executable, "-W", "error", program]
    if program.suffix == ".js":
        return ["gjs", "-m", program, "a", "note"]
    if program.suffix == ".vala":
        return [sys.executable, ROOT / "tests/vala/run.py", program, "valac", build_folder()]
    flags = shlex.split(run(["pkg-config", "--cflags", "--libs", "dictsqlite-1"], folder))
    run(["gcc", "-Wall", "-Wextra", "-Werror", program, "-o", "program", *flags], folder)
    return ["./program"]


def test_each_program_is_known():
    assert sorted(path.name for path in EXAMPLES.iterdir()) == sorted([*PRINTED, *WINDOWS])


@pytest.mark.parametrize("name", sorted(PRINTED))
def test_example(name, tmp_path):
    command = command_of(EXAMPLES / name, tmp_path)
    for expected in PRINTED[name]:
        printed = run(command, tmp_path, "one two one\n")
        assert re.fullmatch(expected, printed), printed
