# test_dsq_entries.py - dsq get, set, del
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import json
import os
import pickle
import subprocess

import pytest

from dictsqlite_v4 import DictSQLiteV4
from program import DAMAGED, DONE, DSQ, FAILED, MISSING, USAGE, dsq, fails, ok


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a store.db"


def test_what_is_set_is_got_here_and_in_python(path):
    ok("set", path, "name", "Alice")
    assert ok("get", path, "name").raw == b"Alice\n"
    assert ok("get", "--raw", path, "name").raw == b"Alice"
    assert ok("get", "--json", path, "name").raw == b'"Alice"\n'
    with DictSQLiteV4(path) as db:
        assert dict(db) == {"name": "Alice"}


@pytest.mark.parametrize("kind, word, value, shown", [
    ("int", "-5", -5, "-5"),
    ("int", str(2**64), 2**64, str(2**64)),
    ("int", "-0xFFFFFFFFFFFFFFFFFF", -0xFFFFFFFFFFFFFFFFFF, str(-0xFFFFFFFFFFFFFFFFFF)),
    ("float", "0.1", 0.1, "0.1"),
    ("float", "1", 1.0, "1.0"),
    ("float", "-inf", float("-inf"), '{"float":"-inf"}'),
    ("bool", "true", True, "true"),
    ("null", "null", None, "null"),
    ("json", '{"bytes":"AAE="}', b"\0\1", None),
    ("variant", "{'a': <1>, 'b': <'x'>}", {"a": 1, "b": "x"}, "{'a': <1>, 'b': <'x'>}"),
])
def test_types(path, kind, word, value, shown):
    ok("set", "--type", kind, path, "k", "--", word)
    with DictSQLiteV4(path) as db:
        assert db["k"] == value and type(db["k"]) is type(value)
    if shown is not None:
        assert ok("get", path, "k").out == shown + "\n"


def test_an_integer_is_stored_as_python_stores_it(path):
    number = -(7**4000)
    with DictSQLiteV4(path) as db:
        db["python"] = number
        ok("set", "-t", "int", path, "here", "--", hex(number))
        # a pickle that was made here is loaded by safe pickle, too
        assert db["here"] == number
    got = [ok("get", "--raw", path, key).raw for key in ("python", "here")]
    assert got[0] == got[1] == pickle.dumps(number, 5)


def test_standard_input_and_output_are_binary_safe(path):
    data = bytes(range(256)) * 4000
    ok("set", "-t", "bytes", path, "k", input=data)
    assert ok("get", path, "k").raw == data
    ok("set", path, "text", input="a\0b\n")
    assert ok("get", "--raw", path, "text").raw == b"a\0b\n"
    ok("set", "-t", "bytes", path, "none", input=b"")
    assert ok("get", path, "none").raw == b""


def test_keys_of_every_kind(path):
    keys = ["", "é", 5, -(2**70), 1.5, float("-inf"), None, b"\xff\0", ("a", (1, b"b"), None, ())]
    forms = ['""', '"é"', "5", str(-(2**70)), "1.5", '{"float":"-inf"}', "null",
             '{"bytes":"/wA="}', '["a",[1,{"bytes":"Yg=="}],null,[]]']
    for number, form in enumerate(forms):
        ok("set", "-t", "int", "-k", path, "--", form, str(number))
    with DictSQLiteV4(path) as db:
        assert list(db.items()) == [(key, number) for number, key in enumerate(keys)]
    assert ok("keys", "--json", path).lines == forms
    ok("set", path, "", "empty")
    assert ok("get", path, "").out == "empty\n"
    for form in forms:
        ok("del", "-k", path, "--", form)
    assert ok("keys", path).out == ""


def test_keys_are_folded_as_python_folds_them(path):
    for form in ("true", "1.0", "1e0", '{"int":"0x1"}', '{"float":"1"}'):
        ok("set", "-k", path, form, "one")
    ok("set", "-k", path, "1e22", "large")
    with DictSQLiteV4(path) as db:
        assert list(db) == [1, 10**22]


