# test_dsq_env.py - dsq env: a shell finds an install, wherever it lies
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from program import DSQ, FAILED, fails

VARIABLES = ("PATH", "LD_LIBRARY_PATH", "GI_TYPELIB_PATH", "PKG_CONFIG_PATH", "PYTHONPATH",
             "XDG_DATA_DIRS", "MANPATH")


@pytest.fixture(params=["prefix", "a 'prefix' with $odd\nname"])
def prefix(request, tmp_path):
    """A folder with the program in it; the library is found as it was."""
    folder = tmp_path / request.param
    (folder / "bin").mkdir(parents=True)
    shutil.copy(DSQ, folder / "bin" / "dsq")
    return folder


def after_eval(prefix, **variables):
    """The variables of a shell that has read it, twice."""
    script = 'eval "$("$0" env)"; eval "$("$0" env)"; ' + "".join(
        f'printf "%s\\0" "${name}"; ' for name in VARIABLES)
    environment = {"LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", ""), **variables}
    done = subprocess.run(["/bin/sh", "-euc", script, prefix / "bin" / "dsq"], env=environment,
                          capture_output=True, timeout=60, check=True)
    assert done.stderr == b""
    return dict(zip(VARIABLES, done.stdout.decode().split("\0")))


def test_each_begins_with_the_prefix_once_and_has_no_empty_part(prefix):
    for variables in ({}, {"PATH": "/usr/bin::/bin:", "PYTHONPATH": ":/mine:", "MANPATH": ":"}):
        values = after_eval(prefix, **variables)
        for name, value in values.items():
            parts = value.split(":")
            assert parts[0].startswith(f"{prefix}/"), (name, value)
            assert "" not in parts and parts.count(parts[0]) == 1, (name, value)
    assert values["PATH"] == f"{prefix}/bin:/usr/bin:/bin"
    assert values["PYTHONPATH"].endswith("site-packages:/mine") or \
        values["PYTHONPATH"].endswith("dist-packages:/mine")
    assert values["GI_TYPELIB_PATH"].endswith("/girepository-1.0")
    assert values["PKG_CONFIG_PATH"].endswith("/pkgconfig")


def test_what_programs_take_by_default_is_kept(prefix):
    values = after_eval(prefix)
    assert values["XDG_DATA_DIRS"] == f"{prefix}/share:/usr/local/share:/usr/share"
    assert "/usr/share/man" in values["MANPATH"].split(":")


def test_what_is_not_installed_says_so(tmp_path):
    fails(FAILED, "env", says="it is not installed")
    (tmp_path / "a:b" / "bin").mkdir(parents=True)
    program = tmp_path / "a:b" / "bin" / "dsq"
    shutil.copy(DSQ, program)
    done = subprocess.run([program, "env"], capture_output=True, timeout=60, check=False)
    assert done.returncode == FAILED and b"cannot hold a colon" in done.stderr
