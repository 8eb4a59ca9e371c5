# test_coherence.py - several stores on one file, beside a model of what each must see
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Three stores on one file: committed writes are seen by all at once, pending ones by their own.

The model is the file as a dict, and for each lazy store what it has written and not flushed. A key
that a lazy store makes and deletes between two flushes may or may not count as deleted by it when
another store makes the same key, so the model flushes at once there.
"""

import random

import pytest
from conftest import LONG, check_log
from dictsqlite_v4 import DictSQLiteV4

N_KEYS = 25
N_STEPS = 1200
SEEDS = range(100 if LONG else 8)


class View:
    """One store, and what the model says that it shows."""

    def __init__(self, path, rnd, file):
        self.mode = rnd.choice(["lazy", "writethrough"])
        self.capacity = rnd.choice([1, 3, 50, 5000])
        self.warm_capacity = rnd.choice([0, 4096, 64 << 20])
        self.path = path
        self.file = file
        self.overlay = {}  # key: value, or None where it was deleted
        self.cleared = False
        self.open()

    def open(self):
        self.store = DictSQLiteV4(
            self.path,
            persist_mode=self.mode,
            hot_capacity=self.capacity,
            warm_capacity=self.warm_capacity,
            enable_async=False,
            separate=True,
        )

    def model(self):
        shown = {} if self.cleared else dict(self.file)
        for key, value in self.overlay.items():
            if value is None:
                shown.pop(key, None)
            else:
                shown[key] = value
        return shown

    def settle(self):
        """What was pending is in the file."""
        shown = self.model()
        self.file.clear()
        self.file.update(shown)
        self.overlay.clear()
        self.cleared = False

    def note_set(self, entries):
        (self.overlay if self.mode == "lazy" else self.file).update(entries)

    def note_deleted(self, key):
        if self.mode == "writethrough":
            del self.file[key]
            return
        is_new = key not in self.file or self.cleared
        self.overlay[key] = None
        if is_new:
            self.store.flush()
            self.settle()

    def note_cleared(self):
        if self.mode == "writethrough":
            self.file.clear()
        else:
            self.overlay.clear()
            self.cleared = True


def set_one(view, key, rnd):
    value = rnd.randrange(1000)
    view.store[key] = value
    view.note_set({key: value})


def set_many(view, key, rnd):
    entries = {f"k{rnd.randrange(N_KEYS)}": rnd.randrange(1000) for _ in range(5)}
    view.store.bulk_insert(entries)
    view.note_set(entries)


def set_default(view, key, rnd):
    known = view.model().get(key)
    assert view.store.setdefault(key, -1) == (-1 if known is None else known)
    if known is None:
        view.note_set({key: -1})


def delete(view, key, rnd):
    if key in view.model():
        del view.store[key]
        view.note_deleted(key)
    else:
        with pytest.raises(KeyError):
            del view.store[key]


def pop(view, key, rnd):
    known = view.model().get(key)
    assert view.store.pop(key, None) == known
    if known is not None:
        view.note_deleted(key)


def pop_item(view, key, rnd):
    shown = view.model()
    if shown:
        key, value = view.store.popitem()
        assert shown[key] == value
        view.note_deleted(key)


def get(view, key, rnd):
    assert view.store.get(key) == view.model().get(key)
    assert (key in view.store) == (key in view.model())


def get_many(view, key, rnd):
    assert view.store.get_many(f"k{i}" for i in range(N_KEYS)) == view.model()


def count(view, key, rnd):
    assert len(view.store) == len(view.model())


def walk(view, key, rnd):
    shown = view.model()
    assert dict(view.store.items()) == shown
    assert len(list(view.store)) == len(list(reversed(view.store))) == len(shown)


def clear(view, key, rnd):
    view.store.clear()
    view.note_cleared()


def flush(view, key, rnd):
    view.store.flush()
    view.settle()


def reopen(view, key, rnd):
    view.store.close()
    view.settle()
    view.open()


STEPS = {
    set_one: 30, set_many: 3, set_default: 4, delete: 12, pop: 4, pop_item: 2, get: 25,
    get_many: 2, count: 6, walk: 4, clear: 1, flush: 6, reopen: 1,
}


@pytest.mark.parametrize("seed", SEEDS)
def test_each_store_shows_the_file_and_its_own_writes(path, seed):
    rnd = random.Random(seed)
    file = {}
    views = [View(path, rnd, file) for _ in range(3)]
    for _ in range(N_STEPS):
        step = rnd.choices(list(STEPS), list(STEPS.values()))[0]
        step(rnd.choice(views), f"k{rnd.randrange(N_KEYS)}", rnd)
    check_log(path)
    for view in views:
        view.store.close()
        view.settle()
    with DictSQLiteV4(path) as store:
        assert dict(store.items()) == file
