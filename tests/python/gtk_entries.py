# gtk_entries.py - drives docs/examples/entries.py on a display, and says what it saw
# SPDX-License-Identifier: LGPL-2.1-or-later
"""gtk_entries.py FILE SCREEN PICTURE: shows the file, goes to its end, has a key written and
another removed there, and prints what was to be seen, and how long it took, as JSON."""

from __future__ import annotations

import json
import struct
import sys
import time
from pathlib import Path

import cairo

sys.path.insert(0, str(Path(__file__).parents[2] / "docs/examples"))

import entries  # noqa: E402
from entries import Dsq, Gtk  # noqa: E402
from gi.repository import GLib  # noqa: E402


def until(is_so):
    deadline = time.monotonic() + 240
    while not is_so():
        GLib.MainContext.default().iteration(False) or time.sleep(0.001)
        assert time.monotonic() < deadline, "it is not so in time"


def texts(widget):
    """What the labels in view say."""
    found = [widget.get_text()] if isinstance(widget, Gtk.Label) and widget.get_mapped() else []
    child = widget.get_first_child()
    while child is not None:
        found += texts(child)
        child = child.get_next_sibling()
    return found


def draw(window):
    """Once more: what has changed before is on the screen then."""
    clock = window.get_frame_clock()
    painted = []
    handler = clock.connect("after-paint", painted.append)
    until(lambda: (window.queue_draw(), len(painted) > 1)[1])
    clock.disconnect(handler)
    window.get_display().sync()


def picture_of(window, screen, path):
    """What an X server has drawn, which keeps it in a file."""
    draw(window)
    file = Path(screen).read_bytes()
    head = struct.unpack(">25I", file[:100])
    start, stride = head[0] + 12 * head[19], head[12]
    width, height = window.get_width(), window.get_height()
    pixels = bytearray(file[start : start + stride * height])
    cairo.ImageSurface.create_for_data(
        pixels, cairo.FORMAT_RGB24, width, height, stride).write_to_png(path)
    return len(set(pixels[::4]))


def resident():
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def go_to_end(window):
    adjustment = window.scroller.get_vadjustment()
    adjustment.set_value(adjustment.get_upper())


def watch(window, store, screen, picture):
    began = time.monotonic()
    until(lambda: len(window.model) > 0)
    told = time.monotonic() - began
    until(lambda: "key/0000000" in texts(window.view))
    seen = {"first": time.monotonic() - began, "told": told, "number": len(window.model)}
    before = resident()
    last = f"key/{len(window.model) - 1:07}"
    began = time.monotonic()
    until(lambda: (go_to_end(window), last in texts(window.view))[1])
    seen["end"] = time.monotonic() - began
    seen["grown"] = resident() - before
    store.set_string("key/new", "of another", None)
    store.remove(last, None)
    until(lambda: (go_to_end(window), "key/new" in texts(window.view))[1])
    until(lambda: last not in texts(window.view))
    seen["after"] = len(window.model)
    seen["shades"] = picture_of(window, screen, picture)
    return seen


def main(path, screen, picture):
    Gtk.init()
    store = Dsq.Store.open(path, Dsq.PersistMode.WRITETHROUGH, None)
    window = entries.Entries(store, "")
    window.present()
    print(json.dumps(watch(window, store, screen, picture)))
    window.destroy()


if __name__ == "__main__":
    main(*sys.argv[1:])
