# test_servers_notices.py - what others are told of commits to a PostgreSQL server, and when
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import select
import sys
import time
from pathlib import Path

import psycopg2
import pytest

from conftest import wait_until

from dictsqlite_v4 import DictSQLiteV4

sys.path.insert(0, str(Path(__file__).parents[1]))
from server_fixture import LISTENS, new_name, running, sql  # noqa: E402, F401

APART_S = 0.005  # between two notices of one store
N_COMMITS = 500


@pytest.fixture
def name():
    return new_name()


@pytest.fixture
def heard(running, name):  # noqa: F811
    """A function that waits for a time, and tells how many notices have come until then."""
    with DictSQLiteV4(f"{running.address}&table={name}"):
        pass
    number = sql(running, f"SELECT id FROM dictsqlite.store WHERE name = '{name}'").strip()
    connection = psycopg2.connect(host=str(running.folder), user="tests", dbname="postgres")
    connection.autocommit = True
    connection.cursor().execute(f"LISTEN dictsqlite_{number}")

    def hear(seconds):
        until = time.monotonic() + seconds
        while select.select([connection], [], [], max(until - time.monotonic(), 0))[0]:
            connection.poll()
        found = len(connection.notifies)
        connection.notifies.clear()
        return found

    yield hear
    connection.close()


def opened(running, name, **options):  # noqa: F811
    store = DictSQLiteV4(f"{running.address}&table={name}&application_name={name}",
                         persist_mode="writethrough", **options)
    if options.get("enable_async", True):
        count = ("SELECT count(*) FROM pg_stat_activity"
                 f" WHERE {LISTENS} AND application_name = '{name}'")
        wait_until(lambda: int(sql(running, count)) == 1)
    return store


def test_many_commits_are_told_of_by_few_notices(running, name, heard):  # noqa: F811
    with opened(running, name) as store:
        began = time.monotonic()
        for number in range(N_COMMITS):
            store["key"] = number
        took = time.monotonic() - began
        # the one behind the last comes though nobody calls
        assert 2 <= heard(0.5) <= took / APART_S + 2
        assert heard(0.1) == 0
    assert heard(0.1) == 0


def test_one_commit_is_told_of_at_once(running, name, heard):  # noqa: F811
    with opened(running, name) as store:
        for number in range(20):
            time.sleep(2 * APART_S)
            store["key"] = number
            # what has come is there, without a wait
            wait_until(lambda: heard(0) == 1, APART_S)


def test_what_is_left_is_told_by_who_closes(running, name, heard):  # noqa: F811
    for number in range(20):
        store = opened(running, name)
        time.sleep(2 * APART_S)
        store["key"] = number
        store["other"] = number
        store.close()
        assert heard(0.1) == 2


def test_where_nobody_listens_each_commit_tells(running, name, heard):  # noqa: F811
    with opened(running, name, enable_async=False) as store:
        for number in range(N_COMMITS):
            store["key"] = number
        assert heard(0.1) == N_COMMITS


def test_who_has_lost_his_listener_tells_by_himself(running, name, heard):  # noqa: F811
    with opened(running, name) as store:
        store["key"] = 0
        store["key"] = 1
        assert heard(0.1) == 2
        sql(running, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE"
                     f" application_name = '{name}' AND {LISTENS}")
        store["key"] = 2
        store["key"] = 3
        # by himself, or when he listens again
        assert heard(2) == 2


def test_another_store_learns_of_the_last_commit(running, name):  # noqa: F811
    slow = f"{running.address}&table={name}&max_staleness=60000"
    with opened(running, name) as writer, DictSQLiteV4(slow) as reader:
        for number in range(200):
            writer["key"] = number
        wait_until(lambda: reader.get("key") == 199, 1)
