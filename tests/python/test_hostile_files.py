# test_hostile_files.py - files made to do harm are refused, quickly and in little room
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each file is made here, by stock SQLite or by hand, and then opened, counted, walked and read in
a child of its own, which says what was raised, and what that took of time and memory."""

from __future__ import annotations

import os
import pickle
import sqlite3
import struct
import time

import pytest
from format_reader import crc32c, take_header

from dictsqlite_v4 import DictSQLiteV4, FormatError

PASSWORD = "password"
SECONDS = 0.1  # of processor time
BYTES = 32 << 20
PAGE = 4096

ENDLESS = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT"


# --- making them ----------------------------------------------------------------------------------


def sql(*statements, **parameters):
    """What the statements do to a store, the schema's table writable."""

    def change(path):
        database = sqlite3.connect(path, isolation_level=None)
        for statement in statements:
            database.execute("PRAGMA writable_schema = ON")
            database.execute(statement, parameters if ":" in statement else ())
        database.close()

    return change


def schema(name, text):
    """Another text for one object of the schema."""
    return sql("UPDATE sqlite_schema SET sql = :text WHERE name = :name", name=name, text=text)


def root(name, page):
    return sql("UPDATE sqlite_schema SET rootpage = :page WHERE name = :name", name=name, page=page)


def edit(offset, data, base=0):
    """Other bytes at an offset of the file; negative ones count from its end."""

    def change(path):
        size = path.stat().st_size
        with open(path, "r+b") as file:
            file.seek(base + offset if offset >= 0 else size + offset)
            file.write(data)

    return change


def page(number, data):
    return edit((number - 1) * PAGE, data)


def cut(size):
    return lambda path: os.truncate(path, size)


def tables(n):
    """So many tables that reading the schema alone would take seconds."""

    def change(path):
        database = sqlite3.connect(path, isolation_level=None)
        database.execute("PRAGMA writable_schema = ON")
        database.execute("BEGIN")
        database.executemany(
            "INSERT INTO sqlite_schema"
            " VALUES ('table', ?1, ?1, 3, 'CREATE TABLE ' || ?1 || ' (a)')",
            ((f"t{i}",) for i in range(n)),
        )
        database.execute("COMMIT")
        database.close()

    return change


def header(change_bytes):
    """The header, changed, with a checksum that is right."""

    def change(path):
        database = sqlite3.connect(path)
        ((before,),) = database.execute("SELECT header FROM store")
        changed = bytearray(before)
        change_bytes(changed)
        at = len(take_header(before)) - 4
        struct.pack_into("<I", changed, at, crc32c(bytes(changed[:at])))
        after = bytes(changed)
        database.execute("UPDATE store SET header = ?", (after,))
        database.commit()
        database.close()

    return change


def put(offset, number, form="<I"):
    return header(lambda changed: struct.pack_into(form, changed, offset, number))


def view(name, select):
    return sql(
        f"DROP TABLE {name}",
        f"CREATE VIEW {name} AS {select}",
    )


def self_parent(path):
    """The table's root page is an interior one that is its own child, for ever."""
    database = sqlite3.connect(path)
    ((number,),) = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'entry'")
    database.close()
    cell = struct.pack(">I", number) + b"\1"
    page(
        number,
        struct.pack(">BHHHBI", 5, 0, 1, PAGE - len(cell), 0, number)
        + struct.pack(">H", PAGE - len(cell))
        + bytes(PAGE - 14 - len(cell))
        + cell,
    )(path)


def long_record(path):
    """A record that says it is 900 MB long, in a sparse file that has room for it."""
    database = sqlite3.connect(path)
    ((number,),) = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'store'")
    database.close()
    # a leaf with one cell: length, rowid, header of the record: its length, NULL, a blob
    blob = 900_000_000
    record = bytes([7, 0]) + varint(12 + 2 * blob)
    cell = varint(blob + len(record)) + b"\1" + record + bytes(600)
    start = PAGE - len(cell) - 4
    page(
        number,
        struct.pack(">BHHHB", 13, 0, 1, start, 0)
        + struct.pack(">H", start)
        + bytes(start - 10)
        + cell
        + struct.pack(">I", number + 1),
    )(path)
    pages = 1_000_000_000 // PAGE
    os.truncate(path, pages * PAGE)
    edit(28, struct.pack(">I", pages))(path)


def varint(number):
    groups = [number & 0x7F]
    while number := number >> 7:
        groups.append(number & 0x7F | 0x80)
    return bytes(reversed(groups))


