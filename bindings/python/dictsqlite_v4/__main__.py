# __main__.py - what this install is: python3 -m dictsqlite_v4
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Print which dictsqlite this Python uses, and on what it stands."""

from __future__ import annotations

import importlib
import os
import platform
from typing import Any

from . import __version__


def library_file() -> str:
    """The library that this process has mapped."""
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        ours = [line for line in maps if "libdictsqlite-1." in line]
    return ours[0].split(None, 5)[-1].rstrip("\n")


def main() -> None:
    """A line each: version, package, library, PyGObject, Python."""
    gi: Any = importlib.import_module("gi")
    print(f"dictsqlite {__version__}")
    print(f"package    {os.path.dirname(os.path.abspath(__file__))}")
    print(f"library    {library_file()}")
    print(f"PyGObject  {gi.__version__}")
    print(f"Python     {platform.python_version()}")


if __name__ == "__main__":
    main()
