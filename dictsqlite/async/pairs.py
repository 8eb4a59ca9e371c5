#!/usr/bin/python3
# pairs.py - writes every _async/_finish pair from one line about its call
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The calls that can wait, and what C they become: pairs.py OUTPUT-HEADER OUTPUT-SOURCE.

A pair is its sync call, made by DsqAsyncCall on one of the store's own threads. It takes the call's
arguments, then the cancellable, then the callbacks, and gives what the call gives.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import List, NamedTuple, Optional


class Argument(NamedTuple):
    """How one argument is declared, checked, kept for the thread, and passed there."""

    declaration: str
    doc: str
    keep: str  # the pointer that the call owns from then on
    free: str  # by what; '' where nothing is owned
    cast: str = ""
    check: str = "{0} != NULL"


def text(name: str, doc: str) -> Argument:
    return Argument(f"const char *{name}", f"@{name}: {doc}", f"g_strdup ({name})", "g_free")


def variant(name: str, doc: str, check: str = "{0} != NULL") -> Argument:
    return Argument(f"GVariant *{name}", f"@{name}: {doc}", f"g_variant_ref_sink ({name})",
                    "g_variant_unref", check=check)


def data(name: str, doc: str) -> Argument:
    return Argument(f"GBytes *{name}", f"@{name}: {doc}", f"g_bytes_ref ({name})", "g_bytes_unref")


def number(declaration: str, name: str, doc: str) -> Argument:
    return Argument(f"{declaration} {name}", f"@{name}: {doc}", name, "", check="")


FLOATING = "; a floating reference is taken over"
KEYS = Argument("const char *const *keys", "@keys: (array zero-terminated=1): the keys",
                "g_strdupv ((char **) keys)", "g_strfreev", cast="(const char *const *) ")
KEY = text("key", "the key")
VALUE = variant("value", "the value" + FLOATING)
MILLISECONDS = number("gint64", "milliseconds", "the time to live, in milliseconds")
PATH = text("path", "(type filename): the file to make")


class Result(NamedTuple):
    """What a call gives: its type, how a task carries it, and what stands for an error."""

    type: str
    kind: str
    failure: str
    free: str = "NULL"


BOOLEAN = Result("gboolean", "BOOLEAN", "FALSE")
ANSWER = Result("DsqAnswer", "BOOLEAN", "DSQ_ANSWER_NO")
NUMBER = Result("gint64", "NUMBER", "-1")
VARIANT = Result("GVariant *", "POINTER", "NULL", "(GDestroyNotify) g_variant_unref")
STRING = Result("char *", "POINTER", "NULL", "g_free")
STRINGS = Result("char **", "POINTER", "NULL", "(GDestroyNotify) g_strfreev")
STORE = Result("DsqStore *", "POINTER", "NULL", "g_object_unref")


@dataclass(frozen=True)
class Pair:
    call: str
    arguments: List[Argument]
    result: Result
    lane: str
    does: str  # the first sentence of its documentation, without 'without waiting for it'
    returns: str
    out: Optional[str] = None  # the name of an integer that comes back besides
    start: str = ""  # _on_worker: memory never answers it; _behind: no later read waits for it
    passes: bool = False  # the next write may begin once this one is queued for its commit
    is_long: bool = False  # or as soon as this one has begun
    progress: bool = False
    source: str = "store"


DONE = "%TRUE when it is done; %FALSE with @error set"
FOUND = "(transfer full) (nullable): the value, or %NULL without an error when the key is missing"
WAS_THERE = "%DSQ_ANSWER_YES if it was there; %DSQ_ANSWER_NO if not, or with @error set"

