#!/usr/bin/env python3
# make_site.py - the guides and the reference of the library as one site, by gi-docgen
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The pages stand in the sources as they are read there. For gi-docgen they get a title, links to
pages of the site, and lie in one folder: docs/ja/guide.md is ja-guide.html, README.md is the front
page, and what gi-docgen makes the front page of is reference.html; the reference in Python is made
by python_pages.py. With --strict a warning of gi-docgen is an error, and so is a link of the site
that leads nowhere."""

from __future__ import annotations

import argparse
import html
import json
import re
import shutil
import subprocess
import sys
import tempfile
import unicodedata
from html.parser import HTMLParser
from pathlib import Path
from typing import Dict, List, Set
from urllib.parse import unquote, urlsplit

from python_pages import CLASSES, SOURCES, page_of, python_pages

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
# In the order in which the front page has them; what is not named follows.
FIRST = ["README", "guide", "modes", "recipes", "files", "limits", "python", "c", "gjs", "vala",
         "comparison", "migration", "threading", "durability", "encryption", "safe-pickle",
         "performance"]
# Code has room for 90 columns, and is not covered by the button that copies it. A wide table is
# moved in its place, and covers nothing.
STYLE = """
.docblock table { display: block; max-width: 100%; overflow-x: auto; }
.docblock .codehilite pre { font-size: 80%; }
.docblock .codehilite > .copy-button { opacity: 0; }
.docblock .codehilite:hover > .copy-button, .docblock .codehilite > .copy-button:focus {
  opacity: 1; background: var(--body-bg);
}
"""
EXTRA_FILES = sorted([*DOCS.rglob("*.svg"), *DOCS.rglob("*.png"), ROOT / "LICENSE"])
PYTHON_CLASSES = {page_of(name) for name in CLASSES}
WIDE_SIGNS = "、。・（「"
HIGHLIGHT = {".py": "python", ".js": "js", ".c": "c", ".vala": "c"}


def site_name(page: Path) -> str:
    """The name, without its end, of a page on the site, where all lie in one folder."""
    return "-".join(page.relative_to(DOCS if DOCS in page.parents else ROOT).with_suffix("").parts)


def page_files() -> List[Path]:
    def place(page: Path):
        name = site_name(page)
        japanese = name.startswith("ja-")
        name = name[3:] if japanese else name
        return japanese, FIRST.index(name) if name in FIRST else len(FIRST), name

    return sorted([ROOT / "README.md", *DOCS.rglob("*.md")], key=place)


def link_on_site(target: str, page: Path) -> str:
    """What a link of the page leads to on the site; links to elsewhere stay as they are."""
    path, hash_sign, anchor = target.partition("#")
    if not path or "://" in path:
        return target
    file = (page.parent / path).resolve()
    if file == DOCS / "examples":
        return "examples.html"
    if file.suffix == ".md":
        return f"{site_name(file)}.html{hash_sign}{anchor}"
    return file.name


def anchor_of(heading: str) -> str:
    """As the places where Markdown is read name it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def inline_code(found: re.Match) -> str:
    """Code whose signs gi-docgen would take for those of an older syntax, as HTML."""
    code = html.escape(found[1])
    for sign in "@#%":
        code = code.replace(sign, f"&#{ord(sign)};")
    return f"<code>{code}</code>"


def continues(before: str, line: str) -> bool:
    """Whether a browser would show a space, which Japanese has none of, for the end of a line."""
    wide = [bool(end) and unicodedata.east_asian_width(end) in "WF" for end in
            (before[-1:], line.lstrip()[:1])]
    return all(wide) or (wide[0] and before[-1] in WIDE_SIGNS and line.lstrip()[:1].isalnum())


def converted(text: str, page: Path) -> str:
    lines = text.splitlines()
    title = next(line[2:] for line in lines if line.startswith("# "))
    written = [f"Title: {title}", ""]
    in_code = False
    for line in lines:
        if line.startswith("```"):
            in_code = not in_code
        elif not in_code and not line.startswith("<!--"):
            if line.startswith("#") and not line.isascii():
                written += [f'<a id="{anchor_of(line.lstrip("#"))}"></a>', ""]
            line = re.sub(r"(?<=\]\()[^)\s]+(?=\))",
                          lambda found: link_on_site(found[0], page), line)
            line = re.sub(r"`([^`]*[@#%]\w[^`]*)`", inline_code, line)
            if continues(written[-1], line):
                written[-1] += line.lstrip()
                continue
        written.append(line)
    return "\n".join(written) + "\n"


def examples() -> str:
    written = ["Title: Examples", "", "# Examples", ""]
    for program in sorted((DOCS / "examples").iterdir()):
        text = program.read_text(encoding="utf-8")
        written += [f"## {program.name}", "", f"```{HIGHLIGHT[program.suffix]}", text, "```", ""]
    return "\n".join(written)


