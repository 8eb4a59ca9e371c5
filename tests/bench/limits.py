# limits.py - which ratios are reported, and which of them have a limit
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A ratio compares two series of samples, taken in turns in the same rounds, time for time.

Noise on a shared machine only ever adds time, so what computes in memory is judged by the ratio of
the two minima. What waits for a disk has no such floor: there the median of the rounds' own ratios
counts. Both are reported.
"""

import dataclasses
import statistics


@dataclasses.dataclass(frozen=True)
class Ratio:
    operation: str
    contestant: str
    reference: str
    at_most: float | None = None  # times the reference's time
    at_least: float | None = None  # of the reference's operations a second
    reference_operation: str | None = None  # when it is another
    on_disk: bool = False

    @property
    def name(self):
        other = f' {self.reference_operation}' if self.reference_operation else ''
        return f'{self.operation}: {self.contestant} / {self.reference}{other}'


PYTHON = [
    Ratio(operation, contestant, 'dict', at_most=limit, reference_operation=reference)
    for operation, limit, reference in (
        ('set', 5, None), ('overwrite', None, None), ('get', 8, None), ('contains', None, None),
        ('items', None, None), ('values', None, None), ('delete', 7, None),
        ('delete absent', None, None), ('bulk_insert', 3, 'set'))
    for contestant in ('memory', 'lazy')
] + [
    Ratio(operation, contestant, 'floor', at_most=limit)
    for operation, limit in (
        ('set', 1.5), ('overwrite', None), ('get', 1.5), ('contains', None), ('items', None),
        ('delete', 1.5), ('delete absent', None), ('bulk_insert', None))
    for contestant in ('memory', 'lazy')
] + [
    Ratio(operation, 'floor', 'dict') for operation in ('set', 'get', 'delete')
] + [
    Ratio(operation, 'lazy, encrypted', 'lazy', at_most=1.1) for operation in ('set', 'get')
] + [
    # a step of a queue, and a set
    Ratio('take first', contestant, contestant, at_most=limit, reference_operation='set')
    for contestant, limit in (('memory', 10), ('lazy', 15), ('lazy, encrypted', 15))
] + [
    Ratio('take first', 'writethrough', 'writethrough', at_most=2, reference_operation='set',
          on_disk=True),
] + [
    Ratio('flush', 'lazy, encrypted', 'lazy', at_least=0.75, on_disk=True),
] + [
    Ratio(operation, 'writethrough', 'sqlite3, autocommit', on_disk=True)
    for operation in ('set', 'overwrite', 'get', 'delete', 'bulk_insert')
]

ASYNCIO = [
    Ratio('await get', 'hot', 'plain coroutine', at_most=5),
    Ratio('await set', 'hot', 'plain coroutine'),
    Ratio('gather cold gets', 'get_async', 'run_in_executor', at_most=0.2),
    Ratio('gather writethrough sets', 'set_async', 'run_in_executor', on_disk=True),
]

ENGINE = [
    Ratio('hot ' + operation, 'store ' + mode, 'GHashTable')
    for operation in ('set', 'overwrite', 'get', 'remove')
    for mode in ('memory', 'lazy')
] + [
    Ratio('writethrough insert', 'store writethrough', 'bare SQLite', at_least=0.8, on_disk=True),
    Ratio('writethrough overwrite', 'store writethrough', 'bare SQLite', at_least=0.8,
          on_disk=True),
    Ratio('flush of new rows', 'store lazy', 'bare SQLite', at_least=0.7, on_disk=True),
    Ratio('flush of overwritten rows', 'store lazy', 'bare SQLite', on_disk=True),
    Ratio('flush of new rows', 'store lazy, encrypted', 'store lazy', on_disk=True),
    Ratio('flush of overwritten rows', 'store lazy, encrypted', 'store lazy', on_disk=True),
    Ratio('cold get', 'store, no thread', 'bare SQLite', at_most=1.25),
    Ratio('cold get', 'store lazy', 'bare SQLite', at_most=0.5),
    Ratio('cold get', 'bare SQLite, one transaction', 'bare SQLite'),
    Ratio('warm get', 'store lazy', 'store lazy', at_most=0.25, reference_operation='cold get'),
    Ratio('absent get', 'store lazy', 'store lazy', at_most=0.1, reference_operation='cold get'),
]


def measure(ratio, series):
    """The ratio as a row of the report; None when one side was not run."""
    ours = series.get((ratio.operation, ratio.contestant))
    theirs = series.get((ratio.reference_operation or ratio.operation, ratio.reference))
    if ours is None or theirs is None:
        return None
    a = [sample / ours['n'] for sample in ours['samples']]
    b = [sample / theirs['n'] for sample in theirs['samples']]
    by_minimum = min(a) / min(b)
    by_median = statistics.median(x / y for x, y in zip(a, b))
    if ratio.at_least is not None:
        by_minimum, by_median = 1 / by_minimum, 1 / by_median
    judged = by_median if ratio.on_disk else by_minimum
    met = None
    if ratio.at_most is not None:
        met = judged <= ratio.at_most
    elif ratio.at_least is not None:
        met = judged >= ratio.at_least
    return {
        'name': ratio.name,
        'kind': 'speed' if ratio.at_least is not None else 'time',
        'by_minimum': round(by_minimum, 3),
        'by_median': round(by_median, 3),
        'judged_by': 'median' if ratio.on_disk else 'minimum',
        'at_most': ratio.at_most,
        'at_least': ratio.at_least,
        'met': met,
    }
