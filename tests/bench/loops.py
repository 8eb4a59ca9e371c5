# loops.py - the guide's loops, one function for every mapping
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each loop formats its keys inside, in one thread, as the guide's own table was measured.

The same functions run over a dict, shelve and the store, so that a ratio compares only mappings.
"""

N = 10_000


def set_loop(mapping, n):
    for i in range(n):
        mapping[f'key_{i}'] = f'value_{i}'


def overwrite_loop(mapping, n):
    for i in range(n):
        mapping[f'key_{i}'] = f'other_{i}'


def get_loop(mapping, n):
    for i in range(n):
        mapping[f'key_{i}']


def contains_loop(mapping, n):
    for i in range(n):
        f'key_{i}' in mapping


def items_loop(mapping, n):
    for _key, _value in mapping.items():
        pass


def values_loop(mapping, n):
    for _value in mapping.values():
        pass


def delete_loop(mapping, n):
    for i in range(n):
        del mapping[f'key_{i}']


def delete_absent_loop(mapping, n):
    for i in range(n):
        try:
            del mapping[f'no_key_{i}']
        except KeyError:
            pass


def take_first_loop(mapping, n):
    for _ in range(n):
        del mapping[next(iter(mapping))]


def entries(n):
    return {f'key_{i}': f'value_{i}' for i in range(n)}


# An overwrite brings another value of the same length: SQLite leaves a page that would not change.
# In this order, each on what the one before left. 'bulk_insert' and 'flush' are the contestant's.
OPERATIONS = {
    'set': set_loop,
    'overwrite': overwrite_loop,
    'get': get_loop,
    'contains': contains_loop,
    'items': items_loop,
    'values': values_loop,
    'delete': delete_loop,
    'delete absent': delete_absent_loop,
    'bulk_insert': None,
    'flush': None,
    'take first': take_first_loop,
}