def write_pages(folder: Path, config: str) -> Dict[str, str]:
    """The pages as gi-docgen wants them, and site.toml that names them; returns their titles."""
    titles = {}
    for page in page_files():
        text = converted(page.read_text(encoding="utf-8"), page)
        titles[site_name(page)] = text.split("\n", 1)[0].replace("Title: ", "")
        (folder / f"{site_name(page)}.md").write_text(text, encoding="utf-8")
        if page.name == "recipes.md" and page.parent == DOCS:
            (folder / "examples.md").write_text(examples(), encoding="utf-8")
            titles["examples"] = "Examples"
    for name, text in python_pages().items():
        written = converted(text, DOCS / f"{name}.md")
        titles[name] = written.split("\n", 1)[0].replace("Title: ", "")
        (folder / f"{name}.md").write_text(written, encoding="utf-8")
    for file in EXTRA_FILES:
        shutil.copy(file, folder)
    extra = {"content_files": [f"{name}.md" for name in titles],
             "content_images": [file.name for file in EXTRA_FILES]}
    lines = [f"{key} = {json.dumps(value)}" for key, value in extra.items()]
    (folder / "site.toml").write_text("\n".join([config, "[extra]", *lines, ""]), encoding="utf-8")
    return titles


def guides(titles: Dict[str, str]) -> str:
    """The part of the column at the side that leads to all pages."""
    sections: Dict[str, List[str]] = {"Guides": [], "日本語": []}
    for name, title in titles.items():
        link = f'<a href="{name}.html">{html.escape(title)}</a>'
        if name not in PYTHON_CLASSES:  # to which the reference leads
            sections["日本語" if name.startswith("ja-") else "Guides"].append(link)
    sections["Guides"].append('<a href="reference.html">Reference in C</a>')
    return "".join(
        f'<div class="section"><h5>{heading}</h5><div class="links">{"".join(links)}</div></div>'
        for heading, links in sections.items())


def mend(site: Path, titles: Dict[str, str]) -> None:
    """Have each page lead to all guides and be of its language, and leave out empty rows."""
    (site / "index.html").rename(site / "reference.html")
    for page in [*site.glob("*.html"), site / "index.json"]:
        text = page.read_text(encoding="utf-8").replace("index.html", "reference.html")
        if page.suffix == ".html":
            text = re.sub(r"<tr><td><em>\w+</em></td><td><a href=\"(?:None)?\".*?</tr>", "", text)
            text = text.replace('<div class="section generator">',
                                guides(titles) + '<div class="section generator">')
            if page.name.startswith("ja-"):
                text = text.replace('<html lang="en">', '<html lang="ja">')
        text = re.sub(r"(?<![\w-])README\.html", "index.html", text)
        page.write_text(text, encoding="utf-8")
    (site / "README.html").rename(site / "index.html")
    with (site / "style.css").open("a", encoding="utf-8") as style:
        style.write(STYLE)


class Links(HTMLParser):
    """The links of a page, and the anchors that others may lead to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: List[str] = []
        self.anchors: Set[str] = {""}
        self.feed(text)

    def handle_starttag(self, tag, attrs) -> None:
        values = dict(attrs)
        self.anchors.add(values.get("id") or "")
        self.links += [values[name] for name in ("href", "src") if values.get(name) is not None]


def broken_links(site: Path) -> List[str]:
    pages: Dict[str, Links] = {page.name: Links(page.read_text(encoding="utf-8"))
                               for page in site.glob("*.html")}
    broken = []
    for name, page in sorted(pages.items()):
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme:
                continue
            target = unquote(parts.path) or name
            if target in pages:
                if unquote(parts.fragment) not in pages[target].anchors:
                    broken.append(f"{name}: {link}: no such anchor")
            elif not (site / target).is_file():
                broken.append(f"{name}: {link}: no such file")
    return broken


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("gi_docgen")
    parser.add_argument("config", type=Path)
    parser.add_argument("gir")
    parser.add_argument("output", type=Path)
    parser.add_argument("--depfile", type=Path)
    parser.add_argument("--strict", action="store_true")
    options = parser.parse_args()
    shutil.rmtree(options.output, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        titles = write_pages(Path(folder), options.config.read_text(encoding="utf-8"))
        warnings = ["--fatal-warnings"] if options.strict else []
        subprocess.run(
            [options.gi_docgen, "generate", "--quiet", *warnings, "--config",
             Path(folder) / "site.toml", "--content-dir", folder, "--no-namespace-dir",
             "--output-dir", options.output, options.gir], check=True)
    mend(options.output, titles)
    if options.depfile:
        read = [*page_files(), *EXTRA_FILES, *SOURCES, *(DOCS / "examples").iterdir()]
        options.depfile.write_text(f"{options.output}: {' '.join(map(str, read))}\n")
    broken = broken_links(options.output) if options.strict else []
    print(*broken, sep="\n", end="\n" if broken else "")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
