# test_dsq_dump.py - dsq dump, load, copy: everything comes back
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import datetime
import json
import math
import pickle
import resource
import signal
import struct
import subprocess
import time

import pytest

from dictsqlite_v4 import DictSQLiteV4
from program import DAMAGED, DSQ, FAILED, MISSING, PASSWORD, USAGE, fails, ok

VALUES = [
    None, True, False, 0, 1, -1, 2**63 - 1, -(2**63), 2**63, -(2**63) - 1, 2**2000, -(7**9000),
    2**40000, 0.0, -0.0, 0.1, 1e300, 5e-324, float("inf"), float("-inf"), 123456789.0, 1e22,
    "", "a", "a\0b", "é😀", "\x1b[31m\x7f\x80\u2028\"\\/\n", b"",
    bytes(range(256)), [], [1, [2, {"a": None}]],
    {"a": 1}, {1, 2}, (1, "x"), "\ud800", datetime.datetime(2020, 1, 1), 3 + 4j, range(5),
    bytearray(b"x"), "x" * 100_000, b"y" * 100_000,
]
KEYS = [
    "", "a", "a\0b", "é", "\x1b", b"", b"\xff", None, 0, 1, -1, 127, 128, -128, -129,
    2**63, -(2**64), 2**5000, 2**40000, 0.5, -1e-300, float("inf"), float("-inf"), 10**22, (),
    (None,),
    ("a", 1, 0.5, b"b", (2**70, (), ("",))), "x" * 1000, ("{",), '{"bytes":""}',
]


def nested(depth):
    key = ()
    for _ in range(depth):
        key = (key,)
    return key


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


def fill(db):
    for number, value in enumerate(VALUES):
        db[number] = value
    db["nan"] = float("nan")
    table = db.table("keys\0of every kind")
    for number, key in enumerate(KEYS):
        table[key] = number
    table[nested(200)] = "deep"
    db.table("")["k"] = "in the table of no name"
    db.table("empty")
    db.set("expires", "v", expire=5000)
    db.table("é").set("expires", "w", expire=7000)
    db["last"] = 1


def everything(path, password=None):
    """All that a store tells, types included."""
    with DictSQLiteV4(path, encryption_password=password) as db:
        tables = {name: db.table(name) for name in db.tables()}
        return {
            name: [(pickle.dumps(key), pickle.dumps(value), table.expires_in(key) is None)
                   for key, value in table.items()]
            for name, table in {None: db, **tables}.items()
        }


@pytest.mark.parametrize("from_password, to_password", [
    (None, None), ("secret", None), (None, "secret"),
])
def test_a_dump_loaded_is_the_same_store(tmp_path, path, from_password, to_password):
    with DictSQLiteV4(path, encryption_password=from_password) as db:
        fill(db)
    variables = {"FROM": from_password or "", "TO": to_password or ""}
    of = ("--password-env", "FROM") if from_password else ()
    to = ("--password-env", "TO") if to_password else ()
    other = tmp_path / "other.db"

    dump = ok("dump", path, *of, env=variables).raw
    n_entries = len(VALUES) + len(KEYS) + 6
    assert ok("load", other, *to, input=dump, env=variables).out == f"{n_entries} entries loaded\n"
    assert ok("dump", other, *to, env=variables).raw == dump
    assert everything(other, to_password) == everything(path, from_password)
    for line in dump.splitlines():
        json.loads(line)  # each is JSON as others read it

    copy = tmp_path / "copy.db"
    new = ("--new-password-env", "TO") if to_password else ()
    out = ok("copy", path, copy, *of, *new, env=variables).out
    assert out == f"{n_entries} entries copied\n"
    under = to or of
    assert ok("dump", copy, *under, env=variables).raw == dump


def test_expiry_is_exact(tmp_path, path):
    with DictSQLiteV4(path) as db:
        for number in range(300):
            db.set(number, number, expire=100 + number / 1000)
        db.set("far", "away", expire=9e12)
    dump = ok("dump", path).raw
    expires = [json.loads(line)["expires"] for line in dump.splitlines()]
    assert len(set(expires)) > 250
    ok("load", tmp_path / "other.db", input=dump)
    assert ok("dump", tmp_path / "other.db").raw == dump
    # a time that is over is over
    past = int(time.time() * 1000) - 1000
    line = json.dumps({"key": 5, "value": 5, "expires": past})
    ok("load", tmp_path / "other.db", input=line)
    fails(MISSING, "get", "-k", tmp_path / "other.db", "5")


