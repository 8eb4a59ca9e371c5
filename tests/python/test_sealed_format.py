# test_sealed_format.py - an encrypted file is what docs/on-disk-format.md says, in both directions
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import contextlib
import re
import shutil
import sqlite3

import format_fixture
import format_sealed
import pytest
from format_reader import BadStore
from format_sealed import SealedReader, SealedWriter, create
from test_format import FUTURE, defined, exact, section, table_rows
from test_values import VALUES

from dictsqlite_v4 import DictSQLiteV4

COUNTING = bytes(range(32))


def opened(path, **parameters):
    return DictSQLiteV4(
        path, encryption_password="password", kdf_memory=19 << 20, kdf_passes=2, **parameters
    )


def read(path, password="password", name=None):
    with contextlib.closing(SealedReader(path, password, name)) as reader:
        entries = list(reader.entries())
        assert len(entries) == reader.count
        return entries


# --- in both directions ---------------------------------------------------------------------------


def test_all_values_are_read_equal(path, file_mode):
    with opened(path, persist_mode=file_mode) as store:
        store.bulk_insert(enumerate(VALUES))
    entries = read(path)
    assert [key for key, _ in entries] == list(range(len(VALUES)))
    for (_, value), expected in zip(entries, VALUES):
        assert type(value) is type(expected) and value == expected


def test_all_kinds_of_keys_are_read_equal(path):
    with opened(path, persist_mode="lazy") as store:
        store.update(format_fixture.ENTRIES)
        store.change_password("password", "another")
        store["last of all"] = "after the change"
    expected = [*format_fixture.ENTRIES[:-1], ("last of all", "after the change")]
    assert exact(read(path, "another")) == exact(expected)
    with pytest.raises(BadStore, match="a wrong password"):
        read(path)


def test_a_file_of_another_writer_is_read_equal(path, file_mode):
    create(path, "password")
    with contextlib.closing(SealedWriter(path, "password")) as writer:
        for key, value in format_fixture.ENTRIES:
            writer.put(key, "to be overwritten")
            writer.put(key, value)
        writer.put("deleted", 1)
        writer.remove("deleted")
        writer.put("will expire", "some day", FUTURE)
    with opened(path, persist_mode=file_mode) as store:
        assert exact(store.items()) == exact([*format_fixture.ENTRIES, ("will expire", "some day")])
        store["added"] = 1
        store[b"a"] = "overwritten"
    entries = dict(read(path))
    assert entries["added"] == 1 and entries[b"a"] == "overwritten"


def test_another_writer_beside_an_open_store(path):
    with opened(path, persist_mode="lazy") as store:
        store["ours"] = 1
        store.flush()
        with contextlib.closing(SealedWriter(path, "password")) as writer:
            writer.put("theirs", 2)
            assert store["theirs"] == 2 and list(store) == ["ours", "theirs"]
            writer.remove("ours")
            assert "ours" not in store and len(store) == 1


def test_no_nonce_in_a_file_comes_twice(path):
    nonces = []
    for turn in range(3):
        with opened(path, persist_mode="lazy") as store:
            for i in range(500):
                store[f"key {i}"] = f"value {turn}"
            store.flush()
            store["again"] = turn
        with contextlib.closing(sqlite3.connect(path)) as database:
            nonces += [row[0][1:25] for row in database.execute("SELECT value FROM entry")]
            if turn == 0:
                nonces += [row[0][1:25] for row in database.execute("SELECT name FROM entry")]
    assert len(set(nonces)) == len(nonces) == 4 * 501
    # a prefix for each opening and key, and a counter under it
    assert len({nonce[:12] for nonce in nonces}) == 4


def test_the_kept_file_is_read(tmp_path):
    """Made once with format version 2 and kept as it is for good."""
    path = tmp_path / "kept.db"
    shutil.copy(format_fixture.SEALED_FIXTURE, path)
    assert exact(read(path)) == exact(format_fixture.IN_FILE)
    for name, entries in format_fixture.TABLES.items():
        assert exact(read(path, name=name)) == exact(entries)
    with opened(path) as store:
        assert store.check() == [] and store.tables() == list(format_fixture.TABLES)
        for name, entries in format_fixture.TABLES.items():
            assert exact(store.table(name).items()) == exact(entries)
        assert exact(store.items()) == exact(format_fixture.IN_PYTHON)
        assert store.expires_in("expires") > 10**9
        store["added"] = 1
    assert read(path)[-1] == ("added", 1)


# --- the document ---------------------------------------------------------------------------------


def test_the_document_has_the_numbers_of_the_code():
    rows = table_rows(section("Encrypted stores"), "offset")
    names = ("KDF", "KDF_RESERVED", "MEMORY", "PASSES", "LANES", "SALT", "DATA_KEY", "MAC")
    assert [int(row[0]) for row in rows[1:]] == [
        defined(f"HEADER_AT_{name}") for name in (*names, "SEALED_CRC")
    ]
    ends = [int(row[0]) + int(row[1]) for row in rows]
    assert ends == [int(row[0]) for row in rows[1:]] + [defined("HEADER_SEALED_LENGTH")]
    assert rows[1][2].startswith(f"key derivation: {defined('KDF_ARGON2ID')} Argon2id")

    rows = table_rows(section("Encrypted stores").split("The AAD is")[1], "length")
    assert sum(int(row[0]) for row in rows) == defined("SEALED_AAD_LENGTH")
    assert int(rows[0][0]) == defined("PURPOSE_LENGTH")
    purposes = [f'"{defined(f"PURPOSE_{name}")}"' for name in ("NAME", "VALUE", "TABLE", "MARK")]
    assert re.findall(r'"\w+"', rows[0][1]) == purposes
    assert rows[1][1] == f"the version, {defined('SEALED_VERSION')}"
    assert int(rows[4][0]) == defined("MARK_LENGTH")
    assert int(rows[5][0]) == defined("TOKEN_LENGTH")
    assert sum(int(row[0]) for row in rows[:4]) == defined("MARK_AAD_LENGTH")


def test_the_header_of_the_document():
    shown = section("Encrypted stores").split("the header is\n\n")[1].split("\n\n")[0]
    header = format_sealed.lock(
        COUNTING[:16], COUNTING, b"password", COUNTING[:16], COUNTING[:24]
    )
    assert bytes.fromhex(shown) == header
    assert format_sealed.unlock(header, b"password").store_id == COUNTING[:16]


def test_the_columns_of_the_document():
    text = section("Encrypted stores").split("In a store whose id, data key and mark")[1]
    keys = format_sealed.Keys(COUNTING[:16], COUNTING)
    mark = COUNTING[:16]
    token = keys.token(1, mark, b"a")
    assert f"token `{token.hex().upper()}`" in text
    name, value, column_of_mark = (
        bytes.fromhex(row[1].strip("`")) for row in table_rows(text, "column")
    )
    assert column_of_mark == keys.seal_mark(1, mark, column_of_mark[1:25])
    for column, key, purpose, plain in (
        (name, keys.name_key, b"dsq1n", b"a"),
        (value, keys.value_key, b"dsq1v", b"\3b"),
    ):
        aad = keys.aad(purpose, 1, mark, token)
        assert column == b"\2" + format_sealed.seal(key, aad, plain, column[1:25])
        assert format_sealed.unseal(key, aad, column[1:]) == plain
