# test_dsq_import.py - dsq import: package lists, CSV, JSON, and what is none of these
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from dictsqlite_v4 import DictSQLiteV4
from program import DAMAGED, FAILED, USAGE, fails, ok


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


def imported(path, text, *options):
    ok("import", *options, path, "-", input=text)
    with DictSQLiteV4(path) as db:
        return dict(db)


def test_package_lists(path):
    text = ("# a comment\nPackage: a\nVersion: 1\nDescription: short\n long\n .\n more\n\n\n"
            "Package: b\nSize:\n")
    assert imported(path, text) == {
        "a": {"Package": "a", "Version": "1", "Description": "short\nlong\n\nmore"},
        "b": {"Package": "b", "Size": ""},
    }


def test_the_machines_package_list(path):
    status = Path("/var/lib/dpkg/status")
    if not status.exists():
        pytest.skip("this is not Debian")
    ok("import", path, status)
    text = status.read_text()
    with DictSQLiteV4(path) as db:
        assert set(db) == {line[9:] for line in text.splitlines() if line.startswith("Package: ")}
        assert db["dpkg"]["Package"] == "dpkg"


@pytest.mark.parametrize("text", [
    "id,text\n1,a\n2,b\n", "id;text\r\n1;a\r\n2;b", "\ufeffid\ttext\n1\ta\n\n2\tb\n",
])
def test_csv(path, text):
    assert imported(path, text) == {"1": {"id": "1", "text": "a"}, "2": {"id": "2", "text": "b"}}


def test_csv_with_quotes(path):
    text = 'a,b\n"x,""y""\nz", 1\n,\n'
    assert imported(path, text, "--key", "b") == {
        " 1": {"a": 'x,"y"\nz', "b": " 1"}, "": {"a": "", "b": ""}}


def test_csv_of_one_column(path):
    assert imported(path, "name\nx\ny\n", "--format", "csv") == {
        "x": {"name": "x"}, "y": {"name": "y"}}


def test_a_json_object_is_a_store_of_its_names(path):
    text = '{"a": 1, "b": [1, 2.5, null, {"c": "d"}], "e": null, "f": "x", "g": {}, "h": 1e3,' \
           f'"i": true, "j": {2**70}}}'
    assert imported(path, text) == {
        "a": 1, "b": [1, 2.5, None, {"c": "d"}], "e": None, "f": "x", "g": {}, "h": 1000.0,
        "i": True, "j": 2**70}


def test_json_records(path, tmp_path):
    expected = {"1": {"id": 1, "v": "a"}, "x": {"id": "x", "v": "b"}}
    array = '[{"id": 1, "v": "a"},\n {"id": "x", "v": "b"}]'
    assert imported(path, array) == expected
    assert imported(tmp_path / "2.db", '{"id":1,"v":"a"}\n\n{"id":"x","v":"b"}\n') == expected
    assert imported(tmp_path / "3.db", array, "--key", "v") == {
        "a": expected["1"], "b": expected["x"]}
    assert imported(tmp_path / "4.db", '{"id": 1, "v": "a"}', "--key", "id") == {
        "1": expected["1"]}


def test_into_a_table_and_an_encrypted_file(path):
    ok("import", "-T", "t", path, "-", "--password-fd", "0", input="secret\nid,b\n1,2\n")
    with DictSQLiteV4(path, encryption_password="secret") as db:
        assert dict(db.table("t")) == {"1": {"id": "1", "b": "2"}} and len(db) == 0


def test_many_sources_and_equal_keys(path, tmp_path):
    for name in "ab":
        (tmp_path / name).write_text(f"id,file\n1,{name}\n{name},{name}\n")
    result = ok("import", path, tmp_path / "a", tmp_path / "b")
    assert result.lines == ["4 entries imported", "1 record took another's place: the same key;"
                            " see --key"]
    with DictSQLiteV4(path) as db:
        assert db["1"] == {"id": "1", "file": "b"} and len(db) == 3


@pytest.mark.parametrize("text, options, says", [
    (b"", (), "neither a package list nor CSV nor JSON"),
    (b"hello\n", (), "neither a package list nor CSV nor JSON"),
    (b"a,b\n1\n", (), "line 2: 1 cells, where the header has 2"),
    (b'a,b\n"1,2\n', (), "line 2: a quote is never closed"),
    (b"a,a\n1,2\n", (), "line 1: the header has a name twice"),
    (b"a,b\n1,2\n", ("--key", "c"), "line 2: the record has no field 'c'"),
    (b"Package: a\nnonsense\n", (), "line 2: it is no field"),
    (b"Package: a\nA: 1\nA: 2\n", (), "line 3: the field 'A' comes twice"),
    (b"Package: a\n", ("--key", "B"), "line 1: the record has no field 'B'"),
    (b"[1]", (), "item 1: it is no object"),
    (b'[{"a":[]}]', (), "item 1: the record has no field 'key'"),
    (b"{}{}", (), "something follows the value"),
    (b'{"id":1}\n{"id":\n', (), "line 2: "),
    (b'{"id":1}\n2\n', (), "line 2: it is no object"),
    (b"5", ("-f", "json"), "neither an object nor an array"),
    (b'{"a":{"b":"\\u0000"}}', (), "under the name 'a': a string holds a NUL"),
    (b'{"a":{"b":99999999999999999999}}', (), "beyond 64 bits"),
    (b'{"a":' + b"[" * 200 + b"]" * 200 + b"}", (), "nested too deeply"),
    (b'{"a":' + b"[" * 40 + b"]" * 40 + b"}", (), "nested too deeply"),
    (b"a,b\n\xff,2\n", (), "not UTF-8"),
    (b"a,b\n\0,2\n", (), "not UTF-8"),
])
def test_what_is_no_list(path, text, options, says):
    result = fails(DAMAGED, "import", *options, path, "-", input=text, says=says)
    assert "imported before that" in result.err and "standard input: " in result.err


def test_files_of_other_programs(path, tmp_path):
    source = tmp_path / "source"
    connection = sqlite3.connect(source)
    connection.execute("CREATE TABLE kv_store (key TEXT PRIMARY KEY, value BLOB NOT NULL)")
    connection.close()
    fails(DAMAGED, "import", path, source, says="dictsqlite_v4.import_v4() imports")
    source.write_bytes(b"\x1f\x8b\x08\0\0\0")
    fails(DAMAGED, "import", path, source, says="compressed by gzip")
    source.unlink()
    ok("set", source, "k", "v")
    fails(DAMAGED, "import", path, source, says="a store; see dsq copy")
    fails(FAILED, "import", path, tmp_path / "missing", says="missing")
    fails(DAMAGED, "import", path, tmp_path, says="a folder")
    fails(USAGE, "import", path, says="usage: dsq import")
    fails(USAGE, "import", "-f", "xml", path, "-", says="there is no format 'xml'")
    assert not path.exists()
