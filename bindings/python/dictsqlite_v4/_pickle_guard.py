# _pickle_guard.py - an unpickler that looks at keys before they go into tables
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guard, for safe pickle.

Python's tables take time in proportion to n squared where n keys hash alike, or search along one
way. How numbers do that the native check knows; how instances and frozensets do only Python. So
pickles with many of these as keys are loaded here, in Python, where the places that each key looks
at are counted before it does.
"""

from __future__ import annotations

import io
import pickle
from typing import Any, Callable, Dict, Iterable, List, Tuple

from ._errors import UnsafePickleError

TOO_MANY_ALIKE = "too many of its keys hash alike"

_Unpickler: Any = getattr(pickle, "_Unpickler")  # the one in Python
_NEIGHBOURS = 9  # that a set looks at before it goes elsewhere
_PLACES_EACH = 16  # that a key may look at, on the whole
_FEW_ITEMS = 16

# What nobody can choose the hash of, as a rule.
_SECRET = (str, bytes)


class _Table:
    """Which places of a table such as Python's are taken; of a set, or of a dict."""

    def __init__(self, is_set: bool) -> None:
        self._neighbours = _NEIGHBOURS if is_set else 0
        self._hashes: List[int] = []
        self._taken = bytearray(8)

    def insert(self, digest: int) -> int:
        """Take the place of a key that hashes to `digest`; how many were looked at."""
        self._hashes.append(digest)
        n_looks = self._take(digest)
        size, n = len(self._taken), len(self._hashes)
        if n * 5 >= (size - 1) * 3 if self._neighbours else n * 3 >= size * 2:
            growth = (2 if n > 50_000 else 4) if self._neighbours else 3
            self._taken = bytearray(1 << (growth * n).bit_length())
            n_looks += sum(map(self._take, self._hashes))
        return n_looks

    def _take(self, digest: int) -> int:
        taken = self._taken
        mask = len(taken) - 1
        perturb = digest & 0xFFFFFFFFFFFFFFFF
        place = digest & mask
        n_looks = 0
        while True:
            n = self._neighbours if place + self._neighbours <= mask else 0
            for near in range(place, place + n + 1):
                n_looks += 1
                if not taken[near]:
                    taken[near] = 1
                    return n_looks
            perturb >>= 5
            place = (place * 5 + 1 + perturb) & mask


class GuardedUnpickler(_Unpickler):  # type: ignore[misc]
    """Raises UnsafePickleError where keys would take too long to find their places."""

    answers: Dict[Tuple[str, str], Any] = {}
    dispatch = dict(_Unpickler.dispatch)

    def __init__(self, payload: bytes) -> None:
        super().__init__(io.BytesIO(payload))
        self._left = (1 << 18) + 4 * len(payload)
        # by id(): the containers, which stay so long, and their tables
        self._tables: Dict[int, Tuple[object, _Table]] = {}

    def find_class(self, module: str, name: str) -> Any:
        """What was decided for that import."""
        return self.answers[module, name]

    def count_keys(self, container: Any, keys: Iterable[object]) -> None:
        """See to keys that are about to be put into a container."""
        known = self._tables.get(id(container))
        if known is None:
            is_set = isinstance(container, (set, frozenset))
            known = self._tables[id(container)] = container, _Table(is_set)
            if isinstance(container, dict):
                self._count(known[1], dict.__iter__(container))
            elif isinstance(container, set):
                self._count(known[1], set.__iter__(container))
        self._count(known[1], keys)

    def count_arguments(self, arguments: Iterable[Any]) -> None:
        """See to lists that a call is given, as to items of a set, keys of a dict and pairs."""
        for items in arguments:
            if type(items) in (list, tuple) and len(items) > _FEW_ITEMS:
                for is_set in (True, False):
                    self._count(_Table(is_set), items)
                pairs = [pair for pair in items if type(pair) in (list, tuple) and pair]
                self._count(_Table(False), [pair[0] for pair in pairs])

    def _count(self, table: _Table, keys: Iterable[object]) -> None:
        for key in keys:
            if type(key) in _SECRET:
                continue
            try:
                digest = hash(key)
            except Exception:
                continue  # it is no key, or is when it has its state
            self._left += _PLACES_EACH - table.insert(digest)
            if self._left < 0:
                raise UnsafePickleError(TOO_MANY_ALIKE, verb="load")


def _look_first(opcode: bytes, look: Callable[[Any], object]) -> None:
    load = _Unpickler.dispatch[opcode[0]]

    def run(self: GuardedUnpickler) -> None:
        look(self)
        load(self)

    GuardedUnpickler.dispatch[opcode[0]] = run


# What is above the mark is `stack`, and what is below it the last of `metastack`.
_look_first(pickle.ADDITEMS, lambda its: its.count_keys(its.metastack[-1][-1], its.stack))
_look_first(pickle.SETITEMS, lambda its: its.count_keys(its.metastack[-1][-1], its.stack[::2]))
_look_first(pickle.SETITEM, lambda its: its.count_keys(its.stack[-3], its.stack[-2:-1]))
_look_first(pickle.DICT, lambda its: its.count_arguments([its.stack[::2]]))
_look_first(pickle.FROZENSET, lambda its: its.count_arguments([its.stack]))
_look_first(pickle.REDUCE, lambda its: its.count_arguments(its.stack[-1]))
_look_first(pickle.NEWOBJ, lambda its: its.count_arguments(its.stack[-1]))
_look_first(pickle.NEWOBJ_EX, lambda its: its.count_arguments(its.stack[-2]))