PAIRS = [
    # one entry
    Pair("get", [KEY], VARIANT, "READ", "Gets a value of any type", FOUND),
    Pair("set", [KEY, VALUE], BOOLEAN, "WRITE", "Sets a key to a value of any type", DONE,
         passes=True),
    Pair("contains", [KEY], ANSWER, "READ", "Tells whether a key is there",
         "%DSQ_ANSWER_YES if it is; %DSQ_ANSWER_NO if not, or with @error set"),
    Pair("remove", [KEY], ANSWER, "WRITE", "Removes a key", WAS_THERE),
    Pair("steal", [KEY], VARIANT, "WRITE", "Removes a key and gives what it was", FOUND),
    Pair("increment", [KEY, number("gint64", "delta", "what is added"),
                       number("gint64", "initial", "what a missing key is taken to hold")],
         BOOLEAN, "WRITE", "Adds to an integer", DONE, out="value"),
    Pair("compare_and_set",
         [KEY, variant("expected", "(nullable): what it must hold" + FLOATING, check=""),
          variant("value", "(nullable): what it becomes" + FLOATING, check="")],
         ANSWER, "WRITE", "Sets a key if it holds what is expected",
         "%DSQ_ANSWER_YES if it was set; %DSQ_ANSWER_NO if the key held something else, or with"
         " @error set"),
    Pair("get_string", [KEY], STRING, "READ", "Gets a string", FOUND),
    Pair("set_string", [KEY, text("value", "the string")], BOOLEAN, "WRITE",
         "Sets a key to a string", DONE, passes=True),
    # expiry
    Pair("set_expiring", [KEY, VALUE, MILLISECONDS], BOOLEAN, "WRITE",
         "Sets a key to a value that expires", DONE, passes=True),
    Pair("touch", [KEY, MILLISECONDS], ANSWER, "WRITE", "Changes when a key expires", WAS_THERE),
    Pair("get_expiry", [KEY], NUMBER, "READ", "Tells when a key expires",
         "milliseconds, more than 0; %DSQ_NEVER when it does not expire; 0 when the key is missing;"
         " -1 with @error set"),
    Pair("expire", [], NUMBER, "WRITE", "Removes what has expired",
         "how many these were; -1 with @error set", start="_on_worker"),
    # many entries
    Pair("get_many", [KEYS], VARIANT, "READ", "Gets the values of many keys",
         "(transfer full): a{smv}; %NULL with @error set", start="_on_worker"),
    Pair("set_many", [variant("entries", "a{sv}" + FLOATING)], BOOLEAN, "WRITE",
         "Sets many keys, all or none", DONE, start="_on_worker"),
    Pair("apply", [variant("expected", "(nullable): a{smv}, what keys must hold" + FLOATING,
                           check=""),
                   variant("changes", "a{smv}, what keys become" + FLOATING)],
         ANSWER, "WRITE", "Makes many changes at once, if keys are as expected",
         "%DSQ_ANSWER_YES if they were made; %DSQ_ANSWER_NO if a key was not as expected, or with"
         " @error set",
         start="_on_worker"),
    Pair("clear", [], BOOLEAN, "WRITE", "Removes all entries", DONE, start="_on_worker"),
    Pair("count", [], NUMBER, "READ", "Counts the entries", "their number; -1 with @error set"),
    # tables
    Pair("get_table", [text("name", "its name")], STORE, "WRITE",
         "Opens a table of the store, made if it is missing",
         "(transfer full): the table; %NULL with @error set", start="_on_worker"),
    Pair("list_tables", [], STRINGS, "READ", "Lists the names of the tables",
         "(transfer full) (array zero-terminated=1): the names; %NULL with @error set",
         start="_on_worker"),
    Pair("drop_table", [text("name", "its name")], ANSWER, "WRITE",
         "Removes a table with all that is in it", WAS_THERE, start="_on_worker"),
    # walk
    Pair("list_keys", [text("prefix", "what the keys begin with"),
                       Argument("const char *after",
                                "@after: (nullable): the key after which they come",
                                "g_strdup (after)", "g_free", check=""),
                       number("guint", "max_keys", "the most keys to return")],
         STRINGS, "READ", "Lists keys in the order of their bytes",
         "(transfer full) (array zero-terminated=1): the keys; %NULL with @error set",
         start="_on_worker"),
    Pair("next_many", [number("guint", "max_entries", "the most entries to give")],
         VARIANT, "READ", "Gives the next entries of a walk",
         "(transfer full): an `a(smv)` of keys and values, empty at the end; %NULL with @error set",
         start="_on_worker", source="cursor"),
    # persist
    Pair("flush", [], BOOLEAN, "WRITE", "Brings all that was written into the file", DONE,
         start="_behind"),
    Pair("copy", [PATH, number("DsqCopyForm", "form", "what it is to be"),
                  Argument("GBytes *password", "@password: (nullable): of an encrypted one",
                           "g_bytes_ref (password)", "g_bytes_unref", check="")],
         BOOLEAN, "WRITE", "Copies the store to a new file", DONE, start="_behind", is_long=True,
         progress=True),
    Pair("check", [], STRINGS, "WRITE", "Checks the whole file",
         "(transfer full) (array zero-terminated=1): what is wrong, empty if nothing is; "
         "%NULL with @error set", start="_behind", is_long=True),
    Pair("close", [], BOOLEAN, "CLOSE", "Flushes and closes the store", DONE, start="_on_worker"),
    # transaction
    Pair("commit", [], BOOLEAN, "CLOSE", "Writes what was written in the transaction, and ends it",
         DONE, start="_on_worker", source="transaction"),
    # password
    Pair("change_password", [data("old_password", "the password"),
                             data("new_password", "what it becomes")],
         BOOLEAN, "WRITE", "Changes the password", DONE, start="_behind"),
]

