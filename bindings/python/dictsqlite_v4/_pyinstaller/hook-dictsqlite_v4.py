# hook-dictsqlite_v4.py - what PyInstaller has to take along, which no import tells
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import importlib
from typing import Any, List

# By name, since where types are checked it need not be installed.
gi_hooks: Any = importlib.import_module("PyInstaller.utils.hooks.gi")

hiddenimports = ["gi", "gi._enum", "gi._error", "sqlite3"]
binaries: List[Any] = []
datas: List[Any] = []
for name, version in (("Dsq", "1.0"), ("Gio", "2.0"), ("GLib", "2.0"), ("GObject", "2.0")):
    info = gi_hooks.GiModuleInfo(name, version)
    if info.available:
        for found, into in zip(info.collect_typelib_data(), (binaries, datas, hiddenimports)):
            into += found
