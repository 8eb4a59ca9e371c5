# python_pages.py - the reference of the Python package as pages, made of its docstrings
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The sources are read, not imported, so that the library need not be there. A page is a class with
all that it has, its bases' too, or what a module has of functions, errors and small classes."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple, Union

PACKAGE = Path(__file__).resolve().parents[1] / "bindings/python/dictsqlite_v4"
SOURCES = sorted(PACKAGE.glob("*.py"))
# Classes with a page of their own.
CLASSES = ["DictSQLiteV4", "Table", "AsyncDictSQLite", "AsyncTable"]
# What calls give, which is described beside what the module says is public.
GIVEN = ["Watch", "AsyncWatch", "CacheInfo"]
WIDTH = 88

Function = Union[ast.FunctionDef, ast.AsyncFunctionDef]


class Member(NamedTuple):
    """A method, a property, or another name of one."""

    name: str
    signatures: List[str]
    text: str
    others: List[str]


class Sources:
    """What the modules of the package define."""

    def __init__(self) -> None:
        self.modules = {path.stem: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}
        self.classes: Dict[str, ast.ClassDef] = {}
        for module in self.modules.values():
            for node in module.body:
                if isinstance(node, ast.ClassDef):
                    self.classes.setdefault(node.name, node)

    def public(self, module: str) -> List[str]:
        """A module's `__all__`."""
        for node in self.modules[module].body:
            if isinstance(node, ast.Assign) and names_of(node) == ["__all__"]:
                return [ast.literal_eval(item) for item in node.value.elts]
        raise LookupError(f"{module} has no __all__")

    def find(self, module: str, name: str) -> Tuple[str, ast.AST]:
        """Where a module has a name from, and what it is there."""
        for node in ast.walk(self.modules[module]):
            if isinstance(node, ast.ImportFrom) and node.level == 1:
                if name in [alias.asname or alias.name for alias in node.names]:
                    return self.find(node.module or "__init__", name)
        for node in self.modules[module].body:
            if getattr(node, "name", None) == name:
                return module, node
            if isinstance(node, ast.Assign) and names_of(node) == [name]:
                return module, node
        raise LookupError(f"{module} has no {name}")

    def line(self, name: str) -> Iterator[ast.ClassDef]:
        """A class and its bases, in the order in which they are looked at."""
        node = self.classes.get(name)
        if node is not None:
            yield node
            for base in node.bases:
                base = base.value if isinstance(base, ast.Subscript) else base
                if isinstance(base, ast.Name):
                    yield from self.line(base.id)

    def member(self, owner: str, name: str) -> Optional[Member]:
        """What a class has by a name, if its sources say."""
        for node in self.line(owner):
            for member in members_of(self, node):
                if member.name == name:
                    return member
        return None

    def members(self, owner: str) -> List[Member]:
        """All public ones of a class."""
        found: Dict[str, Member] = {}
        for node in self.line(owner):
            for member in members_of(self, node):
                if not member.name.startswith("_"):
                    found.setdefault(member.name, member)
        return list(found.values())


def names_of(node: ast.Assign) -> List[str]:
    return [target.id for target in node.targets if isinstance(target, ast.Name)]


def decorators(node: Function) -> List[str]:
    return [ast.unparse(decorator) for decorator in node.decorator_list]


def members_of(sources: Sources, owner: ast.ClassDef) -> List[Member]:
    """What a class defines itself; other names of it are with the first."""
    found: Dict[str, Member] = {}
    overloads: Dict[str, List[str]] = {}
    for node in owner.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            signature = signature_of(node, node.name)
            if "overload" in decorators(node):
                overloads.setdefault(node.name, []).append(signature)
            elif not any(decorator.endswith(".setter") for decorator in decorators(node)):
                given = overloads.get(node.name, [signature])
                found[node.name] = Member(node.name, given, ast.get_docstring(node) or "", [])
        elif isinstance(node, ast.Assign):
            first, *others = names_of(node) or [""]
            if isinstance(node.value, ast.Name) and node.value.id in found:
                found[node.value.id].others.extend([first, *others])
            elif isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "verb":
                made = made_by_verb(sources, first, node.value.args[0])
                found[first] = made._replace(others=others)
    return list(found.values())


def made_by_verb(sources: Sources, name: str, method: ast.expr) -> Member:
    assert isinstance(method, ast.Attribute) and isinstance(method.value, ast.Name)
    original = sources.member(method.value.id, method.attr)
    assert original is not None, name
    signatures = [re.sub(r"^def \w+", f"async def {name}", text) for text in original.signatures]
    text = f"`DictSQLiteV4.{method.attr}()`, as a coroutine.\n\n{original.text}"
    return Member(name, signatures, text, [])


def signature_of(node: Function, name: str) -> str:
    """As it is written, without what is of the class alone; a line for each parameter if long."""
    kinds = decorators(node)
    arguments = node.args
    if "property" in kinds:
        return f"{name}: {ast.unparse(node.returns)}" if node.returns else name
    taken = [*arguments.posonlyargs, *arguments.args]
    if taken and taken[0].arg in ("self", "cls"):
        (arguments.posonlyargs or arguments.args).pop(0)
        if not arguments.posonlyargs and len(taken) == 1:
            arguments.posonlyargs = []
    parts = split_arguments(ast.unparse(arguments).lstrip("/ ,"))
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    start = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    before = "".join(f"@{kind}\n" for kind in kinds if kind in ("staticmethod", "classmethod"))
    short = f"{start} {name}({', '.join(parts)}){returns}"
    if len(short) > WIDTH:
        lines = "".join(f"    {part},\n" for part in parts)
        short = f"{start} {name}(\n{lines}){returns}"
    return before + short


