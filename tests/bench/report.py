# report.py - the tables, the plots, and what machine they come from
# SPDX-License-Identifier: LGPL-2.1-or-later

import io
import os
import platform
import re
import sqlite3
import statistics
import subprocess
import sys

TITLES = {
    'single': 'Single operations, one thread, pinned: ns an item',
    'random': '100,000 keys: ns an item',
    'growth': 'Growing stores: ns an item',
    'threads': 'Threads on one store: ns an operation of all of them',
    'ycsb': 'YCSB, Zipf, values of 1,000 bytes: ns an operation of all processes',
    'tiers': 'A get by the tier that answers: ns',
    'asyncio': 'asyncio: ns an item',
    'start': 'Fresh processes: ns of the processor',
    'expired': 'All entries have expired: ns a call',
    'engine': 'C: ns an item',
}
# What the columns of the first two tables are.
OPERATIONS = {
    'set': 'm[key] = value, of keys that are new',
    'overwrite': 'the same, of keys that are there',
    'get': 'm[key], with the key made in the loop; in the order of insertion, as the next four',
    'get, plain loop': 'the same, with keys that are made before',
    'get at random': 'the same, in an order that was shuffled',
    'contains': 'key in m',
    'items': 'a walk with keys and values',
    'keys': 'a walk with keys',
    'values': 'a walk with values',
    'get_many': '1,000 keys by one call, an item',
    'mix 80/20': 'four gets and a set, keys at random',
    'delete': 'del m[key]',
    'delete absent': 'the same, of keys that are not there: a KeyError, which is caught',
    'bulk_insert': 'all entries by one call, an item',
    'flush': 'bringing that into the file, an item',
    'take first': 'del m[next(iter(m))], a step of a queue',
    'set and flush': 'sets and a flush at their end, an item',
    'set dict': 'm[key] = a dict of three items',
    'get dict': 'reading that',
}
COMPARED = (
    ('dict', 'lazy', 'writethrough', 'shelve', 'dbm.gnu', 'dbm.sqlite3', 'sqlitedict', 'diskcache',
     'lmdb', 'sqlite3'),
    ('set', 'get', 'contains', 'items', 'bulk_insert', 'set and flush', 'delete'),
)
PLOTTED = ('single', 'growth', 'threads', 'ycsb', 'tiers')


def machine(folder):
    """What the figures depend on besides the code."""
    import gi
    from gi.repository import GLib
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


def _median(row):
    return statistics.median(row['samples']) / row['n']


def _matrix(rows):
    """A line a peer, a column an operation, or the other way round where that is narrower."""
    cells = {(row['op'], row['peer']): f'{_median(row):,.0f}' for row in rows}
    operations = list(dict.fromkeys(operation for operation, _ in cells))
    names = list(dict.fromkeys(name for _, name in cells))
    if len(names) <= len(operations) or len(names) < 9:
        return [['', *names]] + [
            [operation, *(cells.get((operation, name), '') for name in names)]
            for operation in operations]
    return [['', *operations]] + [
        [name, *(cells.get((operation, name), '') for operation in operations)] for name in names]


def _targets(lines):
    return [['target', 'limit', 'measured', '']] + [
        [line['name'], line['limit'], line['measured'],
         {None: '', True: 'ok', False: 'NOT OK'}[line['met']]] for line in lines]


def _peers(peers):
    return [['peer', 'version', 'what it does not do']] + [
        [peer['name'], peer['version'], peer['lacks']] for peer in peers]


def tables(report):
    """(name, title, rows of cells)."""
    yield 'peers', 'What is compared', _peers(report['peers'])
    for part, title in TITLES.items():
        rows = [row for row in report['results'] if row['part'] == part]
        if rows:
            yield part, title, _matrix(rows)
    rows = _of_part(report, 'single')
    measured = {row['op'] for row in rows + _of_part(report, 'random')}
    if measured:
        yield 'operations', 'What is measured', [['column', 'what the loop does']] + [
            [name, text] for name, text in OPERATIONS.items() if name in measured]
    if report['targets']:
        yield 'targets', 'Targets', _targets(report['targets'])


def _of_part(report, part):
    return [row for row in report['results'] if row['part'] == part]


def show(report):
    """Prints the whole report."""
    print('  '.join(f'{key} {value}' for key, value in report['machine'].items()), end='\n\n')
    for _, title, rows in tables(report):
        print(title)
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        for row in rows:
            print('  '.join(cell.ljust(width) if i == 0 or title.startswith('What is')
                            else cell.rjust(width)
                            for i, (cell, width) in enumerate(zip(row, widths))).rstrip())
        print()


# --- the page ------------------------------------------------------------------------------------

def _markdown(rows):
    head, *others = ('| ' + ' | '.join(row) + ' |' for row in rows)
    return '\n'.join([head, '|' + '---|' * len(rows[0]), *others])


