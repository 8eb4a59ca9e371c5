# c_checks.py - checks of what the C sources say
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Include direction, the public surface and its documentation."""

from __future__ import annotations

import re
import runpy
import subprocess
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Set, Tuple

from files import Tree

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')
FUNCTION = re.compile(r"^DSQ_AVAILABLE_IN_\w+\s[^;{]*?\b(dsq_\w+) \(", re.MULTILINE | re.DOTALL)
FALLIBLE = re.compile(r"^DSQ_AVAILABLE_IN_\w+\s+gboolean\s+(dsq_\w+) \([^;]*GError \*\*error\)",
                      re.MULTILINE)
DECLARED_TYPE = re.compile(r"^DSQ_AVAILABLE_IN_\w+\s+G_DECLARE_\w+ \((\w+), (\w+),", re.MULTILINE)
ENUM = re.compile(r"^typedef enum\s*(?:/\*< flags >\*/)?\s*\{[^}]*\}\s*(\w+);", re.MULTILINE)
STRUCT = re.compile(r"^struct _(Dsq\w+)\s*\{", re.MULTILINE)
MACRO = re.compile(r"^#define (DSQ_(?!TYPE_|API\b)\w+) ", re.MULTILINE)
FILE_ROW = re.compile(r"^\| ((?:([\w/]+)/)?dsq-[\w-]+(?:, dsq-[\w-]+)*) \| .+ \|$", re.MULTILINE)
COMMENT = re.compile(r"^/\*\*\n \* (\w+):.*?\*/", re.MULTILINE | re.DOTALL)

# The rooms from the outermost to the innermost: a room includes itself and those below it.
ROOMS = ("", "async", "store", "engine", "cold", "tiers", "sqlite", "pickle", "codec", "crypto",
         "base")
DEPTH = {room: depth for depth, room in enumerate(ROOMS)}
# Rooms that show in the public headers, and so may include any of these.
FACADES = ("", "async", "store")
# Headers of crypto that include nettle's.
CRYPTO_OWN = {
    f"crypto/dsq-{name}-private.h" for name in ("cipher", "cipher-cache", "nonce")
}
# Public headers without objects: words that every room uses.
VOCABULARY = {
    "dsq-types.h", "dsq-enums.h", "dsq-error.h", "dsq-enum-types.h", "dsq-resources.h", "config.h",
}


def room_of(path: str) -> str:
    """'engine' of 'dictsqlite/engine/dsq-engine.c'; '' of the public sources."""
    parts = path.split("/")
    return parts[1] if len(parts) > 2 else ""


def includes(tree: Tree, path: str) -> Iterator[Tuple[int, str, str]]:
    for number, line in enumerate(tree.lines(path), 1):
        if found := INCLUDE.match(line):
            yield number, found[1], found[2]


def include_problem(tree: Tree, path: str, quote: str, included: str) -> Optional[str]:
    room = room_of(path)
    if included.startswith("sqlite3"):
        if room not in ("sqlite", "cold"):
            return "sqlite3.h is for dictsqlite/sqlite and dictsqlite/cold alone"
    elif included.startswith(("nettle/", "argon2")):
        if room != "crypto":
            return "nettle and libargon2 are for dictsqlite/crypto alone"
    elif included in CRYPTO_OWN and room != "crypto":
        return f"{included} brings nettle along and is for dictsqlite/crypto alone"
    elif "/" in included and included.split("/")[0] in DEPTH:
        other = included.split("/")[0]
        if DEPTH[other] < DEPTH[room]:
            return f"{room} may not include {other}"
        if quote == "<":
            return "rooms are included with quotes"
    elif included.startswith("dsq-") and room:
        if f"dictsqlite/{room}/{included}" in tree.paths:
            return f'should read "{room}/{included}"'
        if included not in VOCABULARY and room not in FACADES:
            if room != "engine" or included != "dsq-stats.h":
                return f"{room} may not include the public {included}"
    elif included == "dictsqlite.h":
        return "the library includes its headers one by one"
    return None


def check_includes(tree: Tree) -> List[str]:
    """Each room includes itself and those after it in ROOMS."""
    return [
        f"{path}:{number}: {problem}"
        for path in tree.with_suffix(".c", ".h", below="dictsqlite/")
        for number, quote, included in includes(tree, path)
        if (problem := include_problem(tree, path, quote, included))
    ]


def check_config_first(tree: Tree) -> List[str]:
    """config.h is the first include of each C file of the library."""
    problems = []
    for path in tree.with_suffix(".c", below="dictsqlite/"):
        first = next(includes(tree, path), (1, "", "nothing"))
        if first[2] != "config.h":
            problems.append(f"{path}:{first[0]}: includes {first[2]} before config.h")
    return problems


def public_headers(tree: Tree) -> List[str]:
    return [path for path in tree.with_suffix(".h", ".h.in", below="dictsqlite/")
            if not room_of(path) and not path.endswith(("-private.h", "-internal.h"))]


def public_functions(tree: Tree) -> Set[str]:
    """Functions that the headers declare, but for those that give a type or an error domain."""
    functions: Set[str] = set()
    for path in public_headers(tree):
        functions.update(FUNCTION.findall(tree.text(path)))
    return functions


def made_pairs(tree: Tree) -> Set[str]:
    """The functions that async/pairs.py makes, with their documentation."""
    script = runpy.run_path(str(tree.root / "dictsqlite/async/pairs.py"))
    return {f"dsq_{pair.source}_{pair.call}_{end}"
            for pair in script["PAIRS"] for end in ("async", "finish")}


def exported_symbols(tree: Tree) -> Set[str]:
    """All that the library should export: what the headers declare, and the enumerations' types."""
    symbols = public_functions(tree) | made_pairs(tree)
    for path in public_headers(tree):
        text = tree.text(path)
        symbols.update(f"{prefix}_get_type" for _, prefix in DECLARED_TYPE.findall(text))
        symbols.update(type_function(name) for name in ENUM.findall(text))
    return symbols


