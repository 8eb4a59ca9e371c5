# bench.py - the guide's loops and the engine's, as one table and a JSON file
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs in the environment that tests/bench/run sets up; see there."""

import argparse
import gc
import json
import subprocess
import sys
import tempfile
import time

import aio
import contestants
import limits
import loops
import report


def arguments():
    parser = argparse.ArgumentParser(prog='tests/bench/run', description=__doc__)
    parser.add_argument('--json', metavar='PATH', help='write everything measured there')
    parser.add_argument('--check', action='store_true', help='exit with 1 when a limit is missed')
    parser.add_argument('--rounds', type=int, default=15, help='of what stays in memory [15]')
    parser.add_argument('--disk-rounds', type=int, default=5, help='of what goes to disk [5]')
    parser.add_argument('--directory', help='where the files go [a temporary one]')
    parser.add_argument('--only', choices=('python', 'asyncio', 'engine'),
                        help='one part')
    parser.add_argument('--engine', metavar='PROGRAM', help=argparse.SUPPRESS)
    return parser.parse_args()


def timed(contestant, operation, mapping, entries):
    """Nanoseconds of one operation, with no garbage collection inside."""
    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter_ns()
        contestant.run(operation, mapping, entries)
        return time.perf_counter_ns() - start
    finally:
        gc.enable()


def run_group(group, rounds, directory):
    """Rounds of every operation by every contestant in turn; the first round only warms up."""
    series = {}
    for turn in range(rounds + 1):
        with tempfile.TemporaryDirectory(dir=directory) as folder:
            opened = [(contestant, contestant.open(folder), loops.entries(contestant.n))
                      for contestant in group]
            for operation in loops.OPERATIONS:
                for contestant, mapping, entries in opened:
                    if not contestant.can(operation):
                        continue
                    elapsed = timed(contestant, operation, mapping, entries)
                    if turn > 0:
                        series.setdefault((operation, contestant.name), {
                            'op': operation, 'contestant': contestant.name,
                            'n': contestant.n, 'samples': []})['samples'].append(elapsed)
            for contestant, mapping, _ in opened:
                contestant.close(mapping)
            opened.clear()
    return list(series.values())


def run_python(options, directory):
    import gi
    gi.require_version('DsqFloor', '1.0')
    from gi.repository import DsqFloor
    from dictsqlite_v4 import DictSQLiteV4

    groups = contestants.make_all(DictSQLiteV4, DsqFloor)
    return (run_group(groups['memory'], options.rounds, directory)
            + run_group(groups['disk'], options.disk_rounds, directory))


def run_asyncio(options, directory):
    from dictsqlite_v4 import AsyncDictSQLite

    return aio.run(AsyncDictSQLite, options.rounds, directory)


def run_engine(options, directory):
    done = subprocess.run(
        [options.engine, f'--rounds={options.disk_rounds}', f'--directory={directory}'],
        stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def main():
    options = arguments()
    results = {}
    ratios = []
    with tempfile.TemporaryDirectory(prefix='dsq-bench-', dir=options.directory) as directory:
        machine = report.machine(directory)
        if options.only in (None, 'python'):
            results['Python, 10,000 keys formatted in the loop'] = run_python(options, directory)
        if options.only in (None, 'asyncio'):
            results['asyncio'] = run_asyncio(options, directory)
        if options.only in (None, 'engine'):
            results['C'] = run_engine(options, directory)
    for rows in results.values():
        series = {(row['op'], row['contestant']): row for row in rows}
        ratios += [limits.measure(ratio, series)
                   for ratio in limits.PYTHON + limits.ASYNCIO + limits.ENGINE]
    whole = {
        'machine': machine,
        'results': results,
        'ratios': [ratio for ratio in ratios if ratio is not None],
    }

    report.show(whole)
    if options.json:
        with open(options.json, 'w', encoding='utf-8') as file:
            json.dump(whole, file, indent=1)
    missed = [ratio['name'] for ratio in whole['ratios'] if ratio['met'] is False]
    if options.check and missed:
        print('missed: ' + '; '.join(missed), file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
