# loops.py - the loops over one peer, compiled from its own words, timed and verified
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Single operations in one thread, as the guide's own table was measured: keys formatted inside."""

import gc
import os
import random
import re
import tempfile
import time

import peers

KEY, VALUE, OTHER = 'f"key_{i}"', 'f"value_{i}"', 'f"other_{i}"'
PERSON = '{"id": i, "name": "Alice", "tags": ["a", "b"]}'
MANY = 1000  # keys of one get_many

# Each works on what the one before left. An overwrite brings another value of the same length:
# SQLite leaves a page that would not change.
SINGLE = ('set', 'overwrite', 'get', 'get, plain loop', 'contains', 'items', 'keys', 'values',
          'get_many', 'mix 80/20', 'delete', 'delete absent', 'bulk_insert', 'flush', 'take first',
          'set and flush', 'set dict', 'get dict')
RANDOM = ('bulk_insert', 'get at random')


class Data:
    """What the loops of one size read from."""

    def __init__(self, n):
        chance = random.Random(n)
        self.n = n
        self.entries = {f'key_{i}': f'value_{i}' for i in range(n)}
        self.others = {f'key_{i}': f'other_{i}' for i in range(n)}
        self.people = {f'key_{i}': {'id': i, 'name': 'Alice', 'tags': ['a', 'b']}
                       for i in range(n)}
        self.keys = list(self.entries)
        self.shuffled = chance.sample(self.keys, n)
        self.mixed = [(i % 5 == 0, k) for i, k in enumerate(self.shuffled)]
        self.batches = [self.shuffled[i:i + MANY] for i in range(0, n, MANY)]


class Words:
    """A peer's operations with keys and values put in."""

    def __init__(self, peer, kind='text'):
        self._peer, self._kind = peer, kind

    def _with_key(self, text, key, **others):
        return text.format(k=self._peer.key.format(k=key), **others)

    def set(self, key, value):
        return self._with_key(self._peer.set, key, v=self._peer.value[self._kind].format(v=value))

    def get(self, key):
        return self.back(self._with_key(self._peer.get, key))

    def has(self, key):
        return self._with_key(self._peer.has, key)

    def delete(self, key):
        return self._with_key(self._peer.delete, key)

    def scan(self, key):
        return self._with_key(self._peer.scan, key)

    def back(self, read):
        return self._peer.value_back[self._kind].format(r=read)

    def key_back(self, read):
        return self._peer.key_back.format(k=read)


def _indent(text, by=2):
    return '\n'.join(' ' * by + line for line in text.split('\n'))


def _over(peer, head, body, writes=False):
    loop = head + '\n' + _indent(body)
    parts = [peer.begin, loop, peer.end] if writes else [loop]
    return '\n'.join(part for part in parts if part)


def text_of(peer, operation):
    """The operation on this peer as a program; None where it has none."""
    if operation == 'take first':
        return ('for _ in range(n): del m[next(iter(m))]'  # others pass over all that was taken
                if isinstance(peer, peers.Store) else None)
    if operation == 'bulk_insert':
        return _over(peer, 'if True:', peer.bulk, isinstance(peer, peers.Sqlite))
    if operation in ('flush', 'get_many'):
        word = getattr(peer, operation)
        if operation == 'get_many' and word:
            return _over(peer, 'for many in data.batches:', word.format())
        return word
    words = Words(peer, 'object' if operation.endswith('dict') else 'text')
    each, entries = 'for i in range(n):', 'for k, v in entries.items():'
    absent = words.delete('f"no_key_{i}"')
    loops = {
        'set': (each, words.set(KEY, VALUE), True),
        'overwrite': (each, words.set(KEY, OTHER), True),
        'get': (each, words.get(KEY)),
        'get, plain loop': ('for k in data.keys:', words.get('k')),
        'get at random': ('for k in data.shuffled:', words.get('k')),
        'contains': (each, words.has(KEY)),
        'items': (f'for k, v in {peer.items}:', f'{words.key_back("k")}; {words.back("v")}'),
        'keys': (f'for k in {peer.keys}:', words.key_back('k')),
        'values': (f'for v in {peer.values}:', words.back('v')),
        'mix 80/20': ('for sets, k in data.mixed:', f'if sets: {words.set("k", "k")}\n'
                                                    f'else: {words.get("k")}', True),
        'delete': (each, words.delete(KEY), True),
        'delete absent': (each, f'try: {absent}\nexcept KeyError: pass', True),
        'set and flush': (entries, words.set('k', 'v'), True),
        'set dict': (each, words.set(KEY, PERSON), True),
        'get dict': (each, words.get(KEY)),
    }
    text = _over(peer, *loops[operation])
    if operation == 'set and flush':
        if peer.set_all:
            text = _over(peer, 'if True:', peer.set_all, True)
        text += '\n' + (peer.flush or '')
    return text


