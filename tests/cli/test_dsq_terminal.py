# test_dsq_terminal.py - dsq at a terminal, and ended by signals
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import subprocess
import termios
import time

import pytest

from dictsqlite_v4 import DictSQLiteV4
from program import DSQ, PASSWORD, ok


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


class Terminal:
    """A process whose controlling terminal is ours."""

    def __init__(self, *words, **streams):
        self.master, slave = pty.openpty()
        self.slave = slave
        self.shown = b""

        def take():
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            [DSQ, *map(str, words)], start_new_session=True, preexec_fn=take,
            **{"stdin": slave, "stdout": slave, "stderr": slave, **streams})

    def wait_for(self, text):
        deadline = time.monotonic() + 60
        while text not in self.shown:
            ready, _, _ = select.select([self.master], [], [], deadline - time.monotonic())
            assert ready, (text, self.shown)
            self.shown += os.read(self.master, 4096)

    def type(self, text):
        os.write(self.master, text)

    def end(self):
        """The exit status, when all that is shown has been read."""
        status = self.process.wait(60)
        os.close(self.slave)
        while True:
            try:
                data = os.read(self.master, 4096)
            except OSError:
                break
            if not data:
                break
            self.shown += data
        os.close(self.master)
        return status


def echoes(terminal):
    return bool(termios.tcgetattr(terminal.master)[3] & termios.ECHO)


def test_a_password_is_asked_for_and_not_shown(path):
    ok("set", path, "k", "v", "--password-fd", "0", input="secret")
    terminal = Terminal("get", path, "k")
    terminal.wait_for(f"Password of {path}: ".encode())
    assert not echoes(terminal)
    terminal.type(b"secret\n")
    terminal.wait_for(b"v\r\n")
    assert echoes(terminal)
    assert terminal.end() == 0
    assert b"secret" not in terminal.shown


def test_it_is_asked_for_though_standard_input_is_data(path):
    ok("set", path, "k", "v", "--password-fd", "0", input="secret")
    terminal = Terminal("load", path, stdin=subprocess.PIPE)
    terminal.process.stdin.write(b'{"key":"k","value":"new"}\n')
    terminal.process.stdin.close()
    terminal.wait_for(b"Password of")
    terminal.type(b"secret\n")
    terminal.wait_for(b"1 entry loaded")
    assert terminal.end() == 0
    assert ok("get", path, "k", "--password-fd", "0", input="secret").out == "new\n"


def test_a_new_password_is_asked_for_twice(tmp_path, path):
    ok("set", path, "k", "v")
    for again, status in ((b"other\n", PASSWORD), (b"secret\n", 0)):
        terminal = Terminal("encrypt", path, tmp_path / "secret.db")
        terminal.wait_for(b"Password for")
        terminal.type(b"secret\n")
        terminal.wait_for(b"(again): ")
        terminal.type(again)
        assert terminal.end() == status, terminal.shown
        assert (b"not the same" in terminal.shown) == bool(status)
        assert (tmp_path / "secret.db").exists() == (status == 0)


def test_ctrl_c_at_the_question(path):
    ok("set", path, "k", "v", "--password-fd", "0", input="secret")
    terminal = Terminal("get", path, "k")
    terminal.wait_for(b"Password of")
    terminal.type(b"sec\x03")
    terminal.wait_for(b"interrupted")
    assert echoes(terminal)
    assert terminal.end() == 130


def lines(count):
    return b"".join(b'{"key":"key %d","value":%d}\n' % (number, number) for number in range(count))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_load_that_is_ended_tells_what_is_loaded(path, number):
    with subprocess.Popen([DSQ, "load", path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        process.stdin.write(lines(5000) + b'{"key":')
        process.stdin.flush()
        while not path.exists():
            time.sleep(0.01)
        time.sleep(0.3)
        for _ in range(3):  # as timeout does
            process.send_signal(number)
            time.sleep(0.001)
        assert process.wait(60) == 128 + number
        assert process.stdout.read() == b""
        message = process.stderr.read().decode()
    keys = ok("keys", path).lines
    assert message == f"dsq: interrupted; {len(keys):,} entries loaded before that\n"
    assert keys == [f"key {number}" for number in range(len(keys))]
    assert ok("check", path).out == ""


@pytest.mark.parametrize("words", [
    ("encrypt", "--new-password-env", "P"), ("backup",), ("compact",), ("copy",), ("salvage",),
])
def test_copies_that_are_ended(tmp_path, path, words):
    """A file that is whole when it appears does not appear; another says how much is in it."""
    with DictSQLiteV4(path, persist_mode="lazy") as db:
        db.update({number: "v" * 100 for number in range(200_000)})
    new = tmp_path / "new.db"
    environment = {**os.environ, "P": "secret"}
    statuses = []
    for delay in (0.0, 0.01, 0.05, 0.1, 0.2):
        with subprocess.Popen([DSQ, *words, path, new], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=environment) as process:
            time.sleep(delay)
            process.send_signal(signal.SIGINT)
            statuses.append(process.wait(60))
            message = process.stderr.read().decode()
        if statuses[-1] == 130 and "before that" in message:
            count = int(message.split()[2].replace(",", ""))
            assert len(ok("keys", new).lines) == count
        elif statuses[-1] == 130:
            assert message == "dsq: interrupted\n"
            # that of copy and salvage may have been made already
            assert not new.exists() or (words[0] in ("copy", "salvage") and
                                        ok("keys", new).lines == [])
        else:  # before it could look, or after it was done
            assert statuses[-1] in (-signal.SIGINT, 0), message
        for name in os.listdir(tmp_path):
            if name.startswith("new"):
                (tmp_path / name).unlink()
    assert 130 in statuses
    assert ok("check", path).out == ""


@pytest.mark.parametrize("words", [("dump",), ("keys",), ("list", "-j")])
def test_ctrl_c_while_nobody_reads(path, words):
    with DictSQLiteV4(path) as db:
        db.update({number: "v" * 100 for number in range(20_000)})
    with subprocess.Popen([DSQ, *words, path], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        assert process.stdout.read(100)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr.read().decode().startswith("dsq: ")


def test_ctrl_c_while_a_value_is_read(tmp_path):
    with subprocess.Popen([DSQ, "set", tmp_path / "new.db", "k"], stdin=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        process.stdin.write(b"half of it")
        process.stdin.flush()
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr.read() == b"dsq: interrupted\n"
    assert os.listdir(tmp_path) == []


def test_an_ignored_signal_stays_ignored(path):
    with subprocess.Popen([DSQ, "load", path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
                          restore_signals=False) as process:
        while not path.exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGHUP)
        out, _ = process.communicate(lines(10), timeout=60)
        assert process.returncode == 0 and out == b"10 entries loaded\n"


def test_progress_is_shown_at_a_terminal_and_taken_away(path):
    terminal = Terminal("load", path, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for _ in range(8):
        terminal.process.stdin.write(lines(2000))
        terminal.process.stdin.flush()
        time.sleep(0.1)
    terminal.wait_for(b" bytes\x1b[K")
    terminal.process.stdin.close()
    with terminal.process.stdout as out:
        assert out.read() == b"16,000 entries loaded\n"
    assert terminal.end() == 0
    assert terminal.shown.endswith(b"\r\x1b[K")


def test_a_bar_where_the_size_is_known(tmp_path, path):
    source = tmp_path / "lines"
    source.write_bytes(lines(150_000))
    terminal = Terminal("load", path, source, stdout=subprocess.DEVNULL)
    assert terminal.end() == 0
    assert b"\r[#" in terminal.shown and b"%  " in terminal.shown
