# fork_family.py - processes made by fork, each with a store of its own, for test_fork_matrix.py
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A program: a parent that opens a store, forks, and does as it is told by files in a folder.

Whoever has done something says so by a file named after itself and what it did, with what there is
to tell in it; it goes on when the file that it waits for is there. What a member has written and
flushed when it says so is never to be lost."""
from __future__ import annotations

import argparse
import os
import signal
import threading
import time
import traceback
from pathlib import Path

from dictsqlite_v4 import DictSQLiteV4

DEADLINE = 90
KEYS = 60  # that a member writes in a phase
SHARED, INDEX = (1073741826, 1073742335), (128, 128)  # what SQLite has locked of a file, of -shm


def own_locks(path):
    """The ranges of bytes of the file that this process holds a lock on, as the kernel says."""
    inode = os.stat(path).st_ino
    ranges = set()
    for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
        words = line.split()
        if words[1] == "POSIX" and int(words[4]) == os.getpid():
            if words[5].endswith(f":{inode}"):
                ranges.add((int(words[6]), int(words[7])))
    return ranges


def keys_of(member, phase):
    return [f"{member}.{phase}.{i}" for i in range(KEYS)]


class Member:
    def __init__(self, options, name):
        self.options, self.name = options, name
        self.store = None
        self.stop = threading.Event()

    def say(self, what, text=""):
        under_way = self.options.folder / f".{self.name}.{what}"
        under_way.write_text(text, encoding="utf-8")
        under_way.rename(self.options.folder / f"{self.name}.{what}")

    def wait_for(self, what):
        end = time.monotonic() + DEADLINE
        while not (self.options.folder / what).exists():
            assert time.monotonic() < end, f"{what} did not come"
            time.sleep(0.002)

    def open(self, path):
        password = {"encryption_password": "password", "kdf_memory": 19 << 20, "kdf_passes": 2}
        self.store = DictSQLiteV4(
            str(path), persist_mode=self.options.mode, hot_capacity=20, flush_interval=0.01,
            **(password if self.options.encrypted else {}))

    def write(self, phase):
        for key in keys_of(self.name, phase):
            self.store[key] = key * 20
        self.store.flush()
        self.say(phase)

    def disturb(self, number):
        """What other threads do while the parent forks."""
        count = 0
        while not self.stop.is_set():
            count += 1
            self.store[f"noise.{number}.{count % 100}"] = "n" * 200
            self.store.get(f"noise.{number}.{count * 7 % 100}")

    def expect_inherited_refused(self):
        for call in (lambda: self.store["x"], lambda: self.store.clear(), lambda: len(self.store),
                     lambda: self.store.flush(), lambda: self.store.close()):
            try:
                call()
            except RuntimeError as error:
                assert "inherited by fork" in str(error), error
            else:
                raise AssertionError("a call on an inherited store was no error")

    def run_child(self, generation):
        """In a child: everything, to its end."""
        signal.alarm(DEADLINE)
        try:
            self.expect_inherited_refused()
            self.open(self.options.child_path)
            if self.options.mode != "memory":
                assert SHARED in own_locks(self.options.child_path)
                assert INDEX in own_locks(f"{self.options.child_path}-shm")
            self.write("first")
            if generation > 1:
                self.fork(generation - 1)
            self.wait_for("go")
            self.write("second")
            self.wait_for("finish")
            self.store.close()
            self.say("closed")
        except BaseException:
            self.say("error", traceback.format_exc())
        finally:
            os._exit(0)

    def fork(self, generation):
        if os.fork() == 0:
            child = Member(self.options, f"{self.name}-child")
            child.store = self.store
            child.run_child(generation)

    def run_parent(self):
        self.open(self.options.path)
        self.write("first")
        threads = [threading.Thread(target=self.disturb, args=(number,), daemon=True)
                   for number in range(self.options.threads)]
        for thread in threads:
            thread.start()
        self.fork(self.options.generations)
        if self.options.ending == "open":
            self.wait_for("go")
            self.write("second")
            self.wait_for("finish")
        else:
            self.wait_for("end")
        self.stop.set()
        for thread in threads:
            thread.join()
        self.store.close()
        self.say("closed")


def main():
    signal.alarm(DEADLINE)
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("path", type=Path)
    parser.add_argument("child_path", type=Path)
    parser.add_argument("--mode")
    parser.add_argument("--ending")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--generations", type=int)
    parser.add_argument("--encrypted", action="store_true")
    Member(parser.parse_args(), "parent").run_parent()


if __name__ == "__main__":
    main()