def compile_text(text, names):
    """A function of (names, n, entries, data) that runs the text on local variables."""
    used = [name for name in names if re.search(rf'\b{name}\b', text)]
    taken = '\n'.join(f'{name} = names["{name}"]' for name in used)
    source = 'def run(names, n, entries, data):\n' + _indent(taken + '\n' + text + '\npass')
    made = dict(peers.COMMON)
    exec(source, made)
    return made['run']


def timed(function, *arguments):
    """Nanoseconds of a call, with no garbage collection inside."""
    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter_ns()
        function(*arguments)
        return time.perf_counter_ns() - start
    finally:
        gc.enable()


def read_back(peer, names, kind='text'):
    """Everything a peer holds, as a dict."""
    words = Words(peer, kind)
    source = f'{{{words.key_back("k")}: {words.back("v")} for k, v in {peer.items}}}'
    return eval(source, {**peers.COMMON, **names})


def verify(peer, names, expected, what, kind='text'):
    """Ends the run where a peer does not hold what it was given."""
    found = read_back(peer, names, kind)
    if found != expected:
        raise SystemExit(f'{peer.name} holds {len(found)} entries after {what}, '
                         f'which are not the {len(expected)} that it was given')


def _expected(operation, data):
    if operation in ('delete', 'take first'):
        return {}
    if operation == 'mix 80/20':
        return {**data.others, **{k: k for sets, k in data.mixed if sets}}
    return {'set': data.entries, 'overwrite': data.others, 'bulk_insert': data.entries,
            'set and flush': data.entries, 'set dict': data.people}.get(operation)


class Series:
    """Samples of (operation, peer), in the order in which they were taken."""

    def __init__(self, part):
        self.rows = {}
        self._part = part

    def add(self, operation, peer, n, elapsed):
        row = self.rows.setdefault((operation, peer), {
            'part': self._part, 'op': operation, 'peer': peer, 'n': n, 'samples': []})
        row['samples'].append(elapsed)


def run(part, group, n, rounds, folder, operations):
    """Rounds of every operation by every peer in turn. The first warms up and is verified."""
    series = Series(part)
    data = {share: Data(max(n // share, 1)) for share in {1, *(peer.share for peer in group)}}
    for turn in range(rounds + 1):
        with tempfile.TemporaryDirectory(dir=folder) as own:
            opened = [(peer, peer.open(os.path.join(own, str(i)))) for i, peer in enumerate(group)]
            for operation in operations:
                for peer, names in opened:
                    text = text_of(peer, operation)
                    if text is None:
                        continue
                    its = data[peer.share]
                    function = compile_text(text, names)
                    elapsed = timed(function, names, its.n, its.entries, its)
                    expected = _expected(operation, its)
                    if turn > 0:
                        series.add(operation, peer.name, its.n, elapsed)
                    elif expected is not None:
                        verify(peer, names, expected, operation,
                               'object' if operation.endswith('dict') else 'text')
                if operation.endswith('dict'):
                    _pickle_alone(operation, data[1], series if turn > 0 else None)
            for i, (peer, names) in enumerate(opened):
                peer.close(names)
                if turn == 0 and peer.kept:
                    _verify_kept(peer, os.path.join(own, str(i)), operations, data[peer.share])
    return list(series.rows.values())


def _pickle_alone(operation, data, series):
    """What pickle itself takes for the same loop."""
    word = f'dumps({PERSON}, 5)' if operation == 'set dict' else 'loads(pickled)'
    names = {'pickled': peers.COMMON['dumps'](data.people[data.keys[0]], 5)}
    function = compile_text(f'for i in range(n): {KEY}; {word}', names)
    elapsed = timed(function, names, data.n, data.entries, data)
    if series is not None:
        series.add(operation, 'pickle alone', data.n, elapsed)


def _verify_kept(peer, path, operations, data):
    names = peer.open(path)
    last = 'set dict' if 'set dict' in operations else 'bulk_insert'
    verify(peer, names, _expected(last, data), 'closing',
           'object' if last == 'set dict' else 'text')
    peer.close(names)
