# test_dsq_manual.py - the examples of the manual page and the guide; completion
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from program import DSQ, ok

SOURCES = Path(__file__).parents[2] / "bindings" / "cli"
PAGE = SOURCES / "dsq.1"
ENVIRONMENT = {**os.environ, "PATH": f"{Path(DSQ).parent}:{os.environ['PATH']}",
               "LC_ALL": "C.UTF-8"}


def plain(text):
    """The characters that troff shows."""
    for escape, shown in (("\\(aq", "'"), ("\\-", "-"), ("\\e", "\\"), ("\\&", ""), ("\\~", " ")):
        text = text.replace(escape, shown)
    return text


def examples():
    """Each command of the examples, and what it is said to print."""
    text = PAGE.read_text().split(".SH EXAMPLES")[1]
    steps = []
    for block in re.findall(r"^\.EX\n(.*?)^\.EE", text, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if command := re.fullmatch(r'\.RB \$\\~ "(.*)"', line):
                steps.append((plain(command[1]), []))
            elif line.startswith("eval"):
                steps.append((plain(line).replace('"$(/opt/dictsqlite/bin/dsq env)"', ":"), []))
            else:
                steps[-1][1].append(plain(line))
    return steps


def test_the_examples_print_what_they_say(tmp_path):
    steps = examples()
    assert len(steps) >= 15
    for command, expected in steps:
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, env=ENVIRONMENT,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=60, check=False)
        assert (done.stdout.splitlines(), done.stderr) == (expected, ""), command


def test_the_guides_commands_run(tmp_path):
    guide = (SOURCES.parents[1] / "docs" / "guide.md").read_text()
    (commands,) = re.findall(r"^```sh\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    for _ in range(2):
        (tmp_path / "backup.db").unlink(missing_ok=True)
        done = subprocess.run(["bash", "-ec", commands], cwd=tmp_path, env=ENVIRONMENT,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("hello\ndata.db: a store of dictsqlite")


def test_every_command_and_option_is_in_it():
    text = plain(PAGE.read_text())
    commands = [line.split()[0] for line in ok("--help").out.split("Commands:\n")[1].splitlines()
                if line.startswith("  ")]
    assert len(commands) == 19
    for command in commands:
        assert f"dsq {command}" in text, command
        for option in re.findall(r"--[a-z-]+", ok(command, "--help").out):
            assert option in text, (command, option)


def test_it_is_well_formed():
    if shutil.which("groff") is None:
        pytest.skip("there is no groff")
    done = subprocess.run(["groff", "-man", "-ww", "-z", "-Kutf8", "-Tutf8", PAGE],
                          capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# --- completion


def complete(folder, *words):
    """What bash would offer for the last word."""
    script = ('source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); compopt () { echo files; }; '
              '_dsq; printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-c", script, SOURCES / "dsq.bash", *words], cwd=folder,
                          env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == "", done
    return [line for line in done.stdout.splitlines() if line]


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "store.db"
    for key in ("apple", "a pear", "banana", "[1]"):
        ok("set", path, key, "v")
    ok("set", "--table", "users", path, "alice", "v")
    ok("set", tmp_path / "secret.db", "k", "v", "--password-fd", "0", input="secret")
    return tmp_path


def test_bash_completes(folder):
    assert complete(folder, "dsq", "de") == ["del", "decrypt"]
    assert complete(folder, "dsq", "stor") == ["files"]
    assert complete(folder, "dsq", "get", "") == ["files"]
    assert complete(folder, "dsq", "get", "store.db", "a") == [r"a\ pear", "apple"]
    assert complete(folder, "dsq", "get", "--raw", "store.db", "b") == ["banana"]
    assert complete(folder, "dsq", "get", "-T", "users", "store.db", "") == ["alice"]
    assert complete(folder, "dsq", "del", "store.db", "--table", "u") == ["users"]
    assert complete(folder, "dsq", "set", "-t", "b") == ["bytes", "bool"]
    assert complete(folder, "dsq", "get", "--pass") == ["--password-env", "--password-fd"]
    assert complete(folder, "dsq", "get", "secret.db", "") == []
    assert complete(folder, "dsq", "get", "missing.db", "") == []
    assert complete(folder, "dsq", "env", "") == []


def test_zsh_completes(folder):
    if shutil.which("zsh") is None:
        pytest.skip("there is no zsh")
    script = (
        'compadd () { if [[ $1 == -a ]]; then print -l -- ${(P)2}; else print -l -- ${@:#--}; fi; }'
        '; '
        '_files () { print files; }; _describe () { print -l -- ${(P)2}; }; '
        'words=("$@"); CURRENT=$#; file=$0; set --; source $file'
    )

    def complete_in_zsh(*words):
        done = subprocess.run(["zsh", "-fc", script, SOURCES / "_dsq", *words], cwd=folder,
                              env=ENVIRONMENT, capture_output=True, text=True, timeout=60,
                              check=False)
        assert done.stderr == "", done
        return [line for line in done.stdout.splitlines() if line]

    assert "get:Print the value of a key." in complete_in_zsh("dsq", "")
    assert complete_in_zsh("dsq", "get", "") == ["files"]
    assert complete_in_zsh("dsq", "get", "store.db", "a") == ["a pear", "apple"]
    assert complete_in_zsh("dsq", "get", "-T", "users", "store.db", "") == ["alice"]
    assert complete_in_zsh("dsq", "del", "store.db", "--table", "") == ["users"]
    assert "--password-env" in complete_in_zsh("dsq", "get", "--")
    assert complete_in_zsh("dsq", "get", "secret.db", "") == []
