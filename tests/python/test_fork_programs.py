# test_fork_programs.py - what programs do with forks: busy threads, multiprocessing, gunicorn
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import json
import multiprocessing
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from conftest import ENCRYPTED, LONG, python, wait_until

from dictsqlite_v4 import DictSQLiteV4

FORKS = 400 if LONG else 60

# Forks again and again, and counts the children that are not done in time.
FORK_LOOP = """
import os, signal, sys, threading
from dictsqlite_v4 import DictSQLiteV4

def fork_often(n_forks, before, in_child):
    for number in range(n_forks):
        before(number)
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            in_child(number)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0, f"the child of fork {number} did not come back"
    print(n_forks)
"""


def test_forks_while_threads_are_inside(tmp_path):
    ended = python(
        FORK_LOOP + """
folder, n_forks = sys.argv[1], int(sys.argv[2])
store = DictSQLiteV4(folder + "/store.db", hot_capacity=10, warm_capacity=0, flush_interval=0.001)
stop = threading.Event()

def use(number):
    count = 0
    while not stop.is_set():
        count += 1
        store[f"{number}.{count % 500}"] = "v" * 100
        store.get(f"{number}.{count * 7 % 500}")

def make_backups(number):
    while not stop.is_set():
        store.backup(folder + "/backup.db")
        os.unlink(folder + "/backup.db")

def in_child(number):
    with DictSQLiteV4(f"{folder}/own{number % 8}.db", enable_async=False) as own:
        own[f"child{number}"] = number

threads = [threading.Thread(target=use, args=(0,)), threading.Thread(target=use, args=(1,)),
           threading.Thread(target=make_backups, args=(2,))]
for thread in threads:
    thread.start()
try:
    fork_often(n_forks, lambda number: None, in_child)
finally:
    stop.set()
    for thread in threads:
        thread.join()
""",
        tmp_path,
        FORKS,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"{FORKS}\n", "")
    found = []
    for number in range(8):
        with DictSQLiteV4(tmp_path / f"own{number}.db") as own:
            found += own.values()
    assert sorted(found) == list(range(FORKS))


def test_forks_while_the_flusher_works(tmp_path):
    ended = python(
        FORK_LOOP + """
store = DictSQLiteV4(sys.argv[1] + "/store.db", persist_mode="lazy", flush_interval=0.001)
fork_often(int(sys.argv[2]),
           lambda number: store.update({f"k{i}": "x" * 2000 for i in range(1000)}),
           lambda number: DictSQLiteV4(sys.argv[1] + "/child.db").close())
""",
        tmp_path,
        FORKS,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"{FORKS}\n", "")


def test_a_process_made_without_forks_handlers(tmp_path):
    ended = python(
        """
import ctypes, os, signal, sys
from dictsqlite_v4 import DictSQLiteV4
store = DictSQLiteV4(sys.argv[1] + "/store.db", enable_async=False)
store["a"] = 1
child = ctypes.PyDLL(None)._Fork()
if child == 0:
    signal.alarm(20)
    for call in (lambda: store["a"], store.clear, store.close,
                 lambda: DictSQLiteV4(sys.argv[1] + "/own.db")):
        try:
            call()
        except RuntimeError as error:
            print(error, flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
store["b"] = 2
store.close()
""",
        tmp_path,
    )
    refused = "Failed to use the store: it was inherited by fork; open one in the child\n"
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(3 * refused)
    assert re.search("Failed to open the store: .*clone.*forkserver or spawn", ended.stdout)
    with DictSQLiteV4(tmp_path / "store.db") as store:
        assert store == {"a": 1, "b": 2}


