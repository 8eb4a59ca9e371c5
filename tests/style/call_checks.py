# call_checks.py - who calls whom in the library
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls and includes go one way: no files lead back to each other, and no room to one above it."""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Dict, List, Set

from c_checks import DEPTH, includes, room_of
from files import Tree

# From a file to those that it leads to, each with the names that do.
Graph = Dict[str, Dict[str, Set[str]]]

OBJECT = re.compile(r"(?:.*/)?(\w+?)_(dsq-[\w-]+\.c)\.o")
DEFINED = set("TDBRVWC")


def source_of(member: str) -> str:
    """The source of an object in the archive: engine_dsq-trim.c.o is of engine/dsq-trim.c."""
    found = OBJECT.fullmatch(member)
    if found and found[1] in DEPTH:
        return f"dictsqlite/{found[1]}/{found[2]}"
    return "dictsqlite/" + member.rsplit("/", 1)[-1].removesuffix(".o")


def calls(archive: Path) -> Graph:
    """The symbols of one object that another uses, from the symbol tables of the two."""
    out = subprocess.run(["nm", "--format=posix", str(archive)], capture_output=True, text=True,
                         check=True).stdout
    home: Dict[str, str] = {}
    used: Dict[str, Set[str]] = {}
    source = ""
    for line in out.splitlines():
        if line.endswith("]:"):
            source = source_of(line[line.rindex("[") + 1:-2])
            used[source] = set()
        elif line:
            name, kind = line.split()[:2]
            if kind in DEFINED:
                home[name] = source
            elif kind == "U":
                used[source].add(name)
    graph: Graph = {source: defaultdict(set) for source in used}
    for source, names in used.items():
        for name in names & home.keys():
            if home[name] != source:
                graph[source][home[name]].add(name)
    return graph


def inclusions(tree: Tree) -> Graph:
    graph: Graph = {}
    for path in tree.with_suffix(".c", ".h", below="dictsqlite/"):
        graph[path] = {f"dictsqlite/{name}": {name} for _, _, name in includes(tree, path)
                       if f"dictsqlite/{name}" in tree.paths}
    return graph


def circles(graph: Graph) -> List[Set[str]]:
    """Tarjan's strongly connected components, those of more than one file."""
    index: Dict[str, int] = {}
    low: Dict[str, int] = {}
    stack: List[str] = []
    found: List[Set[str]] = []

    def visit(file: str) -> None:
        index[file] = low[file] = len(index)
        stack.append(file)
        for other in sorted(graph[file]):
            if other not in index:
                visit(other)
            if other in stack:
                low[file] = min(low[file], low[other])
        if low[file] == index[file]:
            at = stack.index(file)
            if len(stack) - at > 1:
                found.append(set(stack[at:]))
            del stack[at:]

    for file in sorted(graph):
        if file not in index:
            visit(file)
    return found


def closing_pairs(graph: Graph, circle: Set[str]) -> List[str]:
    """For each two files that lead to one another: by what."""
    pairs = []
    for a in sorted(circle):
        for b in sorted(circle & graph[a].keys()):
            if a < b and a in graph[b]:
                pairs.append(f"{a} uses {min(graph[a][b])} of {b}, which uses {min(graph[b][a])}")
    return pairs or [f"{a} uses {min(graph[a][b])} of {b}"
                     for a in sorted(circle) for b in sorted(circle & graph[a].keys())]


def circle_problems(graph: Graph) -> List[str]:
    problems = []
    for circle in circles(graph):
        problems.append("a circle: " + ", ".join(sorted(circle)))
        problems += [f"  {pair}" for pair in closing_pairs(graph, circle)]
    return problems


def check_inclusions(tree: Tree) -> List[str]:
    """No files include each other in a circle."""
    return circle_problems(inclusions(tree))


def check_calls(archive: Path) -> List[str]:
    """No files call each other in a circle."""
    graph = calls(archive)
    return circle_problems(graph) if graph else [f"{archive}: no objects found"]


def check_call_direction(archive: Path) -> List[str]:
    """Each room calls itself and those after it in ROOMS; what is public is everybody's."""
    return [
        f"{source} may not use {', '.join(sorted(names))} of {other}"
        for source, others in sorted(calls(archive).items())
        for other, names in sorted(others.items())
        if room_of(other) and DEPTH[room_of(other)] < DEPTH[room_of(source)]
    ]


CHECKS = {"includes-go-in-no-circle": check_inclusions}
ARCHIVE_CHECKS = {
    "calls-go-in-no-circle": check_calls,
    "calls-go-inwards": check_call_direction,
}
