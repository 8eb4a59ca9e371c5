# loads.py - what several threads, several processes, growing stores and fresh processes do
# SPDX-License-Identifier: LGPL-2.1-or-later

import bisect
import itertools
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time

import loops
import peers

# --- growth --------------------------------------------------------------------------------------

GROWTH = ('lazy', 'sqlite3', 'lmdb', 'dict')
SAMPLE = 10_000  # keys read and set again at each size
STEP = 10_000  # entries loaded at a time


def grow(sizes, rounds, folder):
    """Filling, and then reads and sets at random, at each size."""
    series = loops.Series('growth')
    for size, _ in itertools.product(sizes, range(rounds)):
        for peer in peers.installed(GROWTH):
            with tempfile.TemporaryDirectory(dir=folder) as own:
                names = peer.open(os.path.join(own, 'grown'))
                _grow_one(series, peer, names, size)
                peer.close(names)
    return list(series.rows.values())


def _grow_one(series, peer, names, size):
    load = loops.compile_text(loops.text_of(peer, 'bulk_insert'), names)
    took = 0
    for first in range(0, size, STEP):
        entries = {f'key_{i}': f'value_{i}' for i in range(first, min(first + STEP, size))}
        took += loops.timed(load, names, len(entries), entries, None)
    if peer.flush:
        took += loops.timed(loops.compile_text(peer.flush, names), names, 0, {}, None)
    series.add(f'load {size:,}', peer.name, size, took)
    data = loops.Data(1)
    chance = random.Random(size)
    data.keys = [f'key_{chance.randrange(size)}' for _ in range(SAMPLE)]
    data.mixed = [(True, key) for key in data.keys]
    for operation, text in (('get', 'get, plain loop'), ('set', 'mix 80/20')):
        function = loops.compile_text(loops.text_of(peer, text), names)
        took = loops.timed(function, names, SAMPLE, {}, data)
        series.add(f'{operation} of {size:,}', peer.name, SAMPLE, took)
    found = loops.read_back(peer, names)
    again = set(data.keys)
    if len(found) != size or any(
            found[key] != (key if key in again else f'value_{key[4:]}')
            for key in itertools.islice(found, SAMPLE)):
        raise SystemExit(f'{peer.name} has not kept {size} entries')


# --- threads -------------------------------------------------------------------------------------

def thread_peers():
    return peers.installed(('dict', 'lazy', 'sqlite3, autocommit', 'diskcache')) + [
        peer for peer in [peers.LmdbEach('lmdb, a transaction each')] if peer.version()]


