# _exit.py - stores that are open when the process ends
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is open at the end is closed, and so flushed, after everything else.

A handler of atexit's that was registered before the first store is called after all that could be
registered here, and threads run until then. What comes later still is the flush of sys.stdout, with
which the interpreter ends: so another stdout stands in for it as soon as the handlers begin. What
is raised there is shown by sys.unraisablehook, and makes the exit status 120: Python's own way to
say that something could not be written at exit.

A worker of multiprocessing's that was forked, or came from a fork server, ends by os._exit(). There
the same is done at the flush of stdout that comes last, or from Python 3.13 on, where handlers of
atexit run after that, at the last of multiprocessing's finalizers; and the store is left as it is.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import select
import sys
from typing import Any, Dict, List, Optional, Tuple

from ._dsq import Channel, GError, Store, set_wait_func
from ._errors import exception_of, to_exception
from ._pack import pack, unpack

# The stores of this process that are to be closed, with their paths, by the store's id.
_open: Dict[int, Tuple[Store, str]] = {}
_armed_in = 0  # the process whose end is watched


def watch(store: Store, path: str) -> None:
    """Have a store closed at the end of this process."""
    global _armed_in
    if _armed_in != os.getpid():
        _armed_in = os.getpid()
        _open.clear()  # those are the parent's
        _arm()
    _open[id(store)] = store, path


def close_dropped(store: Store, path: str, process: int) -> None:
    """Close the store of an object that goes. One inherited by fork is its parent's to close."""
    if os.getpid() != process:
        return
    _open.pop(id(store), None)
    n_entries = store.get_stats().dirty_entries
    try:
        store.close(None)
    except GError as error:
        problem = _unwritten(n_entries, path, to_exception(error, path))
        if problem is not None:
            raise problem from None  # by way of sys.unraisablehook


def _arm() -> None:
    atexit.unregister(_stand_in)
    atexit.register(_stand_in)
    util: Any = sys.modules.get("multiprocessing.util")
    if util is None:
        return
    util.Finalize(None, _last_finalizer, exitpriority=-(2**31))
    # a worker forgets what was registered before it runs, so what it has opened by then
    util.register_after_fork(_arm, _arm_again)


def _arm_again(_: Any) -> None:
    if _armed_in == os.getpid():
        _arm()


def _stand_in() -> None:
    last: Any = sys.stdout
    if not isinstance(last, _LastOutput):
        last = _LastOutput(last)
        sys.stdout = last


def _last_finalizer() -> None:
    _stand_in()
    if _is_last_of_worker(sys._getframe().f_back) and _flush_andshow():
        sys.stdout.flush()
        os._exit(1)  # which is all that was to come


class _LastOutput:
    """Stands for a stream whose last flush closes the stores."""

    closed = False

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __repr__(self) -> str:
        return "the end of dictsqlite_v4"

    def flush(self) -> None:
        if not getattr(self._stream, "closed", self._stream is None):
            self._stream.flush()
        caller = sys._getframe().f_back
        if caller is None:
            errors = _close_all()
            for error in errors[:-1]:
                show(error)
            if errors:
                raise errors[-1]
        elif _is_end_of_worker(caller) and _flush_andshow():
            sys.exit(1)  # which nobody shows


def _flush_andshow() -> bool:
    """Whether something could not be written."""
    errors = _flush_all()
    for error in errors:
        show(error)
    return bool(errors)


def _is_last_of_worker(caller: Any) -> bool:
    """Whether multiprocessing's finalizers are called by what calls os._exit() next."""
    util: Any = sys.modules["multiprocessing.util"]
    process: Any = sys.modules["multiprocessing.process"]
    while caller is not None and caller.f_code is not util._exit_function.__code__:
        caller = caller.f_back
    caller = caller and caller.f_back
    return caller is not None and caller.f_code is not process.BaseProcess._bootstrap.__code__


def _is_end_of_worker(caller: Any) -> bool:
    """Whether a worker that ends by os._exit() flushes its streams."""
    util: Any = sys.modules.get("multiprocessing.util")
    if util is None or caller.f_code is not util._flush_std_streams.__code__:
        return False
    spawn: Any = sys.modules.get("multiprocessing.spawn")
    while caller is not None:
        if spawn is not None and caller.f_code is spawn.spawn_main.__code__:
            return False
        caller = caller.f_back
    return True


def _own() -> List[Tuple[Store, str]]:
    return list(_open.values()) if _armed_in == os.getpid() else []


def _close_all() -> List[Exception]:
    """Close all at once, each of which may have to wait; what was raised."""
    set_wait_func(None)  # PyGObject enters no function any more, and leaves its answer to chance
    closing: List[Tuple[Store, str, int, Channel]] = []
    raised = []
    for store, path in _own():
        n_entries = 0
        try:
            n_entries = store.get_stats().dirty_entries
            channel = store.open_channel()
            channel.submit(pack((b"q",)))
            closing.append((store, path, n_entries, channel))
        except GError:  # it is closed already, or has no file descriptors for a channel
            try:
                store.close(None)
            except GError as error:
                raised.append(_unwritten(n_entries, path, to_exception(error, path)))
    for store, path, n_entries, channel in closing:
        poll = select.poll()
        poll.register(channel.get_fd(), select.POLLIN)
        while not (answer := channel.collect()):
            poll.poll()
        result = unpack(answer)[1]
        if result and not result[0]:
            told = exception_of(result[2] == 1, result[1], result[3:].decode(), path)
            raised.append(_unwritten(n_entries, path, told))
            # nothing waits for the same again when the object goes
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(store))
        else:
            # does nothing; a first call would fail later, where no module can be imported any more
            store.close(None)
    return list(filter(None, raised))


def _flush_all() -> List[Exception]:
    raised = []
    for store, path in _own():
        try:
            n_entries = store.get_stats().dirty_entries
            store.flush(None)
        except GError as error:
            raised.append(_unwritten(n_entries, path, to_exception(error, path)))
    return list(filter(None, raised))


def _unwritten(n_entries: int, path: str, error: Exception) -> Optional[Exception]:
    """What says of which store how much is lost; nothing where its file was deleted after all."""
    if n_entries == 0 and isinstance(error, FileNotFoundError):
        return None
    cause = error.strerror if isinstance(error, OSError) else error
    message = f"Failed to write {n_entries} entries at the end: {cause}" if n_entries else cause
    return OSError(error.errno if isinstance(error, OSError) else None, message, path)


def show(error: Exception) -> None:
    """Have sys.unraisablehook called."""
    _Raises(error)


class _Raises:
    def __init__(self, error: Exception) -> None:
        self._error = error

    def __del__(self) -> None:
        raise self._error