def test_a_file_that_sqlite3_has_open_as_well(tmp_path):
    """SQLite's books of a connection that is not ours cannot be mended: no silence."""
    ended = python(
        """
import os, signal, sqlite3, sys
from dictsqlite_v4 import DictSQLiteV4
store = DictSQLiteV4(sys.argv[1], enable_async=False)
store["a"] = 1
store.flush()
other = sqlite3.connect(sys.argv[1])
assert other.execute("SELECT count(*) FROM entry").fetchone() == (1,)
child = os.fork()
if child == 0:
    signal.alarm(20)
    try:
        DictSQLiteV4(sys.argv[1], enable_async=False)
    except RuntimeError as error:
        print(error, flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
other.close()
store.close()
""",
        tmp_path / "store.db",
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert re.search("Failed to open the store: .*locks.*forkserver or spawn", ended.stdout)


def test_a_child_that_only_reads_the_parents_file(tmp_path):
    ended = python(
        """
import os, signal, sys
from dictsqlite_v4 import DictSQLiteV4
from fork_family import INDEX, SHARED, own_locks
store = DictSQLiteV4(sys.argv[1], enable_async=False)
store["a"] = 1
store.flush()
child = os.fork()
if child == 0:
    signal.alarm(20)
    with DictSQLiteV4(sys.argv[1], read_only=True) as own:
        print(own["a"], SHARED in own_locks(sys.argv[1]), INDEX in own_locks(sys.argv[1] + "-shm"),
              flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
store["b"] = 2
store.close()
""",
        tmp_path / "store.db",
        cwd=Path(__file__).parent,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "1 True True\n", "")


@pytest.mark.parametrize("copying", ("backup(target, progress=fork)",
                                     "encrypt_copy(target, 'password', progress=fork)"))
@pytest.mark.parametrize("mode", ("lazy", "writethrough"))
@pytest.mark.skipif(ENCRYPTED, reason="an encrypted copy is made of a plain store")
def test_a_fork_in_the_middle_of_a_copy(tmp_path, copying, mode):
    """The function that is told of progress comes back twice; in the child the call ends there."""
    ended = python(
        """
import os, signal, sys
from dictsqlite_v4 import DictSQLiteV4
store = DictSQLiteV4(sys.argv[1], persist_mode=sys.argv[2])
store.update({f"k{i}": "v" * 200 for i in range(20000)})
target = sys.argv[1] + ".copy"
parent, children = os.getpid(), []

def fork(done, total):
    if os.getpid() == parent and len(children) < 3:
        child = os.fork()
        if child == 0:
            signal.alarm(20)
        else:
            children.append(child)
            assert os.waitpid(child, 0)[1] == 0

try:
    store.""" + copying + """
except RuntimeError as error:
    print(error, os.getpid() == parent, flush=True)
if os.getpid() != parent:
    os._exit(0)
store.close()
""",
        tmp_path / "store.db",
        mode,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert len(lines) == 3
    assert all("inherited by fork" in line and line.endswith(" False") for line in lines)
    password = {"encryption_password": "password"} if "encrypt" in copying else {}
    with DictSQLiteV4(tmp_path / "store.db.copy", **password) as copy:
        assert len(copy) == 20000
        assert copy.check() == []
    assert not list(tmp_path.glob(".dsq-*"))


# --- multiprocessing ------------------------------------------------------------------------------


def add_items(path, number):
    with DictSQLiteV4(path, persist_mode="lazy") as store:
        for i in range(300):
            store[f"{number}.{i}"] = i
        store.incr("workers")


@pytest.mark.parametrize("method", ("fork", "forkserver", "spawn"))
def test_multiprocessing_on_one_file(tmp_path, method):
    path = str(tmp_path / "store.db")
    context = multiprocessing.get_context(method)
    with DictSQLiteV4(path, persist_mode="writethrough") as store:
        store["workers"] = 0
        workers = [context.Process(target=add_items, args=(path, number)) for number in range(3)]
        for worker in workers:
            worker.start()
        for number in range(300):
            store[f"parent.{number}"] = number
        for worker in workers:
            worker.join(60)
        assert [worker.exitcode for worker in workers] == [0, 0, 0]
        assert len(store) == 1 + 4 * 300
        assert store.check() == []


def use_inherited(store, answers):
    try:
        store["a"] = 1
    except RuntimeError as error:
        answers.put(str(error))


def test_multiprocessing_with_an_inherited_store(open_store, mode):
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    store = open_store(persist_mode=mode)
    worker = context.Process(target=use_inherited, args=(store, answers))
    worker.start()
    assert "inherited by fork" in answers.get(timeout=30)
    worker.join(30)
    assert worker.exitcode == 0
    assert "a" not in store


# --- gunicorn -------------------------------------------------------------------------------------

PRELOADED = """
import os
from dictsqlite_v4 import DictSQLiteV4
store = DictSQLiteV4(os.environ["STORE"])
store["hits"] = 0

def app(environ, start_response):
    try:
        answer, status = str(store.incr("hits")), "200 OK"
    except RuntimeError as error:
        answer, status = str(error), "503 Service Unavailable"
    start_response(status, [("Content-Type", "text/plain")])
    return [answer.encode()]
"""

OPENED_LATER = """
import json, os
from dictsqlite_v4 import DictSQLiteV4
inherited = DictSQLiteV4(os.environ["STORE"])
inherited["hits"] = 0
inherited.flush()
own = {}

def app(environ, start_response):
    store = own.get(os.getpid())
    if store is None:
        store = own[os.getpid()] = DictSQLiteV4(os.environ["STORE"], persist_mode="writethrough")
    answer = json.dumps([os.getpid(), store.incr("hits")])
    start_response("200 OK", [("Content-Type", "application/json")])
    return [answer.encode()]
"""


@pytest.fixture
def serve(tmp_path):
    """Serves an application by gunicorn --preload; gives a function that asks it for an answer."""
    pytest.importorskip("gunicorn", reason="gunicorn is not installed")
    servers = []

    def start(application):
        (tmp_path / "application.py").write_text(application, encoding="utf-8")
        log = tmp_path / "log"
        with log.open("wb") as written:
            servers.append(subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "--preload", "--workers=2", "--bind=127.0.0.1:0",
                 f"--worker-tmp-dir={tmp_path}", "application:app"],
                cwd=tmp_path, stdout=written, stderr=written,
                env={**os.environ, "STORE": str(tmp_path / "store.db")}))

        def says(pattern):
            return re.search(pattern, log.read_text(encoding="utf-8"))

        wait_until(lambda: says("Booting worker(?s:.*)Booting worker") or servers[0].poll())
        address = says(r"http://[\d.:]+")
        assert address, log.read_text(encoding="utf-8")

        def ask():
            try:
                with urllib.request.urlopen(address[0], timeout=60) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, error.read().decode()

        return ask

    yield start
    for server in servers:
        server.terminate()
        assert server.wait(60) == 0


def test_gunicorn_with_a_store_opened_before_the_fork(serve):
    ask = serve(PRELOADED)
    for _ in range(10):
        status, answer = ask()
        assert status == 503
        assert "inherited by fork; open one in the child" in answer


def test_gunicorn_with_a_store_opened_after_the_fork(serve, tmp_path):
    ask = serve(OPENED_LATER)
    answers = [json.loads(ask()[1]) for _ in range(100)]
    assert sorted(hits for _, hits in answers) == list(range(1, 101))
    with DictSQLiteV4(tmp_path / "store.db") as store:
        assert store["hits"] == 100
        assert store.check() == []