def threads(counts, n, rounds, folder):
    """Gets at random, and a mix of four gets and a set, by several threads at once."""
    series = loops.Series('threads')
    for turn, count, peer in itertools.product(range(rounds), counts, thread_peers()):
        with tempfile.TemporaryDirectory(dir=folder) as own:
            path = os.path.join(own, 'shared')
            first = peer.open(path)
            its = n // peer.share
            data = [_thread_data(n, its // count, seed) for seed in range(count)]
            loops.compile_text('for k in data.keys: ' + loops.Words(peer).set('k', 'k'), first)(
                first, n, {}, loops.Data(n))
            several = f'{count} thread' + 's' * (count > 1)
            for what, mixed in (('gets', False), ('four gets and a set', True)):
                opened = [first] + [first if peer.threads else peer.open(path)
                                    for _ in range(count - 1)]
                took = _run_threads(peer, opened, data, mixed)
                series.add(f'{what}, {several}', peer.name, its // count * count, took)
                for names in opened[1:]:
                    if names is not first:
                        peer.close(names)
            loops.verify(peer, first, {key: key for key in loops.Data(n).keys}, 'the threads')
            peer.close(first)
    return list(series.rows.values())


def _thread_data(n, n_operations, seed):
    data = loops.Data(1)
    chance = random.Random(seed)
    data.keys = [f'key_{chance.randrange(n)}' for _ in range(n_operations)]
    data.mixed = [(i % 5 == 0, key) for i, key in enumerate(data.keys)]
    return data


def _run_threads(peer, opened, data, mixed):
    words = loops.Words(peer)
    text = f'for k in data.keys: {words.get("k")}'
    if mixed:
        text = (f'for sets, k in data.mixed:\n  if sets:\n    {words.set("k", "k")}\n'
                f'  else: {words.get("k")}')
    barrier = threading.Barrier(len(opened) + 1)
    done = []

    def work(names, its):
        function = loops.compile_text(text, names)
        barrier.wait()
        function(names, 0, {}, its)
        done.append(its)

    workers = [threading.Thread(target=work, args=pair) for pair in zip(opened, data)]
    for worker in workers:
        worker.start()
    barrier.wait()
    start = time.perf_counter_ns()
    for worker in workers:
        worker.join()
    took = time.perf_counter_ns() - start
    if len(done) != len(opened):
        raise SystemExit(f'a thread of {peer.name} failed')
    return took


# --- YCSB, by one process or several -------------------------------------------------------------

# of a hundred operations: reads, updates, inserts, scans, reads that are then written; 'again' by a
# process that has done the same before
WORKLOADS = {'A': (50, 50, 0, 0, 0), 'B': (95, 5, 0, 0, 0), 'C': (100, 0, 0, 0, 0),
             'D': (95, 0, 5, 0, 0), 'E': (0, 0, 5, 95, 0), 'F': (50, 0, 0, 0, 50),
             'C again': (100, 0, 0, 0, 0)}
READ, UPDATE, INSERT, SCAN, MODIFY = range(5)
ZIPF = 0.99
VALUE_SIZE = 1000
LONGEST_SCAN = 100


def ycsb_peers():
    stores = [peers.Store('lazy', 'lazy'), peers.Store('writethrough', 'writethrough'),
              peers.Sqlite('sqlite3, autocommit', False),
              peers.LmdbEach('lmdb, a transaction each'), peers.Diskcache('diskcache')]
    return {peer.name: peer for peer in stores if peer.version() is not None}


def plan_of(workload, records, n, worker):
    """What one worker does: (operation, key, length of a scan, new value), by Zipf's law."""
    chance = random.Random(f'{workload} {worker}')
    weights = list(itertools.accumulate(1 / rank ** ZIPF for rank in range(1, records + 1)))
    places = random.Random(1).sample(range(records), records)  # which are asked for most
    kinds = list(itertools.accumulate(WORKLOADS[workload]))
    newest = [f'user{place:010d}' for place in range(records)]
    plan = []
    for i in range(n):
        kind = bisect.bisect_right(kinds, chance.randrange(100))
        rank = min(bisect.bisect_left(weights, chance.random() * weights[-1]), records - 1)
        if kind == INSERT:
            key = f'user{records + 2 * i + worker:010d}'
            newest.append(key)
        else:
            key = newest[-1 - rank] if workload == 'D' else f'user{places[rank]:010d}'
        plan.append((kind, key, chance.randint(1, LONGEST_SCAN), value_of(key, i)))
    return plan


def value_of(key, turn):
    return f'{key} {turn} '.encode().ljust(VALUE_SIZE, b'.')


def work(order):
    """A worker: waits for a line, does its plan on what is at the path, tells the time it took."""
    peer = ycsb_peers()[order['peer']]
    plan = plan_of(order['workload'], order['records'], order['n'], order['worker'])
    names = peer.open(order['path'])
    words = loops.Words(peer, 'bytes')
    scan = words.scan('k') if peer.scan else 'None'
    text = ('for kind, k, count, new in data:\n'
            f'  if kind == 0: {words.get("k")}\n'
            f'  elif kind == 3: {scan}\n'
            '  else:\n'
            f'    if kind == 4: {words.get("k")}\n'
            f'    {words.set("k", "new")}')
    function = loops.compile_text(text, names)
    if order['workload'].endswith('again'):
        loops.timed(function, names, 0, {}, plan)
    print('ready', flush=True)
    sys.stdin.readline()
    took = loops.timed(function, names, 0, {}, plan)
    print(took, flush=True)
    sys.stdin.readline()
    peer.close(names)


def _load(peer, path, records):
    """Fills a file as one bulk; returns what that took."""
    keys = [f'user{place:010d}' for place in range(records)]
    entries = {key: value_of(key, 'new') for key in keys}
    filler = peers.Sqlite('', True) if isinstance(peer, peers.Sqlite) else peer
    names = filler.open(path)
    if isinstance(peer, peers.Lmdb):
        text = ('with begin(write=True) as t: '
                't.cursor().putmulti([(k.encode(), v) for k, v in entries.items()])')
    else:
        text = loops.text_of(filler, 'bulk_insert') + '\n' + (filler.flush or '')
    took = loops.timed(loops.compile_text(text, names), names, records, entries, None)
    filler.close(names)
    return took


def _start_worker(order):
    return subprocess.Popen(
        [sys.executable, os.path.join(os.path.dirname(__file__), 'bench.py'), '--worker',
         json.dumps(order)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _run_workers(orders):
    """All at once; returns what the slowest of them took."""
    workers = [_start_worker(order) for order in orders]
    for worker in workers:
        worker.stdout.readline()
    for worker in workers:
        worker.stdin.write('go\n')
        worker.stdin.flush()
    took = [int(worker.stdout.readline()) for worker in workers]
    for worker in workers:
        worker.communicate('end\n')
        if worker.returncode:
            raise SystemExit(f'a worker of {orders[0]["peer"]} failed')
    return max(took)


def _verify_ycsb(peer, path, orders):
    """Each key's value is what was loaded or what one of the workers last wrote there."""
    allowed = {f'user{place:010d}': {value_of(f'user{place:010d}', 'new')}
               for place in range(orders[0]['records'])}
    for order in orders:
        plan = plan_of(order['workload'], order['records'], order['n'], order['worker'])
        last = {key: new for kind, key, _, new in plan if kind in (UPDATE, INSERT, MODIFY)}
        for key, new in last.items():
            values = allowed.setdefault(key, set())
            values.add(new)
            values.discard(value_of(key, 'new'))
    names = peer.open(path)
    found = loops.read_back(peer, names, 'bytes')
    peer.close(names)
    if found.keys() != allowed.keys() or any(found[key] not in allowed[key] for key in found):
        raise SystemExit(f'{peer.name} does not hold what workload {orders[0]["workload"]} wrote')


def ycsb(processes, workloads, records, n, rounds, folder):
    series = loops.Series('ycsb')
    for turn in range(rounds):
        for count, workload, peer in itertools.product(
                processes, workloads, ycsb_peers().values()):
            if workload == 'E' and peer.scan is None:
                continue
            with tempfile.TemporaryDirectory(dir=folder) as own:
                path = os.path.join(own, 'ycsb')
                its = n // (5 if workload == 'E' else 1) // count
                orders = [{'peer': peer.name, 'workload': workload, 'records': records, 'n': its,
                           'worker': worker, 'path': path} for worker in range(count)]
                loading = _load(peer, path, records)
                if workload == 'A':
                    series.add('load', peer.name, records, loading)
                series.add(f'{workload}, {count} process{"es" * (count > 1)}', peer.name,
                           its * count, _run_workers(orders))
                if turn == 0:
                    _verify_ycsb(peer, path, orders)
    return list(series.rows.values())


# --- tiers ---------------------------------------------------------------------------------------

def tiers(n, rounds, folder):
    """A get by the tier that answers it, beside a dict and the sqlite3 module."""
    from dictsqlite_v4 import DictSQLiteV4

    series = loops.Series('tiers')
    data = loops.Data(n)
    path = os.path.join(folder, 'tiers.db')
    with DictSQLiteV4(path, persist_mode='lazy') as db:
        db.update(data.entries)
    small = {'hot_capacity': 1}
    for _ in range(rounds):
        for tier, parameters, passes in (
                ('hot', {}, 1), ('warm', small, 1), ('cold', {**small, 'warm_capacity': 0}, 0)):
            with DictSQLiteV4(path, persist_mode='lazy', **parameters) as db:
                for _ in range(passes):
                    for key in data.keys:
                        db[key]
                _time_gets(series, tier, db, data.shuffled, data.entries)
        with DictSQLiteV4(path, persist_mode='lazy') as db:
            absent = [key + '?' for key in data.shuffled]
            for _ in range(3):  # asked often enough, the filter is built
                [key in db for key in absent]
            function = loops.compile_text('for k in data.keys: k in m', {'m': db})
            data.keys, keys = absent, data.keys
            series.add('absent key', 'lazy', n, loops.timed(function, {'m': db}, n, {}, data))
            data.keys = keys
        _time_gets(series, 'dict', dict(data.entries), data.shuffled, data.entries)
        peer = peers.Sqlite('sqlite3', True)
        names = peer.open(os.path.join(folder, 'tiers-bare.db'))
        if names['execute']('SELECT count(*) FROM entry').fetchone()[0] == 0:
            names['m'].execute('BEGIN')
            names['many_of'](names['UPSERT'], data.entries.items())
            names['m'].execute('COMMIT')
        function = loops.compile_text(loops.text_of(peer, 'get at random'), names)
        series.add('sqlite3', 'sqlite3', n, loops.timed(function, names, n, {}, data))
        peer.close(names)
    return list(series.rows.values())


def _time_gets(series, tier, mapping, keys, expected):
    data = loops.Data(1)
    data.keys = keys
    names = {'m': mapping}
    function = loops.compile_text('for k in data.keys: m[k]', names)
    took = loops.timed(function, names, 0, {}, data)
    if any(mapping[key] != expected[key] for key in keys[:1000]):
        raise SystemExit(f'the tier {tier} answers something else')
    series.add(tier, 'lazy' if tier != 'dict' else 'dict', len(keys), took)


# --- a fresh process -----------------------------------------------------------------------------

GIO = 'import gi; gi.require_version("Gio", "2.0"); from gi.repository import GLib, Gio; '
PROGRAMS = {
    ('import', 'python'): 'pass',
    ('import', 'PyGObject, Gio'): GIO,
    ('import', 'sqlite3'): 'import sqlite3',
    ('import', 'dictsqlite_v4'): 'import dictsqlite_v4',
    ('import, open, read one', 'sqlite3'):
        'import sqlite3, sys; m = sqlite3.connect(sys.argv[2]); '
        'assert m.execute("SELECT value FROM entry WHERE key = ?", ("key_7",)).fetchone()[0]',
    ('import, open, read one', 'dictsqlite_v4'):
        'import sys; from dictsqlite_v4 import DictSQLiteV4; '
        'assert DictSQLiteV4(sys.argv[1], persist_mode="lazy")["key_7"]',
}


def start(rounds, folder):
    """Whole processes in turn, by what they took of the processor."""
    from dictsqlite_v4 import DictSQLiteV4

    series = loops.Series('start')
    files = [os.path.join(folder, name) for name in ('start.db', 'start-bare.db')]
    with DictSQLiteV4(files[0], persist_mode='lazy') as db:
        db.update(loops.Data(1000).entries)
    peer = peers.Sqlite('sqlite3', True)
    names = peer.open(files[1])
    loops.compile_text(loops.text_of(peer, 'bulk_insert'), names)(
        names, 0, loops.Data(1000).entries, None)
    peer.close(names)
    # Its modules compiled beforehand, as an installed package has them.
    environment = {**os.environ, 'PYTHONPYCACHEPREFIX': os.path.join(folder, 'pycache')}
    environment.pop('PYTHONDONTWRITEBYTECODE', None)
    for turn in range(rounds + 1):
        for (operation, name), program in PROGRAMS.items():
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, '-c', program, *files], check=True, env=environment)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            took = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
            if turn > 0:
                series.add(operation, name, 1, took * 1e9)
    return list(series.rows.values())


# --- what has expired ----------------------------------------------------------------------------

def expired(n, folder):
    """What the first write, those after it and a len() cost where all entries have expired."""
    from dictsqlite_v4 import DictSQLiteV4

    series = loops.Series('expired')
    for mode in ('lazy', 'writethrough'):
        path = os.path.join(folder, f'expired-{mode}.db')
        with DictSQLiteV4(path, persist_mode='lazy') as db:
            for first in range(0, n, STEP):
                db.set_many({f'key_{i}': 'value' for i in range(first, min(first + STEP, n))},
                            expire=3600)
        with DictSQLiteV4(path, persist_mode=mode) as db:
            db.set_clock_offset(7200)
            series.add('first write', mode, 1, loops.timed(lambda: db.update(new=1)))
            others = [loops.timed(lambda: db.update(new=1)) for _ in range(1000)]
            series.add('median of the next 1,000', mode, 1, sorted(others)[500])
            series.add('longest of them', mode, 1, max(others))
            series.add('len(), which sweeps', mode, 1, loops.timed(lambda: len(db)))
            if list(db) != ['new']:
                raise SystemExit('expired entries are still there')
    return list(series.rows.values())