def test_a_key_that_is_missing(path):
    ok("set", path, "k", "v")
    fails(MISSING, "get", path, "other", says=f"{path}: there is no key 'other'")
    fails(MISSING, "del", path, "other", says="there is no key 'other'")
    ok("del", path, "k")
    fails(MISSING, "get", path, "k")


def test_tables(path):
    ok("set", path, "k", "main")
    ok("set", "--table", "users", path, "k", "in users")
    assert ok("get", path, "k").out == "main\n"
    assert ok("get", "-T", "users", path, "k").out == "in users\n"
    for command in ("get", "del"):
        fails(MISSING, command, "--table", "nobody", path, "k", says="there is no table 'nobody'")
    with DictSQLiteV4(path) as db:
        assert db.tables() == ["users"]


def test_expiry(path):
    ok("set", "--expire", "1000", path, "long", "v")
    ok("set", "--expire", "0.001", path, "short", "v")
    with DictSQLiteV4(path) as db:
        assert 900 < db.expires_in("long") <= 1000
    fails(MISSING, "get", path, "short")
    for bad in ("0", "-1", "x", "nan", ""):
        fails(USAGE, "set", "--expire=" + bad, path, "k", "v", says="--expire wants seconds")


@pytest.mark.parametrize("words", [
    ("get", "k"), ("del", "k"), ("keys",), ("list",), ("stat",), ("check",),
])
def test_a_file_that_is_missing_is_not_made(tmp_path, words):
    path = tmp_path / "missing.db"
    fails(FAILED, words[0], path, *words[1:], says=str(path))
    assert os.listdir(tmp_path) == []


def test_reading_changes_no_byte(path):
    ok("set", path, "k", "v")
    before = path.read_bytes()
    for words in (("get", path, "k"), ("keys", path), ("list", path), ("stat", path),
                  ("check", path), (path,)):
        ok(*words)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("words, says", [
    ((), "a command is missing"),
    (("frob",), "'frob' is no command, and no file"),
    (("--frob",), "'--frob' is no command"),
    (("get",), "usage: dsq get"),
    (("get", "x", "y", "z"), "usage: dsq get"),
    (("set", "--frob", "x", "y"), "--frob"),
    (("set", "-t", "frob", "x.db", "k", "v"), "there is no type 'frob'"),
    (("set", "-t", "int", "x.db", "k", "v"), "VALUE: no integer"),
    (("set", "-t", "int", "x.db", "k", "9" * 6000), "more than 5000 digits"),
    (("set", "-t", "float", "x.db", "k", "1e999"), "VALUE: no number"),
    (("set", "-t", "bool", "x.db", "k", "maybe"), "VALUE: no bool"),
    (("set", "-t", "json", "x.db", "k", "[1]"), "VALUE: no value: an array"),
    (("set", "-t", "json", "x.db", "k", "{"), "it ends early"),
    (("set", "-t", "pickle", "x.db", "k", "v"), "VALUE: no pickle"),
    (("set", "-t", "variant", "x.db", "k", "{'a': "), "VALUE: "),
    (("set", "x.db", b"\xff", "v"), "KEY is not UTF-8"),
    (("set", "x.db", "k", b"\xff"), "VALUE: no UTF-8"),
    (("set", "-k", "x.db", '{"float":"nan"}', "v"), "KEY: no key: NaN is none"),
    (("set", "-k", "x.db", '{"bytes":"?"}', "v"), "KEY: no string in base64"),
    (("set", "-k", "x.db", '{"bytes":"AA=="} ', "v", "w"), "usage: dsq set"),
    (("set", "-k", "x.db", "nonsense", "v"), "KEY: no sound JSON at byte 1"),
    (("set", "-T", b"\xff", "x.db", "k", "v"), "the table's NAME is not UTF-8"),
    (("set", "x.db", "k" * 70000, "v", "--password-fd", "x"), "--password-fd"),
])
def test_what_makes_no_sense_makes_no_file(tmp_path, words, says):
    fails(USAGE, *words, says=says, cwd=tmp_path)
    assert os.listdir(tmp_path) == []


