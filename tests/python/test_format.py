# test_format.py - the file is what docs/on-disk-format.md says, in both directions, and stays so
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import contextlib
import pickle
import re
import shutil
import sqlite3
import struct
from pathlib import Path

import format_fixture
import format_reader
import format_writer
import pytest
from conftest import snapshot
from format_reader import SCHEMA, BadStore, Reader, Variant, crc32c, read, read_key
from format_writer import Writer, create, seal, write_key
from test_values import VALUES

from dictsqlite_v4 import CorruptError, DictSQLiteV4, FormatError
from dictsqlite_v4._dsq import GError
from dictsqlite_v4._keys import encode_key

SOURCE = Path(__file__).parents[2]
DOCUMENT = (SOURCE / "docs" / "on-disk-format.md").read_text()
HEADER = (SOURCE / "dictsqlite" / "codec" / "dsq-format-private.h").read_text()

FUTURE = 10**14  # milliseconds: the year 5138


def exact(entries):
    """What tells entries apart that are equal but not the same: types, -0.0, the order."""
    return [(repr(key), repr(value)) for key, value in entries]


def edit(path, sql, *parameters):
    """Change a file by stock SQLite, as none of the writers would."""
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        return database.execute(sql, parameters).rowcount


def library_reads(path):
    with DictSQLiteV4(path, persist_mode="lazy") as store:
        return list(store.items())


# --- what the library writes ----------------------------------------------------------------------


def test_all_values_are_read_equal(path, file_mode):
    with DictSQLiteV4(path, persist_mode=file_mode) as store:
        store.bulk_insert(enumerate(VALUES))
    entries = read(path)
    assert [key for key, _ in entries] == list(range(len(VALUES)))
    for (_, value), expected in zip(entries, VALUES):
        assert type(value) is type(expected) and value == expected


def test_all_kinds_of_keys_and_variants_are_read_equal(path):
    format_fixture.write(path)
    assert exact(read(path)) == exact(format_fixture.IN_FILE)


def test_the_order_is_that_of_insertion(path, file_mode):
    expected = {}
    with DictSQLiteV4(path, persist_mode=file_mode) as store:
        for mapping in (store, expected):
            mapping.update({f"key {i}": i for i in range(100)})
        store.flush()
        for mapping in (store, expected):
            for i in range(0, 100, 7):
                mapping[f"key {i}"] = "overwritten"
            for i in range(0, 100, 5):
                del mapping[f"key {i}"]
            for i in range(0, 100, 10):
                mapping[f"key {i}"] = "set again"
    assert read(path) == list(expected.items())
    with DictSQLiteV4(path, persist_mode=file_mode) as store:
        for mapping in (store, expected):
            mapping.clear()
            mapping["only"] = 1
    assert read(path) == [("only", 1)]
    with contextlib.closing(Reader(path)) as reader:
        (row,) = reader.rows()
        assert row.place - (1 << 40) > 100  # places are not used again
        assert reader.next == row.place - (1 << 40) + 1


def test_stores_have_ids_of_their_own(tmp_path):
    for name in ("one.db", "other.db"):
        with DictSQLiteV4(tmp_path / name) as store:
            store["a"] = 1
    readers = [Reader(tmp_path / name) for name in ("one.db", "other.db")]
    one, other = (reader.rows()[0] for reader in readers)
    assert one.value[5:] == other.value[5:] and one.value != other.value
    with pytest.raises(BadStore):
        readers[0].read_row(other)
    for reader in readers:
        reader.close()


# --- what another program writes ------------------------------------------------------------------


def test_a_file_of_another_writer_is_read_equal(path):
    create(path)
    with contextlib.closing(Writer(path)) as writer:
        for key, value in format_fixture.IN_FILE:
            writer.put(key, "for now")
            writer.put(key, value, FUTURE if value else None)
        writer.put("gone", 1)
        writer.remove("gone")
        writer.remove("str")
        writer.put("str", "set again")
    assert read(path)[-1] == ("str", "set again")
    expected = [entry for entry in format_fixture.IN_PYTHON if entry[0] != "str"]
    expected.append(("str", "set again"))
    assert exact(library_reads(path)) == exact(expected)
    with DictSQLiteV4(path) as store:
        assert len(store) == len(expected)
        for key, value in expected:
            assert repr(store[key]) == repr(value)
        store["from the library"] = 1
        store["str"] = "overwritten"
        del store["list"]
    expected = [entry for entry in format_fixture.IN_FILE if entry[0] not in ("str", "list")]
    assert exact(read(path)) == exact(
        [*expected, ("str", "overwritten"), ("from the library", 1)]
    )


