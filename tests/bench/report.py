# report.py - the table, and what machine it comes from
# SPDX-License-Identifier: LGPL-2.1-or-later

import os
import platform
import sqlite3
import statistics
import subprocess
import sys

import contestants
import gi
from gi.repository import GLib


def machine(folder):
    """What the figures depend on besides the code."""
    return {
        'cpu': _cpu(),
        'cores': len(os.sched_getaffinity(0)),
        'load': [round(load, 2) for load in os.getloadavg()],
        'kernel': platform.release(),
        'filesystem': _filesystem(folder),
        'python': sys.version.split()[0],
        'pygobject': gi.__version__,
        'glib': f'{GLib.MAJOR_VERSION}.{GLib.MINOR_VERSION}',
        'sqlite': sqlite3.sqlite_version,
        'shelve': contestants.Shelve.module(),
    }


def _cpu():
    with open('/proc/cpuinfo', encoding='utf-8') as lines:
        for line in lines:
            if line.startswith('model name'):
                return line.split(':', 1)[1].strip()
    return platform.machine()


def _filesystem(folder):
    found = subprocess.run(['stat', '-f', '-c', '%T', folder], capture_output=True, text=True)
    return found.stdout.strip() or 'unknown'


def _ns(series):
    """Median and minimum, in nanoseconds an operation."""
    each = [sample / series['n'] for sample in series['samples']]
    return f'{statistics.median(each):,.0f} ({min(each):,.0f})'


def _matrix(results):
    """A line an operation, a column a contestant."""
    operations = dict.fromkeys(operation for operation, _ in results)
    names = dict.fromkeys(name for _, name in results)
    rows = [['ns an item: median (min)', *names]]
    for operation in operations:
        cells = [results.get((operation, name)) for name in names]
        rows.append([operation, *(_ns(cell) if cell else '' for cell in cells)])
    return rows


def _limits(ratios):
    rows = [['ratio', 'by min', 'by median', 'limit', '']]
    for ratio in ratios:
        limit = ''
        if ratio['at_most'] is not None:
            limit = f'<= {ratio["at_most"]:g}'
        elif ratio['at_least'] is not None:
            limit = f'>= {ratio["at_least"]:.0%}'
        shown = [f'{ratio[by]:.0%}' if ratio['kind'] == 'speed' else f'{ratio[by]:.2f}'
                 for by in ('by_minimum', 'by_median')]
        verdict = {None: '', True: 'met', False: 'MISSED'}[ratio['met']]
        rows.append([ratio['name'], *shown, limit, verdict])
    return rows


def _print_rows(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        first, *others = (cell.ljust(width) if i == 0 else cell.rjust(width)
                          for i, (cell, width) in enumerate(zip(row, widths)))
        print('  '.join([first, *others]).rstrip())
    print()


def show(report):
    """Prints the whole report."""
    print('  '.join(f'{key} {value}' for key, value in report['machine'].items()))
    print()
    for title, results in report['results'].items():
        print(title)
        _print_rows(_matrix({(row['op'], row['contestant']): row for row in results}))
    _print_rows(_limits(report['ratios']))
