# test_guide.py - the uses that the guide shows, as they stand there
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import atexit
import datetime
import hashlib
import multiprocessing
import pickle
import subprocess
import sys
import threading
import time
import uuid

import pytest
from conftest import python, wait_until

from dictsqlite_v4 import DictSQLiteV4


@pytest.fixture(autouse=True)
def in_a_scratch_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_quick_start():
    db = DictSQLiteV4("data.db")
    db["key"] = "value"
    db["user:1"] = {"name": "Alice", "age": 30}
    assert db["key"] == "value"
    assert db["user:1"] == {"name": "Alice", "age": 30}
    del db["key"]
    assert "key" not in db
    db.close()


def test_dict_operations():
    db = DictSQLiteV4("data.db")
    db["string"] = "text"
    db["nested"] = {"a": {"b": {"c": 1}}}
    db["list"] = [1, 2, 3]
    assert db.get("list") == [1, 2, 3]
    assert db.get("missing") is None
    assert db.get("missing", 42) == 42
    assert db.get("missing", default=42) == 42
    assert "string" in db and "missing" not in db
    del db["string"]
    assert len(db) == 2
    assert list(db.keys()) == ["nested", "list"]
    assert list(db.items()) == [("nested", {"a": {"b": {"c": 1}}}), ("list", [1, 2, 3])]
    assert list(db.values())[1] == [1, 2, 3]

    assert db.setdefault("counter", 0) == 0
    db["counter"] += 1
    assert db.setdefault("counter", 0) == 1
    assert db.pop("counter", None) == 1
    assert db.pop("counter", None) is None
    db.update({"a": 1, "b": 2, "c": 3})
    assert (db["a"], db["b"], db["c"]) == (1, 2, 3)
    db.clear()
    assert len(db) == 0
    db.close()


def test_bulk():
    with DictSQLiteV4("data.db") as db:
        db.bulk_insert({f"key_{i}": f"value_{i}" for i in range(10_000)})
        assert [db.get(f"key_{i}") for i in range(1000)] == [f"value_{i}" for i in range(1000)]
        assert len(db) == 10_000


def test_lazy_and_a_second_process():
    db = DictSQLiteV4("data.db", persist_mode="lazy")
    db["key"] = "value"
    db.flush()
    read = python("from dictsqlite_v4 import DictSQLiteV4; print(DictSQLiteV4('data.db')['key'])")
    assert read.stdout == "value\n", read.stderr
    db.close()


def test_context_manager():
    with DictSQLiteV4("data.db") as db:
        db["key"] = "value"
    with pytest.raises(KeyError):
        with DictSQLiteV4("data.db") as db:
            db["more"] = 1
            db["missing"]
    with DictSQLiteV4("data.db") as db:
        assert dict(db) == {"key": "value", "more": 1}


def test_measuring():
    db = DictSQLiteV4("bench.db", persist_mode="memory")
    start = time.perf_counter()
    for i in range(10_000):
        db[f"key_{i}"] = f"value_{i}"
    for i in range(10_000):
        assert db[f"key_{i}"] == f"value_{i}"
    assert 10_000 / (time.perf_counter() - start) > 1000
    db.close()


def test_session_cache(tmp_path):
    cache = DictSQLiteV4(":memory:", persist_mode="memory")
    cache["session"] = {"user": 1}
    assert cache["session"] == {"user": 1}
    temp = DictSQLiteV4("temp.db", persist_mode="memory")
    temp["a"] = 1
    temp.flush()
    cache.close()
    temp.close()
    assert list(tmp_path.iterdir()) == []


def test_periodic_flush():
    db = DictSQLiteV4("data.db", persist_mode="lazy")
    stop = threading.Event()
    flushed = []

    def flush_now_and_then():
        while not stop.wait(0.01):
            db.flush()
            flushed.append(1)

    thread = threading.Thread(target=flush_now_and_then, daemon=True)
    thread.start()
    i = 0
    while len(flushed) < 5:
        db[f"key_{i % 1000}"] = i
        i += 1
    stop.set()
    thread.join()
    assert len(db) == min(i, 1000) and db[f"key_{(i - 1) % 1000}"] == i - 1
    atexit.register(db.flush)
    db.close()
    db.flush()
    atexit.unregister(db.flush)


