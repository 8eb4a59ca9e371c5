# test_recipes.py - the recipes whose frameworks warn of themselves when they are imported
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Those of docs/recipes.md in ```python run in test_docs.py, where a warning is an error. Those in
```py are modules, which the programs here import."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest
from test_docs import blocks

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
    (module,) = [block.values[0] for block in blocks("py")]
    (tmp_path / "storage.py").write_text(module, encoding="utf-8")
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
