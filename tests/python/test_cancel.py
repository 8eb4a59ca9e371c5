# test_cancel.py - one cancellable ends whatever a call waits for
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each function of the library that takes a cancellable, as the typelib lists them, is called while
it has to wait: for another connection's lock, in the queue behind who waits for that, for a flush
and for room. It is cancelled, and has to be back soon; the store has to be as before."""
from __future__ import annotations

import random
import sqlite3
import struct
import threading
import time

import pytest
from conftest import join_soon, wait_until
from gi.repository import Dsq, Gio, GLib

from dictsqlite_v4._pack import pack

SOON = 0.5

# By the names and types of arguments; where one name does not say enough, by the function.
VALUES = {
    ("key", "utf8"): "k",
    ("key", "array"): b"k",
    ("record", "array"): b"\x03x",
    ("keys", "array"): ["k", "other"],
    ("value", "utf8"): "x",
    ("value", "Bytes"): GLib.Bytes(b"x"),
    ("value", "Variant"): GLib.Variant("x", 9),
    ("expected", "Variant"): GLib.Variant("x", 1),
    ("entries", "Variant"): GLib.Variant("a{sv}", {"k": GLib.Variant("x", 9)}),
    ("changes", "Variant"): GLib.Variant("a{smv}", {"k": GLib.Variant("x", 9)}),
    ("entries", "array"): struct.pack("=III", 2, 1, 2) + b"k\x03x",
    ("delta", "gint64"): 1,
    ("kdf_limit", "guint64"): 0,
    ("initial", "gint64"): 0,
    ("milliseconds", "gint64"): 99999,
    ("name", "utf8"): "new table",
    ("order", "WalkOrder"): Dsq.WalkOrder.FORWARD,
    ("persist_mode", "PersistMode"): Dsq.PersistMode.WRITETHROUGH,
    ("max_entries", "guint32"): 10,
    ("keys_only", "gboolean"): True,
    ("prefix", "utf8"): "",
    ("after", "utf8"): None,
    ("max_keys", "guint32"): 10,
    ("form", "CopyForm"): Dsq.CopyForm.PLAIN,
    ("password", "Bytes"): None,
    ("old_password", "Bytes"): GLib.Bytes(b"x"),
    ("new_password", "Bytes"): GLib.Bytes(b"x"),
    ("progress", "ProgressFunc"): None,
}
OF_FUNCTION = {
    ("apply", "expected"): None,
    ("get_pack", "keys"): struct.pack("=II", 1, 1) + b"k",
    ("get_string", "key"): "string",
}
# What writes through the queue, and in lazy mode waits for room. It changes the store unless it is
# cancelled. All else may wait, or not.
WRITES = {
    name + suffix
    for suffix in ("", "_async")
    for name in (
        "set set_string set_expiring set_many set_record set_pack remove remove_key"
        " steal increment touch apply compare_and_set"
    ).split()
}
# What waits for a flush that is under way.
FLUSHES = {
    name + suffix
    for suffix in ("", "_async")
    for name in "flush close check copy get_table drop_table".split()
}


def functions():
    """The names of all that take a cancellable, with the class that has them."""
    for owner in (Dsq.Store, Dsq.Cursor, Dsq.Scan, Dsq.Channel):
        for name in sorted(vars(owner)):
            function = getattr(owner, name)
            arguments = getattr(function, "get_arguments", tuple)()
            if any(argument.get_name() == "cancellable" for argument in arguments):
                yield owner.__name__, name


FUNCTIONS = list(functions())


def kind_of(argument):
    kind = argument.get_type().get_tag_as_string()
    return argument.get_type().get_interface().get_name() if kind == "interface" else kind


def call(store, owner, name, cancellable, path):
    """Make a call and wait for what it gives; raises GLib.Error."""
    function = getattr(getattr(Dsq, owner), name)
    base = name[: -len("_async")] if name.endswith("_async") else name
    result = []
    context = GLib.MainContext()
    parameters = []
    for argument in function.get_arguments():
        argument_name, kind = argument.get_name(), kind_of(argument)
        if argument_name == "length" or argument_name.endswith("_length"):
            continue
        if argument_name.startswith("out_"):
            continue
        if argument_name in ("progress_free",):
            continue
        if argument_name in ("cancellable", "user_data", "progress_data"):
            parameters.append(cancellable if argument_name == "cancellable" else None)
        elif kind == "AsyncReadyCallback":
            parameters.append(lambda source, answer, data: result.append(answer))
        elif argument_name == "path":
            there = base == "open"
            shown = str(path) if there else f"{path}.copy"
            parameters.append(shown if kind == "utf8" else shown.encode())
        elif (base, argument_name) in OF_FUNCTION:
            parameters.append(OF_FUNCTION[base, argument_name])
        else:
            parameters.append(VALUES[argument_name, kind])
    if owner in ("Cursor", "Scan"):
        parameters.insert(0, getattr(store, owner.lower()))
    elif function.is_method():
        parameters.insert(0, store)
    context.push_thread_default()
    try:
        given = function(*parameters)
        while name.endswith("_async") and not result:
            context.iteration(True)
    finally:
        context.pop_thread_default()
    if not result:
        return given
    return result[0].propagate_boolean()  # raises the error, if there is one


def assert_ends_soon(store, owner, name, path, must_be_cancelled):
    cancellable = Gio.Cancellable()
    outcome = []

    def run():
        try:
            outcome.append(call(store, owner, name, cancellable, path))
        except GLib.Error as error:
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(0.03)
    if must_be_cancelled:
        assert thread.is_alive(), f"{name} has not waited: {outcome}"
    cancellable.cancel()
    join_soon(thread, SOON)
    is_cancelled = isinstance(outcome[0], GLib.Error) and outcome[0].matches(
        Gio.io_error_quark(), Gio.IOErrorEnum.CANCELLED
    )
    assert is_cancelled or not must_be_cancelled, f"{name}: {outcome[0]}"


CONTENT = {
    "k": GLib.Variant("x", 1),
    "other": GLib.Variant("x", 2),
    "bytes": GLib.Variant("ay", b"x"),
    "string": GLib.Variant("s", "x"),
    "double": GLib.Variant("d", 1.0),
    "boolean": GLib.Variant("b", True),
}


def fill(store):
    for key, value in CONTENT.items():
        store.set(key, value, None)
    store.get_table("table", None)
    store.flush(None)


def assert_as_before(store):
    for key, value in CONTENT.items():
        assert store.get(key, None).equal(value), key
    assert store.get("new", None) is None
    store.set("later", GLib.Variant("x", 1), None)
    store.flush(None)
    assert store.remove("later", None)


@pytest.fixture
def native(path):
    stores = []

    def open_native(**properties):
        # little work, since the derivation of a key is not broken off
        store = Dsq.Store(path=str(path), kdf_memory=19 << 20, kdf_passes=2, **properties)
        store.init(None)
        fill(store)
        store.cursor = store.walk(Dsq.WalkOrder.FORWARD)
        store.scan = store.walk_pack(False)
        stores.append(store)
        return store

    yield open_native
    for store in stores:
        store.close(None)


@pytest.fixture
def lock(path):
    """Takes SQLite's write lock on a connection of another process's kind, for a with block."""
    class Lock:
        def __enter__(self):
            self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self.connection.execute("BEGIN IMMEDIATE")

        def __exit__(self, *exc_info):
            self.connection.execute("ROLLBACK")
            self.connection.close()

    return Lock()


# A clear is staged in memory, and so waits for nothing in lazy mode.
THROUGH = WRITES | {"clear", "clear_async", "drop_table", "drop_table_async", "get_table",
                    "get_table_async"}


def test_the_lists_name_what_there_is():
    names = {name for _, name in FUNCTIONS}
    assert {"open", "close", "next_many", "next_pack", "get_async", "rekey_file"} <= names
    assert len(FUNCTIONS) > 60
    assert len(names & WRITES) >= 20 and names & FLUSHES == FLUSHES


def test_it_ends_the_wait_for_anothers_lock(native, lock, path):
    store = native(persist_mode=Dsq.PersistMode.WRITETHROUGH)
    with lock:
        for owner, name in FUNCTIONS:
            if name.startswith("close"):
                continue  # nothing keeps these here
            assert_ends_soon(store, owner, name, path, name in THROUGH)
    assert_as_before(store)


@pytest.mark.parametrize("leads_by", ["sync", "async"])
def test_it_ends_the_wait_in_the_queue(native, lock, path, leads_by):
    """Who leads goes on waiting, and has its write made."""
    store = native(persist_mode=Dsq.PersistMode.WRITETHROUGH)
    answers = []
    with lock:
        if leads_by == "sync":
            leader = threading.Thread(target=store.set, args=("led", GLib.Variant("x", 1), None))
            leader.start()
        else:
            store.remove_async("led", None, lambda source, answer: answers.append(answer))
        time.sleep(0.05)
        for owner, name in FUNCTIONS:
            assert_ends_soon(store, owner, name, path, name in THROUGH or name.startswith("close"))
    if leads_by == "sync":
        leader.join()
        assert store.get("led", None).get_int64() == 1
    else:
        context = GLib.MainContext.default()
        wait_until(lambda: (context.iteration(False), answers)[1])
        assert not store.remove_finish(answers[0])
    assert_as_before(store)


def test_who_leads_is_not_kept_and_keeps_nobody(native, lock):
    """The one that waits for the lock is cancelled: those behind it are served all the same."""
    store = native(persist_mode=Dsq.PersistMode.WRITETHROUGH)
    cancellable = Gio.Cancellable()
    errors = []

    def lead():
        try:
            store.set("k", GLib.Variant("x", 9), cancellable)
        except GLib.Error as error:
            errors.append(error)

    def follow(number):
        store.set(f"follower {number}", GLib.Variant("x", number), None)

    threads = [threading.Thread(target=lead)]
    with lock:
        threads[0].start()
        time.sleep(0.05)
        threads += [threading.Thread(target=follow, args=(number,)) for number in range(8)]
        for thread in threads[1:]:
            thread.start()
        time.sleep(0.05)
        cancellable.cancel()
        join_soon(threads[0], SOON)
        assert errors
    for thread in threads:
        thread.join()
    for number in range(8):
        assert store.get(f"follower {number}", None).get_int64() == number
    assert_as_before(store)


def test_a_lock_is_waited_for_as_long_as_was_said(native, lock):
    """Each for itself, whoever leads or works behind them; and a batch does not wait twice."""
    store = native(persist_mode=Dsq.PersistMode.WRITETHROUGH, busy_timeout=3000)
    took = []

    def write(number):
        started = time.monotonic()
        with pytest.raises(GLib.Error) as caught:
            store.set("k", GLib.Variant("x", 9), None)
        assert caught.value.code == Dsq.Error.BUSY
        took.append(time.monotonic() - started)

    with lock:
        threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
            time.sleep(0.05)
        for thread in threads:
            thread.join()
        assert len(took) == 6 and 2.99 < min(took) and max(took) < 5.5, took
        channel = store.open_channel()
        started = time.monotonic()
        channel.submit(struct.pack("=IIIIII", 5, 2, 1, 2, 1, 2) + b"ssk\x03xl\x03y")
        wait_until(lambda: channel.collect())
        assert time.monotonic() - started < 5.5
    assert_as_before(store)


def test_it_ends_the_wait_for_a_flush(native, lock, path):
    store = native(persist_mode=Dsq.PersistMode.LAZY, flush_interval=3600000)
    with lock:
        store.set("flushed", GLib.Variant("x", 1), None)
        flush = threading.Thread(target=store.flush, args=(None,))
        flush.start()
        time.sleep(0.05)
        for owner, name in FUNCTIONS:
            if name in WRITES or name.startswith("clear"):
                continue  # these need no flush, and would change the store
            assert_ends_soon(store, owner, name, path, name in FLUSHES)
    flush.join()
    assert_as_before(store)


@pytest.mark.parametrize("background", [False, True])
def test_it_ends_the_wait_for_room(native, lock, path, background):
    store = native(persist_mode=Dsq.PersistMode.LAZY, dirty_limit=4096, background=background)
    with lock:
        store.set("large", GLib.Variant("ay", bytes(100000)), None)
        for owner, name in FUNCTIONS:
            if name in WRITES:
                assert_ends_soon(store, owner, name, path, True)
    assert_as_before(store)


def test_a_cancelled_flush_is_nobody_elses_failure(native, lock):
    store = native(persist_mode=Dsq.PersistMode.LAZY, flush_interval=3600000)
    with lock:
        store.set("k", GLib.Variant("x", 1), None)
        assert_ends_soon(store, "Store", "flush", None, True)
        assert store.get_stats().failed_flushes == 0
        assert store.get_stats().last_error is None
    assert_as_before(store)


def test_it_ends_a_statement(native, path):
    store = native(persist_mode=Dsq.PersistMode.WRITETHROUGH, background=False)
    n_entries = 200000
    items = [item for i in range(n_entries) for item in (b"many %d" % i, b"\x03x")]
    store.set_pack(pack(items))
    # beside a table that has rows, those of another are removed one by one
    store.get_table("table", None).set("k", GLib.Variant("x", 1), None)
    tried = []
    while not tried or tried[-1] >= SOON and len(tried) < 3:  # a busy machine may be late
        started = time.monotonic()
        cancellable = Gio.Cancellable()
        threading.Timer(0.02, cancellable.cancel).start()
        with pytest.raises(GLib.Error) as caught:
            store.clear(cancellable)
        assert caught.value.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CANCELLED)
        tried.append(time.monotonic() - started)
    assert tried[-1] < SOON, tried
    assert store.count(None) == n_entries + len(CONTENT)
    assert_as_before(store)


@pytest.mark.parametrize("password", [None, GLib.Bytes(b"password")])
def test_an_open_that_is_cancelled_makes_no_file(tmp_path, password):
    """And one that has made it opens it, whoever else may have found it by then."""
    slowest = 0.02
    for number in range(60):
        path = tmp_path / str(number) / "store.db"
        path.parent.mkdir()
        store = Dsq.Store(path=str(path), password=password, kdf_memory=19 << 20, kdf_passes=2)
        cancellable = Gio.Cancellable()
        started = time.monotonic()
        timer = threading.Timer(random.uniform(0, slowest), cancellable.cancel)
        timer.start()
        try:
            store.init(cancellable)
        except GLib.Error as error:
            assert error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CANCELLED)
            assert list(path.parent.iterdir()) == []
        else:
            slowest = max(0.005, time.monotonic() - started)
            assert path.exists() and store.count(None) == 0
            store.close(None)
        timer.join()
