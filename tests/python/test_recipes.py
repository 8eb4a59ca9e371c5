# test_recipes.py - the recipes that are modules, within what they are for
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Those of docs/recipes.md in ```python run in test_docs.py. Those in ```py begin with the name of
their file, and are used here as their framework would, which may warn of itself."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import python, wait_until
from test_docs import blocks

from dictsqlite_v4 import DictSQLiteV4

SCRAPY = """
import json, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from scrapy import Spider
from scrapy.crawler import CrawlerProcess

served = []


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        served.append(self.path)
        page = b"<a href='/a'>a</a><a href='/b'>b</a><a href='/a'>a again</a>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Set-Cookie", "one=1")
        self.send_header("Set-Cookie", "two=2")
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
parsed = []


class Links(Spider):
    name = "links"
    start_urls = [f"http://127.0.0.1:{server.server_port}/"]

    def parse(self, response):
        cookies = [value.decode() for value in response.headers.getlist("Set-Cookie")]
        parsed.append([response.url.rsplit("/", 1)[1], cookies, "cached" in response.flags])
        for link in response.css("a"):
            yield response.follow(link, self.parse)


process = CrawlerProcess({
    "HTTPCACHE_ENABLED": True,
    "HTTPCACHE_STORAGE": "storage.DictSQLiteCacheStorage",
    "DICTSQLITE_CACHE": "cache.db",
    "DUPEFILTER_CLASS": "storage.DictSQLiteDupeFilter",
    "DICTSQLITE_SEEN": sys.argv[2],
    "REQUEST_FINGERPRINTER_IMPLEMENTATION": "2.7",
    "TELNETCONSOLE_ENABLED": False,
    "LOG_LEVEL": "ERROR",
})
process.crawl(Links)
process.start()
print(json.dumps([server.server_port, sorted(served), sorted(parsed)]))
"""


def write_module(name, folder):
    """Write the recipe that begins with that name into the folder."""
    modules = [block.values[0] for block in blocks("py")]
    text = next(module for module in modules if module.startswith(f"# {name}\n"))
    (folder / name).write_text(text, encoding="utf-8")


def crawl(folder, port, seen):
    done = subprocess.run(
        [sys.executable, "crawl.py", str(port), seen],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_scrapy(tmp_path):
    """What has been seen is not asked for again, and what was downloaded comes from the store."""
    if importlib.util.find_spec("scrapy") is None:
        pytest.skip("there is no Scrapy")
    write_module("storage.py", tmp_path)
    (tmp_path / "crawl.py").write_text(SCRAPY, encoding="utf-8")
    cookies = ["one=1", "two=2"]
    port, served, parsed = crawl(tmp_path, 0, "seen.db")
    assert served == ["/", "/a", "/b"]
    assert parsed == [["", cookies, False], ["a", cookies, False], ["b", cookies, False]]
    # the start is always asked for, and its links have been seen
    _, served, parsed = crawl(tmp_path, port, "seen.db")
    assert served == [] and parsed == [["", cookies, True]]
    # where none has been, all of them come from the store
    _, served, parsed = crawl(tmp_path, port, "other.db")
    assert served == []
    assert parsed == [["", cookies, True], ["a", cookies, True], ["b", cookies, True]]


def test_gunicorn(tmp_path):
    """Four workers of an application that was loaded before they were forked count together."""
    pytest.importorskip("gunicorn", reason="gunicorn is not installed")
    write_module("application.py", tmp_path)
    log = tmp_path / "log"
    with log.open("wb") as written:
        server = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--preload", "--workers=4", "--bind=127.0.0.1:0",
             f"--worker-tmp-dir={tmp_path}", "application:app"],
            cwd=tmp_path, stdout=written, stderr=written)
    try:
        def address():
            return re.search(r"http://[\d.:]+", log.read_text(encoding="utf-8"))

        wait_until(lambda: address() or server.poll() is not None)
        url = address()[0]

        def ask(_):
            with urllib.request.urlopen(url, timeout=60) as answer:
                return int(answer.read())

        with ThreadPoolExecutor(4) as pool:
            assert sorted(pool.map(ask, range(40))) == list(range(1, 41))
    finally:
        server.terminate()
        assert server.wait(60) == 0
    with DictSQLiteV4(tmp_path / "hits.db") as db:
        assert db["/"] == 40


def test_pytest(tmp_path):
    write_module("test_with_a_store.py", tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path,
         "test_with_a_store.py"],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


GTK = """
import subprocess, sys
from window import Window
from dictsqlite_v4 import DictSQLiteV4
from gi.repository import Gio, GLib, Gtk

OTHER = 'from dictsqlite_v4 import DictSQLiteV4; DictSQLiteV4("notes.db")["note"] = "of another"'


def activate(application):
    window = Window(application, db)
    window.present()
    window.entry.set_text("typed")
    window.entry.emit("activate")
    shown.append(db["note"])
    db.flush()
    subprocess.run([sys.executable, "-c", OTHER], check=True)

    def look():
        if window.entry.get_text() == "of another":
            shown.append(window.entry.get_text())
            window.close()
        return len(shown) < 2

    GLib.timeout_add(20, look)


shown = []
with DictSQLiteV4("notes.db", persist_mode="lazy") as db:
    application = Gtk.Application(flags=Gio.ApplicationFlags.NON_UNIQUE)
    application.connect("activate", activate)
    application.run()
print(shown)
"""


def test_gtk(tmp_path):
    """What is typed is kept, and what another process sets is shown."""
    has_gtk = python("import gi; gi.require_version('Gtk', '4.0')").returncode == 0
    if shutil.which("xvfb-run") is None or not has_gtk:
        pytest.skip("there is no GTK 4 or no Xvfb")
    write_module("window.py", tmp_path)
    (tmp_path / "use.py").write_text(GTK, encoding="utf-8")
    done = subprocess.run(
        ["xvfb-run", "-a", sys.executable, "use.py"], cwd=tmp_path, capture_output=True, text=True,
        timeout=300, check=False, env={**os.environ, "G_DEBUG": "", "GSK_RENDERER": "cairo",
                                       "GDK_BACKEND": "x11", "GTK_A11Y": "none"})
    assert done.stdout == "['typed', 'of another']\n", done.stderr