NOTICE = "/* {0} - {1}\n * SPDX-License-Identifier: LGPL-2.1-or-later */\n"

HEADER = NOTICE + """\
#pragma once

#include <dsq-cursor.h>
#include <dsq-enums.h>

G_BEGIN_DECLS

{2}
G_END_DECLS
"""

SOURCE = NOTICE + """\

#include "config.h"

#include "async/dsq-async-call-private.h"
#include "dsq-transaction.h"
#include "store/dsq-scan-private.h"

{2}"""

DECLARATION = """\
DSQ_AVAILABLE_IN_1_0 void {f}_async ({begin});
DSQ_AVAILABLE_IN_1_0 {r}{f}_finish ({end});
"""

FUNCTIONS = """\
static void
{name}_worker (DsqAsyncCall *call, DsqStore *store)
{{{before}
  call->{into} = {f} ({sync});
}}

/**
 * {f}_async:
 * @self: a {source}{docs}
 * @cancellable: (nullable): a #GCancellable{progress_docs}
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * {does}, as [method@{Class}.{name}] does, without waiting for it.
 *
 * Since: 1.0
 */
void
{f}_async ({begin})
{{
  DsqAsyncCall *call;

  g_return_if_fail (DSQ_IS_{CLASS} (self));{checks}

  call = dsq_async_call_new (self, {store}, {name}_worker, DSQ_RESULT_{kind}, {free}, cancellable,
                             callback, user_data, {f}_async);{keeps}
  dsq_async_call_start{how} (call, DSQ_LANE_{lane});
}}

/**
 * {f}_finish:
 * @self: a {source}
 * @result: the result that the callback got{out_docs}
 * @error: return location for an error
 *
 * Ends [method@{Class}.{name}_async].
 *
 * Returns: {returns}
 *
 * Since: 1.0
 */
{r}
{f}_finish ({end})
{{
  g_return_val_if_fail (DSQ_IS_{CLASS} (self), {failure});

  return dsq_async_call_finish_{kind_lower} (self, result, {f}_async{out_pass}, error);
}}
"""


def in_docs(lines: List[str]) -> str:
    return "".join(f"\n * {line}" for line in lines)


def in_body(lines: List[str]) -> str:
    return "".join(f"\n  {line}" for line in lines)


