# conftest.py - what all tests of dsq run under
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import signal

import pytest


@pytest.fixture(autouse=True)
def signals_are_not_ignored():
    """Programs begin as from a terminal: what runs in the background of a script ignores SIGINT."""
    ignored = [number for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM)
               if signal.getsignal(number) == signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
