# peers.py - what is compared: how each is opened, and its operations as text
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A peer says each operation as an expression that loops.py puts into a loop as it stands.

So nothing stands between the loop and what its user would write. {k} and {v} are expressions of a
key and a value, {r} of what was read. Names in them are those that open() gives.
"""

import abc
import importlib
import importlib.metadata
import importlib.util
import os
import pickle
import sqlite3
import sys

AS_THEY_ARE = {'text': '{v}', 'bytes': '{v}', 'object': '{v}'}
AS_BYTES = {'text': '{v}.encode()', 'bytes': '{v}', 'object': 'dumps({v}, 5)'}
FROM_BYTES = {'text': '{r}.decode()', 'bytes': '{r}', 'object': 'loads({r})'}


class Peer(abc.ABC):
    """What a mapping of str to anything does by itself."""

    module = None  # what it needs; a peer whose module is missing is left out
    share = 1  # of the entries it gets one in so many, where it is slow
    lacks = ''  # what it does not do
    key, key_back = '{k}', '{k}'
    value, value_back = AS_THEY_ARE, {'text': '{r}', 'bytes': '{r}', 'object': '{r}'}
    begin = end = ''  # round the writes of one loop
    set = 'm[{k}] = {v}'
    get = 'm[{k}]'
    has = '{k} in m'
    delete = 'del m[{k}]'
    items = 'm.items()'
    keys = 'm.keys()'
    values = 'm.values()'
    bulk = 'm.update(entries)'
    get_many = None
    scan = None  # of YCSB E: `count` entries in the order of keys, from {k} on
    flush = None
    set_all = None  # all of `entries`, where that is something else than a loop of sets
    kept = True  # whether the entries are there when it is opened again
    threads = False  # whether several threads may use one of them; else each opens its own

    def __init__(self, name):
        self.name = name

    def version(self):
        """The version where it is installed and wanted, else None."""
        if self.module is None:
            return ''
        if os.environ.get('DSQ_BENCH_PEERS') == 'none':  # those that come with Python alone
            return None
        try:
            module = importlib.import_module(self.module)
        except ImportError:
            return None
        version = getattr(module, '__version__', None)
        try:
            return version or importlib.metadata.version(self.module)
        except importlib.metadata.PackageNotFoundError:
            return ''

    @abc.abstractmethod
    def open(self, path):
        """The names that its operations use; 'm' is what close() closes."""

    def close(self, names):
        names['m'].close()


class Dict(Peer):
    lacks = 'no file'
    kept = False
    threads = True
    get_many = '{{k: m[k] for k in many}}'

    def open(self, path):
        return {'m': {}}

    def close(self, names):
        pass


class Store(Peer):
    module = 'dictsqlite_v4'
    bulk = 'm.bulk_insert(entries)'
    get_many = 'm.get_many(many)'
    scan = 'm.get_many(list(islice(m.iter_from({k}), count)))'
    flush = 'm.flush()'
    threads = True

    def __init__(self, name, mode, **parameters):
        super().__init__(name)
        self.kept = mode != 'memory'
        self._parameters = {'persist_mode': mode, **parameters}

    def version(self):
        return ''

    def open(self, path):
        from itertools import islice

        from dictsqlite_v4 import DictSQLiteV4
        return {'m': DictSQLiteV4(path, **self._parameters), 'islice': islice}


class Sqlite(Peer):
    """The sqlite3 module by hand: statements it keeps prepared, WAL, synchronous NORMAL."""

    lacks = 'no encryption; values that are bytes or str'
    value = {**AS_THEY_ARE, 'object': AS_BYTES['object']}
    value_back = {**Peer.value_back, 'object': FROM_BYTES['object']}
    set = 'execute(UPSERT, ({k}, {v}))'
    get = 'execute(SELECT, ({k},)).fetchone()[0]'
    has = 'execute(HAS, ({k},)).fetchone() is not None'
    delete = 'execute(DELETE, ({k},))'
    items = 'execute("SELECT key, value FROM entry")'
    keys = '(key for key, in execute("SELECT key FROM entry"))'
    values = '(value for value, in execute("SELECT value FROM entry"))'
    bulk = 'many_of(UPSERT, entries.items())'
    set_all = bulk
    get_many = ('dict(execute("SELECT key, value FROM entry WHERE key IN "'
                ' "(SELECT value FROM json_each(?))", (as_json(many),)))')
    scan = 'dict(execute(RANGE, ({k}, count)))'

    def __init__(self, name, one_transaction):
        super().__init__(name)
        if one_transaction:
            self.begin, self.end = 'execute("BEGIN")', 'execute("COMMIT")'

    def open(self, path):
        import json

        connection = sqlite3.connect(path, isolation_level=None, timeout=60,
                                     check_same_thread=False)
        connection.execute('PRAGMA journal_mode = WAL')
        connection.execute('PRAGMA synchronous = NORMAL')
        connection.execute('CREATE TABLE IF NOT EXISTS entry'
                           ' (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID')
        return {
            'm': connection, 'execute': connection.execute, 'many_of': connection.executemany,
            'as_json': json.dumps,
            'UPSERT': 'INSERT INTO entry VALUES (?, ?)'
                      ' ON CONFLICT (key) DO UPDATE SET value = excluded.value',
            'SELECT': 'SELECT value FROM entry WHERE key = ?',
            'HAS': 'SELECT 1 FROM entry WHERE key = ?',
            'DELETE': 'DELETE FROM entry WHERE key = ?',
            'RANGE': 'SELECT key, value FROM entry WHERE key >= ? ORDER BY key LIMIT ?',
        }


class Lmdb(Peer):
    """Without sync; one transaction a loop of writes, one kept for reads."""

    module = 'lmdb'
    lacks = 'no encryption; without sync a power cut may cost the file; bytes only; size set before'
    key, key_back = '{k}.encode()', '{k}.decode()'
    value, value_back = AS_BYTES, FROM_BYTES
    begin = 'w = begin(write=True); put = w.put; remove = w.delete; get = w.get'
    end = 'w.commit(); names["t"] = fresh(); names["get"] = names["t"].get'
    set = 'put({k}, {v})'
    get = 'get({k})'
    has = 'get({k}) is not None'
    delete = 'remove({k})'
    items = 't.cursor()'
    keys = 't.cursor().iternext(values=False)'
    values = 't.cursor().iternext(keys=False)'
    bulk = ('w = begin(write=True); w.cursor().putmulti('
            '[(k.encode(), v.encode()) for k, v in entries.items()]); ' + end)
    get_many = ('{{k.decode(): v.decode() for k, v in'
                ' t.cursor().getmulti([k.encode() for k in many])}}')

    def open(self, path):
        import lmdb

        environment = lmdb.open(path, subdir=False, map_size=1 << 35, sync=False, max_dbs=0)
        kept = {}

        def fresh():
            if kept:
                kept.pop('t').abort()
            kept['t'] = environment.begin()
            return kept['t']

        transaction = fresh()
        return {'m': environment, 'begin': environment.begin, 'fresh': fresh, 'kept': kept,
                't': transaction, 'get': transaction.get}

    def close(self, names):
        names['kept'].pop('t').abort()
        names['m'].close()


class LmdbEach(Lmdb):
    """A transaction an operation, as programs that share the file must."""

    begin = end = ''
    threads = True
    items = 'scan(b"", None)'
    scan = 'scan({k}, count)'
    bulk = None

    def open(self, path):
        from itertools import islice

        import lmdb

        environment = lmdb.open(path, subdir=False, map_size=1 << 35, sync=False, max_dbs=0)
        begin = environment.begin

        def get(key):
            with begin() as transaction:
                return transaction.get(key)

        def put(key, value):
            with begin(write=True) as transaction:
                transaction.put(key, value)

        def scan(key, count):
            with begin() as transaction:
                cursor = transaction.cursor()
                cursor.set_range(key)  # b'' is the first
                return list(islice(cursor, count))

        return {'m': environment, 'begin': begin, 'get': get, 'put': put, 'scan': scan}

    def close(self, names):
        names['m'].close()


class Gdbm(Peer):
    module = 'dbm.gnu'
    lacks = 'no transactions, encryption or crash safety; one process writes; bytes only'
    key, key_back = '{k}.encode()', '{k}.decode()'
    value, value_back = AS_BYTES, FROM_BYTES
    items = '((k, m[k]) for k in m.keys())'
    values = '(m[k] for k in m.keys())'
    bulk = 'for k, v in entries.items(): m[k.encode()] = v.encode()'
    flush = 'm.sync()'

    def open(self, path):
        import dbm.gnu
        return {'m': dbm.gnu.open(path, 'cf')}


class DbmSqlite(Gdbm):
    module = 'dbm.sqlite3'  # of Python 3.13
    lacks = 'no transactions or encryption; bytes only'
    share = 10
    flush = None

    def open(self, path):
        import dbm.sqlite3
        return {'m': dbm.sqlite3.open(path, 'c')}


class Shelve(Peer):
    lacks = 'no transactions, encryption or crash safety; one process writes'
    share = 10
    flush = 'm.sync()'

    def open(self, path):
        import shelve
        return {'m': shelve.open(path)}


class Plyvel(Peer):
    module = 'plyvel'
    lacks = 'no transactions or encryption; one process; bytes only'
    key, key_back = '{k}.encode()', '{k}.decode()'
    value, value_back = AS_BYTES, FROM_BYTES
    set = 'put({k}, {v})'
    get = 'get({k})'
    has = 'get({k}) is not None'
    delete = 'm.delete({k})'
    items = 'm.iterator()'
    keys = 'm.iterator(include_value=False)'
    values = 'm.iterator(include_key=False)'
    bulk = ('b = m.write_batch(transaction=True); '
            '[b.put(k.encode(), v.encode()) for k, v in entries.items()]; b.write()')

    def open(self, path):
        import plyvel
        m = plyvel.DB(path, create_if_missing=True)
        return {'m': m, 'put': m.put, 'get': m.get}


class Diskcache(Peer):
    module = 'diskcache'
    lacks = 'no encryption'
    share = 10
    threads = True
    items = '((k, m[k]) for k in m)'
    keys = 'iter(m)'
    values = '(m[k] for k in m)'
    bulk = 'with m.transact():\n  for k, v in entries.items(): m[k] = v'

    def open(self, path):
        import diskcache
        return {'m': diskcache.Cache(path, eviction_policy='none', size_limit=1 << 40)}


class Sqlitedict(Peer):
    module = 'sqlitedict'
    lacks = 'no transactions of several threads, no encryption'
    share = 10
    flush = 'm.commit()'

    def open(self, path):
        import sqlitedict
        return {'m': sqlitedict.SqliteDict(path)}

    def close(self, names):
        names['m'].commit()  # it forgets otherwise
        names['m'].close()


class Rocksdict(Peer):
    module = 'rocksdict'
    lacks = 'no transactions or encryption; one process'
    bulk = ('b = WriteBatch()\n'
            'for k, v in entries.items(): b[k] = v\n'
            'm.write(b)')
    flush = 'm.flush_wal(True)'

    def open(self, path):
        module = importlib.import_module(self.module)
        return {'m': module.Rdict(path), 'WriteBatch': module.WriteBatch}


class Speedict(Rocksdict):
    module = 'speedict'


class Released(Peer):
    """DictSQLite of PyPI, whose package has the name of one of ours: it is loaded by its place."""

    module = 'importlib'
    lacks = 'its transactions and its encryption are not compared'
    share = 10
    bulk = 'm.bulk_insert(entries)'
    items = 'm.items()'
    flush = 'm.flush()'

    @staticmethod
    def _place():
        for distribution in importlib.metadata.distributions(name='dictsqlite'):
            init = str(distribution.locate_file('dictsqlite/__init__.py'))
            if any(str(file).startswith('dictsqlite/_native') for file in distribution.files or ()):
                return distribution.version, init
        return None, None

    def version(self):
        return self._place()[0] if super().version() is not None else None

    def open(self, path):
        if 'dictsqlite' not in sys.modules:
            _, init = self._place()
            spec = importlib.util.spec_from_file_location(
                'dictsqlite', init, submodule_search_locations=[os.path.dirname(init)])
            module = importlib.util.module_from_spec(spec)
            sys.modules['dictsqlite'] = module
            spec.loader.exec_module(module)
        pinned = os.sched_getaffinity(0)
        os.sched_setaffinity(0, range(os.cpu_count()))  # where it sees but one, it panics
        try:
            return {'m': sys.modules['dictsqlite'].DictSQLite(path, persist_mode='lazy')}
        finally:
            os.sched_setaffinity(0, pinned)


KDF = {'encryption_password': 'password', 'kdf_memory': 19 << 20, 'kdf_passes': 2}
COMMON = {'dumps': pickle.dumps, 'loads': pickle.loads}


def every():
    """All peers, those that are not installed too."""
    return [
        Dict('dict'),
        Store('memory', 'memory'),
        Store('lazy', 'lazy'),
        Store('lazy, encrypted', 'lazy', **KDF),
        Store('writethrough', 'writethrough'),
        Sqlite('sqlite3', True),
        Sqlite('sqlite3, autocommit', False),
        Lmdb('lmdb'),
        Gdbm('dbm.gnu'),
        DbmSqlite('dbm.sqlite3'),
        Shelve('shelve'),
        Plyvel('plyvel'),
        Diskcache('diskcache'),
        Sqlitedict('sqlitedict'),
        Rocksdict('rocksdict'),
        Speedict('speedict'),
        Released('dictsqlite 2 (PyPI)'),
    ]


def installed(names=None):
    """Those that can be opened here, of `names` where they are given."""
    return [peer for peer in every()
            if (names is None or peer.name in names) and peer.version() is not None]