def test_a_nan_keeps_its_bits(tmp_path, path):
    (odd,) = struct.unpack("<d", bytes.fromhex("0100000000 00fcff"))
    assert math.isnan(odd)
    with DictSQLiteV4(path) as db:
        db["odd"], db["common"] = odd, math.nan
    assert ok("get", "-j", path, "odd").out == '{"float":"nan:fffc000000000001"}\n'
    assert ok("get", "-j", path, "common").out == '{"float":"nan"}\n'
    ok("load", tmp_path / "other.db", input=ok("dump", path).raw)
    with DictSQLiteV4(tmp_path / "other.db") as db:
        assert struct.pack("<d", db["odd"]) == struct.pack("<d", odd)


def test_gvariants_come_back(tmp_path, path):
    for number, text in enumerate(("(1, 'a')", "@as []", "{'a': <(1.5, [true])>}", "uint16 7",
                                   "@mi nothing", "<<'x'>>", "objectpath '/a'", "handle 5")):
        ok("set", "-t", "variant", path, str(number), text)
    ok("load", tmp_path / "other.db", input=ok("dump", path).raw)
    assert ok("list", tmp_path / "other.db").out == ok("list", path).out
    assert ok("get", tmp_path / "other.db", "2").out == "{'a': <(1.5, [true])>}\n"


def test_old_pickles_come_back(tmp_path, path):
    line = json.dumps({"key": "k", "value": {"old-pickle": "STEKLg=="}})  # I1\n.
    ok("load", path, input=line)
    assert json.loads(ok("dump", path).out) == json.loads(line)
    with DictSQLiteV4(path) as db:
        assert db["k"] == 1


def test_the_deepest_key(tmp_path, path):
    line = '{"key":' + "[" * 1000 + "]" * 1000 + ',"value":1}\n'
    ok("load", path, input=line)
    assert ok("dump", path).out == line


def test_one_table(path):
    with DictSQLiteV4(path) as db:
        fill(db)
    lines = ok("dump", "--table", "", path).lines
    assert lines == ['{"table":""}', '{"table":"","key":"k","value":"in the table of no name"}']
    fails(MISSING, "dump", "--table", "nobody", path, says="there is no table 'nobody'")


def test_what_is_there_is_overwritten_and_the_rest_stays(path):
    with DictSQLiteV4(path) as db:
        db.update(a=1, b=2)
        db.set("c", 3, expire=1000)
    ok("load", path, input='{"key":"b","value":"new"}\n\n{"key":"c","value":4}')
    with DictSQLiteV4(path) as db:
        assert dict(db) == {"a": 1, "b": "new", "c": 4}
        assert db.expires_in("c") is None


def test_many_entries_of_many_tables(tmp_path, path):
    with DictSQLiteV4(path, persist_mode="lazy") as db:
        for name in range(20):
            db.table(str(name)).update({key: "v" * key for key in range(250)})
        db.update({f"key {number}": number for number in range(20_000)})
    dump = ok("dump", path).raw
    assert ok("load", tmp_path / "other.db", input=dump).out == "25,000 entries loaded\n"
    assert ok("dump", tmp_path / "other.db").raw == dump
    # lines in any order
    lines = dump.splitlines()
    ok("load", tmp_path / "mixed.db", input=b"\n".join(lines[::-1]))
    assert sorted(ok("dump", tmp_path / "mixed.db").raw.splitlines()) == sorted(lines)