def describe(pair: Pair) -> dict[str, str]:
    """What the templates want to know of a pair."""
    is_cursor = pair.source == "cursor"
    names = [argument.declaration.split()[-1].lstrip("*") for argument in pair.arguments]
    declarations = [argument.declaration for argument in pair.arguments]
    begin = [f"Dsq{pair.source.title()} *self", *declarations, "GCancellable *cancellable"]
    progress_docs: List[str] = []
    keeps: List[str] = []
    passed: List[str] = []

    for at, (name, argument) in enumerate(zip(names, pair.arguments)):
        if not argument.free:
            keeps.append(f"call->slots[{at}].number = {argument.keep};")
            passed.append(f"call->slots[{at}].number")
            continue
        keep = argument.keep if argument.check else f"{name} != NULL ? {argument.keep} : NULL"
        keeps.append(f"dsq_async_call_keep (call, {at}, {keep},"
                     f" (GDestroyNotify) {argument.free});")
        passed.append(f"{argument.cast}call->slots[{at}].pointer")
    if pair.progress:
        begin += ["DsqProgressFunc progress", "gpointer progress_data",
                  "GDestroyNotify progress_free"]
        progress_docs = [
            "@progress: (nullable) (scope notified) (closure progress_data)"
            " (destroy progress_free):",
            "  called now and then, in the caller's main context, before @callback",
            "@progress_data: passed to @progress",
            "@progress_free: (nullable): frees @progress_data, in that context",
        ]
        keeps.append("dsq_async_call_report (call, progress, progress_data, progress_free);")
    if pair.arguments[:1] == [KEY]:
        keeps.append("call->key = call->slots[0].pointer;")
    if pair.passes:
        keeps.append("call->job.may_pass_turn = TRUE;")
    if is_cursor:
        keeps.append("call->cursor = g_object_ref (self);")
    if pair.out:
        passed.append("&call->out")
    passed.append("g_task_get_cancellable (call->task)")
    if pair.progress:
        passed += ["dsq_async_call_progress", "call"]

    out, out_docs = [], []
    if pair.out:
        out = [f"gint64 *out_{pair.out}"]
        out_docs = [f"@out_{pair.out}: (out) (optional): as [method@Store.{pair.call}] gives it"]
    subject, store = {
        "store": ("store", "self"),
        "cursor": ("call->cursor", "dsq_scan_get_store (dsq_cursor_get_scan (self))"),
        "transaction": ("DSQ_TRANSACTION (store)", "DSQ_STORE (self)"),
    }[pair.source]
    kind = pair.result.kind
    finish = {"POINTER": "pointer", "NUMBER": "number",
              "BOOLEAN": "boolean_out" if pair.out else "boolean"}[kind]
    return {
        "f": f"dsq_{pair.source}_{pair.call}",
        "r": pair.result.type if pair.result.type.endswith("*") else pair.result.type + " ",
        "name": pair.call,
        "source": "walk" if is_cursor else pair.source,
        "Class": pair.source.title(),
        "CLASS": pair.source.upper(),
        "before": in_body(["dsq_workers_leave_line ();"]) if pair.is_long else "",
        "into": "pointer" if kind == "POINTER" else "value",
        "sync": ", ".join([subject, *passed, "&call->error"]),
        "docs": in_docs([argument.doc for argument in pair.arguments]),
        "progress_docs": in_docs(progress_docs),
        "does": pair.does,
        "begin": ", ".join([*begin, "GAsyncReadyCallback callback", "gpointer user_data"]),
        "checks": in_body([f"g_return_if_fail ({argument.check.format(name)});"
                           for name, argument in zip(names, pair.arguments) if argument.check]),
        "store": store,
        "kind": kind,
        "free": pair.result.free,
        "keeps": in_body(keeps),
        "how": pair.start,
        "lane": pair.lane,
        "returns": pair.returns,
        "end": ", ".join([f"Dsq{pair.source.title()} *self", "GAsyncResult *result", *out,
                          "GError **error"]),
        "failure": pair.result.failure,
        "out_docs": in_docs(out_docs),
        "out_pass": f", out_{pair.out}" if pair.out else "",
        "kind_lower": finish,
    }


def main() -> int:
    header, source = map(Path, sys.argv[1:])
    described = [describe(pair) for pair in PAIRS]
    header.write_text(HEADER.format(
        header.name, "the pairs of calls that do not wait; made by pairs.py",
        "\n".join(DECLARATION.format(**pair) for pair in described)), encoding="utf-8")
    source.write_text(SOURCE.format(
        source.name, "the pairs of calls that do not wait; made by pairs.py",
        "\n".join(FUNCTIONS.format(**pair) for pair in described)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
