# test_verb_table.py - docs/verbs.md names what is there, in every language
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from dictsqlite_v4 import AsyncDictSQLite, DictSQLiteV4

ROOT = Path(__file__).parents[2]
# Of memory alone, or with a callback of its own: these have no pair.
AT_ONCE = {"walk", "begin", "watch", "get_stats"}
VERBS = (
    "bulk_insert get_many flush close stats set set_many add delete delete_many delete_prefix"
    " get_with_expiry iter_prefix iter_from touch expires_in expire incr compare_and_set"
    " transaction transact edit memoize table tables drop_table backup check watch pop popitem"
    " setdefault update clear get items change_password"
).split()


def rows():
    """The columns of each line: Python, asyncio, C, Vala, gjs."""
    page = (ROOT / "docs" / "verbs.md").read_text()
    table = [re.findall(r"`(\w+)`", line) for line in re.findall(r"^\| \w.*`.*$", page, re.M)]
    assert len(table) > 40
    assert all(len(columns) == 5 for columns in table)
    return table


def column(at):
    return sorted({columns[at] for columns in rows()})


def build_folder():
    typelibs = [Path(folder) for folder in os.environ["GI_TYPELIB_PATH"].split(":")]
    return next(folder for folder in typelibs if (folder / "Dsq-1.0.typelib").exists())


def test_each_verb_has_a_line():
    assert not set(VERBS) - set(column(0))


def test_python():
    for name in column(0):
        assert hasattr(DictSQLiteV4, name), name
    for name in column(1):
        assert hasattr(AsyncDictSQLite, name), name
        if name.endswith("_async"):
            assert hasattr(AsyncDictSQLite, f"a{name[:-6]}"), name


def test_c():
    exported = (ROOT / "tests" / "style" / "exported-symbols.txt").read_text().split()
    for name in column(2):
        assert f"dsq_store_{name}" in exported, name
        for end in ("_async", "_finish"):
            assert (f"dsq_store_{name}{end}" in exported) == (name not in AT_ONCE), name


def test_vala():
    vapi = build_folder() / "dictsqlite-1.vapi"
    if not vapi.exists():
        pytest.skip("the build has no vapi")
    classes = vapi.read_text()
    store = classes.split("class Store ", 1)[1].split("\n\t}", 1)[0]
    for name in column(3):
        assert re.search(rf"\b{name} \(", store), name
        # what the binding adds has no pair of its own but that of the call it makes
        pair = {"has_key": "contains", "add": "compare_and_set", "setdefault": "compare_and_set",
                "edit": "compare_and_set", "delete_many": "apply", "delete_prefix": "list_keys",
                "memoize": "set_expiring", "popitem": "compare_and_set",
                "transact": "commit"}.get(name, name)
        assert bool(re.search(rf"\basync .*\b{pair}_async \(", classes)) == (name not in AT_ONCE)


def test_gjs():
    gjs = shutil.which("gjs")
    if gjs is None:
        pytest.skip("there is no gjs")
    program = (
        "imports.gi.versions.Dsq = '1.0'; const {Dsq} = imports.gi;"
        "const names = ARGV.flatMap(name => [name, `${name}_async`]);"
        "print(names.filter(name => name in Dsq.Store.prototype).join(' '))"
    )
    done = subprocess.run(
        [gjs, "-c", program, *column(4)], capture_output=True, text=True, timeout=60, check=True,
        env={**os.environ, "GJS_PATH": str(ROOT / "bindings" / "gjs")},
    )
    found = set(done.stdout.split())
    at_once = AT_ONCE | {"get_value", "set_value", "memoize"}
    for name in column(4):
        assert name in found and (f"{name}_async" in found) == (name not in at_once), name