def test_help_and_version(tmp_path):
    assert ok("--version").out == "dsq 1.0.0\n"
    commands = [line.split()[0] for line in ok("--help").out.split("Commands:\n")[1].splitlines()
                if line.startswith("  ")]
    assert {"get", "set", "del", "keys", "list", "stat", "check"} <= set(commands)
    for command in commands:
        out = ok(command, "--help").out
        assert f"dsq {command} [OPTION" in out and "--help" in out, command


def test_files_that_are_no_stores(tmp_path):
    text = tmp_path / "text"
    text.write_text("hello\n")
    fails(FAILED, "get", tmp_path, "k", says=str(tmp_path))
    for words in (("get", text, "k"), ("set", text, "k", "v"), ("del", text, "k"), ("keys", text),
                  ("list", text), ("stat", text), ("check", text)):
        fails(DAMAGED, *words, says=str(text))
    assert text.read_text() == "hello\n"
    fails(FAILED, "set", tmp_path / "no" / "such.db", "k", "v", says="such.db")


def test_names_that_are_not_utf8_and_begin_with_a_dash(tmp_path):
    name = os.fsencode(tmp_path) + b"/-\xff.db"
    ok("set", name, "k", "v")
    assert ok("get", name, "k").out == "v\n"
    os.rename(name, tmp_path / "--help")
    assert ok("get", "--", "--help", "k", cwd=tmp_path).out == "v\n"
    ok("set", "--", "--help", "--", "--", cwd=tmp_path)
    assert ok("get", "--", "--help", "--", cwd=tmp_path).out == "--\n"


def test_output_that_cannot_be_written(path):
    ok("set", path, "k", input="v" * 100_000)
    for words in (("get", path, "k"), ("list", "-j", path), ("keys", path), ("stat", path),
                  (path,), ("--help",), ("--version",)):
        with open("/dev/full", "wb") as full:
            done = dsq_into(full, *words)
        assert done[0] == FAILED and done[1] == (
            "dsq: Failed to write standard output: No space left on device\n"), words


def dsq_into(file, *words):
    done = subprocess.run([DSQ, *map(str, words)], stdout=file, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, timeout=60, check=False,
                          env={**os.environ, "LC_ALL": "C.UTF-8"})
    return done.returncode, done.stderr.decode()


def test_streams_that_are_closed(path):
    ok("set", path, "k", "v")
    before = path.read_bytes()

    def in_shell(command):
        done = subprocess.run(["sh", "-c", f'exec "$0" {command}', DSQ, path],
                              capture_output=True, timeout=60, check=False)
        return done.returncode, done.stderr.decode()

    message = "dsq: Failed to write standard output: Bad file descriptor\n"
    assert in_shell('get "$1" k >&-') == (FAILED, message)
    assert in_shell('list "$1" >&- 2>&- <&-') == (FAILED, "")
    assert in_shell('set "$1" k <&-') == (
        FAILED, "dsq: Failed to read standard input: Bad file descriptor\n")
    assert in_shell('get "$1" k 2>&-') == (DONE, "")
    assert path.read_bytes() == before


def test_a_reader_that_goes_away(path):
    """As any tool that is cut short by head: no message."""
    with DictSQLiteV4(path) as db:
        db.update({f"key {number}": "v" * 100 for number in range(10_000)})
    with subprocess.Popen([DSQ, "list", "-j", path], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        line = json.dumps({"key": "key 0", "value": "v" * 100}, separators=(",", ":"))
        assert process.stdout.readline() == line.encode() + b"\n"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == -13
    assert dsq("check", path).status == DONE