def type_function(name: str) -> str:
    """dsq_persist_mode_get_type of DsqPersistMode."""
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower() + "_get_type"


def symbols_in_file(tree: Tree, path: str) -> Set[str]:
    lines = (tree.root / path).read_text(encoding="utf-8").split("\n")
    return {line for line in lines if line and not line.startswith("#")}


def symbols_in_library(library: Path) -> Set[str]:
    out = subprocess.run(
        ["nm", "--dynamic", "--defined-only", "--format=posix", str(library)],
        capture_output=True, text=True, check=True,
    ).stdout
    return {line.split()[0].split("@")[0] for line in out.splitlines() if line.strip()}


def differences(name: str, found: Set[str], expected: Set[str]) -> List[str]:
    return ([f"{name} lacks {symbol}" for symbol in sorted(expected - found)]
            + [f"{name} has {symbol} besides" for symbol in sorted(found - expected)])


def documented(tree: Tree) -> Dict[str, str]:
    """Every gi-docgen comment of the public sources, by what it is of."""
    comments: Dict[str, str] = {}
    for path in tree.with_suffix(".c", ".h", ".h.in", below="dictsqlite/"):
        if room_of(path) in FACADES:
            comments.update({found[1]: found[0] for found in COMMENT.finditer(tree.text(path))})
    return comments


def check_documentation(tree: Tree) -> List[str]:
    """Everything public has a comment that says since when."""
    names = {name for name in public_functions(tree) if not name.endswith(("_get_type", "_quark"))}
    for path in public_headers(tree):
        text = tree.text(path)
        names.update(ENUM.findall(text), STRUCT.findall(text), MACRO.findall(text))
        for _, prefix in DECLARED_TYPE.findall(text):
            names.add("".join(part.capitalize() for part in prefix.split("_")))
    comments = documented(tree)
    problems = [f"{name}: no comment '/** {name}:'" for name in sorted(names - set(comments))]
    return problems + [f"{name}: its comment has no 'Since:'"
                       for name in sorted(names & set(comments)) if "Since: " not in comments[name]]


def check_answers(tree: Tree) -> List[str]:
    """A boolean beside an error says that there is none, and answers nothing."""
    comments = documented(tree)
    problems = []
    for path in public_headers(tree):
        for name in FALLIBLE.findall(tree.text(path)):
            answer = comments.get(name, "").split("Returns: ")[-1].replace("\n *", "")
            if re.search(r"%FALSE (?! *with @error)", answer):
                problems.append(f"{name}: FALSE is for errors alone; a DsqAnswer is for answers")
    return problems


def check_file_table(tree: Tree) -> List[str]:
    """The table of files in docs/architecture.md names every C file of the library, once."""
    path = "docs/architecture.md"
    listed: List[str] = []
    for names, room in FILE_ROW.findall(tree.text(path)):
        folder = f"dictsqlite/{room}/" if room else "dictsqlite/"
        listed += [f"{folder}{name.split('/')[-1]}.c" for name in names.split(", ")]
    twice = {name for name in listed if listed.count(name) > 1}
    return (differences(path, set(listed), set(tree.with_suffix(".c", below="dictsqlite/")))
            + [f"{path} has {name} twice" for name in sorted(twice)])


CHECKS = {
    "includes-go-inwards": check_includes,
    "config-h-comes-first": check_config_first,
    "every-file-is-in-the-table": check_file_table,
    "everything-public-is-documented": check_documentation,
    "no-answer-is-a-boolean-beside-an-error": check_answers,
}
