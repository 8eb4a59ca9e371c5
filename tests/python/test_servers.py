# test_servers.py - stores on a PostgreSQL server
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import contextlib
import errno
import itertools
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import python, wait_until

from dictsqlite_v4 import (ConflictError, DictSQLiteV4, OutcomeUnknownError,
                           WrongPasswordError)

sys.path.insert(0, str(Path(__file__).parents[1]))
from server_fixture import LISTENS, Relay, new_name, running, sql  # noqa: E402, F401


@pytest.fixture
def address(running):
    """A store that does not exist yet, asked for at each read."""
    return f"{running.address}&max_staleness=0&table={new_name()}"


def end_connections(running):
    sql(running, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                 " WHERE application_name = 'dictsqlite'")


def test_no_server_stays_behind_who_is_ended(running):
    program = Path(__file__).parents[1] / "with_server.py"
    with subprocess.Popen([sys.executable, program, "sh", "-c", "echo $DSQ_SERVER; exec sleep 60"],
                          stdout=subprocess.PIPE) as process:
        folder = Path(process.stdout.readline().decode().strip().split("host=")[1])
        assert (folder / ".s.PGSQL.5432").exists()
        number = (folder / "data" / "postmaster.pid").read_text().split()[0]
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM and not folder.exists()
    command = Path("/proc", number, "cmdline")  # empty of one that nobody has waited for yet
    wait_until(lambda: not command.exists() or command.read_bytes() == b"")


@pytest.mark.parametrize("password", [None, "password"])
@pytest.mark.parametrize("mode", ["lazy", "writethrough"])
def test_keeps_what_a_file_keeps(address, mode, password):
    values = {"text": "x", b"bytes": b"\0", 7: 2.5, ("a", 1): None, "list": [1, {"a": 2}],
              "long" * 1000: "a key longer than an index takes", "big": b"x" * 3_000_000}
    with DictSQLiteV4(address, persist_mode=mode, encryption_password=password) as store:
        store.update(values)
        store["gone"] = 1
        del store["gone"]
        store.set("short", "lived", expire=0.05)
        store.table("other")["text"] = "in a table"
    time.sleep(0.1)
    with DictSQLiteV4(address, persist_mode=mode, encryption_password=password) as store:
        assert dict(store) == values
        assert list(store) == list(values) and list(reversed(store)) == list(values)[::-1]
        assert len(store) == len(values) and "gone" not in store and "short" not in store
        assert store.get_many(["text", "none", "list"]) == {"text": "x", "list": [1, {"a": 2}]}
        assert dict(store.table("other")) == {"text": "in a table"}
        store.clear()
        assert len(store) == 0 and dict(store.table("other")) == {"text": "in a table"}


def test_a_commit_writes_the_states_of_what_it_changes_alone(running):
    name = new_name()
    with DictSQLiteV4(f"{running.address}&table={name}") as store:
        for number in range(10):
            store.table(f"t{number}")["a"] = number
        store["a"] = 1
        # xmin: what wrote the row last
        written = sql(running, "SELECT count(DISTINCT t.xmin::text) FROM dictsqlite.tables AS t"
                               " JOIN dictsqlite.store AS s ON t.store = s.id"
                               f" WHERE s.name = '{name}'")
        assert int(written) == 11


def test_others_see_it(running, address):
    with DictSQLiteV4(address) as one, DictSQLiteV4(address) as other:
        one["a"] = 1
        assert other["a"] == 1
        other["a"] = 2
        assert one["a"] == 2
        del one["a"]
        assert "a" not in other and len(other) == 0


def assert_seen_within(seconds, store, value):
    """Each look begins after a commit has returned; one that began so long after it is true."""
    committed = time.monotonic()
    while True:
        looked = time.monotonic()
        if store["a"] == value:
            break
        assert looked - committed < seconds


