# test_bind.py - properties of Python's GObjects that are what keys hold
# SPDX-License-Identifier: LGPL-2.1-or-later
"""dsq_store_bind() by PyGObject, with another process that writes through the Python class."""

import gc
import subprocess
import sys
import weakref

import pytest

gi = pytest.importorskip("gi")
gi.require_version("Dsq", "1.0")
from gi.repository import Dsq, GLib, GObject  # noqa: E402


class Settings(GObject.Object):
    name = GObject.Property(type=str, default="nobody")
    size = GObject.Property(type=int, default=0)
    dark = GObject.Property(type=bool, default=False)
    colour = GObject.Property(type=GObject.TYPE_VARIANT)


@pytest.fixture
def store(tmp_path):
    opened = Dsq.Store.open(str(tmp_path / "store.db"), Dsq.PersistMode.WRITETHROUGH, None)
    yield opened
    opened.close(None)


def wait(condition):
    while not condition():
        GLib.MainContext.default().iteration(True)


def in_another_process(path, statement):
    subprocess.run(
        [sys.executable, "-c", f"import sys, dictsqlite_v4\n"
         f"with dictsqlite_v4.DictSQLiteV4(sys.argv[1]) as db:\n    {statement}", path],
        check=True)


def test_a_property_is_what_a_key_holds(store):
    settings = Settings()
    store.set_string("name", "Алиса", None)
    assert store.bind("name", settings, "name", Dsq.BindFlags.DEFAULT)
    store.bind("size", settings, "size", Dsq.BindFlags.DEFAULT)
    store.bind("dark", settings, "dark", Dsq.BindFlags.INVERT_BOOLEAN)
    assert (settings.name, settings.size) == ("Алиса", 0)
    settings.size = 12
    settings.dark = True
    wait(lambda: store.get("size", None) is not None and store.get("dark", None) is not None)
    assert store.get("size", None).unpack() == 12
    assert store.get("dark", None).unpack() is False
    Dsq.Store.unbind(settings, "size")
    settings.size = 13
    settings.name = "Боб"
    wait(lambda: store.get_string("name", None) == "Боб")
    assert store.get("size", None).unpack() == 12


def test_what_another_process_writes_arrives(store):
    settings = Settings()
    told = []
    store.bind("name", settings, "name", Dsq.BindFlags.DEFAULT)
    store.bind("size", settings, "size", Dsq.BindFlags.DEFAULT)
    store.bind("colour", settings, "colour", Dsq.BindFlags.GET)
    store.set("colour", GLib.Variant("(ddd)", (0.1, 0.2, 0.3)), None)
    wait(lambda: settings.colour is not None and settings.colour.unpack() == (0.1, 0.2, 0.3))
    settings.connect("notify", lambda _, spec: told.append(spec.name))
    in_another_process(store.props.path, "db.update(name='of another', size=5)")
    wait(lambda: settings.name == "of another" and settings.size == 5)
    assert sorted(set(told)) == ["name", "size"]
    in_another_process(store.props.path, "db.clear()")
    settings.size = 6
    wait(lambda: store.get("size", None) is not None)
    assert settings.name == "of another"


def test_what_does_not_fit_is_told_once(store):
    settings = Settings()
    failures = []
    store.connect("bind-failed", lambda *args: failures.append(args[1:]))
    store.bind("size", settings, "size", Dsq.BindFlags.DEFAULT)
    in_another_process(store.props.path, "db['size'] = [1, 2]")
    wait(lambda: failures)
    in_another_process(store.props.path, "db['size'] = 2 ** 40")
    in_another_process(store.props.path, "db['size'] = 7")
    wait(lambda: settings.size == 7)
    (bound, name, error), = failures
    assert bound is settings and name == "size"
    assert error.matches(Dsq.Error.quark(), Dsq.Error.WRONG_TYPE)
    with pytest.raises(GLib.Error, match="no key can hold what is of its type"):
        store.bind("size", store, "file", Dsq.BindFlags.SET)


def test_mappings(store):
    class Held:
        def double(self, value):
            return GLib.Variant("x", value.unpack() * 2)

        def halve(self, value):
            return GLib.Variant("x", value.unpack() // 2) if value.unpack() else None

    settings, held = Settings(), Held()
    store.set("size", GLib.Variant("x", 4), None)
    store.bind_with_mapping("size", settings, "size", Dsq.BindFlags.DEFAULT, held.double,
                            held.halve)
    gone = weakref.ref(held)
    del held
    gc.collect()
    assert settings.size == 8
    settings.size = 10
    wait(lambda: store.get("size", None).unpack() == 5)
    settings.size = 0
    in_another_process(store.props.path, "db['size'] = 21")
    wait(lambda: settings.size == 42)
    Dsq.Store.unbind(settings, "size")
    wait(lambda: gc.collect() is not None and gone() is None)


def test_it_ends_with_the_object_and_with_the_store(tmp_path):
    store = Dsq.Store.open(str(tmp_path / "store.db"), Dsq.PersistMode.LAZY, None)
    settings, kept = Settings(), Settings()
    store.bind("size", settings, "size", Dsq.BindFlags.DEFAULT)
    store.bind("size", kept, "size", Dsq.BindFlags.DEFAULT)
    settings.size = 3
    gone = weakref.ref(settings)
    del settings
    gc.collect()
    assert gone() is None
    wait(lambda: kept.size == 3)
    store.close(None)
    kept.size = 4
    again = Dsq.Store.open(store.props.path, Dsq.PersistMode.LAZY, None)
    again.bind("size", kept, "size", Dsq.BindFlags.DEFAULT)
    assert kept.size == 3
    again.close(None)