HOSTILE = [
    (b"nonsense", "no sound JSON at byte 1"),
    (b"[]", 'no object of "key" and "value"'),
    (b"{}", 'no object of "key" and "value"'),
    (b'{"key":1}', 'no object of "key" and "value"'),
    (b'{"value":1}', 'no object of "key" and "value"'),
    (b'{"table":1,"key":1,"value":1}', 'no object of "key" and "value"'),
    (b'{"key":1,"value":1,"extra":1}', "a name is none of"),
    (b'{"key":1,"value":1,"key\\u0000":1}', "a name is none of"),
    (b'{"key":1,"key":2,"value":1}', "a name comes twice"),
    (b'{"key":1,"value":[]}', "no value: an array"),
    (b'{"key":1,"value":{"bytes":"A"}}', "no string in base64"),
    (b'{"key":1,"value":1e999}', "no number that a float can be"),
    (b'{"key":1,"value":' + b"9" * 6000 + b"}", "more than 5000 digits"),
    (b'{"key":{"float":"nan"},"value":1}', "NaN is none"),
    (b'{"key":1,"value":{"float":"inf\\u0000"}}', "no number that a float can be"),
    (b'{"key":{"list":[]},"value":1}', "no key"),
    (b'{"key":1,"value":1,"expires":"soon"}', '"expires" is no time'),
    (b'{"key":1,"value":1,"expires":0}', '"expires" is no time'),
    (b'{"key":1,"value":1,"expires":1e3}', '"expires" is no time'),
    (b'{"key":1,"value":1,"expires":99999999999999999999}', '"expires" is no time'),
    (b'{"key":"\\ud800","value":1}', "half of a surrogate pair"),
    (b'{"key":"\xff","value":1}', "it is not UTF-8"),
    (b'{"key":"a\0b","value":1}', "it holds a NUL"),
    (b'{"key":' + b"[" * 2000 + b"]" * 2000 + b',"value":1}', "nested too deeply"),
    (b'{"key":' + b"[" * 1050 + b"]" * 1050 + b',"value":1}', "1000 deep"),
    (b'{"key":"' + b"k" * (1 << 20) + b'k","value":1}', "longer than 1 MiB"),
    (b'{"key":1,"value":{"pickle":"AAAA"}}', "no pickle of protocol 2"),
    (b'{"key":1,"value":{"variant":"AAAA"}}', "no GVariant"),
    (b'{"table":"' + b"t" * (1 << 20) + b't"}', "table"),
    (b"\xef\xbb\xbf" + b'{"key":1,"value":1}', "no sound JSON at byte 1"),
]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_lines(path, number):
    line, says = HOSTILE[number]
    lines = [b'{"key":"before","value":1}', line, b'{"key":"after","value":1}']
    result = fails(DAMAGED, "load", path, input=b"\n".join(lines), says=says)
    assert result.err.startswith("dsq: standard input:2: ")
    assert result.err.endswith("; 1 entry loaded before that\n")
    assert ok("keys", path).lines == ["before"]


def test_a_line_that_ends_in_the_middle(tmp_path, path):
    lines = tmp_path / "lines"
    lines.write_bytes(b'{"key":1,"value":1}\n{"key":2,"val')
    fails(DAMAGED, "load", path, lines, says=f"{lines}:2: no sound JSON at byte 14: it ends early")
    fails(FAILED, "load", path, tmp_path / "missing", says="missing")
    fails(FAILED, "load", path, tmp_path, says=str(tmp_path))
    assert ok("load", path, input=b"").out == "0 entries loaded\n"


def test_copies_that_make_no_sense(tmp_path, path):
    other = tmp_path / "other.db"
    ok("set", path, "k", "v")
    fails(USAGE, "copy", path, path, says="it is what is copied")
    (tmp_path / "link.db").hardlink_to(path)
    fails(USAGE, "copy", path, tmp_path / "link.db", says="it is what is copied")
    (tmp_path / "link.db").unlink()
    fails(FAILED, "copy", tmp_path / "missing", other, says="missing")
    assert not other.exists()
    ok("set", other, "k", "old", "--password-fd", "0", input="secret")
    fails(PASSWORD, "copy", path, other, says="--new-password-fd")
    ok("copy", path, other, "--new-password-fd", "0", input="secret")
    assert ok("get", other, "k", "--password-fd", "0", input="secret").out == "v\n"


def test_a_full_disk(path):
    with DictSQLiteV4(path) as db:
        db.update({number: "v" * 1000 for number in range(1000)})
    with open("/dev/full", "wb") as full:
        done = subprocess.run([DSQ, "dump", path], stdout=full, stderr=subprocess.PIPE, timeout=60,
                              check=False)
    assert done.returncode == FAILED
    assert done.stderr == b"dsq: Failed to write standard output: No space left on device\n"


def test_a_disk_that_is_full_while_it_loads(tmp_path, path):
    """By the limit on a file's size; what is loaded is what the message says."""
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))

    lines = b"".join(b'{"key":%d,"value":"%s"}\n' % (number, b"v" * 1000)
                     for number in range(10_000))
    result = fails(FAILED, "load", path, input=lines, says=str(path), preexec_fn=limit)
    assert "loaded" not in result.out
    assert ok("check", path).out == ""
