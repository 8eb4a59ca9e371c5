# parts.py - what an operation from Python is made of; in `meson devenv -C build`
# SPDX-License-Identifier: LGPL-2.1-or-later
"""parts.py [LOOP ...]: prints a table of instructions an operation, by whose code they are, as
valgrind counts them: the difference between a process that runs the loop and one that does not."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Dict

N = 4000
PERSON = '{"id": 1, "name": "Alice", "tags": ["a", "b"]}'
FILL = 'for k in KEYS: m[k] = "v"'
MEMORY = 'from dictsqlite_v4 import DictSQLiteV4; m = DictSQLiteV4(":memory:")'
METHOD = '''
class M:
    def __init__(self): self.d = {}
    def __getitem__(self, k): return self.d[k]
    def __setitem__(self, k, v): self.d[k] = v
m = M()'''
LOOPS = {  # how m is made, what is done before, and what is counted
    'get, dict': ('m = {}', FILL, 'for k in KEYS: m[k]'),
    'get, a method that looks into a dict': (METHOD, FILL, 'for k in KEYS: m[k]'),
    'get': (MEMORY, FILL, 'for k in KEYS: m[k]'),
    'get dict, pickle alone': ('import pickle; p = pickle.dumps(%s)' % PERSON, '',
                               'for k in KEYS: pickle.loads(p)'),
    'get dict': (MEMORY, f'for k in KEYS: m[k] = {PERSON}', 'for k in KEYS: m[k]'),
    'contains': (MEMORY, FILL, 'for k in KEYS: k in m'),
    'set, dict': ('m = {}', FILL, 'for k in KEYS: m[k] = "value"'),
    'set': (MEMORY, FILL, 'for k in KEYS: m[k] = "value"'),
    'set dict, pickle alone': (f'import pickle; p = {PERSON}', '',
                               'for k in KEYS: pickle.dumps(p)'),
    'set dict': (f'{MEMORY}; p = {PERSON}', 'for k in KEYS: m[k] = p', 'for k in KEYS: m[k] = p'),
    'delete': (MEMORY, FILL, 'for k in KEYS: del m[k]'),
    'bulk_insert': (MEMORY, 'd = dict.fromkeys(KEYS, "value")', 'm.bulk_insert(d)'),
    'get_many': (MEMORY, FILL, 'm.get_many(KEYS)'),
    'items': (MEMORY, FILL, 'for k, v in m.items(): pass'),
    'keys': (MEMORY, FILL, 'for k in m: pass'),
}
WHOSE = {  # the names of shared objects begin so
    'python': 'Python', '_pickle': 'Python', '_gi': 'PyGObject', 'libffi': 'PyGObject',
    'libgirepository': 'PyGObject', 'libgobject': 'PyGObject', 'libdictsqlite': 'the library',
    'libsqlite3': 'SQLite', 'libc': 'libc',
}
COLUMNS = ('Python', 'PyGObject', 'the library', 'SQLite', 'libc', 'others')


def read_counts(path: Path) -> Dict[str, int]:
    """Instructions by the shared object that they are of, in callgrind's own form of output."""
    names: Dict[str, str] = {}
    counts: Dict[str, int] = Counter()
    owner, is_of_call = 'others', False
    for line in path.read_text().splitlines():
        if line.startswith('ob='):
            number, _, name = line[3:].partition(' ')
            names[number] = name or names[number]
            owner = next((whose for begin, whose in WHOSE.items()
                          if Path(names[number]).name.startswith(begin)), 'others')
        elif line.startswith('cob='):  # numbers are the same, and given names where first seen
            number, _, name = line[4:].partition(' ')
            names[number] = name or names[number]
        elif line.startswith('calls='):
            is_of_call = True  # the next line has the cost of what is called
        elif line[:1].isdigit() or line[:1] in ('+', '-', '*'):
            if not is_of_call:
                counts[owner] += sum(map(int, line.split()[1:]))  # none of a line that costs none
            is_of_call = False
    return counts


def count(name: str, n_rounds: int, folder: str) -> Dict[str, int]:
    made, before, counted = LOOPS[name]
    body = '\n'.join([
        made, f'KEYS = [f"key_{{i}}" for i in range({N})]', 'def run():', f' {counted}',
        before, f'for _ in range({n_rounds}): run()'])
    out = Path(folder) / 'counted'
    subprocess.run(['valgrind', '--tool=callgrind', f'--callgrind-out-file={out}', '--quiet',
                    sys.executable, '-c', body], check=True, stdout=subprocess.DEVNULL)
    return read_counts(out)


def main() -> None:
    print('| |', ' | '.join(COLUMNS), '| in all |')
    print('|---' * (len(COLUMNS) + 2) + '|')
    with tempfile.TemporaryDirectory() as folder:
        for name in sys.argv[1:] or LOOPS:
            n_rounds = 1 if name == 'delete' else 2
            with_it, without = count(name, n_rounds, folder), count(name, 0, folder)
            each = [(with_it[c] - without[c]) / N / n_rounds for c in COLUMNS]
            cells = ' | '.join(f'{n:,.0f}' for n in (*each, sum(each)))
            print(f'| {name} | {cells} |', flush=True)


if __name__ == '__main__':
    main()
