# test_glib_loop.py - the library's own async calls, from Python over a GLib main loop
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

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


def test_records_and_packs(path):
    store = open_store(path, Dsq.PersistMode.WRITETHROUGH)
    assert store.set_record_finish(call(store.set_record_async, b"a\0b", b"\x03text")[1])
    assert store.lookup_record_finish(call(store.lookup_record_async, b"a\0b")[1]) == b"\x03text"
    assert store.lookup_record_finish(call(store.lookup_record_async, b"none")[1]) == b""
    assert store.remove_key_finish(call(store.remove_key_async, b"a\0b")[1])
    store.close()


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
