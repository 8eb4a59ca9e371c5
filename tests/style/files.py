# files.py - which files the checks look at
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The project's files: those that git knows, or would add; without git, those that are there."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import List

NOT_OURS = {".git", "build", "__pycache__", ".hypothesis", ".pytest_cache", ".mypy_cache"}
SOURCE_SUFFIXES = {".c", ".h", ".py", ".js", ".vala"}


class Tree:
    """The project's files by their path from its root, and their text, read once."""

    def __init__(self, root: Path):
        self.root = root
        self.paths, self.source = self._list()
        self._texts: dict[str, str] = {}

    def _list(self) -> tuple[List[str], str]:
        git = ["git", "-c", "safe.directory=*", "-C", str(self.root)]
        try:
            top = subprocess.run(
                [*git, "rev-parse", "--show-toplevel"], capture_output=True, text=True, check=True
            ).stdout.rstrip("\n")
            if not os.path.samefile(top, self.root):
                raise OSError("the repository is another one")
            listed = subprocess.run(
                [*git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                capture_output=True, text=True, check=True,
            ).stdout.split("\0")
            paths = sorted({p for p in listed if p and (self.root / p).is_file()})
            return paths, f"{len(paths)} files, as git lists them"
        except (OSError, subprocess.CalledProcessError):
            paths = sorted(self._walk())
            return paths, f"{len(paths)} files, found without git"

    def _walk(self) -> List[str]:
        found = []
        for folder, folders, names in os.walk(self.root):
            folders[:] = [f for f in folders if f not in NOT_OURS and not f.startswith("_build")]
            found += [os.path.relpath(os.path.join(folder, name), self.root) for name in names]
        return [path for path in found if not path.endswith(".pyc")]

    def text(self, path: str) -> str:
        """The text of a file; '' of one that is not UTF-8 text."""
        if path not in self._texts:
            try:
                text = (self.root / path).read_bytes().decode("utf-8")
                self._texts[path] = "" if "\0" in text else text
            except UnicodeDecodeError:
                self._texts[path] = ""
        return self._texts[path]

    def lines(self, path: str) -> List[str]:
        return self.text(path).splitlines()

    def with_suffix(self, *suffixes: str, below: str = "") -> List[str]:
        return [p for p in self.paths if p.endswith(suffixes) and p.startswith(below)]

    def sources(self) -> List[str]:
        """Everything that is program text, scripts without a suffix included."""
        return [
            path for path in self.paths
            if Path(path).suffix in SOURCE_SUFFIXES or self.text(path).startswith("#!")
        ]