def split_arguments(text: str) -> List[str]:
    """Cut at the commas that no bracket is around."""
    parts, depth, quote = [""], 0, ""
    for sign in text:
        if quote or sign in "'\"":
            quote = "" if sign == quote else quote or sign
        depth += not quote and sign in "([{"
        depth -= not quote and sign in ")]}"
        if sign == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += sign
    return [part.strip() for part in parts if part.strip()]


# --- the pages ------------------------------------------------------------------------------------


def page_of(owner: str) -> str:
    return f"python-{owner}"


def fenced(code: str) -> List[str]:
    return ["```python", *code.splitlines(), "```", ""]


def prose(text: str) -> List[str]:
    """A docstring as Markdown: what is set in is code, parameters are a list."""
    # a parameter's description goes on where a line is set in
    text = re.sub(r"^:param (.*(?:\n +.*)*)", lambda found: "- " + re.sub(
        r"\s*\n\s*", " ", found[1]), inspect.cleandoc(text), flags=re.MULTILINE)
    text = re.sub(r"^- ([^:]*):", r"- `\1`:", text, flags=re.MULTILINE)
    written: List[str] = []
    code: List[str] = []
    for line in [*text.splitlines(), "end"]:
        if line.startswith("    ") or (code and not line.strip()):
            code.append(line)
            continue
        if code:
            written += fenced(textwrap.dedent("\n".join(code)).strip())
            code = []
        written.append(line)
    return [*written[:-1], ""]


def linked(text: str, known: Dict[str, List[str]]) -> str:
    """Prose whose methods lead to where they are."""
    def link(found: re.Match[str]) -> str:
        owner, _, name = found[0].strip("`").rstrip("()").partition(".")
        if not found[0].strip("`").endswith("()") or name not in known.get(owner, []):
            return found[0]
        return f"[{owner}.{name}()]({page_of(owner)}.html#{owner}.{name})"

    return re.sub(r"`+[^`]*`+|\b\w+\.\w+\(\)", link, text)


def described(heading: str, anchor: str, member: Member) -> List[str]:
    others = ", ".join(f"`{name}`" for name in member.others)
    anchors = [f'<a id="{anchor}"></a>']
    anchors += [f'<a id="{anchor.rpartition(".")[0]}.{name}"></a>' for name in member.others]
    return [*anchors, "", f"### {heading}", "", *fenced("\n".join(member.signatures)),
            *([f"Also called {others}.", ""] if others else []), *prose(member.text)]


def class_page(sources: Sources, owner: str) -> List[str]:
    node = sources.classes[owner]
    written = [f"# {owner}", ""]
    constructor = sources.member(owner, "__init__")
    if constructor is not None and owner in sources.public("__init__"):
        written += fenced("\n".join(constructor.signatures).replace("def __init__", owner)
                          .replace(" -> None", ""))
    written += [*prose(ast.get_docstring(node) or ""), "## What it has", ""]
    for member in sorted(sources.members(owner), key=lambda member: member.name):
        written += described(member.name, f"{owner}.{member.name}", member)
    return written


def small_class(sources: Sources, name: str, node: ast.ClassDef) -> List[str]:
    bases = ", ".join(base for base in map(ast.unparse, node.bases) if "Generic" not in base)
    written = [f'<a id="{name}"></a>', "", f"### {name}", "",
               *fenced(f"class {name}({bases})" if bases else f"class {name}"),
               *prose(ast.get_docstring(node) or "")]
    fields = [f"{ast.unparse(field)}" for field in node.body if isinstance(field, ast.AnnAssign)
              and not ast.unparse(field.target).startswith("_")]
    written += fenced("\n".join(fields)) if fields else []
    for member in sources.members(name):
        written += described(f"{name}.{member.name}", f"{name}.{member.name}", member)
    return written


def module_part(sources: Sources, module: str, heading: str) -> List[str]:
    written = [f"## {heading}", "", *prose(ast.get_docstring(sources.modules[module]) or "")]
    names = sources.public(module) + (GIVEN if module == "__init__" else [])
    for name in sorted(names, key=str.lower):
        home = {name: key for key, tree in sources.modules.items()
                if name in GIVEN and sources.classes[name] in tree.body}
        where, node = sources.find(home.get(name, module), name)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            member = Member(name, [signature_of(node, name)], ast.get_docstring(node) or "", [])
            written += described(name, f"{heading}.{name}", member)
        elif isinstance(node, ast.Assign):
            written += [f'<a id="{name}"></a>', "", f"### {name}", "",
                        f"Another name of `{ast.unparse(node.value)}`.", ""]
        elif name in CLASSES:
            written += [f"- [{name}]({page_of(name)}.html)", ""]
        elif isinstance(node, ast.ClassDef):
            written += small_class(sources, name, node)
    return written


def python_pages() -> Dict[str, str]:
    """The pages by their names, as Markdown."""
    sources = Sources()
    known = {owner: [name for member in sources.members(owner)
                     for name in (member.name, *member.others)] for owner in CLASSES}
    pages = {"python-reference": ["# Reference in Python", ""]}
    for module, heading in (("__init__", "dictsqlite_v4"), ("dbm", "dictsqlite_v4.dbm"),
                            ("migrate", "dictsqlite_v4.migrate")):
        pages["python-reference"] += module_part(sources, module, heading)
    for owner in CLASSES:
        pages[page_of(owner)] = class_page(sources, owner)
    return {name: linked_page("\n".join(lines) + "\n", known) for name, lines in pages.items()}


def linked_page(text: str, known: Dict[str, List[str]]) -> str:
    parts = re.split(r"^(```python\n.*?^```)$", text, flags=re.MULTILINE | re.DOTALL)
    return "".join(part if i % 2 else linked(part, known) for i, part in enumerate(parts))
