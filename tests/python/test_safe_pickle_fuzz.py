# test_safe_pickle_fuzz.py - Python's unpickler does nothing that the check did not tell
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pickles are bent at random. What passes the check is loaded by an unpickler that notes what it is
asked for, and gives classes that note how they are called: all of it must be in the report."""

from __future__ import annotations

import io
import pickle
import random
import subprocess
import sys
from pathlib import Path
from types import FunctionType

from conftest import LONG, rounds, seed
from pickle_attacks import attacks
from test_safe_pickle import LISTED, PLAIN

from dictsqlite_v4._dsq import GError, check_pickle
from dictsqlite_v4._pack import unpack
from dictsqlite_v4._pickle import _CALL_HEAD

OPCODES = b"0123(.)]}tlduseabcRNh\x81\x85\x86\x94"
N_ROUNDS = 3_000_000 if LONG else 40_000
N_AUDITED = 1_000_000 if LONG else 10_000
LETTERS = {
    type(None): "n", bool: "b", int: "iIH", float: "f", str: "sq", bytes: "y", bytearray: "a",
    tuple: "tT", list: "lL", dict: "d", set: "e", frozenset: "z", type: "cm",
}  # fmt: skip


class Noted:
    """The base of what stands in for each import."""

    calls: set

    def __new__(cls, *args, **kwargs):
        cls.calls.add(tuple(LETTERS.get(_kind(value), "o") for value in args[:8]))
        return object.__new__(cls)

    def __init__(self, *args, **kwargs):
        self.items = []

    def __setstate__(self, state):
        pass

    def __setitem__(self, key, value):
        self.items.append((key, value))

    def append(self, item):
        self.items.append(item)

    def add(self, item):
        self.items.append(item)

    def __hash__(self):
        return 1


def _kind(value):
    return type if isinstance(value, (type, FunctionType)) else type(value)


def get_member(*args):
    """A member has its name whatever it is asked of, be it one of these functions."""
    if len(args) == 2 and _kind(args[0]) is type and type(args[1]) is str:
        holder, path = MEMBERS.get(args[0], (args[0], ""))
        member = type("Member", (Noted,), {"calls": set()})
        MEMBERS[member] = (holder, f"{path}.{args[1]}" if path else args[1])
        return member
    return object()


def join(*args):
    if len(args) == 2 and args[0] in MEMBERS and (args[1] in MEMBERS or type(args[1]) is int):
        return args[0]
    return object()


def reconstruct(*args):
    """Tells the class of its call, as that of an instance of it."""
    if len(args) == 3 and isinstance(args[0], type) and isinstance(args[1], type):
        return args[0](*args)
    return object()


def encode(*args):
    if len(args) == 2 and type(args[0]) is str and args[1] == "latin1":
        return args[0].encode("latin1")
    return object()


# What getattr() gave: the class that was imported, and the path within it.
MEMBERS: dict = {}

KNOWN = {
    ("builtins", "getattr"): get_member, ("__builtin__", "getattr"): get_member,
    ("_operator", "or_"): join, ("_codecs", "encode"): encode,
    ("copyreg", "_reconstructor"): reconstruct, ("copy_reg", "_reconstructor"): reconstruct,
}  # fmt: skip


class Noting(pickle.Unpickler):
    """Gives a class for any name."""

    def __init__(self, payload):
        super().__init__(io.BytesIO(payload))
        self.found = {}
        self.known = set()

    def find_class(self, module, name):
        if (module, name) in KNOWN:
            self.known.add((module, name))
            return KNOWN[module, name]
        if (module, name) not in self.found:
            self.found[module, name] = type("Found", (Noted,), {"calls": set()})
        return self.found[module, name]


def told(report):
    """The imports of a report, and of each path within them the signatures of its calls."""
    items = unpack(report[4 : 4 + int.from_bytes(report[:4], "little")])
    end = 1 + 3 * int.from_bytes(items[0][1:], "little")
    names = [(items[at + 1].decode(), items[at + 2].decode()) for at in range(1, end, 3)]
    calls = {}
    while end < len(items):
        operation, _flags, index, _base, n_names = _CALL_HEAD.unpack(items[end])
        paths = calls.setdefault((names[index], items[end + 2].decode()), [])
        if operation != b"M":
            paths.append(items[end + 1].decode())
        end += 3 + n_names
    return set(names), calls


def is_told(letters, signatures):
    return any(
        len(letters) == len(signature.partition("*")[0])
        and all(mine in its for mine, its in zip(signature, letters))
        for signature in signatures
    )


def bent(rand, seeds):
    payload = bytearray(rand.choice(seeds))
    for _ in range(rand.randint(1, 4)):
        at = rand.randrange(len(payload) + 1)
        other = rand.choice(seeds)
        begin = rand.randrange(len(other))
        piece = other[begin : begin + rand.randint(1, 12)]
        which = rand.randrange(4)
        if which == 0:
            payload[at:at] = piece
        elif which == 1:
            payload[at : at + len(piece)] = piece
        elif which == 2:
            del payload[at : at + rand.randint(1, 6)]
        else:
            payload[at : at + 1] = bytes([rand.choice(OPCODES)])
    return bytes(payload)


def seeds_of(values, more):
    """Pickles to be bent; without frames, in which hardly anything can be changed."""
    small = [value for value in values.values() if len(pickle.dumps(value)) < 500]
    seeds = [pickle.dumps(value, protocol) for value in small for protocol in (2, 3)]
    seeds += [payload[:2] + payload[11:] for payload in map(pickle.dumps, small)
              if payload[2] == 0x95]
    return seeds + [attack.payload for attack in more if len(attack.payload) < 500]


def test_nothing_happens_that_was_not_decided(tmp_path):
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("pickle_audit.py"), "1", str(N_AUDITED)],
        cwd=tmp_path, capture_output=True, text=True, timeout=7200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    sys.stdout.write(done.stdout)


def test_the_unpickler_does_what_the_report_tells():
    rand = random.Random(seed(20240229))
    seeds = seeds_of({**PLAIN, **LISTED}, attacks())
    n_passed = n_calls = n_rounds = 0
    for n_rounds in rounds(N_ROUNDS, "bent pickles, each loaded beside its report"):
        payload = bent(rand, seeds)
        try:
            report = check_pickle(payload)
        except GError:
            continue
        n_passed += 1
        names, calls = told(report) if report else (set(), {})
        MEMBERS.clear()
        unpickler = Noting(payload)
        try:
            unpickler.load()
        except Exception:
            pass  # a value that is none, such as bytes that are no UTF-8
        assert unpickler.found.keys() | unpickler.known <= names, payload
        paths = [(name, "", found) for name, found in unpickler.found.items()]
        by_class = {found: name for name, found in unpickler.found.items()}
        paths += [(by_class[holder], path, found) for found, (holder, path) in MEMBERS.items()
                  if holder in by_class]
        for name, path, found in paths:
            assert not path or (name, path) in calls, payload
            for letters in found.calls:
                n_calls += 1
                assert is_told(letters, calls.get((name, path), [])), (payload, name, path, letters)
    sys.stdout.write(f"{n_passed} passed the check, {n_calls} calls\n")
    assert n_passed > n_rounds // 100 and n_calls > n_rounds // 1000
