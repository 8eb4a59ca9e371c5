# test_quickstart.py - data/quickstart loads what people have, and says what was odd about it
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import gzip
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dictsqlite_v4 import DictSQLiteV4

PROGRAM = Path(__file__).parents[2] / "data" / "quickstart.py"


@pytest.fixture
def quickstart(tmp_path):
    """Loads an input into store.db; gives the exit status, what was printed, and the entries."""

    def run(source, *arguments):
        store = tmp_path / "store.db"
        done = subprocess.run(
            [sys.executable, PROGRAM, source, "--store", store, *arguments], cwd=tmp_path,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
        )
        assert "Traceback" not in done.stderr
        if not store.exists():
            return done.returncode, done.stdout + done.stderr, {}
        with DictSQLiteV4(store) as db:
            return done.returncode, done.stdout + done.stderr, dict(db)

    return run


@pytest.fixture
def write(tmp_path):
    """Makes an input file; its name tells nothing of its kind."""

    def write_one(content, name="input"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_one


PACKAGES = "Package: a\nVersion: 1\nDescription: one\n two\n .\n\nPackage: b\nVersion: 2\n"


def test_package_list(quickstart, write):
    status, printed, entries = quickstart(write(PACKAGES))
    assert status == 0
    # each tier's room in its own unit
    assert "room for 1,000,000 entries" in printed and "room for 65,536 entries" in printed
    assert "room for 64 MiB" in printed and "room for 0 MiB" not in printed
    assert entries == {
        "a": {"Package": "a", "Version": "1", "Description": "one\ntwo\n."},
        "b": {"Package": "b", "Version": "2"},
    }
    assert list(entries) == ["a", "b"]


@pytest.mark.parametrize("mode", ("lazy", "writethrough"))
def test_the_second_process_is_another(quickstart, write, mode):
    status, out, entries = quickstart(write(PACKAGES), "--mode", mode)
    assert (status, len(entries)) == (0, 2)
    for step in ("open again", "look up", "change", "delete", "iterate", "flush", "Tiers, "):
        assert step in out


def test_memory_mode_makes_no_file(quickstart, write):
    status, out, entries = quickstart(write(PACKAGES), "--mode", "memory")
    assert (status, entries) == (0, {})
    assert "iterate" in out


def test_json_lines_with_bad_ones(quickstart, write):
    deep = "[" * 5000 + "]" * 5000
    text = f'{{"id": 1, "n": null}}\n{{broken\n\n{{"id": "x", "n": 1.5}}\n{deep}\n[1, 2]\n'
    source = write(text)
    status, out, entries = quickstart(source)
    assert status == 0
    assert entries == {
        "1": {"id": 1, "n": None}, "x": {"id": "x", "n": 1.5}, f"{source}:6": [1, 2],
    }
    assert f"2 x line that is not JSON: {source}:2, {source}:5" in out


def test_json_document(quickstart, write):
    records = [{"name": "p", "v": [1]}, {"name": "q", "v": {}}]
    _, _, entries = quickstart(write(json.dumps(records, indent=2)))
    assert entries == {"p": records[0], "q": records[1]}


@pytest.mark.parametrize("indent", (None, 2))
def test_a_json_object_is_a_store_of_its_keys(quickstart, write, indent):
    value = {"name": "shop", "open": True, "goods": ["tea", {"of": 2}], "id": 7}
    _, _, entries = quickstart(write(json.dumps(value, indent=indent)))
    assert entries == value


def test_numbers_that_are_none(quickstart, write):
    status, printed, entries = quickstart(write('{"a": NaN, "b": 1e999, "c": {"d": NaN}}'))
    assert (status, str(entries)) == (0, "{'a': nan, 'b': inf, 'c': {'d': nan}}"), printed


def test_an_object_with_the_key_that_was_asked_for_is_a_record(quickstart, write):
    value = {"name": "shop", "id": 7}
    _, _, entries = quickstart(write(json.dumps(value)), "--key", "id")
    assert entries == {"7": value}


@pytest.mark.parametrize("delimiter", ",;\t|")
def test_csv(quickstart, write, delimiter):
    rows = [["key", "text"], ["1", f'"a{delimiter}b\nc"'], ["2"], ["3", '"open'], ["4", "d"]]
    _, out, entries = quickstart(write("\r\n".join(delimiter.join(row) for row in rows)))
    assert entries == {
        "1": {"key": "1", "text": f"a{delimiter}b\nc"}, "4": {"key": "4", "text": "d"},
    }
    assert "1 x row of too many or too few cells" in out
    assert "1 x quote that is never closed" in out


def test_the_key_field_can_be_chosen(quickstart, write):
    _, out, entries = quickstart(write("id,city\n1,Rome\n2,Oslo\n3,Rome\n"), "--key", "city")
    assert {key: row["id"] for key, row in entries.items()} == {"Rome": "3", "Oslo": "2"}
    assert "1 record took another's place" in out


@pytest.mark.parametrize("content", ("id,city\n1,Rome\n", PACKAGES, '{"id": 1}\n{"id": 2}\n'))
def test_a_key_field_that_no_record_has(quickstart, write, content):
    status, out, entries = quickstart(write(content), "--key", "town")
    assert (status, entries) == (2, {})
    assert "Nothing was loaded" in out and "'town'" in out and ("'id'" in out or "'Package'" in out)


@pytest.mark.parametrize("name", ("-", "/dev/stdin", "fifo"))
def test_pipes_are_read(write, tmp_path, name):
    os.mkfifo(tmp_path / "fifo")
    command = shlex.join([sys.executable, str(PROGRAM), name, "--store", "store.db"])
    if name == "fifo":
        command = f"cat <&3 >fifo & {command}; wait"
    done = subprocess.run(
        ["bash", "-c", f"cat | {{ exec 3<&0; {command}; }}"], cwd=tmp_path, input=PACKAGES,
        capture_output=True, text=True, timeout=120, check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with DictSQLiteV4(tmp_path / "store.db") as db:
        assert list(db) == ["a", "b"]


@pytest.mark.parametrize("content, what", (
    ("name\nx\ny\n", "text of one column"),
    ("42\n", "JSON of one value"),
    ('"text"\n', "JSON of one value"),
    ("id,name\n", "CSV of a header alone"),
))
def test_what_has_no_records_is_told_by_its_name(quickstart, write, content, what):
    status, out, _ = quickstart(write(content))
    assert status == 1 and what in out


def test_progress_is_one_line_where_there_is_no_terminal(quickstart, write):
    rows = "".join(f"{n},x\n" for n in range(50_000))
    _, out, entries = quickstart(write("id,v\n" + rows))
    assert len(entries) == 50_000
    assert [line for line in out.splitlines() if line.startswith("  load")] == [
        "  loaded: 100%  50,000 records"]


def test_its_last_line_works_as_it_stands(quickstart, write, tmp_path):
    _, out, _ = quickstart(write(PACKAGES))
    done = subprocess.run(["bash", "-c", out.splitlines()[-1]], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.stdout == "2 {'Package': 'a', 'Version': '1', 'Description': 'one\\ntwo\\n.'}\n"


def test_an_interrupt_tells_the_true_count(tmp_path):
    """It has read a part of a pipe, whose rest never comes."""
    program = subprocess.Popen(
        [sys.executable, PROGRAM, "-", "--store", "store.db"], cwd=tmp_path,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    rows = "".join(f"{n},{'x' * 1000}\n" for n in range(3000))
    program.stdin.write(("id,v\n" + rows).encode())
    program.stdin.flush()
    with DictSQLiteV4(tmp_path / "store.db") as db:
        while len(db) < 1000:
            time.sleep(0.05)
    program.send_signal(signal.SIGINT)
    _, said = program.communicate(timeout=60)
    with DictSQLiteV4(tmp_path / "store.db") as db:
        assert said.decode() == f"\nInterrupted: the store holds {len(db):,} entries.\n"
    assert program.returncode == 130


@pytest.mark.parametrize("encoding", ("utf-8-sig", "utf-16", "utf-16-le", "utf-32"))
def test_encodings(quickstart, write, encoding):
    _, _, entries = quickstart(write("key,v\nä,ö€\n".encode(encoding)))
    assert entries == {"ä": {"key": "ä", "v": "ö€"}}


def test_a_line_that_is_not_utf8(quickstart, write):
    _, out, entries = quickstart(write(b"key,v\n1,caf\xe9\n2,caf\xc3\xa9\n"))
    assert [row["v"] for row in entries.values()] == ["café", "café"]
    assert "1 x line that is not UTF-8" in out


def test_folder_with_other_things_in_it(quickstart, write, tmp_path):
    folder = tmp_path / "in"
    write(PACKAGES, "in/1")
    write(gzip.compress(b'{"id": "z"}\n{"id": "zz"}\n'), "in/2")
    write(os.urandom(5000), "in/3")
    write("", "in/4")
    (folder / "5").symlink_to("nowhere")
    os.mkfifo(folder / "6")
    status, out, entries = quickstart(folder)
    assert (status, list(entries)) == (0, ["a", "b", "z", "zz"])
    assert "Odd in the input: 3" in out


@pytest.mark.parametrize("content", (b"", b"\n\n", b"just words\n", b"\0\1\2" * 1000))
def test_nothing_to_load_is_one_sentence(quickstart, write, content):
    status, out, entries = quickstart(write(content))
    assert (status, entries) == (1, {})
    assert "Nothing to load" in out


def test_missing_file_is_one_sentence_and_status_2(quickstart):
    status, out, _ = quickstart("no-such-file")
    assert status == 2
    assert out == "Failed to read 'no-such-file': No such file or directory.\n"


def test_store_that_is_none_is_one_sentence(write, tmp_path):
    source = write(PACKAGES)
    done = subprocess.run(
        [sys.executable, PROGRAM, source, "--store", source], cwd=tmp_path,
        capture_output=True, text=True, timeout=120, check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Failed") and done.stderr.count("\n") == 1
    assert source.read_text() == PACKAGES
