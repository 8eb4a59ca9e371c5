# test_glib_loop.py - the library's own async calls, from Python over a GLib main loop
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import contextlib
import sqlite3
import threading

import pytest

from dictsqlite_v4 import DictSQLiteV4
from dictsqlite_v4._dsq import _Dsq as Dsq
from dictsqlite_v4._dsq import _Gio as Gio
from dictsqlite_v4._dsq import _GLib as GLib


def call(method, *arguments, context=None):
    """The result of an async call that ends in the main loop of this thread."""
    loop = GLib.MainLoop(context)
    outcome = []

    def done(source, result):
        outcome.extend((source, result, threading.current_thread()))
        loop.quit()

    method(*arguments, None, done)
    assert not outcome
    loop.run()
    source, result, thread = outcome
    assert thread is threading.current_thread()
    return source, result


def open_store(path, mode=Dsq.PersistMode.LAZY):
    _, result = call(Dsq.Store.open_async, str(path), mode)
    return Dsq.Store.open_finish(result)


def test_open_set_get_close(path):
    store = open_store(path)
    assert store.set_finish(call(store.set_async, "key", GLib.Variant("x", 7))[1])
    assert store.set_string_finish(call(store.set_string_async, "text", "ключ")[1])
    assert store.get_finish(call(store.get_async, "key")[1]).unpack() == 7
    assert store.count_finish(call(store.count_async)[1]) == 2
    assert store.flush_finish(call(store.flush_async)[1])
    with DictSQLiteV4(path) as db:
        assert dict(db) == {"key": 7, "text": "ключ"}
    assert store.close_finish(call(store.close_async)[1])
    assert store.is_closed()


def test_counting_and_expiry(path):
    store = open_store(path, Dsq.PersistMode.WRITETHROUGH)
    assert store.increment_finish(call(store.increment_async, "n", 2, 40)[1]) == (True, 42)
    assert store.increment_finish(call(store.increment_async, "n", -1, 0)[1]) == (True, 41)
    value = GLib.Variant("x", 1)
    assert not store.compare_and_set_finish(
        call(store.compare_and_set_async, "n", GLib.Variant("x", 42), value)[1])
    assert store.contains("n", None) == Dsq.Answer.YES
    assert store.contains_finish(call(store.contains_async, "none")[1]) == Dsq.Answer.NO
    assert store.get_expiry_finish(call(store.get_expiry_async, "none")[1]) == 0
    assert store.set_expiring_finish(call(store.set_expiring_async, "e", value, 100_000)[1])
    left = store.get_expiry_finish(call(store.get_expiry_async, "e")[1])
    assert 90_000 < left <= 100_000
    store.close()


def test_copies_tell_how_far_they_are(path, tmp_path):
    store = open_store(path)
    for i in range(3000):
        store.set_string(f"key {i}", "x" * 1000, None)
    told = []

    def progress(n_done, n_total, *_):
        told.append((n_done, n_total))

    def wait(finish, start, *arguments):
        loop = GLib.MainLoop()
        results = []
        start(*arguments, None, progress, (),
              lambda _, result: (results.append(result), loop.quit()))
        loop.run()
        return finish(results[0])

    assert wait(store.copy_finish, store.copy_async, str(tmp_path / "b.db"), Dsq.CopyForm.SAME,
                None)
    assert told and all(done <= total for done, total in told) and told[-1][0] == told[-1][1]
    password = GLib.Bytes(b"secret")
    sealed = str(tmp_path / "e.db")
    assert wait(store.copy_finish, store.copy_async, sealed, Dsq.CopyForm.ENCRYPTED,
                password)
    assert wait(Dsq.Store.rekey_file_finish, Dsq.Store.rekey_file_async, sealed, password,
                GLib.Bytes(b"other"), 0)
    assert store.check_finish(call(store.check_async)[1]) == []
    store.close()
    with DictSQLiteV4(tmp_path / "b.db") as copy:
        assert len(copy) == 3000
    with DictSQLiteV4(sealed, encryption_password="other") as copy:
        assert len(copy) == 3000


def test_a_cancelled_call(path):
    store = open_store(path)
    cancellable = Gio.Cancellable()
    cancellable.cancel()
    loop = GLib.MainLoop()
    outcome = []

    def done(source, result):
        outcome.append(result)
        loop.quit()

    store.get_async("key", cancellable, done)
    loop.run()
    with pytest.raises(GLib.Error) as error:
        store.get_finish(outcome[0])
    assert error.value.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CANCELLED)
    store.close()


def test_results_come_to_the_context_of_the_thread_that_called(path):
    store = open_store(path)
    outcome = []

    def work():
        context = GLib.MainContext.new()
        context.push_thread_default()
        for i in range(20):
            key = f"{threading.get_ident()} {i}"
            result = call(store.set_string_async, key, key, context=context)[1]
            assert store.set_string_finish(result)
            result = call(store.get_string_async, key, context=context)[1]
            assert store.get_string_finish(result) == key
        context.pop_thread_default()
        outcome.append(True)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcome == [True] * 3
    store.close()


def test_a_damaged_value_fails_alone(path):
    store = open_store(path)
    for key in "abc":
        store.set_string(key, f"value of {key}", None)
    store.close()
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        # a bit of the checksum, or of what it covers
        damage = "UPDATE entry SET value = CAST(substr(value, 2) || 'x' AS BLOB)"
        changed = database.execute(damage + " WHERE token = CAST('b' AS BLOB)").rowcount
        assert changed == 1
    store = open_store(path)
    found = store.get_many(["a", "b", "c", "d"], None).unpack()
    assert found == {"a": "value of a", "b": None, "c": "value of c"}
    with pytest.raises(GLib.Error) as raised:
        store.get("b", None)
    assert raised.value.matches(Dsq.error_quark(), Dsq.Error.CORRUPT)
    store.close()