@pytest.mark.parametrize("mode", ("lazy", "writethrough"))
def test_another_writer_beside_an_open_store(path, mode):
    with DictSQLiteV4(path, persist_mode=mode, enable_async=False) as store:
        store["mine"] = 1
        store.flush()
        with contextlib.closing(Writer(path)) as writer:
            for i in range(100):
                writer.put(f"theirs {i}", i)
                assert store[f"theirs {i}"] == i and len(store) == 2 * i + 2
                store[f"mine {i}"] = i
                store.flush()
            writer.remove("mine")
            assert "mine" not in store
        expected = [(f"{who} {i}", i) for i in range(100) for who in ("theirs", "mine")]
        assert list(store.items()) == expected
    assert read(path) == expected


MISFITS = {
    "none with a payload": (1, b"x"),
    "str not UTF-8": (3, b"\xff"),
    "str with a surrogate": (3, b"\xed\xa0\x80"),
    "int64 of 7 bytes": (4, bytes(7)),
    "double of 9 bytes": (5, bytes(9)),
    "boolean 2": (6, b"\2"),
    "boolean of nothing": (6, b""),
    "variant without a type": (7, b"abc"),
    "type 0": (0, b""),
    "type 9": (9, b""),
    "type 30": (0x30, b""),
    "the mark of an expiry": (0x40, b""),
    "a pickle of nothing": (0x80, b""),
    "a pickle of protocol 1": (0x80, b"\1N."),
}


@pytest.mark.parametrize("name", MISFITS)
def test_a_payload_that_does_not_fit_is_refused(path, name):
    create(path)
    with contextlib.closing(Writer(path)) as writer:
        writer.put_record(b"k", *MISFITS[name])
        writer.put("other", 1)
    all_are_refused(path, ["k"])
    with DictSQLiteV4(path) as store:
        assert store["other"] == 1


@pytest.mark.parametrize("kind", (0x10, 0x1F, 0x20, 0x2F))
def test_a_value_of_a_later_version_is_told_as_such(path, kind):
    create(path)
    with contextlib.closing(Writer(path)) as writer:
        writer.put_record(b"k", kind, b"whatever")
        writer.put("other", 1)
    for read_only in (False, True):
        with DictSQLiteV4(path, read_only=read_only) as store:
            with pytest.raises(FormatError, match="newer version"):
                store["k"]
            with pytest.raises(FormatError, match="newer version"):
                list(store.values())
            assert store["other"] == 1
            assert any("newer version" in problem for problem in store.check())
    with DictSQLiteV4(path) as store:
        with pytest.raises(FormatError, match="newer version"):
            store.encrypt_copy(path.with_name("copy"), "password")
        with pytest.raises(GError):
            store._store.set_record(b"new", bytes([kind]) + b"whatever")
        store["k"] = 2
        assert store["k"] == 2
    with pytest.raises(BadStore, match="later version"):
        format_reader.read_payload(kind, b"whatever")


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_of_each_protocol(path, protocol):
    pickled = pickle.dumps([1, "two"], protocol)
    record = pickled if protocol >= 2 else b"\x08" + pickled
    with DictSQLiteV4(path) as store:
        store._store.set_record(b"k", record)
        assert store["k"] == [1, "two"] == store.get_many(["k"])["k"]
        store["own"] = [1, "two"]
        assert store._store.get_record(b"own") == pickle.dumps([1, "two"], 5)
    assert read(path) == [("k", [1, "two"]), ("own", [1, "two"])]


def test_version_1_was_never_released(path):
    with DictSQLiteV4(path) as store:
        store["a"] = 1
    edit(path, "PRAGMA user_version = 1")
    before = snapshot(path.parent)
    for parameters in ({}, {"read_only": True}, {"encryption_password": "password"}):
        with pytest.raises(FormatError, match="version 1, which was never released"):
            DictSQLiteV4(path, **parameters)
    assert snapshot(path.parent) == before


KEYS_THAT_ARE_NONE = (
    b"\x80",
    b"\xed\xa0\x80",
    b"\xff",
    b"\xffNN",
    b"\xffx",
    b"\xff(",
    b"\xff)",
    b"\xffs\x01a",
    b"\xffb\x02a",
    b"\xffb\x80\x00",
    b"\xffb\x80\x80\x80\x80\x00",
    b"\xffi\x01\x00",
    b"\xffi\x02\x00\x7f",
    b"\xffi\x02\xff\x80",
    b"\xff(s\x01\xff)",
    *(b"\xfff" + struct.pack(">d", number) for number in (0.0, -0.0, 1.0, 1e300, float("nan"))),
)