def test_staleness_is_bounded(running):
    address = f"{running.address}&max_staleness=300&table={new_name()}"
    with DictSQLiteV4(address) as one, DictSQLiteV4(address) as other:
        one["a"] = 0
        wait_until(lambda: other.get("a") == 0)
        for turn in range(1, 4):
            one["a"] = turn
            assert_seen_within(0.3, other, turn)


def test_a_transaction_that_lost_is_told(address):
    with DictSQLiteV4(address) as one, DictSQLiteV4(address) as other:
        one["a"] = 1
        with pytest.raises(ConflictError), one.transaction() as inside:
            seen = inside["a"]
            other["a"] = 10
            inside["a"] = seen + 1
        assert one["a"] == other["a"] == 10


def test_lost_connections_are_made_anew(running, address):
    with DictSQLiteV4(address) as store:
        for turn in range(5):
            store[f"k{turn}"] = turn
            end_connections(running)
            assert store[f"k{turn}"] == turn and store.get("none") is None
        assert len(store) == 5


def test_nothing_acknowledged_is_lost_when_the_server_is(running, address):
    acknowledged = []
    is_done = threading.Event()

    def write(store):
        for number in itertools.count():
            if is_done.is_set():
                return
            for _ in range(100):  # what was under way when the server went was not written
                with contextlib.suppress(OSError):
                    store[f"k{number}"] = number
                    acknowledged.append(number)
                    break

    with DictSQLiteV4(address, busy_timeout=120) as store:
        writer = threading.Thread(target=write, args=(store,))
        writer.start()
        for mode in ("immediate", "fast"):
            at_least = len(acknowledged) + 5
            wait_until(lambda least=at_least: len(acknowledged) >= least, 120)
            running.stop(mode)
            time.sleep(0.2)
            running.start()
        at_least = len(acknowledged) + 5
        wait_until(lambda: len(acknowledged) >= at_least, 120)
        is_done.set()
        writer.join(120)
        assert not writer.is_alive()
    with DictSQLiteV4(address) as store:
        assert dict(store) == {f"k{number}": number for number in acknowledged}


@pytest.mark.parametrize("becomes", ["written", "not written", "forgotten"])
def test_a_commit_of_which_no_answer_came_is_looked_up(running, becomes):
    name = new_name()
    armed = threading.Event()

    def is_cut(said, server):
        if not armed.is_set() or b"COMMIT" not in said:
            return False
        armed.clear()
        if becomes != "not written":
            server.sendall(said)
            answer = b""
            while b"COMMIT\0" not in answer:
                answer += server.recv(1 << 16)
        if becomes == "forgotten":  # as when so many others have committed since
            sql(running, f"UPDATE dictsqlite.store SET version = version + 2000"
                         f" WHERE name = '{name}'; DELETE FROM dictsqlite.change")
        return True

    with Relay(running, is_cut) as relay:
        with DictSQLiteV4(f"{relay.address}&table={name}") as store:
            assert store.incr("n") == 1
            armed.set()
            if becomes == "written":
                assert store.incr("n") == 2
            else:
                with pytest.raises(OSError) as told:
                    store.incr("n")
                assert isinstance(told.value, OutcomeUnknownError) == (becomes == "forgotten")
            assert not armed.is_set()
    with DictSQLiteV4(f"{running.address}&table={name}") as store:
        assert store["n"] == (1 if becomes == "not written" else 2)


def test_a_commit_that_the_server_refuses_is_none(running, address):
    with DictSQLiteV4(address, persist_mode="writethrough") as store:
        store["a"] = 1
        sql(running, "CREATE FUNCTION public.refuse () RETURNS trigger LANGUAGE plpgsql"
                     " AS $$BEGIN RAISE EXCEPTION 'not this one'; END$$;"
                     "CREATE TRIGGER refuse BEFORE INSERT ON dictsqlite.change"
                     " FOR EACH ROW EXECUTE FUNCTION public.refuse ()")
        try:
            with pytest.raises(OSError, match="not this one"):
                store["a"] = 2
        finally:
            sql(running, "DROP FUNCTION public.refuse CASCADE")
        assert store["a"] == 1
        store["a"] = 3
        assert store["a"] == 3