def test_transaction_log():
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import time\n"
            "from dictsqlite_v4 import DictSQLiteV4\n"
            "db = DictSQLiteV4('log.db', persist_mode='writethrough')\n"
            "db['tx:1'] = {'from': 'a', 'to': 'b', 'amount': 99.5, 'at': time.time()}\n"
            "db.bulk_insert({f'tx:{i}': {'amount': i / 3} for i in range(2, 1002)})\n"
            "print('written', flush=True)\n"
            "time.sleep(600)\n",
        ],
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdout.readline() == "written\n"
        writer.kill()
    with DictSQLiteV4("log.db") as db:
        assert len(db) == 1001
        assert db["tx:1"]["amount"] == 99.5 and db["tx:1"]["at"] <= time.time()
        assert db["tx:1001"] == {"amount": 1001 / 3}


@pytest.mark.parametrize("capacity", (10_000, 100_000, 1_000_000, int(500_000 * 0.2)))
def test_capacities(capacity):
    with DictSQLiteV4("data.db", hot_capacity=capacity, persist_mode="lazy") as db:
        db["a"] = 1
        assert db.stats()["hot_tier_capacity"] == capacity


def test_eviction():
    with DictSQLiteV4("data.db", hot_capacity=1000) as db:
        for i in range(1001):
            db[f"key_{i}"] = i
        assert db["key_0"] == 0


class Model:
    def __init__(self):
        self.weights = list(range(10_000))


def test_values():
    with DictSQLiteV4("data.db") as db:
        db["model"] = Model()
        db["all"] = ["text", 1, [1, 2], {"a": 1}]
        assert type(db["model"]) is Model
        assert db["model"].weights == list(range(10_000))
        assert db["all"] == ["text", 1, [1, 2], {"a": 1}]


def test_large_loads():
    with DictSQLiteV4("large.db", hot_capacity=100_000, persist_mode="lazy") as db:
        batch = {}
        for i in range(50_000):
            batch[f"key_{i}"] = {"id": i}
            if len(batch) >= 1000:
                db.bulk_insert(batch)
                batch.clear()
            if i % 10_000 == 0:
                db.flush()
        assert len(db) == 50_000
        assert db["key_49999"] == {"id": 49_999} and db["key_0"] == {"id": 0}


def test_the_count_right_after_opening():
    with DictSQLiteV4("data.db") as db:
        db.bulk_insert({i: i for i in range(123)})
    with DictSQLiteV4("data.db") as db:
        assert len(db) == 123


def test_maintenance():
    with DictSQLiteV4("data.db", persist_mode="lazy") as db:
        now = time.time()
        for i in range(100):
            db[f"cache_{i}"] = {"expires": now - 1 if i % 2 else now + 1000}
            db[f"user_{i}"] = {"expires": now - 1}
        expired = [
            key for key in db.keys() if key.startswith("cache_") and db[key]["expires"] < now
        ]
        for key in expired:
            del db[key]
        db.flush()
        assert len(expired) == 50 and len(db) == 150
        for key in list(db.keys()):
            if key.startswith("user_"):
                del db[key]
        assert len(db) == 50


def test_troubleshooting():
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import time\n"
            "from dictsqlite_v4 import DictSQLiteV4\n"
            "db = DictSQLiteV4('data.db', persist_mode='lazy', enable_async=False)\n"
            "db['kept'] = 1\n"
            "db.flush()\n"
            "db['lost'] = 1\n"
            "print('written', flush=True)\n"
            "time.sleep(600)\n",
        ],
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdout.readline() == "written\n"
        writer.kill()
    with DictSQLiteV4("data.db") as db:
        assert dict(db) == {"kept": 1}
        assert db.get("lost", "default") == "default"
        assert "lost" not in db
        try:
            db["lost"]
        except KeyError as missing:
            assert missing.args == ("lost",)
        else:
            pytest.fail("a missing key was found")


class ApiCache:
    def __init__(self, path, ttl):
        self.db = DictSQLiteV4(path, persist_mode="lazy")
        self.ttl = ttl

    def key(self, url):
        return hashlib.md5(url.encode()).hexdigest()

    def set(self, url, data):
        self.db[self.key(url)] = {"data": data, "timestamp": time.time()}

    def get(self, url):
        key = self.key(url)
        if key in self.db:
            entry = self.db[key]
            if time.time() - entry["timestamp"] < self.ttl:
                return entry["data"]
            del self.db[key]
        return None

    def cleanup(self):
        now = time.time()
        expired = [k for k, v in self.db.items() if now - v["timestamp"] >= self.ttl]
        for key in expired:
            del self.db[key]
        return len(expired)


