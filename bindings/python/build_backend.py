# build_backend.py - how pip builds the package: by meson-python, for the GLib of this machine
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The hooks of PEP 517, which are meson-python's, but for what a wheel says that it needs.

From 3.52 on PyGObject is built on girepository-2.0, which came with GLib 2.80 and in Debian 13 has
a package of its own. Where it is not, pip must not take a newer PyGObject, which it would then fail
to build.
"""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import zipfile
from typing import Any, Dict, List, Optional

import mesonpy  # type: ignore[import-not-found,unused-ignore]
from mesonpy import build_sdist

__all__ = ["build_sdist", "build_wheel", "get_requires_for_build_wheel"]

_NEEDS = b"Requires-Dist: PyGObject"
_NEEDS_OLDER = b"Requires-Dist: PyGObject (>=3.42,<3.52)"


def _has_girepository_2() -> bool:
    """Whether PyGObject from 3.52 on can be built here."""
    found = subprocess.run(["pkg-config", "--exists", "girepository-2.0"], check=False)
    return found.returncode == 0


def get_requires_for_build_wheel(config_settings: Optional[Dict[str, Any]] = None) -> List[str]:
    """What is needed besides pyproject.toml's requirements."""
    return list(getattr(mesonpy, "get_requires_for_build_wheel", lambda _: [])(config_settings))


def build_wheel(
    wheel_directory: str,
    config_settings: Optional[Dict[str, Any]] = None,
    metadata_directory: Optional[str] = None,
) -> str:
    """A wheel in `wheel_directory`; its name."""
    name: str = mesonpy.build_wheel(wheel_directory, config_settings, metadata_directory)
    if not _has_girepository_2():
        _ask_for_older_pygobject(os.path.join(wheel_directory, name))
    return name


def _ask_for_older_pygobject(wheel: str) -> None:
    """Write the wheel anew, with the bound in its metadata, and that one's hash in its record."""
    with zipfile.ZipFile(wheel) as archive:
        files = [(info, archive.read(info)) for info in archive.infolist()]
    changed: Dict[str, bytes] = {}
    for info, data in files:
        if info.filename.endswith(".dist-info/METADATA"):
            changed[info.filename] = b"\n".join(
                _NEEDS_OLDER if line.startswith(_NEEDS) else line for line in data.split(b"\n")
            )
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for info, data in files:
            if info.filename.endswith(".dist-info/RECORD"):
                data = b"\n".join(_record(line, changed) for line in data.split(b"\n"))
            archive.writestr(info, changed.get(info.filename, data))


def _record(line: bytes, changed: Dict[str, bytes]) -> bytes:
    """A line of RECORD, true of what was changed."""
    name = line.split(b",", 1)[0].decode()
    if name not in changed:
        return line
    digest = base64.urlsafe_b64encode(hashlib.sha256(changed[name]).digest()).rstrip(b"=")
    return b"%s,sha256=%s,%d" % (name.encode(), digest, len(changed[name]))