PLAIN = {
    "endless view for entries": view(
        "entry",
        f"{ENDLESS} x AS place, 1 AS table_id, x'' AS token, NULL AS name, NULL AS expires,"
        " x'' AS value FROM c",
    ),
    "endless view for the header": view("store", f"{ENDLESS} 1 AS id, x AS header FROM c"),
    "view of 900 MB for the header": view(
        "store", "SELECT 1 AS id, zeroblob (900000000) AS header"
    ),
    "endless view for tables": view(
        "tables",
        f"{ENDLESS} x AS id, x'' AS token, NULL AS name, x'' AS mark, 1 AS floor, 0 AS holes"
        " FROM c",
    ),
    "one view more": sql(f"CREATE VIEW more AS {ENDLESS} * FROM c"),
    "trigger that rewrites values": sql(
        "CREATE TRIGGER t AFTER INSERT ON entry BEGIN UPDATE entry SET value = x'00'; END"
    ),
    "trigger that never ends": sql(
        f"CREATE TRIGGER t AFTER UPDATE ON tables BEGIN {ENDLESS} count(*) FROM c; END"
    ),
    "one table more": sql("CREATE TABLE more (a)"),
    "one index more": sql("CREATE INDEX more ON entry (value)"),
    "index on an expression of 900 MB": sql(
        "CREATE INDEX more ON entry (length (zeroblob (900000000)))"
    ),
    "virtual table more": sql("CREATE VIRTUAL TABLE more USING fts5 (a)"),
    "virtual table for entries": sql(
        "DROP TABLE entry",
        "CREATE VIRTUAL TABLE entry USING fts5 (place, table_id, token, name, expires, value)",
    ),
    "virtual table of a module that is missing": sql(
        "INSERT INTO sqlite_schema VALUES ('table', 'm', 'm', 0,"
        " 'CREATE VIRTUAL TABLE m USING missing (a)')"
    ),
    "100,000 tables": tables(100_000),
    "another text for entry": schema("entry", "CREATE TABLE entry (place INTEGER PRIMARY KEY)"),
    "generated column of 900 MB": schema(
        "store",
        "CREATE TABLE store (id INTEGER PRIMARY KEY,"
        " header BLOB GENERATED ALWAYS AS (zeroblob (900000000)))",
    ),
    "default of 900 MB": schema(
        "store",
        "CREATE TABLE store (id INTEGER PRIMARY KEY, h BLOB, header BLOB DEFAULT (zeroblob (9e8)))",
    ),
    "space in the schema": schema(
        "store",
        "CREATE TABLE store (id INTEGER PRIMARY KEY CHECK (id = 1), header BLOB NOT NULL)  STRICT",
    ),
    "text of the schema that is none": schema("entry", "CREATE TABLE ((((((((("),
    "text of the schema of 3 MB": schema("entry", "CREATE TABLE entry (" + "a" * 3_000_000 + ")"),
    "schema without text": schema("entry", None),
    "kind of another object": sql("UPDATE sqlite_schema SET type = 'view' WHERE name = 'entry'"),
    "no entries at all": sql("DROP TABLE entry"),
    "no index": sql("DROP INDEX entry_expires"),
    "entries where the header is": sql(
        "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name ="
        " 'entry') WHERE name = 'store'"
    ),
    "entries in the schema's table": root("entry", 1),
    "entries beyond the file": root("entry", 10**6),
    "entries on page -1": root("entry", -1),
    "index where the entries are": sql(
        "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name ="
        " 'sqlite_autoindex_entry_1') WHERE name = 'entry'"
    ),
    "page that is its own child": self_parent,
    "record of 900 MB": long_record,
    "header of 3 MB": sql("UPDATE store SET header = zeroblob (3000000)"),
    "header of 100 MB": sql("UPDATE store SET header = zeroblob (100000000)"),
    "header of nothing": sql("UPDATE store SET header = x''"),
    "header of a cipher that is unknown": put(5, 7, "B"),
    "header of a later version": put(4, 3, "B"),
    "header that says encrypted": put(5, 1, "B"),
    "no header": sql("DELETE FROM store"),
    "no list of tables": sql("DELETE FROM tables"),
    "counts beyond all bounds": sql(
        "UPDATE tables SET floor = 9223372036854775807, holes = 9223372036854775806"
    ),
    "mark of 100 MB": sql("UPDATE tables SET mark = zeroblob (100000000)"),
    "name of 100 MB": sql("UPDATE tables SET token = zeroblob (100000000) WHERE id = 1"),
    "first page of zeros": page(1, bytes(PAGE)),
    "schema page of zeros": edit(100, bytes(PAGE - 100)),
    "schema page of ones": edit(100, b"\xff" * (PAGE - 100)),
    "all other pages of zeros": page(2, bytes(8 * PAGE)),
    "all other pages of ones": page(2, b"\xff" * (8 * PAGE)),
    "page size of 3": edit(16, b"\0\3"),
    "page size of 512": edit(16, b"\2\0"),
    "reserved bytes in pages": edit(20, b"\xff"),
    "later version of SQLite": edit(18, b"\x7f\x7f"),
    "schema format of a later SQLite": edit(44, b"\0\0\0\x7f"),
    "cut to a page": cut(PAGE),
    "cut to 100 bytes": cut(100),
    "cut within a page": cut(3 * PAGE + 17),
    "another application": edit(68, b"abcd"),
    "later version of the format": edit(60, b"\0\0\0\3"),
    "version 1, which was never released": edit(60, b"\0\0\0\1"),
}

