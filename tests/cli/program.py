# program.py - calls of dsq, as its tests make them
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any, Dict, List, Optional, Union

# Programs begin as from a terminal: what runs in the background of a script ignores SIGINT, and so
# would they.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

DSQ = os.environ.get("DSQ_PROGRAM") or shutil.which("dsq")
assert DSQ, "there is no dsq: run this in meson devenv, or with DSQ_PROGRAM"

DONE, MISSING, USAGE, FAILED, PASSWORD, DAMAGED = range(6)

Word = Union[str, bytes, Path]


class Result:
    """What came of a call."""

    def __init__(self, status: int, out: bytes, err: bytes) -> None:
        self.status = status
        self.raw = out
        self.err = err.decode()

    @property
    def out(self) -> str:
        return self.raw.decode()

    @property
    def lines(self) -> List[str]:
        return self.out.splitlines()

    def __repr__(self) -> str:
        return f"<{self.status}: {self.raw[:500]!r} {self.err[:500]!r}>"


def dsq(*words: Word, input: Union[str, bytes] = b"", env: Optional[Dict[str, str]] = None,
        cwd: Optional[Path] = None, **options: Any) -> Result:
    """Calls dsq without a terminal."""
    data = input.encode() if isinstance(input, str) else input
    done = subprocess.run(
        [os.fsencode(DSQ or ""), *map(os.fsencode, words)], input=data, capture_output=True,
        env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})}, cwd=cwd, timeout=120, check=False,
        start_new_session=True, **options,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def ok(*words: Word, **options: Any) -> Result:
    """A call that succeeds, and has nothing to say on standard error."""
    result = dsq(*words, **options)
    assert result.status == DONE and result.err == "", (words, result)
    return result


def is_no_store(file: Word, **options: Any) -> str:
    """What dsq says that a file is which is no store."""
    result = dsq(file, **options)
    assert result.status == DAMAGED and result.err == "", (file, result)
    assert "no store, but" in result.out and result.out.count("\n") == 1
    return result.out


def fails(status: int, *words: Word, says: str = "", **options: Any) -> Result:
    """A call that fails with one line."""
    result = dsq(*words, **options)
    assert result.status == status, (words, result)
    assert result.err.startswith("dsq: ") and result.err.count("\n") == 1, (words, result)
    assert result.err.endswith("\n") and says in result.err, (words, result)
    return result