def test_api_cache():
    cache = ApiCache("cache.db", ttl=0.05)
    cache.set("https://example.org/a", {"answer": 42})
    assert cache.get("https://example.org/missing") is None
    wait_until(lambda: cache.get("https://example.org/a") is None)
    cache.set("https://example.org/b", [1])
    cache.set("https://example.org/c", [2])
    cache.ttl = 1000
    assert cache.get("https://example.org/b") == [1]
    assert cache.cleanup() == 0
    cache.ttl = 0
    assert cache.cleanup() == 2 and len(cache.db) == 0
    cache.db.close()


class Sessions:
    def __init__(self, path):
        self.db = DictSQLiteV4(path, persist_mode="writethrough")

    def create(self, user):
        session = str(uuid.uuid4())
        now = time.time()
        self.db[session] = {"user": user, "created": now, "last_accessed": now, "data": {}}
        return session

    def get(self, session):
        entry = self.db.get(session)
        if entry is not None:
            entry["last_accessed"] = time.time()
            self.db[session] = entry
        return entry

    def update(self, session, **data):
        entry = self.db[session]
        entry["data"].update(data)
        self.db[session] = entry

    def delete(self, session):
        self.db.pop(session, None)

    def cleanup_expired(self, timeout):
        oldest = time.time() - timeout
        for session in list(self.db.keys()):
            if self.db[session]["last_accessed"] < oldest:
                del self.db[session]


def test_sessions():
    sessions = Sessions("sessions.db")
    one, two = sessions.create("alice"), sessions.create("bob")
    created = sessions.get(one)["created"]
    sessions.update(one, cart=["book"])
    assert sessions.get(one)["data"] == {"cart": ["book"]}
    assert sessions.get(one)["last_accessed"] >= created
    sessions.delete(two)
    sessions.delete(two)
    assert sessions.get(two) is None
    sessions.cleanup_expired(1000)
    assert list(sessions.db) == [one]
    sessions.cleanup_expired(-1)
    assert len(sessions.db) == 0
    sessions.db.close()


def test_counter():
    db = DictSQLiteV4("counter.db", persist_mode="lazy")
    db["counter"] = 0
    lock = threading.Lock()

    def increment():
        for _ in range(1000):
            with lock:
                db["counter"] = db["counter"] + 1

    threads = [threading.Thread(target=increment) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert db["counter"] == 10_000
    db.close()
    with DictSQLiteV4("counter.db") as db:
        assert db["counter"] == 10_000


def test_counter_without_a_lock():
    with DictSQLiteV4("counter.db", persist_mode="lazy") as db:
        threads = [
            threading.Thread(target=lambda: [db.incr("counter") for _ in range(1000)])
            for _ in range(10)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert db["counter"] == 10_000
    with DictSQLiteV4("counter.db") as db:
        assert db["counter"] == 10_000


def work_on_a_file_of_its_own(number):
    db = DictSQLiteV4(f"worker_{number}.db", persist_mode="lazy")
    for i in range(1000):
        db[f"key_{i}"] = f"worker_{number}_value_{i}"
    db.flush()
    db.close()


@pytest.mark.parametrize("method", ("fork", "spawn"))
def test_processes(method):
    context = multiprocessing.get_context(method)
    workers = [context.Process(target=work_on_a_file_of_its_own, args=(i,)) for i in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    for i in range(4):
        with DictSQLiteV4(f"worker_{i}.db") as db:
            assert len(db) == 1000 and db["key_999"] == f"worker_{i}_value_999"


@pytest.mark.parametrize(
    "preset",
    (
        {"persist_mode": "memory", "hot_capacity": 1_000_000},
        {"persist_mode": "lazy", "hot_capacity": 100_000},
        {"persist_mode": "writethrough"},
    ),
    ids=("fastest", "balanced", "safest"),
)
def test_presets(preset):
    with DictSQLiteV4("data.db", **preset) as db:
        db["key"] = "value"
        assert db["key"] == "value"


class Evil:
    def __reduce__(self):
        return eval, ("1 + 1",)


def test_safe_pickle():
    modules = ["datetime", "decimal", "myapp.models"]
    now = datetime.datetime.now()
    with DictSQLiteV4("data.db") as unsafe:
        unsafe["evil"] = Evil()
    with DictSQLiteV4(
        "data.db", enable_safe_pickle=True, safe_pickle_allowed_modules=modules
    ) as db:
        db["now"] = now
        assert db["now"] == now
        with pytest.raises(ValueError, match="builtins.eval"):
            db["other"] = Evil()
        assert "other" not in db
        with pytest.raises(pickle.UnpicklingError, match="builtins.eval"):
            db["evil"]
