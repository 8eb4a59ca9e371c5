# pickle_audit.py - loads pickles that are bent at random, and tells what Python tells of it
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pickle_audit.py SEED ROUNDS, to be run: nothing is opened, imported, compiled or started by what
safe pickle accepts, whatever it is; sys.addaudithook() would tell."""

from __future__ import annotations

import random
import sys
import zoneinfo
from collections import Counter

import pickle_classes
from pickle_attacks import attacks
from test_safe_pickle import ALLOWED, LISTED, PLAIN
from test_safe_pickle_fuzz import bent, seeds_of

import dictsqlite_v4._pickle
from dictsqlite_v4 import UnsafePickleError
from dictsqlite_v4._pickle import SafePickle
from dictsqlite_v4._pickle_guard import GuardedUnpickler
from dictsqlite_v4._values import OLD_PICKLE

# As which looking up an attribute is told, the answer to an import, and what is decided.
HARMLESS = {
    "array.__new__", "builtins.id", "object.__getattr__", "object.__setattr__", "pickle.find_class",
    "sys._getframe",
}  # fmt: skip

told: list = []
listening = False


def note(event, arguments):
    if listening and event not in HARMLESS and not is_of_a_zone(event, arguments):
        told.append((event, repr(arguments)[:100]))


def is_of_a_zone(event, arguments):
    """A time zone is read from where these are, or from the package of them."""
    if event == "open":
        path = str(arguments[0])
        return path.startswith(tuple(zoneinfo.TZPATH)) or "/tzdata/" in path
    return event in ("import", "marshal.loads", "exec") and "tzdata" in repr(arguments)


def bent_little(rand, seeds):
    payload = bytearray(rand.choice(seeds))
    payload[rand.randrange(len(payload))] ^= 1 << rand.randrange(8)
    return bytes(payload)


def main():
    global listening
    seed, n_rounds = map(int, sys.argv[1:])
    rand = random.Random(seed)
    codec = SafePickle(ALLOWED)
    seeds = seeds_of({**PLAIN, **LISTED}, attacks())
    for payload in seeds:  # what is listed is imported now, and what is known is known
        try:
            codec.decode(OLD_PICKLE + payload)
        except UnsafePickleError:
            pass
    try:
        zoneinfo.ZoneInfo("No/Such")  # imports what looks for the package
    except zoneinfo.ZoneInfoNotFoundError:
        pass
    for encoding in ("ascii", "latin1", "raw_unicode_escape"):  # imported when they are first used
        "".encode(encoding)
    in_c = dictsqlite_v4._pickle._Unpickler
    sys.addaudithook(note)
    outcomes: Counter = Counter()
    for count in range(n_rounds):
        payload = (bent_little if count % 4 > 1 else bent)(rand, seeds)
        guarded = count % 2 == 1
        dictsqlite_v4._pickle._Unpickler = (
            (lambda file: GuardedUnpickler(file.read())) if guarded else in_c
        )
        listening = True
        try:
            codec.decode(OLD_PICKLE + payload)
            outcomes["loaded"] += 1
        except UnsafePickleError as error:
            outcomes["refused" if error.offset is not None else "failed to build"] += 1
        finally:
            listening = False
        assert not told, (payload, told)
        assert pickle_classes.MARKS == [] and pickle_classes.TABLE == {}, payload
        assert pickle_classes.SET == set() and vars(pickle_classes.SHARED) == {}, payload
        assert pickle_classes.Plain.flag == "as it was", payload
    print(dict(outcomes))
    assert outcomes["loaded"] > n_rounds // 200


if __name__ == "__main__":
    main()
