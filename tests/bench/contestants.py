# contestants.py - what is compared, each opened anew every round
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A contestant opens a mapping in a folder and says how it does each operation of the loops."""

import os
import shelve
import sqlite3

import loops


class Contestant:
    """A mapping that the guide's loops can run over as they are."""

    n = loops.N

    def __init__(self, name):
        self.name = name

    def open(self, folder):
        raise NotImplementedError

    def close(self, mapping):
        mapping.close()

    def bulk_insert(self, mapping, entries):
        mapping.update(entries)

    def flush(self, mapping):
        """What makes the writes so far last; None where there is no such thing."""

    def run(self, operation, mapping, entries):
        """The work of one operation; only this is timed."""
        if operation == 'bulk_insert':
            self.bulk_insert(mapping, entries)
        elif operation == 'flush':
            self.flush(mapping)
        else:
            loops.OPERATIONS[operation](mapping, self.n)

    def can(self, operation):
        if operation == 'take first':  # a dict and dbm pass over all that has been taken, each time
            return False
        return operation != 'flush' or type(self).flush is not Contestant.flush


class Dict(Contestant):
    def open(self, folder):
        return {}

    def close(self, mapping):
        pass


class Store(Contestant):
    def __init__(self, name, store_class, mode, **parameters):
        super().__init__(name)
        self._class = store_class
        self._mode = mode
        self._parameters = parameters

    def open(self, folder):
        return self._class(os.path.join(folder, self.name + '.db'), persist_mode=self._mode,
                           **self._parameters)

    def bulk_insert(self, mapping, entries):
        mapping.bulk_insert(entries)

    def flush(self, mapping):
        mapping.flush()

    def can(self, operation):
        return True


class Floor(Store):
    """The same Python layer over an engine that does nothing: what one PyGObject call costs."""

    def __init__(self, name, store_class, floor):
        super().__init__(name, store_class, None)
        self._floor = floor

    def open(self, folder):
        return self._class._over(self._floor.Store())

    def can(self, operation):
        return operation != 'take first'


class Shelve(Contestant):
    def open(self, folder):
        return shelve.open(os.path.join(folder, self.name))

    def flush(self, mapping):
        mapping.sync()

    @staticmethod
    def module():
        """The dbm that shelve takes here, the first of these that is installed."""
        for name in ('gnu', 'ndbm', 'dumb'):
            try:
                __import__('dbm.' + name)
                return 'dbm.' + name
            except ImportError:
                continue


class Sqlite(Contestant):
    """The sqlite3 module by hand: statements it keeps prepared, WAL, synchronous NORMAL."""

    def __init__(self, name, one_transaction):
        super().__init__(name)
        self._one_transaction = one_transaction

    def open(self, folder):
        path = os.path.join(folder, self.name + '.db')
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute('PRAGMA journal_mode = WAL')
        connection.execute('PRAGMA synchronous = NORMAL')
        connection.execute('CREATE TABLE entry (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID')
        return connection

    def run(self, operation, connection, entries):
        write = operation in ('set', 'overwrite', 'delete', 'delete absent')
        if self._one_transaction and write:
            connection.execute('BEGIN')
        getattr(self, '_' + operation.replace(' ', '_'))(connection, entries)
        if self._one_transaction and write:
            connection.execute('COMMIT')

    def can(self, operation):
        return operation not in ('flush', 'values', 'take first')

    _UPSERT = ('INSERT INTO entry VALUES (?, ?)'
               ' ON CONFLICT (key) DO UPDATE SET value = excluded.value')

    def _set(self, connection, entries):
        execute = connection.execute
        upsert = self._UPSERT
        for i in range(self.n):
            execute(upsert, (f'key_{i}', f'value_{i}'))

    def _overwrite(self, connection, entries):
        execute = connection.execute
        upsert = self._UPSERT
        for i in range(self.n):
            execute(upsert, (f'key_{i}', f'other_{i}'))

    def _get(self, connection, entries):
        execute = connection.execute
        for i in range(self.n):
            execute('SELECT value FROM entry WHERE key = ?', (f'key_{i}',)).fetchone()[0]

    def _contains(self, connection, entries):
        execute = connection.execute
        for i in range(self.n):
            execute('SELECT 1 FROM entry WHERE key = ?', (f'key_{i}',)).fetchone() is not None

    def _items(self, connection, entries):
        for _key, _value in connection.execute('SELECT key, value FROM entry'):
            pass

    def _delete(self, connection, entries):
        execute = connection.execute
        for i in range(self.n):
            execute('DELETE FROM entry WHERE key = ?', (f'key_{i}',))

    def _delete_absent(self, connection, entries):
        execute = connection.execute
        for i in range(self.n):
            execute('DELETE FROM entry WHERE key = ?', (f'no_key_{i}',))

    def _bulk_insert(self, connection, entries):
        connection.execute('BEGIN')
        connection.executemany(self._UPSERT, entries.items())
        connection.execute('COMMIT')


def make_all(store_class, floor):
    """Two groups: those that answer from memory, and those that pay a file at every write.

    Contestants of a group take turns at each operation, so that a ratio within it compares what was
    measured milliseconds apart. The disk group is slow and runs fewer rounds.
    """
    shelf = Shelve('shelve')
    if Shelve.module() == 'dbm.dumb':
        shelf.n = loops.N // 20  # it writes its whole index at every delete
    memory = [Dict('dict')]
    if floor is not None:
        memory.append(Floor('floor', store_class, floor))
    if store_class is not None:
        memory.append(Store('memory', store_class, 'memory'))
        memory.append(Store('lazy', store_class, 'lazy'))
        memory.append(Store('lazy, encrypted', store_class, 'lazy', encryption_password='password',
                            kdf_memory=19 << 20, kdf_passes=2))
    memory.append(Sqlite('sqlite3, one transaction', True))
    disk = [Sqlite('sqlite3, autocommit', False), shelf]
    if store_class is not None:
        disk.append(Store('writethrough', store_class, 'writethrough'))
    return {'memory': memory, 'disk': disk}
