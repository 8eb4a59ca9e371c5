# test_docs.py - every example of the documentation runs as it stands
# SPDX-License-Identifier: LGPL-2.1-or-later
"""```python and ```js blocks run in an empty folder, each alone; ```vala blocks, and ```c blocks
that have a main(), are compiled and run as well, and ```sh blocks that call dsq alone."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# What examples import that data/debian-packages does not have for each release.
OPTIONAL = ("requests_cache",)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language):
    """The examples in that language, each named by its page and line."""
    examples = []
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = page.read_text(encoding="utf-8")
        for found in BLOCK.finditer(text):
            if found[1] == language and (language != "c" or "main (" in found[2]):
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


def build_folder():
    """The typelib of an uninstalled build lies in its dictsqlite/, the .pc file beside that."""
    typelibs = [Path(folder) for folder in os.environ["GI_TYPELIB_PATH"].split(":")]
    return next(folder.parent for folder in typelibs if (folder / "Dsq-1.0.typelib").exists())


def test_readme_has_examples_in_python_and_c():
    names = [example.id for language in ("python", "c") for example in blocks(language)]
    assert sum(name.startswith("README.md") for name in names) >= 2


@pytest.mark.parametrize("example", blocks("python"))
def test_python_example_runs(example, tmp_path):
    for name in OPTIONAL:
        if f"from {name} import" in example:
            pytest.importorskip(name)
    run([sys.executable, "-W", "error", "-c", example], tmp_path)


@pytest.mark.parametrize("example", blocks("sh"))
def test_shell_example_runs(example, tmp_path):
    if any(not line.startswith("dsq ") for line in example.splitlines()):
        pytest.skip("it does more than call dsq")
    environment = {"PATH": f"{build_folder()}/bindings/cli:{os.environ['PATH']}"}
    run(["dsq", "set", "data.db", "greeting", "before"], tmp_path, environment)
    run(["bash", "-euo", "pipefail", "-c", example], tmp_path, environment)


@pytest.mark.parametrize("example", blocks("c"))
def test_c_example_compiles_and_runs(example, tmp_path):
    environment = {"PKG_CONFIG_PATH": str(build_folder() / "meson-uninstalled")}
    (tmp_path / "example.c").write_text(example, encoding="utf-8")
    flags = run(["pkg-config", "--cflags", "--libs", "dictsqlite-1"], tmp_path, environment)
    run(["gcc", "-Wall", "-Werror", "example.c", "-o", "example", *shlex.split(flags)], tmp_path)
    run(["./example"], tmp_path)


@pytest.mark.parametrize("example", blocks("js"))
def test_gjs_example_runs(example, tmp_path):
    (tmp_path / "example.js").write_text(example, encoding="utf-8")
    assert run(["gjs", "example.js"], tmp_path) in (
        "Alice\n41\nnull\n", "name Alice\nvisits 41\nundefined\n")


@pytest.mark.parametrize("example", blocks("vala"))
def test_vala_example_compiles_and_runs(example, tmp_path):
    (tmp_path / "example.vala").write_text(example, encoding="utf-8")
    program = [sys.executable, str(ROOT / "tests/vala/run.py"), "example.vala", "valac",
               str(build_folder())]
    assert run(program, tmp_path) in (
        "Alice\n41\nmissing\n", "name: 'Alice'\nvisits: 41\nmissing\n")
