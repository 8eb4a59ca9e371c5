# bench.py - everything measured, as tables, a JSON file and the page of docs
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures dictsqlite beside every peer that is installed; each holds what it says it does.

Peers of PyPI are measured where python3 is of a virtual environment that sees Debian's packages:
python3 -m venv --system-site-packages V; V/bin/pip install dictsqlite rocksdict speedict lmdb
diskcache; PATH=V/bin:$PATH tests/bench/run
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

import aio
import loads
import loops
import peers
import report
import targets

PARTS = ('single', 'random', 'growth', 'threads', 'ycsb', 'tiers', 'asyncio', 'start', 'expired',
         'engine')
PAGES = os.path.join(os.path.dirname(__file__), '../../docs')


def size(word):
    """'10k' or '2M' as a number."""
    factor = {'k': 1000, 'M': 1_000_000}.get(word[-1:], 1)
    return int(word[:-1] if factor > 1 else word) * factor


def sizes(words):
    return [size(word) for word in words.split(',')]


def arguments():
    parser = argparse.ArgumentParser(prog='tests/bench/run', description=__doc__)
    parser.add_argument('--only', action='append', choices=PARTS,
                        help='this part, and others so named')
    parser.add_argument('--quick', action='store_true', help='sizes and rounds that only try it')
    parser.add_argument('--rounds', type=int, help='of each part [7]')
    parser.add_argument('--sizes', type=sizes, default=[1000, 10_000, 100_000],
                        help='of growing stores [1k,10k,100k]; up to 10M')
    parser.add_argument('--records', type=size, default=10_000, help='of YCSB [10k]')
    parser.add_argument('--operations', type=size, default=20_000, help='of YCSB [20k]')
    parser.add_argument('--json', metavar='PATH', help='write everything measured there')
    parser.add_argument('--plots', metavar='FOLDER', help='draw the plots there')
    parser.add_argument('--write-docs', action='store_true',
                        help='refresh docs/performance.md and docs/comparison.md')
    parser.add_argument('--check', action='store_true', help='exit with 1 when a target is missed')
    parser.add_argument('--directory', help='where the files go [a temporary one]')
    parser.add_argument('--engine', metavar='PROGRAM', help=argparse.SUPPRESS)
    parser.add_argument('--worker', help=argparse.SUPPRESS)
    return parser.parse_args()


def run_engine(options, rounds, folder):
    done = subprocess.run([options.engine, f'--rounds={rounds}', f'--directory={folder}'],
                          stdout=subprocess.PIPE, check=True)
    return [{'part': 'engine', 'op': row['op'], 'peer': row['contestant'], 'n': row['n'],
             'samples': row['samples']} for row in json.loads(done.stdout)]


def run_part(part, options, folder):
    quick = options.quick
    rounds = options.rounds or (1 if quick else 7)
    few = min(rounds, 3)
    if part == 'single':
        return loops.run(part, peers.installed(), 200 if quick else 10_000, rounds, folder,
                         loops.SINGLE)
    if part == 'random':
        group = peers.installed(('dict', 'lazy', 'lmdb', 'dbm.gnu', 'sqlite3', 'rocksdict'))
        return loops.run(part, group, 1000 if quick else 100_000, few, folder, loops.RANDOM)
    if part == 'growth':
        return loads.grow([1000] if quick else options.sizes, few, folder)
    if part == 'threads':
        return loads.threads((1, 2) if quick else (1, 2, 4), 500 if quick else 20_000, few, folder)
    if part == 'ycsb':
        return loads.ycsb((1, 2), 'AE' if quick else loads.WORKLOADS,
                          200 if quick else options.records,
                          200 if quick else options.operations, few, folder)
    if part == 'tiers':
        return loads.tiers(1000 if quick else 20_000, few, folder)
    if part == 'asyncio':
        return aio.run(rounds, folder)
    if part == 'start':
        return loads.start(rounds, folder)
    if part == 'expired':
        return loads.expired(2000 if quick else 200_000, folder)
    return run_engine(options, few, folder)


def measure(options):
    """Every part, those of one thread on one processor."""
    everywhere = os.sched_getaffinity(0)
    parts = [part for part in PARTS if not options.only or part in options.only]
    results = []
    with tempfile.TemporaryDirectory(prefix='dsq-bench-', dir=options.directory) as folder:
        machine = report.machine(folder)
        for part in parts:
            print(f'{part} ...', file=sys.stderr)
            if part in ('single', 'random', 'growth', 'tiers', 'asyncio'):
                os.sched_setaffinity(0, {max(everywhere)})
            with tempfile.TemporaryDirectory(dir=folder) as own:
                results += run_part(part, options, own)
            os.sched_setaffinity(0, everywhere)
    return {
        'machine': machine,
        'peers': [{'name': peer.name, 'version': version, 'lacks': peer.lacks}
                  for peer in peers.every() if (version := peer.version()) is not None],
        'results': results,
        'targets': targets.measure(results, parts),
    }


def main():
    options = arguments()
    if options.worker:
        loads.work(json.loads(options.worker))
        return 0
    whole = measure(options)
    report.show(whole)
    if options.json:
        with open(options.json, 'w', encoding='utf-8') as file:
            json.dump(whole, file, indent=1)
    if options.plots:
        report.plot(whole, options.plots)
    if options.write_docs:
        report.write_pages(PAGES, whole, not options.only)
    missed = [line['name'] for line in whole['targets'] if line['met'] is False]
    print(f'{len(missed)} of {len(whole["targets"])} targets are missed')
    return 1 if options.check and missed else 0


if __name__ == '__main__':
    sys.exit(main())