@pytest.mark.parametrize("token", KEYS_THAT_ARE_NONE, ids=lambda token: token.hex(" "))
def test_a_key_that_is_none_is_refused(path, token):
    create(path)
    with contextlib.closing(Writer(path)) as writer:
        writer.put_record(token, 1, b"")
    with pytest.raises(BadStore):
        read(path)
    with pytest.raises(CorruptError):
        library_reads(path)


# --- damage ---------------------------------------------------------------------------------------


def all_are_refused(path, keys):
    """Neither the library nor the reader gives a value for any of `keys`."""
    with DictSQLiteV4(path) as store:
        for key in keys:
            with pytest.raises(CorruptError):
                store[key]
            with pytest.raises(CorruptError):
                store.get_many([key])
    with contextlib.closing(Reader(path)) as reader:
        rows = {row.token: row for row in reader.rows()}
        for key in keys:
            with pytest.raises(BadStore):
                reader.read_row(rows[encode_key(key)])


def flip(data, bit):
    """`data` with one of its bits flipped."""
    flipped = bytearray(data)
    flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)


def flips(data):
    """`data` with each of its bits flipped in turn."""
    return [flip(data, bit) for bit in range(8 * len(data))]


FLIPPED = (None, b"bytes", "text", 2**40, 0.5, True, Variant("i", b"\5\0\0\0"), [1])


@pytest.mark.parametrize("expires", (None, FUTURE))
@pytest.mark.parametrize("value", FLIPPED, ids=repr)
def test_each_flipped_bit_of_a_value_is_told(path, value, expires):
    create(path)
    kind, payload = format_writer.write_record(value)
    sealed_length = len(seal(bytes(16), bytes(16), b"", kind, payload, expires))
    keys = [f"bit {bit}" for bit in range(8 * sealed_length)]
    with contextlib.closing(Writer(path)) as writer:
        for key in keys:
            writer.put(key, value, expires)
    assert [key for key, _ in read(path)] == [key for key, _ in library_reads(path)] == keys
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        for bit, key in enumerate(keys):
            ((column,),) = database.execute(
                "SELECT value FROM entry WHERE token = ?", (key.encode(),)
            )
            assert len(column) == sealed_length
            flipped = flip(column, bit)
            database.execute(
                "UPDATE entry SET value = ? WHERE token = ?", (flipped, key.encode())
            )
    all_are_refused(path, keys)


def test_each_flipped_bit_of_a_key_is_told(path):
    with DictSQLiteV4(path) as store:
        store["key"] = "value"
    for token in flips(b"key"):
        assert edit(path, "UPDATE entry SET token = ?", token) == 1
        with pytest.raises(CorruptError):
            library_reads(path)
        with pytest.raises(BadStore):
            read(path)
        with DictSQLiteV4(path) as store:
            assert "key" not in store


def test_each_flipped_bit_of_the_header_is_told(path):
    with DictSQLiteV4(path) as store:
        store["key"] = "value"
    with contextlib.closing(sqlite3.connect(path)) as database:
        ((header,),) = database.execute("SELECT header FROM store")
    for flipped in flips(header):
        edit(path, "UPDATE store SET header = ?", flipped)
        with pytest.raises((CorruptError, FormatError)):
            DictSQLiteV4(path)
        with pytest.raises(BadStore):
            Reader(path)
    edit(path, "UPDATE store SET header = ?", header)
    assert library_reads(path) == read(path) == [("key", "value")]


def test_values_that_were_swapped_are_told(path):
    with DictSQLiteV4(path) as store:
        store.update({"one": "value", "two": "other", "three": "untouched"})
    with contextlib.closing(Reader(path)) as reader:
        one, two, _ = reader.rows()
    assert edit(path, "UPDATE entry SET value = ? WHERE place = ?", two.value, one.place) == 1
    assert edit(path, "UPDATE entry SET value = ? WHERE place = ?", one.value, two.place) == 1
    all_are_refused(path, ["one", "two"])
    with DictSQLiteV4(path) as store:
        assert store["three"] == "untouched"


@pytest.mark.parametrize("expires", (None, FUTURE))
@pytest.mark.parametrize("edited", (None, 0, 1, -1, FUTURE, FUTURE + 1, -(2**63)))
def test_an_edited_expiry_is_told(path, expires, edited):
    create(path)
    with contextlib.closing(Writer(path)) as writer:
        writer.put("key", "value", expires)
    assert library_reads(path) == read(path) == [("key", "value")]
    edit(path, "UPDATE entry SET expires = ?", edited)
    if edited == expires:
        assert library_reads(path) == read(path) == [("key", "value")]
    else:
        all_are_refused(path, ["key"])


