# targets.py - what the figures are to be: a line each
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A target compares two series of one run, whose samples were taken in turns, an item for an item.

Judged is the median of the rounds' own ratios. What two sides cannot be compared by is left out.
"""

import statistics


class Target:
    """`ours` and `theirs` are (operation, peer). Of a list of peers the fastest counts.

    at_most: times the time of theirs; at_least: times the speed of theirs; beyond: nanoseconds an
    item more than theirs.
    """

    def __init__(self, part, ours, theirs, at_most=None, at_least=None, beyond=None):
        self.part, self.ours, self.theirs = part, ours, theirs
        self.at_most, self.at_least, self.beyond = at_most, at_least, beyond

    @property
    def name(self):
        (operation, peer), (other, reference) = self.ours, self.theirs
        shown = reference if isinstance(reference, str) else (
            'the fastest peer' if reference is BULK else 'the faster of ' + ', '.join(reference))
        return f'{operation}, {peer} / ' + (shown if other == operation else f'{other}, {shown}')

    @property
    def limit(self):
        if self.beyond is not None:
            return f'<= + {self.beyond} ns'
        if self.at_most is not None:
            return f'time <= {self.at_most:g}'
        return f'speed >= {self.at_least:g}' if self.at_least is not None else ''

    def measure(self, series):
        """A row of the report; None where a side was not measured."""
        ours = _each(series, self.part, *self.ours)
        theirs = [found for name in _names(self.theirs[1])
                  if (found := _each(series, self.part, self.theirs[0], name)) is not None]
        if ours is None or not theirs:
            return None
        reference = min(theirs, key=statistics.median)
        pairs = list(zip(ours, reference))
        if self.beyond is not None:
            value = statistics.median(a - b for a, b in pairs)
            met, shown = value <= self.beyond, f'+ {value:.0f} ns'
        elif self.at_least is not None:
            value = statistics.median(b / a for a, b in pairs)
            met, shown = value >= self.at_least, f'{value:.2f}'
        else:
            value = statistics.median(a / b for a, b in pairs)
            met, shown = self.at_most is None or value <= self.at_most, f'{value:.2f}'
        return {'name': self.name, 'limit': self.limit, 'measured': shown, 'value': value,
                'met': met if self.limit else None}


def _names(reference):
    return (reference,) if isinstance(reference, str) else reference


def _each(series, part, operation, peer):
    row = series.get((part, operation, peer))
    return row and [sample / row['n'] for sample in row['samples']]


def _single(operation, reference, other=None, peer='lazy', part='single', **limits):
    return Target(part, (operation, peer), (other or operation, reference), **limits)


FAST = ('lmdb', 'dbm.gnu')
BULK = ('sqlite3', 'lmdb', 'dbm.gnu', 'plyvel', 'diskcache', 'rocksdict', 'speedict',
        'dictsqlite 2 (PyPI)')

# Of set and delete the limit is what they took of a dict's time before there was a near tier.
SET_BEFORE, DELETE_BEFORE = 4.4, 4.7

USERS = [
    *(_single(operation, 'dict', at_most=2) for operation in ('get', 'get, plain loop')),
    *(_single(operation, FAST, at_least=1.3) for operation in ('get', 'get, plain loop')),
    _single('get at random', FAST, part='random', at_least=1),
    _single('contains', 'lmdb', at_least=1),
    _single('mix 80/20', 'lmdb', at_least=1),
    *(_single(operation, 'lmdb', 'items', at_least=0.7)
      for operation in ('items', 'keys', 'values')),
    _single('get_many', 'lmdb', at_least=1.5),
    _single('bulk_insert', 'dict', 'set', at_most=4.6 / 6),
    _single('bulk_insert', BULK, at_least=1),
    _single('set', 'dict', at_most=1.05 * SET_BEFORE),
    _single('delete', 'dict', at_most=0.9 * DELETE_BEFORE),
    _single('get dict', 'pickle alone', beyond=250),
    _single('set dict', 'pickle alone', beyond=450),
    _single('get dict', 'lmdb', at_least=1),
    _single('set and flush', 'sqlite3', at_least=0.9),
    _single('set', 'sqlite3, autocommit', peer='writethrough', at_least=0.8),
    _single('overwrite', 'sqlite3, autocommit', peer='writethrough', at_least=1),
    Target('single', ('flush', 'lazy, encrypted'), ('flush', 'lazy'), at_least=0.75),
    _single('set', 'lazy', peer='lazy, encrypted', at_most=1.1),
    _single('get', 'lazy', peer='lazy, encrypted', at_most=1.1),
    _single('take first', 'lazy', 'set', at_most=15),
    _single('take first', 'memory', 'set', peer='memory', at_most=10),
    _single('take first', 'writethrough', 'set', peer='writethrough', at_most=2),
]

LMDB_EACH = 'lmdb, a transaction each'
YCSB = [
    Target('ycsb', ('load', 'lazy'), ('load', 'sqlite3, autocommit'), at_least=0.8),
    *(Target('ycsb', (f'{workload}, {count}', 'lazy'), (f'{workload}, {count}', reference),
             at_least=1)
      for count in ('1 process', '2 processes')
      for workload, references in (
          ('A', ('sqlite3, autocommit', 'diskcache')),
          ('B', ('sqlite3, autocommit', 'diskcache', LMDB_EACH)),
          ('C', ('sqlite3, autocommit', 'diskcache', LMDB_EACH)),
          ('C again', ('sqlite3, autocommit', 'diskcache', LMDB_EACH)),
          ('D', ('sqlite3, autocommit', 'diskcache', LMDB_EACH)),
          ('E', ('sqlite3, autocommit',)),
          ('F', ('sqlite3, autocommit', 'diskcache')))
      for reference in references),
]

OTHERS = [
    Target('asyncio', ('await get', 'hot'), ('await get', 'plain coroutine'), at_most=2.5),
    Target('asyncio', ('gather of 1,000 gets', 'hot'),
           ('gather of 1,000 gets', 'plain coroutine'), at_least=0.95),
    Target('asyncio', ('gather cold gets', 'get_async'), ('gather cold gets', 'run_in_executor'),
           at_most=0.2),
    Target('start', ('import', 'dictsqlite_v4'), ('import', 'PyGObject, Gio'), at_most=1.35),
    Target('start', ('import, open, read one', 'dictsqlite_v4'), ('import', 'PyGObject, Gio'),
           at_most=75 / 43),
]


def _engine(operation, peer, reference, other=None, **limits):
    return Target('engine', (operation, peer), (other or operation, reference), **limits)


ENGINE = [
    *(_engine('hot ' + operation, 'store lazy', 'GHashTable')
      for operation in ('set', 'overwrite', 'get', 'remove')),
    *(_engine(operation + ' of 1,000,000', 'store memory', 'GHashTable')
      for operation in ('set', 'get')),
    *(_engine(operation + ' of 1,000,000', 'store memory, two threads', 'store memory')
      for operation in ('set', 'get')),
    _engine('writethrough insert', 'store writethrough', 'bare SQLite', at_least=0.8),
    _engine('writethrough overwrite', 'store writethrough', 'bare SQLite', at_least=0.8),
    _engine('flush of new rows', 'store lazy', 'bare SQLite', at_least=0.7),
    _engine('flush of overwritten rows', 'store lazy', 'bare SQLite'),
    _engine('flush of new rows', 'store lazy, encrypted', 'store lazy', at_least=0.75),
    _engine('flush of overwritten rows', 'store lazy, encrypted', 'store lazy', at_least=0.75),
    _engine('cold get', 'store, no thread', 'bare SQLite', at_most=1.25),
    _engine('cold get', 'store lazy', 'bare SQLite, one transaction', at_most=1.1),
    _engine('warm get', 'store lazy', 'store lazy', 'cold get', at_most=0.25),
    _engine('absent get', 'store lazy', 'store lazy', 'cold get', at_most=0.1),
    _engine('open and first read', 'store lazy', 'bare SQLite', at_most=2),
]

ALL = USERS + YCSB + OTHERS + ENGINE


def measure(rows, parts):
    """A line for each target of the parts that were run."""
    series = {(row['part'], row['op'], row['peer']): row for row in rows}
    return [target.measure(series) or {'name': target.name, 'limit': target.limit,
                                       'measured': 'not measured', 'value': None, 'met': None}
            for target in ALL if target.part in parts]
