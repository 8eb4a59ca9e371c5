#!/usr/bin/env python3
# entries.py - all entries of a file, in GTK 4. SPDX-License-Identifier: LGPL-2.1-or-later
"""entries.py FILE [PREFIX]: keys and values, which follow what anybody writes."""

import sys

import gi

gi.require_version("Dsq", "1.0")
gi.require_version("Gtk", "4.0")
from gi.repository import Dsq, Gtk


def show(value):
    if value is None:
        return ""
    text = value.print_(False)
    return text if len(text) < 200 else text[:199] + "…"


def column(title, make_text):
    """Its cells follow their items: what is loading comes later."""
    factory = Gtk.SignalListItemFactory()

    def set_up(_factory, cell):
        cell.set_child(Gtk.Label(xalign=0, ellipsize=3, single_line_mode=True))

    def bind(_factory, cell):
        def update(item, _property=None):
            cell.get_child().set_text(make_text(item))

        item = cell.get_item()
        cell.handler = item.connect("notify", update)
        update(item)

    def unbind(_factory, cell):
        cell.get_item().disconnect(cell.handler)

    factory.connect("setup", set_up)
    factory.connect("bind", bind)
    factory.connect("unbind", unbind)
    return Gtk.ColumnViewColumn(title=title, factory=factory, expand=True)


class Entries(Gtk.ApplicationWindow):
    def __init__(self, store, prefix, **properties):
        super().__init__(default_width=560, default_height=420, **properties)
        self.model = Dsq.KeyModel.new(store, prefix, False)
        self.view = Gtk.ColumnView(
            model=Gtk.NoSelection(model=self.model), show_row_separators=True)
        self.view.append_column(column("Key", lambda item: item.props.key or ""))
        self.view.append_column(column(
            "Value", lambda item: "…" if item.props.loading else show(item.props.value)))
        self.scroller = Gtk.ScrolledWindow(child=self.view)
        search = Gtk.SearchEntry(placeholder_text="Keys that begin with")
        search.connect("search-changed", self.search)
        box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL)
        self.scroller.set_vexpand(True)
        box.append(search)
        box.append(self.scroller)
        self.set_child(box)
        self.model.connect("items-changed", lambda *_: self.tell_number())

    def search(self, entry):
        self.model.props.prefix = entry.get_text()

    def tell_number(self):
        self.set_title(f"{len(self.model):,} entries")


def main(path, prefix=""):
    store = Dsq.Store.open(path, Dsq.PersistMode.LAZY, None)
    application = Gtk.Application()
    application.connect(
        "activate", lambda _: Entries(store, prefix, application=application).present())
    return application.run(None)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