ENCRYPTED = {
    "no memory": put(28, 0),
    "too little memory": put(28, 19455),
    "4 TiB of memory": put(28, 0xFFFFFFFF),
    "one pass": put(32, 1),
    "4,294,967,295 passes": put(32, 0xFFFFFFFF),
    "no lanes": put(36, 0),
    "4,294,967,295 lanes": put(36, 0xFFFFFFFF),
    "unknown derivation": put(24, 2, "B"),
    "header that says plain": put(5, 0, "B"),
    "endless view for the header": PLAIN["endless view for the header"],
    "trigger that rewrites values": PLAIN["trigger that rewrites values"],
    "header of 100 MB": PLAIN["header of 100 MB"],
    "cut to a page": PLAIN["cut to a page"],
    "all other pages of ones": PLAIN["all other pages of ones"],
    "damaged header": sql("UPDATE store SET header = CAST (substr (header, 1, 160) || x'00000000'"
                          " AS BLOB)"),
}

KINDS = [("plain", name) for name in PLAIN] + [("encrypted", name) for name in ENCRYPTED]


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("originals")
    for name, password in (("plain", None), ("encrypted", PASSWORD)):
        with DictSQLiteV4(
            folder / name, encryption_password=password, kdf_memory=19 << 20, kdf_passes=2
        ) as store:
            store.update({f"key {i}": f"value {i}" for i in range(20)})
            store.table("more")["key"] = "value"
    return folder


# --- opening them ---------------------------------------------------------------------------------


def rss(field):
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith(field))


def use(path, password):
    """Opens the file and does to it what people do."""
    with DictSQLiteV4(path, encryption_password=password) as store:
        len(store)
        list(store.items())
        store["key 3"]
        store.get("missing")
        store["new"] = 1
        store.tables()
    return None


def in_a_child(work):
    """What `work` raised there, its processor time in seconds, and the memory that it took."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as refs:
            refs.write("5")  # from now on the peak is counted
        before, started = rss("VmRSS"), time.process_time()
        try:
            work()
            raised = None
        except BaseException as error:
            raised = type(error).__mro__[:-1], str(error)
            raised = [kind.__name__ for kind in raised[0]], raised[1]
        result = raised, time.process_time() - started, rss("VmHWM") - before
        os.write(writer, pickle.dumps(result))
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        data = pipe.read()
    _, status = os.waitpid(child, 0)
    assert status == 0, f"the child died of {status}"
    return pickle.loads(data)


@pytest.mark.parametrize("kind, name", KINDS, ids=lambda word: word.replace(" ", "-"))
def test_is_refused(originals, path, kind, name):
    path.write_bytes((originals / kind).read_bytes())
    (PLAIN if kind == "plain" else ENCRYPTED)[name](path)
    before = path.stat().st_size
    password = PASSWORD if kind == "encrypted" else None
    raised, seconds, n_bytes = in_a_child(lambda: use(path, password))
    assert raised is not None, "it was taken for a store"
    kinds, message = raised
    assert "OSError" in kinds or "WrongPasswordError" in kinds, raised
    assert "Failed to " in message and ": " in message
    assert seconds < SECONDS, (seconds, message)
    assert n_bytes < BYTES, (n_bytes, message)
    assert path.stat().st_size == before


def test_there_are_forty():
    assert len(PLAIN) + len(ENCRYPTED) > 40


def test_what_was_not_changed_opens(originals, path):
    for kind, password in (("plain", None), ("encrypted", PASSWORD)):
        path.write_bytes((originals / kind).read_bytes())
        raised, _, _ = in_a_child(lambda: use(path, password))
        assert raised is None


@pytest.mark.parametrize("password", [None, "password"])
def test_what_only_a_later_sqlite_writes_is_read_alone(tmp_path, password):
    """The header of an SQLite file says which versions may read it, and which may write it."""
    path = tmp_path / "later.db"
    parameters = {"encryption_password": password, "kdf_memory": 19 << 20}
    with DictSQLiteV4(path, **parameters) as store:
        store["key"] = "value"
    for version in (3, 255):
        with open(path, "r+b") as file:
            file.seek(18)
            file.write(bytes([version]))
        before = path.read_bytes()
        with pytest.raises(FormatError, match="reads, but does not write") as raised:
            DictSQLiteV4(path, **parameters)
        assert str(path) in str(raised.value)
        with DictSQLiteV4(path, read_only=True, **parameters) as store:
            assert store["key"] == "value"
        assert path.read_bytes() == before