@pytest.mark.parametrize(
    "change",
    (
        "floor = 0", "floor = 1 << 40", "holes = -1", "holes = 3", "id = 2", "id = 0",
        "id = 1 << 23", "mark = zeroblob (21)", "mark = x''", "token = x'0161'",
    ),
)
def test_damaged_tables_are_told(path, change):
    with DictSQLiteV4(path) as store:
        store.update({"a": 1, "b": 2})
    edit(path, f"UPDATE tables SET {change}")
    with pytest.raises(CorruptError):
        DictSQLiteV4(path)
    with pytest.raises(BadStore):
        Reader(path)


# --- the document ---------------------------------------------------------------------------------


def section(title):
    return DOCUMENT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def table_rows(text, first_column):
    """The cells of the table in `text` whose first column is named so."""
    lines = text.split(f"\n| {first_column} |")[1].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def defined(name):
    (value,) = re.findall(rf"#define DSQ_FORMAT_{name} +(\S+)\n", HEADER)
    return value.strip('"') if value.startswith('"') else int(value, 0)


def test_the_document_has_the_numbers_of_the_code():
    rows = table_rows(section("store: the header"), "offset")
    assert [int(row[0]) for row in rows] == [0] + [
        defined(f"HEADER_AT_{name}")
        for name in ("VERSION", "CIPHER", "RESERVED", "STORE_ID", "CRC")
    ]
    # each ends where the next begins, and the last where the header does
    ends = [int(row[0]) + int(row[1]) for row in rows]
    assert ends == [int(row[0]) for row in rows[1:]] + [defined("HEADER_PLAIN_LENGTH")]
    content = [row[2] for row in rows]
    assert content[0] == f'"{defined("HEADER_MAGIC")}"'
    assert content[1] == f"header version, {defined('HEADER_VERSION')}"
    none, xaes = defined("CIPHER_NONE"), defined("CIPHER_XAES")
    assert content[2] == f"cipher: {none} none, {xaes} XAES-256-GCM"
    assert int(rows[4][1]) == defined("STORE_ID_LENGTH")
    assert content[5] == f"CRC-32C of bytes 0 to {defined('HEADER_AT_CRC') - 1}"

    rows = table_rows(section("store: the header").split("**The tag**")[1], "offset")
    assert [int(row[0]) for row in rows] == [
        0, defined("TAG_AT_BEFORE"), defined("TAG_AT_CRC"), defined("TAG_LENGTH") - 4
    ][:3]
    assert int(rows[2][0]) + int(rows[2][1]) == defined("TAG_LENGTH")
    assert f'"{defined("TAG_PURPOSE")}"' in rows[2][2]

    rows = table_rows(section("Values"), "offset")
    assert [int(row[0]) for row in rows] == [
        0,
        defined("RECORD_AT_CRC"),
        defined("RECORD_AT_BODY"),
    ]
    assert rows[0][2] == f"version, {defined('RECORD_VERSION')}"
    assert f"before the record: {defined('BODY_EXPIRES'):X} and the expiry" in DOCUMENT
    first, last = defined("RECORD_FIRST_RESERVED"), defined("RECORD_LAST_RESERVED")
    assert f"Types {first:X} to 1F" in DOCUMENT and f"types 20 to {last:X}" in DOCUMENT

    rows = table_rows(section("tables: one row a table"), "offset")
    assert [int(row[0]) for row in rows] == [0, defined("MARK_AT_CRC"), defined("MARK_AT_BYTES")]
    assert rows[0][2] == f"version, {defined('MARK_VERSION')}"
    assert int(rows[2][1]) == defined("MARK_LENGTH")
    shown = re.search(r"has the column `([0-9A-F\s]+)`", DOCUMENT)
    counting = bytes(range(16))
    assert bytes.fromhex(shown[1]) == format_writer.seal_mark(counting, 1, b"", counting)

    assert f"`PRAGMA application_id` is {defined('APPLICATION_ID')}, " in DOCUMENT
    assert f"that is 0x{defined('APPLICATION_ID'):X}" in DOCUMENT
    assert f"`PRAGMA user_version` is the version of the format: {defined('VERSION')}." in DOCUMENT
    assert f"table id × 2^{defined('POSITION_BITS')} + position" in DOCUMENT
    assert f"{(1 << defined('POSITION_BITS')) + 1} for position 1 of table 1" in DOCUMENT