def test_threads_that_wait_share_a_look_at_the_server(running):
    asked = []

    def is_cut(said, server):
        asked.extend([1] * said.count(b"dictsqlite0\0"))  # the statement that asks, prepared
        return False

    name = new_name()
    with Relay(running, is_cut) as relay, DictSQLiteV4(
            f"{relay.address}&max_staleness=0&table={name}") as store:
        store["a"] = 1
        for _ in range(5):
            assert store["a"] == 1
        assert len(asked) >= 3
        readers = [threading.Thread(target=store.get, args=("a",)) for _ in range(32)]
        with stopped_client(running, "LOCK TABLE dictsqlite.store"):
            asked.clear()
            for reader in readers:
                reader.start()
            time.sleep(0.5)
        for reader in readers:
            reader.join(60)
        assert 1 <= len(asked) < 16


def test_a_server_that_is_gone_is_an_error_in_time(running, address):
    with DictSQLiteV4(address, busy_timeout=0.5) as store:
        store["a"] = 1
        running.stop()
        try:
            started = time.monotonic()
            with pytest.raises(OSError):
                store["a"]
            with pytest.raises(OSError):
                store["a"] = 2
            assert time.monotonic() - started < 20
        finally:
            running.start()
        assert store["a"] == 1


@contextlib.contextmanager
def stopped_client(running, statement):
    """Another client, whose transaction has run `statement` and does not go on."""
    def is_idle(number):
        return sql(running, "SELECT count(*) FROM pg_stat_activity"
                            " WHERE state = 'idle in transaction' AND query <> 'BEGIN;'"
                   ) == f"{number}\n"

    holder = subprocess.Popen(
        [running.programs / "psql", "-h", running.folder, "-U", "tests", "postgres"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    holder.stdin.write(f"BEGIN; {statement};\n".encode())
    holder.stdin.flush()
    try:
        wait_until(lambda: is_idle(1))
        yield
    finally:
        holder.kill()
        holder.communicate()
    wait_until(lambda: is_idle(0))


def test_a_login_that_is_refused_is_an_error_at_once(running, address):
    sql(running, "CREATE ROLE guest SUPERUSER LOGIN")
    with DictSQLiteV4(address.replace("tests@", "guest@"), busy_timeout=60) as store:
        store["a"] = 1
        sql(running, "ALTER ROLE guest NOLOGIN")
        end_connections(running)
        started = time.monotonic()
        for call in (lambda: store.get("b"), lambda: store.update(a=2)):
            with pytest.raises(PermissionError, match='FATAL:  role "guest" is not permitted'):
                call()
        assert time.monotonic() - started < 20
        sql(running, "ALTER ROLE guest LOGIN")
        assert store.get("b") is None and store["a"] == 1
    with pytest.raises(PermissionError):
        DictSQLiteV4(address.replace("tests@", "nobody@"))
    with pytest.raises(FileNotFoundError):
        DictSQLiteV4(address.replace("/postgres?", "/none?"))


def test_a_client_that_is_stopped_holds_up_nobody_for_ever(running, address):
    """Its transaction ends by itself; here it is ended as the server would."""
    with DictSQLiteV4(address, busy_timeout=0.3) as store:
        with stopped_client(running, "SELECT * FROM dictsqlite.store FOR UPDATE"):
            with pytest.raises(OSError):
                store["a"] = 1
        store["a"] = 2
        assert store["a"] == 2


def test_who_writes_waits_for_the_store_no_longer_beside_threads_that_do(running, address):
    """Each waits one timeout, and not one behind the other."""
    told = []

    def write(store, key):
        started = time.monotonic()
        with pytest.raises(OSError) as raised:
            store[key] = 1
        assert raised.value.errno == errno.EBUSY
        told.append(time.monotonic() - started)

    with DictSQLiteV4(address, persist_mode="writethrough", busy_timeout=1) as store:
        store["a"] = 1
        with stopped_client(running, "SELECT * FROM dictsqlite.store FOR UPDATE"):
            writers = [threading.Thread(target=write, args=(store, f"k{number}"))
                       for number in range(8)]
            for number, writer in enumerate(writers):
                writer.start()
                time.sleep(0.1 * (number == 3))
            for writer in writers:
                writer.join(60)
        assert len(told) == len(writers)
        assert 0.9 < min(told) and max(told) < 4, told
        store["a"] = 2


def test_who_reads_waits_for_a_connection_no_longer_than_for_a_lock(running, address):
    """Four times as many read as there are connections for that, which all wait for a lock."""
    told = []

    def read(store, key):
        started = time.monotonic()
        with pytest.raises(OSError):
            store.get(key)
        told.append(time.monotonic() - started)

    with DictSQLiteV4(address, busy_timeout=2) as store:
        with stopped_client(running, "LOCK TABLE dictsqlite.entry"):
            readers = [threading.Thread(target=read, args=(store, f"k{number}"))
                       for number in range(32)]
            for reader in readers:
                reader.start()
            for reader in readers:
                reader.join(60)
        assert len(told) == len(readers) and max(told) < 5
        assert store.get("k0") is None


def test_who_waits_for_no_lock_waits_for_threads_that_read(address):
    errors = []

    def read(store, first):
        try:
            for number in range(first, first + 50):
                assert store.get(f"k{number}") is None
        except OSError as problem:
            errors.append(problem)

    with DictSQLiteV4(address, busy_timeout=0) as store:
        readers = [threading.Thread(target=read, args=(store, 100 * one)) for one in range(32)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(60)
        assert errors == []


def test_the_server_sees_no_plaintext(running, address):
    canaries = ["canary-of-a-key", "canary-of-a-value", "canary-of-a-table"]
    sql(running, "ALTER SYSTEM SET log_statement = 'all'")
    sql(running, "ALTER SYSTEM SET log_parameter_max_length = -1")
    sql(running, "SELECT pg_reload_conf()")
    try:
        with DictSQLiteV4(address, encryption_password="password") as store:
            store[canaries[0]] = canaries[1]
            store.table(canaries[2])[canaries[0] * 100] = [canaries[1]]
            del store[canaries[0]]
            store.update({f"{canaries[0]} {number}": canaries[1] for number in range(1000)})
        with DictSQLiteV4(address, encryption_password="password") as store, \
                DictSQLiteV4(address, encryption_password="password") as other:
            assert store.table(canaries[2])[canaries[0] * 100] == [canaries[1]]
            for first in (1000, 2000):  # taken to grow, and then it has not only grown
                other[f"{canaries[0]} 2000"] = canaries[1]
                store.update({f"{canaries[0]} {number}": canaries[1]
                              for number in range(first, first + 1000)})
            assert len(store) == 3000
    finally:
        sql(running, "ALTER SYSTEM RESET ALL")
        sql(running, "SELECT pg_reload_conf()")
    told = (running.folder / "data" / "log").read_text(errors="replace")
    assert "INSERT INTO dictsqlite.entry" in told and "already exists" in told
    dump = subprocess.run([running.programs / "pg_dump", "-h", running.folder, "-U", "tests",
                           "postgres"], stdout=subprocess.PIPE, timeout=120, check=True).stdout
    assert b"dictsqlite.entry" in dump
    for canary in canaries:
        for form in (canary, canary.encode().hex()):
            assert form not in told and form.encode() not in dump
    with pytest.raises(WrongPasswordError):
        DictSQLiteV4(address, encryption_password="another")
    with pytest.raises(WrongPasswordError):
        DictSQLiteV4(address)


@pytest.mark.parametrize("address", [
    "postgresql://user:canary@host/db",
    "postgresql://host/db?password=canary",
    "postgresql://host/db?%70assword=canary",
    "postgres://user:canary@host:x/db?table=a",
    # in which libpq finds it, or somebody meant it to
    "postgresql://user:ca#canary@host/db",
    "postgresql://user:ca?sslmode=canary@host/db",
    "postgresql://us?er@host?password=canary",
    "postgresql://[::1?table=a]?password=canary",
    "postgresql://us@er:canary@host/db",
])
def test_a_password_in_an_address_is_refused_and_not_shown(address):
    with pytest.raises(ValueError) as told:
        DictSQLiteV4(address)
    assert "canary" not in str(told.value) and "canary" not in repr(told.value)


@pytest.mark.parametrize("secret", ["sslpassword", "oauth_client_secret", "oauth%5Fclient_secret",
                                    "scram_client_key", "scram_server_key"])
def test_other_secrets_are_refused_whether_libpq_knows_them_or_not(secret):
    with pytest.raises(ValueError, match="holds no secret.*pg_service.conf") as told:
        DictSQLiteV4(f"postgresql://host/db?table=a&{secret}=canary")
    assert "canary" not in str(told.value)


def test_a_secret_lies_in_the_file_of_services(running, tmp_path):
    (tmp_path / "services").write_text(
        f"[tests]\nhost={running.folder}\nuser=tests\npassword=x\nsslpassword=x\n")
    done = python(
        "from dictsqlite_v4 import DictSQLiteV4\n"
        f"with DictSQLiteV4('postgresql:///postgres?service=tests&table={new_name()}') as store:\n"
        "    store['a'] = 1\n"
        "    print(repr(store))\n",
        env={**os.environ, "PGSERVICEFILE": str(tmp_path / "services")})
    assert done.returncode == 0 and "service=tests" in done.stdout, done.stderr


@pytest.mark.parametrize("rest", ["table=", "max_staleness=x", "max_staleness=-1", "nothing",
                                  "no_parameter_of_libpq=1", "table=" + "x" * 201])
def test_an_address_that_is_none_is_refused(running, rest):
    with pytest.raises(ValueError):
        DictSQLiteV4(f"{running.address}&{rest}")


def test_what_libpq_would_take_for_a_password_is_refused():
    """Once the parameter is gone that is ours, and with it the "/" before which libpq looks."""
    with pytest.raises(ValueError, match="written %40"):
        DictSQLiteV4("postgresql://us:er?table=a/b&application_name=@")
    with pytest.raises(ValueError, match="holds no password"):
        DictSQLiteV4("postgresql://us:er?application_name=@")


def test_what_a_file_alone_can_do_is_told(running, address):
    DictSQLiteV4(address).close()
    with pytest.raises(OSError, match="not on a server"):
        DictSQLiteV4.rekey_file(address, "a", "b")
    with pytest.raises(ValueError, match="max-bytes"):
        DictSQLiteV4(address, max_bytes=1 << 30)
    with pytest.raises(OSError, match="there is none of that name"):
        DictSQLiteV4(f"{running.address}&table=none{os.getpid()}", read_only=True)


def test_reads_only(running, address):
    with DictSQLiteV4(address) as store:
        store["a"] = 1
        store.table("t")["b"] = 2
        with DictSQLiteV4(address, read_only=True) as reader:
            assert dict(reader) == {"a": 1} and dict(reader.table("t")) == {"b": 2}
            with pytest.raises(OSError):
                reader["a"] = 2
            store["a"] = 3
            assert reader["a"] == 3


@contextlib.contextmanager
def told_by(address):
    """A client that is told of others' commits, and the keys that it was told, in its list."""
    told = []
    with DictSQLiteV4(address) as other, other.watch(callback=told.extend):
        yield other, told


def count_listeners(running):
    return int(sql(running, "SELECT count(*) FROM pg_stat_activity"
                            f" WHERE application_name = 'dictsqlite' AND {LISTENS}"))


def test_watches(address):
    with DictSQLiteV4(address) as store, told_by(address) as (other, told):
        store["a"] = 1
        wait_until(lambda: told)
    assert told == ["a"]


@pytest.fixture
def slow_address(running):
    """A store of which what is known is taken to be true for an hour."""
    return f"{running.address}&max_staleness=3600000&table={new_name()}"


def test_who_listens_is_told_at_once(running, slow_address):
    with DictSQLiteV4(slow_address, persist_mode="writethrough") as one, \
            DictSQLiteV4(slow_address) as other:
        wait_until(lambda: count_listeners(running) == 2)
        other.get("a")
        took = []
        for turn in range(20):
            one["a"] = turn
            committed = time.monotonic()
            wait_until(lambda now=turn: other.get("a") == now)
            took.append(time.monotonic() - committed)
        assert sorted(took)[10] < 0.25  # it looks by itself once a second


def test_nobody_listens_where_all_is_asked_for_or_nothing_may_run(running, address, slow_address):
    with DictSQLiteV4(address) as asking, DictSQLiteV4(slow_address, enable_async=False) as alone:
        asking["a"] = alone["a"] = 1
        assert count_listeners(running) == 0
        with asking.watch():
            wait_until(lambda: count_listeners(running) == 1)
        wait_until(lambda: count_listeners(running) == 0)


def test_a_notice_that_is_lost_is_made_up_for(running, address):
    """One that was never sent, then one while nobody listened, then with another server."""
    with DictSQLiteV4(address) as store, told_by(address) as (other, told):
        store["a"] = 1
        wait_until(lambda: told == ["a"])
        # as of a client that was lost between its commit and the notice
        sql(running, "WITH moved AS (UPDATE dictsqlite.store SET version = version + 1"
                     f" WHERE name = '{address.rsplit('=', 1)[1]}' RETURNING id, version)"
                     " INSERT INTO dictsqlite.change SELECT id, version, '',"
                     " '\\x00000001000000016200000000', 9223372036854775807 FROM moved")
        wait_until(lambda: told == ["a", "b"], 10)
        end_connections(running)
        store["c"] = 1
        wait_until(lambda: "c" in told, 10)
        wait_until(lambda: count_listeners(running) == 1, 10)
        running.stop("immediate")
        running.start()
        store["d"] = 1
        wait_until(lambda: "d" in told, 10)
        wait_until(lambda: count_listeners(running) == 1, 10)
        store["e"] = 1
        wait_until(lambda: "e" in told, 10)


def test_what_is_believed_ends_with_the_listener(running):
    """Lost notices leave the bound as it is."""
    address = f"{running.address}&max_staleness=400&table={new_name()}"
    with DictSQLiteV4(address, persist_mode="writethrough") as one, DictSQLiteV4(address) as other:
        one["a"] = 0
        wait_until(lambda: other.get("a") == 0)
        for turn in range(1, 6):
            sql(running, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                         f" WHERE {LISTENS}")
            one["a"] = turn
            assert_seen_within(0.4, other, turn)


def test_a_fork_leaves_the_connections_alone(address):
    with DictSQLiteV4(address) as store:
        store["a"] = 1
        child = os.fork()
        if child == 0:
            try:
                store["a"]
            except RuntimeError:
                with DictSQLiteV4(address) as own:
                    own["b"] = own["a"] + 1
                os._exit(0)
            os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        assert store["b"] == 2
        store["c"] = 3
        assert dict(store) == {"a": 1, "b": 2, "c": 3}


def test_pickles_by_its_address(address):
    with DictSQLiteV4(address) as store:
        store["a"] = 1
        with pickle.loads(pickle.dumps(store)) as again:
            assert again["a"] == 1 and repr(again).startswith(f"<DictSQLiteV4 {address!r}")
