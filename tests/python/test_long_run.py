# test_long_run.py - tests/run --long: it fills its time, ends by then, and tells what was reached
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import build_folder

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "docs" / "durability.md"


def long_run(build, folder, seconds, *options):
    """The command's end, what it said, and how long it took."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, TESTS / "long.py", "--build", build, "--logs", folder / "logs",
         "--for", str(seconds / 3600), *options],
        capture_output=True, text=True, timeout=seconds + 120,
    )  # fmt: skip
    return done, time.monotonic() - began


def stand_in(folder, program, script):
    path = folder / "tests" / program
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_each_loop_has_its_share(tmp_path):
    loops = ("soak-plain", "kills-plain", "lin-memory")
    only = [word for loop in loops for word in ("--only", loop)]
    done, took = long_run(build_folder(), tmp_path, 20, *only)
    assert done.returncode == 0, done.stdout + done.stderr
    assert took < 30
    assert re.search(r"^\| soak-plain \| 0\.\d \| \d[\d,]* calls acknowledged", done.stdout, re.M)
    assert re.search(r"^\| kills-plain \|.*\| [1-9][\d,]* processes killed", done.stdout, re.M)
    assert re.search(r"^\| lin-memory \|.*\| [1-9][\d,]* histories \| 2,400,000 \|$", done.stdout,
                     re.M)  # fmt: skip
    assert "3 loops, nothing lost." in done.stdout


def test_who_does_not_end_is_killed_with_its_children(tmp_path):
    stand_in(tmp_path, "fault/test-soak", "sleep 1000 & echo $! >$0.child; wait")
    stand_in(tmp_path, "fault/test-kills", 'echo "# reached 12345 processes killed"')
    done, took = long_run(tmp_path, tmp_path, 4, "--only", "soak", "--only", "kills")
    assert done.returncode == 1
    assert took < 20
    assert re.search(r"^\| soak-plain \|.*failed: did not end in time", done.stdout, re.M)
    assert re.search(r"^\| kills-plain \|.*\| 12,345 processes killed \|", done.stdout, re.M)
    assert re.search(r"^\d of 4 loops failed: soak-plain", done.stdout, re.M)
    child = int((tmp_path / "tests" / "fault" / "test-soak.child").read_text())
    until = time.monotonic() + 20
    while time.monotonic() < until and os.path.exists(f"/proc/{child}/fd"):
        state = Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[0]
        if state == "Z":
            break
        time.sleep(0.05)
    else:
        assert not os.path.exists(f"/proc/{child}/fd")


@pytest.mark.parametrize(
    "script, said",
    [
        ('echo "# reached 5 processes killed"; exit 3', "ended with status 3"),
        ('echo "# reached 5 processes killed"; kill -ABRT $$', "ended by signal 6"),
        ("exit 0", "does not say how far it came"),
        ('echo "# reached 0 processes killed"', "does not say how far it came"),
    ],
)
def test_who_fails_is_told(tmp_path, script, said):
    stand_in(tmp_path, "fault/test-kills", script)
    done, _ = long_run(tmp_path, tmp_path, 10, "--only", "kills-plain")
    assert done.returncode == 1
    assert said in done.stdout
    assert "1 of 1 loops failed: kills-plain." in done.stdout


def test_a_loop_is_told_of_its_seconds(tmp_path):
    stand_in(tmp_path, "fault/test-kills", 'echo "# reached ${DSQ_SECONDS%.*} seconds"')
    done, _ = long_run(tmp_path, tmp_path, 100, "--only", "kills-plain")
    reached = re.search(r"(\d+) seconds", done.stdout)
    assert 80 <= int(reached[1]) < 100


def test_the_page_is_written(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(TESTS))
    import long

    page = tmp_path / "page.md"
    page.write_text(PAGE.read_text("utf-8"), "utf-8")
    log = tmp_path / "log"
    log.write_text("# points lazy open 12\n# points lazy get 3000\n# points memory get 5\n")
    loop = long.Loop("kills-plain", 1, [], 5000)
    long.write_docs(page, [long.Outcome(loop, 90, [(1234567, "processes killed")], "", log)], 5400)
    text = page.read_text("utf-8")
    assert "a run of 90 minutes. 1 loops, nothing lost." in text
    assert "| kills-plain | 1.5 | 1,234,567 processes killed | 5,000 |" in text
    assert "| get | 3,000 | 5 |" in text
    assert "| **all** | **3,012** | **5** |" in text
    long.write_docs(page, [long.Outcome(loop, 90, [], "ended with status 1", log)], 5400)
    assert "1 of 1 loops failed: kills-plain." in page.read_text("utf-8")
    assert "1,234,567" not in page.read_text("utf-8")


def test_the_page_has_each_verb_of_the_script():
    """A step that is new, or has another name, is missing there until the run is recorded again."""
    done = subprocess.run(
        [build_folder() / "tests" / "fault" / "test-faults", "-p", "/dsq/faults/memory"],
        capture_output=True, text=True, timeout=300, env={**os.environ, "DSQ_SECONDS": "0.1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    verbs = re.findall(r"^# points memory (\S+) \d+$", done.stdout, re.M)
    table = PAGE.read_text("utf-8").split("<!-- long points -->")[1].split("<!-- end -->")[0]
    rows = re.findall(r"^\| ([a-z-]+) \| +\d", table, re.M)
    assert len(verbs) > 20
    assert rows == verbs


@pytest.mark.parametrize(
    "words, said",
    [
        (["--for", "1"], "--for is of --long."),
        (["--long", "style"], "--long has no parts"),
        (["--long", "--only"], "--only wants a value."),
    ],
)
def test_what_makes_no_sense_is_refused(words, said):
    done = subprocess.run(["bash", TESTS / "run", *words], capture_output=True, text=True)
    assert done.returncode == 2
    assert said in done.stderr and "tests/run --long [--for HOURS]" in done.stderr