def test_the_document_has_the_limits_and_types_of_the_code():
    code = {
        name: (SOURCE / "dictsqlite" / name).read_text()
        for name in ("dsq-types.h", "dsq-enums.h", "tiers/dsq-entry-private.h")
    }
    for name in ("KEY", "VALUE"):
        (limit,) = re.findall(rf"#define DSQ_MAX_{name}_LENGTH (\d+)\n", code["dsq-types.h"])
        assert f"({limit})" in DOCUMENT
    assert "#define DSQ_TABLE_MAIN 1u\n" in code["tiers/dsq-entry-private.h"]
    assert "#define DSQ_TABLE_MAX  ((1u << 23) - 1)\n" in code["tiers/dsq-entry-private.h"]
    assert DOCUMENT.count("8388607") == 2 and (1 << 23) - 1 == 8388607
    types = re.findall(r"  DSQ_VALUE_(\w+) = (\d+)", code["dsq-enums.h"])
    rows = table_rows(section("Values"), "type")
    assert [int(row[0]) for row in rows] == [int(number) for _, number in types]
    words = {"string": "str", "variant": "gvariant", "old_pickle": "an old python pickle"}
    for (name, _), row in zip(types, rows):
        assert words.get(name.lower(), name.lower()) in row[1].lower()


def test_the_document_has_the_schema():
    (sql,) = re.findall(r"```sql\n(.*?)```", DOCUMENT, re.DOTALL)
    assert sql == (SOURCE / "data" / "schema-2.sql").read_text()


def test_the_keys_of_the_document():
    rows = table_rows(section("Keys"), "key, in Python")
    assert len(rows) == 20
    for expression, shown in rows:
        key = eval(expression.strip("`"), {"float": float})
        written = re.match(r"(?:`([0-9A-F ]+)`)?(?:, then (\d+) times `(\w\w)`)?", shown)
        data = bytes.fromhex(written[1] or "")
        if written[2]:
            data += int(written[2]) * bytes.fromhex(written[3])
        assert encode_key(key) == write_key(key) == data, expression
        assert read_key(data) == key


def test_the_values_of_the_document():
    rows = table_rows(section("Values").split("has these values")[1], "value")
    assert len(rows) == 5
    for shown, column in rows:
        expression, _, expires = shown.partition(", expires ")
        kind, payload = format_writer.write_record(eval(expression.strip("`")))
        counting = bytes(range(16))
        sealed = seal(counting, counting, b"a", kind, payload, int(expires) if expires else None)
        assert sealed == bytes.fromhex(column.strip("`"))
    assert crc32c(b"123456789") == 0xE3069283


# --- version 2, for good --------------------------------------------------------------------------


def test_the_kept_file_is_read_and_written(path):
    shutil.copy(format_fixture.FIXTURE, path)
    before = snapshot(path.parent)
    assert exact(read(path)) == exact(format_fixture.IN_FILE)
    for name, entries in format_fixture.TABLES.items():
        assert exact(read(path, name)) == exact(entries)
    assert exact(library_reads(path)) == exact(format_fixture.IN_PYTHON)
    assert snapshot(path.parent) == before
    with DictSQLiteV4(path) as store:
        assert store.check() == [] and store.tables() == list(format_fixture.TABLES)
        for name, entries in format_fixture.TABLES.items():
            assert exact(store.table(name).items()) == exact(entries)
        assert store.expires_in("expires") > 10**9
        assert len(store) == len(format_fixture.IN_PYTHON)
        for key, value in format_fixture.IN_PYTHON:
            assert repr(store[key]) == repr(value)
        assert exact(reversed(store.items())) == exact(format_fixture.IN_PYTHON[::-1])
        store["new"] = 1
        store["str"] = "overwritten"
    expected = dict(format_fixture.IN_PYTHON, str="overwritten", new=1)
    assert exact(library_reads(path)) == exact(expected.items())


def test_new_files_have_the_schema_of_the_kept_one(path):
    with DictSQLiteV4(path) as store:
        store["a"] = 1

    def described(file):
        with contextlib.closing(sqlite3.connect(file)) as database:
            return [
                database.execute(sql).fetchall()
                for sql in (
                    "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY rowid",
                    "PRAGMA application_id",
                    "PRAGMA user_version",
                    "PRAGMA journal_mode",
                    "PRAGMA encoding",
                    "PRAGMA page_size",
                    "SELECT id, token, name, length (mark) FROM tables WHERE id = 1",
                    "SELECT substr (header, 1, 8) FROM store",
                )
            ]

    kept = path.parent / "kept.db"
    shutil.copy(format_fixture.FIXTURE, kept)
    assert described(path) == described(kept)
    assert [row[3] for row in described(path)[0] if row[3]] == [sql.rstrip(";") for sql in SCHEMA]
