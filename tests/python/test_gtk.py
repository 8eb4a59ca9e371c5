# test_gtk.py - a program in GTK 4 that shows a store, on a display without a screen
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dictsqlite_v4 import DictSQLiteV4

PROGRAM = Path(__file__).parent / "gtk_entries.py"


@pytest.fixture
def display(tmp_path):
    """The name of an X server that draws into a file, and that file."""
    if shutil.which("Xvfb") is None:
        pytest.skip("there is no Xvfb")
    gi = pytest.importorskip("gi")
    pytest.importorskip("cairo")
    try:
        gi.require_version("Gtk", "4.0")
    except ValueError as error:
        pytest.skip(f"there is no GTK 4: {error}")
    read_end, write_end = os.pipe()
    command = ["Xvfb", "-displayfd", str(write_end), "-screen", "0", "800x600x24", "-fbdir",
               tmp_path, "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=[write_end], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as server:
        os.close(write_end)
        try:
            with open(read_end, encoding="ascii") as told:
                yield ":" + told.readline().strip(), tmp_path / "Xvfb_screen0"
        finally:
            server.terminate()


def show(display, path, picture):
    name, screen = display
    environment = {**os.environ, "DISPLAY": name, "GDK_BACKEND": "x11", "GSK_RENDERER": "cairo",
                   "GTK_A11Y": "none", "GSETTINGS_BACKEND": "memory", "G_DEBUG": ""}
    done = subprocess.run(
        [sys.executable, PROGRAM, path, screen, picture], env=environment,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_shows_the_end_of_many_and_what_changes_there(display, path, tmp_path):
    n_keys = 1_000_000 if os.environ.get("DSQ_LONG") else 50_000
    with DictSQLiteV4(path) as db:
        for i in range(0, n_keys, 10_000):
            db.update({f"key/{j:07}": f"value {j}" for j in range(i, i + 10_000)})
    picture = tmp_path / "entries.png"
    seen = show(display, path, picture)
    assert (seen["number"], seen["after"]) == (n_keys, n_keys)
    # a hundred bytes a key would be another size
    assert seen["grown"] < 48 * 2**20 + 16 * n_keys
    assert seen["shades"] > 20 and picture.read_bytes().startswith(b"\x89PNG")
