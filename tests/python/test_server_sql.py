# test_server_sql.py - what is said to servers is what more than one of them knows
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import re
from pathlib import Path

# What CockroachDB, YugabyteDB or Citus say they lack, or have in part: see docs/servers.md.
LACKING = re.compile(
    r"\b("
    r"TRIGGER|FUNCTION|PROCEDURE|EXTENSION|TEMP|TEMPORARY|UNLOGGED|COPY|LOCK|MERGE|CURSOR|"
    r"DECLARE|EXCLUDE|DEFERRABLE|INHERITS|RULE|RECURSIVE|TABLESAMPLE|GROUPING|XML\w*|"
    r"nextval|currval|random|now|clock_timestamp|pg_try_\w+|pg_advisory_lock|ctid|xmin|"
    r"LISTEN|NOTIFY|pg_notify|pg_terminate_backend|statement_timestamp"
    r")\b")
# What is said to PostgreSQL alone, and others have in part.
ON_POSTGRESQL = {
    "COPY": {"COPY"},
    "END_COPIES": {"COPY", "pg_terminate_backend", "statement_timestamp"},
}
CHANGED = re.compile(r"\b(?:INSERT INTO|UPDATE|DELETE FROM) (dictsqlite\.\w+)")


def all_sql():
    """The statements of rows by name, with macros put in, and what makes the schema."""
    folder = Path(__file__).parents[2] / "dictsqlite" / "cold" / "postgresql"
    text = (folder / "dsq-server-sql.c").read_text()
    macros = dict(re.findall(r"#define (\w+)(?:\(.*?\))?((?:.*\\\n)*.*)", text))

    def literal(code):
        return "".join(string or literal(macros.get(word, "")) for string, word in
                       re.findall(r'"((?:[^"\\]|\\.)*)"|(\w+)', code))

    schema, statements = text.split("const DsqServerSql")
    made = re.findall(r"\[DSQ_SERVER_(\w+)\] = \{ (.*?) \},\n", statements, re.DOTALL)
    return ({name: literal(sql) for name, sql in made},
            literal(schema.split("dsq_server_schema[] =")[1].split(";\n\n")[0]))


def test_nothing_is_said_that_like_servers_lack():
    statements, schema = all_sql()
    assert len(statements) == 29 and "CREATE SCHEMA" in schema
    for name, sql in [*statements.items(), ("schema", schema)]:
        assert set(LACKING.findall(sql)) == ON_POSTGRESQL.get(name, set()), (name, sql)
        assert ("advisory" in sql) == (name == "schema")
        # one statement changes a table once, and of one store: of one shard
        changed = CHANGED.findall(sql)
        assert name == "schema" or len(changed) == len(set(changed)), name
        if name not in ("FIND_STORE", "MAKE_STORE", "schema", *ON_POSTGRESQL):
            of_one = r"\b(store|id) = \$1::bigint|(SELECT|VALUES) \(?\$1::bigint"
            assert re.search(of_one, sql), name
    for table in re.findall(r"CREATE TABLE IF NOT EXISTS dictsqlite\.(\w+) \((.*?)\);", schema):
        assert "PRIMARY KEY" in table[1]
        if table[0] not in ("schema", "store"):  # what is unique is so within a store
            assert all(columns.startswith("store") for columns in
                       re.findall(r"(?:PRIMARY KEY|UNIQUE) \((.*?)\)", table[1]))
