# servers.py - a store on a server beside the same by hand; in `meson devenv -C build`
# SPDX-License-Identifier: LGPL-2.1-or-later
"""servers.py [ROUNDS]: starts a PostgreSQL of its own, and prints the speed of a store on it as a
share of that of what one would write by hand with psycopg2, medians of rounds that take turns."""

from __future__ import annotations

import contextlib
import io
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable, List

import psycopg2
from psycopg2.extensions import connection as Connection

from dictsqlite_v4 import DictSQLiteV4

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from with_server import Server, server  # noqa: E402

N = 10_000
N_MANY = 1_000
N_COMMITS = 1_000
N_CLIENTS = 4
ENTRIES = {f'key_{i}': f'value_{i}' for i in range(N)}
WANTED = [f'key_{i * 7}' for i in range(N_MANY)]
MANY = ('SELECT token, value FROM dictsqlite.entry WHERE store = %s AND table_id = 1'
        ' AND token = ANY (%s::bytea[])')
PUT = 'INSERT INTO kv VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value'


def timed(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def tell(name: str, limit: object, pairs: List[List[float]]) -> None:
    """What a line of the table says, of pairs of our time and the other's."""
    share = statistics.median(other / ours for ours, other in pairs)
    ours, other = (statistics.median(one) * 1e6 for one in zip(*pairs))
    print(f'| {name} | {limit} | {share:.2f} | {ours:,.2f} | {other:,.2f} |', flush=True)


def compare_hot(address: str, n_rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder, \
            DictSQLiteV4(f'{address}&table=hot', persist_mode='lazy') as there, \
            DictSQLiteV4(f'{folder}/a.db', persist_mode='lazy') as here:
        for store in (there, here):
            store.update(ENTRIES)
            store.flush()
            assert [store[key] for key in WANTED] == [ENTRIES[key] for key in WANTED]
        tell('hot get; a file', 1, [
            [timed(lambda: [store[key] for key in WANTED]) / N_MANY for store in (there, here)]
            for _ in range(20 * n_rounds)])


def compare_many(address: str, connection: Connection, n_rounds: int) -> None:
    cold = {'hot_capacity': 1, 'warm_capacity': 0, 'near_capacity': 0}
    with DictSQLiteV4(f'{address}&table=many', persist_mode='writethrough', **cold) as store, \
            connection.cursor() as cursor:
        store.update(ENTRIES)
        cursor.execute("SELECT id FROM dictsqlite.store WHERE name = 'many'")
        ((number,),) = cursor.fetchall()

        def by_hand() -> None:
            cursor.execute(MANY, (number, [key.encode() for key in WANTED]))
            found = {bytes(token).decode(): bytes(value) for token, value in cursor.fetchall()}
            assert len(found) == N_MANY

        def by_store() -> None:
            assert len(store.get_many(WANTED)) == N_MANY

        tell('get_many of 1,000 that memory does not have; one query', 0.8, [
            [timed(by_store) / N_MANY, timed(by_hand) / N_MANY] for _ in range(3 * n_rounds)])
        connection.commit()


def dump(connection: Connection, name: str) -> io.BytesIO:
    """The rows that came to the store last, as those of another."""
    rows = io.BytesIO()
    with connection.cursor() as cursor:
        cursor.execute('SELECT store, max(place) FROM dictsqlite.entry WHERE store = (SELECT id'
                       ' FROM dictsqlite.store WHERE name = %s) GROUP BY store', (name,))
        ((number, last),) = cursor.fetchall()
        cursor.copy_expert(
            'COPY (SELECT -store, table_id, token, place, expires, value, name'
            f' FROM dictsqlite.entry WHERE store = {number} AND place > {last - N} ORDER BY place)'
            ' TO STDOUT WITH (FORMAT binary)', rows)
    connection.commit()
    rows.seek(0)
    return rows


def compare_flush(address: str, connection: Connection, n_rounds: int) -> None:
    def copy(rows: io.BytesIO) -> None:
        with connection.cursor() as cursor:
            cursor.copy_expert('COPY dictsqlite.entry FROM STDIN WITH (FORMAT binary)', rows)
            assert cursor.rowcount == N
        connection.commit()

    pairs: List[List[List[float]]] = [[], []]
    for i in range(3 * n_rounds):
        with DictSQLiteV4(f'{address}&table=flush{i}', persist_mode='lazy',
                          enable_async=False) as store:
            for j, of_one in enumerate(pairs):
                store.update({f'{key} {j}': value for key, value in ENTRIES.items()})
                ours = timed(store.flush)
                rows = dump(connection, f'flush{i}')
                of_one.append([ours / N, timed(lambda: copy(rows)) / N])
    for more, of_one in zip(('', ' more'), pairs):
        tell(f'flush of 10,000{more}; COPY into the same table', 0.8, of_one)


def run_pgbench(running: Server, *options: object) -> str:
    return subprocess.run(
        [running.programs / 'pgbench', '-h', running.folder, '-U', 'tests', *map(str, options),
         'postgres'],
        check=True, capture_output=True, text=True).stdout


def time_pgbench(running: Server, *options: object) -> float:
    """Seconds a transaction, of one client."""
    done = run_pgbench(running, '-n', '-M', 'prepared', '-c', 1, '-t', N_COMMITS, *options)
    (line,) = (line for line in done.splitlines() if line.startswith('tps'))
    return 1 / float(line.split()[2])


def compare_commits(running: Server, connection: Connection, n_rounds: int) -> None:
    script = running.folder / 'put.sql'
    script.write_text("\\set i random(1, 10000)\n" + PUT.replace('%s, %s', "'key_' || :i, 'value'")
                      + ';\n')
    with connection.cursor() as cursor:
        cursor.execute('CREATE TABLE kv (key text PRIMARY KEY, value text)')
        connection.commit()
    run_pgbench(running, '-i', '-q')
    times = []
    with DictSQLiteV4(f'{running.address}&table=commits', persist_mode='writethrough') as store:
        for _ in range(n_rounds):
            times.append([
                timed(lambda: [store.__setitem__(key, 'value') for key in WANTED]) / N_MANY,
                time_pgbench(running, '-b', 'tpcb-like'), time_pgbench(running, '-f', script)])
    tell("a commit of one key; pgbench's own transaction", 0.9, [[a, b] for a, b, _ in times])
    tell('a commit of one key; one statement, by pgbench', 0.9, [[a, c] for a, _, c in times])


def compare_clients(address: str, n_rounds: int) -> None:
    """Who commits to a store waits for those who do already."""

    def commit_all(stores: List[DictSQLiteV4]) -> None:
        def work(store: DictSQLiteV4) -> None:
            for key in WANTED[:100]:
                store[key] = 'value'

        with ThreadPoolExecutor(len(stores)) as pool:
            list(pool.map(work, stores))

    with contextlib.ExitStack() as stack:
        one, own = ([stack.enter_context(DictSQLiteV4(
            f'{address}&table={name.format(i)}', persist_mode='writethrough'))
            for i in range(N_CLIENTS)] for name in ('clients', 'client{}'))
        tell(f'a commit by each of {N_CLIENTS} clients of a store; of stores of their own', '', [
            [timed(lambda: commit_all(stores)) / (100 * N_CLIENTS) for stores in (one, own)]
            for _ in range(n_rounds)])


def main() -> None:
    n_rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    print('| what; beside | share at least | share | a store, us | by hand, us |')
    print('|---' * 5 + '|')
    with server() as running:
        connection = psycopg2.connect(host=str(running.folder), user='tests', dbname='postgres')
        compare_hot(running.address, n_rounds)
        compare_many(running.address, connection, n_rounds)
        compare_flush(running.address, connection, n_rounds)
        compare_commits(running, connection, n_rounds)
        compare_clients(running.address, n_rounds)
        connection.close()


if __name__ == '__main__':
    main()