def write_pages(folder, report, is_whole):
    """Puts tables and plots between the marks of the two pages that have some; where not all was
    measured, the targets stay as they are."""
    parts = {name: f'{title}.\n\n{_markdown(rows)}' for name, title, rows in tables(report)
             if is_whole or name != 'targets'}
    parts['machine'] = ', '.join(f'{key} {value}' for key, value in report['machine'].items())
    compared = {**report, 'results': [row for row in _of_part(report, 'single')
                                      if row['peer'] in COMPARED[0] and row['op'] in COMPARED[1]]}
    for suffix, shown in ('', report), ('-compared', compared):
        for name in plot(shown, os.path.join(folder, 'figures'), suffix):
            image = f'![{TITLES[name]}](figures/{name}{suffix}.svg)'
            parts[name + suffix] = '\n\n'.join([*filter(None, [parts.get(name + suffix)]), image])
    if compared['results']:
        table = _markdown(_matrix(compared['results']))
        parts['single-compared'] = '\n\n'.join(
            [f'{TITLES["single"]}.', table, *filter(None, [parts.get('single-compared')])])
    for path in (os.path.join(folder, page) for page in ('performance.md', 'comparison.md')):
        with open(path, encoding='utf-8') as file:
            page = file.read()
        for name, text in parts.items():
            page = re.sub(rf'(<!-- bench {name} -->\n).*?(<!-- end -->)',
                          lambda match: f'{match[1]}{text}\n{match[2]}', page, flags=re.S)
        with open(path, 'w', encoding='utf-8') as file:
            file.write(page)


# --- plots ---------------------------------------------------------------------------------------

def plot(report, folder, suffix=''):
    """An SVG for each part that has one; the names of those drawn, none without matplotlib."""
    try:
        import matplotlib
        matplotlib.use('svg')
        from matplotlib import pyplot
    except ImportError:
        print('No plots: matplotlib is not installed.', file=sys.stderr)
        return []
    pyplot.rcParams.update({'svg.hashsalt': 'dictsqlite', 'svg.fonttype': 'none', 'font.size': 9})
    os.makedirs(folder, exist_ok=True)
    drawn = []
    for part in PLOTTED:
        rows = [row for row in report['results'] if row['part'] == part]
        if rows:
            figure, axes = pyplot.subplots(figsize=(9, 5), layout='constrained')
            if part == 'growth':
                _draw_lines(axes, [row for row in rows if row['op'].startswith('get of')])
            elif part == 'tiers':
                _draw_tiers(axes, rows)
            else:
                _draw_bars(axes, rows)
            axes.set_title(TITLES[part].rsplit(':', 1)[0])
            drawing = io.StringIO()
            figure.savefig(drawing, format='svg', metadata={'Date': None})
            with open(os.path.join(folder, f'{part}{suffix}.svg'), 'w', encoding='utf-8') as file:
                # each line of a path ends in a space, which is none of a tree's
                file.writelines(f'{line.rstrip()}\n' for line in drawing.getvalue().splitlines())
            pyplot.close(figure)
            drawn.append(part)
    return drawn


# Apart from each other, and from the white of the page.
COLOURS = ('#111111', '#9ecae1', '#2171b5', '#08306b', '#6baed6', '#d95f0e', '#fdae6b', '#31a354',
           '#a1d99b', '#756bb1', '#bcbddc', '#e7298a', '#f4a6c9', '#969696', '#8c6d31', '#e7cb94')
CHOSEN = ('set', 'get', 'contains', 'items', 'get_many', 'bulk_insert', 'set and flush', 'delete')


def _draw_bars(axes, rows):
    """Groups of bars: operations a second, the longer the better."""
    rates = {(row['op'], row['peer']): 1e9 / _median(row) for row in rows}
    operations = list(dict.fromkeys(operation for operation, _ in rates))
    operations = [name for name in operations if name in CHOSEN] or operations
    names = list(dict.fromkeys(name for operation, name in rates if operation in operations))
    width = 0.8 / len(names)
    for i, name in enumerate(names):
        axes.bar([x + i * width for x in range(len(operations))],
                 [rates.get((operation, name), 0) for operation in operations], width, label=name,
                 color=COLOURS[i % len(COLOURS)])
    axes.set_xticks([x + 0.4 for x in range(len(operations))], operations, rotation=20, ha='right')
    axes.set_yscale('log')
    axes.set_ylabel('a second')
    axes.legend(fontsize=8, bbox_to_anchor=(1.01, 1), loc='upper left')


def _draw_lines(axes, rows):
    for name in dict.fromkeys(row['peer'] for row in rows):
        points = sorted((int(row['op'].split()[-1].replace(',', '')), _median(row))
                        for row in rows if row['peer'] == name)
        axes.plot(*zip(*points), marker='o', label=name)
    axes.set_xscale('log')
    axes.set_yscale('log')
    axes.set_xlabel('entries in the store')
    axes.set_ylabel('ns of a get at random')
    axes.legend(bbox_to_anchor=(1.01, 1), loc='upper left')


def _draw_tiers(axes, rows):
    rows = sorted(rows, key=_median)
    bars = axes.barh([row['op'] for row in rows], [_median(row) for row in rows],
                     color=['C0' if row['peer'] == 'lazy' else '0.7' for row in rows])
    axes.bar_label(bars, fmt='%.0f')
    axes.set_xlabel('ns')
