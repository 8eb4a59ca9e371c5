# test_docs.py - every example of the documentation runs as it stands
# SPDX-License-Identifier: LGPL-2.1-or-later
"""```python and ```js blocks run in an empty folder, each alone, and all in one folder. ```vala
blocks, and ```c blocks that have a main(), are compiled and run, and ```sh blocks that call dsq."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import build_folder

ROOT = Path(__file__).parents[2]
# What examples import that data/debian-packages does not have for each release.
OPTIONAL = ("requests_cache",)
COMMENT = re.compile(r"\s*(?<!\S)(#|//) .*$", re.MULTILINE)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language):
    """The examples in that language, each named by its page and line.

    What two pages have, be it with other comments, is there once."""
    examples = []
    known = set()
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = page.read_text(encoding="utf-8")
        for found in BLOCK.finditer(text):
            runs = language != "c" or "main (" in found[2]
            code = COMMENT.sub("", found[2])
            if found[1] == language and runs and code not in known:
                known.add(code)
                line = text.count("\n", 0, found.start()) + 1
                examples.append(pytest.param(found[2], id=f"{page.relative_to(ROOT)}:{line}"))
    return examples


def run(command, folder, environment=None):
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    assert done.stderr == ""
    return done.stdout


def outline(page):
    """What a page has in every language: headings, rows of tables, and code but for comments."""
    parts = []
    in_code = False
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            in_code = not in_code
            parts.append(line)
        elif in_code:
            parts.append(COMMENT.sub("", line))
        elif line.startswith(("#", "|", "![")):
            parts.append(re.match(r"#+|\||!", line)[0])
    return parts


@pytest.mark.parametrize("name", ["README.md", "guide.md", "python.md"])
def test_japanese_page_has_what_the_english_one_has(name):
    """A page that is changed is changed in both."""
    english = ROOT / ("README.md" if name == "README.md" else f"docs/{name}")
    assert outline(ROOT / "docs/ja" / name) == outline(english)


def test_readme_has_examples_in_python_and_c():
    names = [example.id for language in ("python", "c") for example in blocks(language)]
    assert sum(name.startswith("README.md") for name in names) >= 2


def run_python(text, folder):
    for name in OPTIONAL:
        if f"from {name} import" in text:
            pytest.importorskip(name)
    # PyGObject's importer is of a kind that Python warns of, if it is asked to
    run([sys.executable, "-W", "error", "-W", "ignore::ImportWarning", "-c", text], folder)


def run_shell(text, folder):
    if any(not line.startswith(("dsq ", "rm -f ")) for line in text.splitlines()):
        pytest.skip("it does more than call dsq")
    environment = {"PATH": f"{build_folder()}/bindings/cli:{os.environ['PATH']}"}
    run(["dsq", "set", "data.db", "greeting", "before"], folder, environment)
    run(["bash", "-euo", "pipefail", "-c", text], folder, environment)


def run_c(text, folder):
    environment = {"PKG_CONFIG_PATH": str(build_folder() / "meson-uninstalled")}
    (folder / "example.c").write_text(text, encoding="utf-8")
    flags = run(["pkg-config", "--cflags", "--libs", "dictsqlite-1"], folder, environment)
    run(["gcc", "-Wall", "-Werror", "example.c", "-o", "example", *shlex.split(flags)], folder)
    run(["./example"], folder)


def run_gjs(text, folder):
    (folder / "example.js").write_text(text, encoding="utf-8")
    printed = run(["gjs", "example.js"], folder)
    assert re.search(
        r"Alice\n(visits )?41\n(null|undefined)\n$|^16384\n$|^user/alice 1\n$", printed), printed


def run_vala(text, folder):
    (folder / "example.vala").write_text(text, encoding="utf-8")
    program = [sys.executable, str(ROOT / "tests/vala/run.py"), "example.vala", "valac",
               str(build_folder())]
    printed = run(program, folder)
    assert re.search(r"Alice'?\n(visits: )?41\nmissing\n$|^42, 1 of 42\n$", printed), printed


RUN = {"python": run_python, "sh": run_shell, "c": run_c, "js": run_gjs, "vala": run_vala}
EXAMPLES = [pytest.param(language, *example.values, id=f"{language}-{example.id}")
            for language in RUN for example in blocks(language)]


@pytest.mark.parametrize(("language", "text"), EXAMPLES)
def test_example_runs_alone(language, text, tmp_path):
    RUN[language](text, tmp_path)


def test_all_examples_run_in_one_folder_and_twice(tmp_path):
    """As somebody tries them who reads on. What was compiled alone is not compiled again."""
    wrong = []
    for turn in ("first", "second"):
        for example in EXAMPLES:
            language, text = example.values
            if language not in ("c", "vala"):
                try:
                    RUN[language](text, tmp_path)
                except AssertionError as error:
                    wrong.append(f"{example.id}, {turn} time: {error}")
                except pytest.skip.Exception:
                    pass
    assert not wrong, "\n".join(wrong)
