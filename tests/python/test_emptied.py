# test_emptied.py - a store that is emptied again and again, beside others that bring keys into it
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import contextlib
import sys
import threading
import time

from conftest import SECONDS

from dictsqlite_v4 import DictSQLiteV4


@contextlib.contextmanager
def switched_often():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


def test_what_others_bring_in_is_there(tmp_path):
    """Where nothing is left it is known of each key that it is absent; but not of those that others
    have brought in by then, and that were learned of."""
    path = tmp_path / "a.db"
    parameters = {"persist_mode": "writethrough", "near_capacity": 0, "separate": True}
    until = time.monotonic() + (SECONDS or 1)
    failures = []

    def repeat(work):
        try:
            for number in range(1 << 30):
                if failures or time.monotonic() > until:
                    return
                work(number)
        except Exception as error:
            failures.append(repr(error))

    def empty(number):
        one["own"] = number
        del one["own"]

    def look(number):
        for name in range(40):
            assert one.get(f"none {name}") is None

    def bring(number):
        other[f"key {number}"] = number
        assert one.get(f"key {number}") == number, "it is not seen"
        one[f"key {number}"] = "another"
        del other[f"key {number}"]

    with DictSQLiteV4(path, **parameters) as one, DictSQLiteV4(path, **parameters) as other, \
            switched_often():
        threads = [threading.Thread(target=repeat, args=(work,)) for work in (empty, look, bring)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60 + SECONDS)
            assert not thread.is_alive()
        assert failures == []
