# _interrupt.py - signals' handlers while a call waits, and what they raise
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ctrl-C, and whatever else a signal's handler raises, ends a call that waits.

Python runs the handlers of signals on the main thread, between two steps of a program, and so not
while that is in the library. The library asks now and then whether the call shall go on. The answer
comes from a generator, since one that is resumed within `try` runs the handlers there: a function
would run them at its door, and PyGObject prints what is raised there and forgets it.

What was raised is kept until the library has returned, and then raised in place of the call's own
error. Where it has none, or nobody looks at that, it is raised by a pending call of the
interpreter's, wherever the program is. A function of Python's that PyGObject calls on the way is
passed over.
"""

from __future__ import annotations

import ctypes
import itertools
import sys
import threading
from collections.abc import Generator
from types import CodeType, FrameType
from typing import Any, Iterator, List, Optional

from ._dsq import ErrorCode, NativeGError, set_wait_func

_kept: List[BaseException] = []
_asked: Any = None  # a generator


class OutcomeUnknownError(OSError, RuntimeError):
    """Whether what was written lasts is not known.

    A sync has failed: the store reads, and refuses to write; open it again, and look at what it
    holds. Or the cause of what ended a call, which may take effect all the same.
    """


class _Delivery:
    """What the interpreter asks for its truth, which raises what was kept."""

    def __bool__(self) -> bool:
        if _kept:
            frame = sys._getframe(1)
            if frame.f_globals is globals() or frame.f_code is _CONVERSION:
                _ask_for_truth()  # again, later
            else:
                deliver()
        return False


_delivery = _Delivery()
# Where PyGObject makes an exception of an error.
_CONVERSION: Any = NativeGError.__init__.__code__
_add_pending_call = ctypes.pythonapi.Py_AddPendingCall
_add_pending_call.argtypes = (ctypes.c_void_p, ctypes.py_object)
_IS_TRUE = ctypes.cast(ctypes.pythonapi.PyObject_IsTrue, ctypes.c_void_p)


def _ask_for_truth() -> None:
    _add_pending_call(_IS_TRUE, _delivery)


def deliver() -> None:
    """Raise what was kept, if anything was, on the main thread."""
    if _kept and threading.current_thread() is threading.main_thread():
        error = _kept.pop()
        ended: Any = sys.exc_info()[1]  # as what the call did
        if isinstance(ended, NativeGError) and ended.code == ErrorCode.OUTCOME_UNKNOWN:
            error.__cause__ = OutcomeUnknownError(ended.message)
        error.__suppress_context__ = True
        raise error


def keep(error: BaseException) -> None:
    """Have something raised when the library has returned."""
    _kept[:] = (error,)
    _ask_for_truth()


def is_in_handler() -> bool:
    """Whether the main thread runs a handler within a call, whose store cannot be used."""
    return _asked is not None and bool(_asked.gi_running)


def find_locals(frame: Optional[FrameType], code: CodeType, name: str) -> Iterator[Any]:
    """The variable of that name in each call of `code` that `frame` is in.

    Who is in a function is told by the stack, whatever a handler raises and where; a note of it
    could be left behind, or not be made.
    """
    while frame is not None:
        if frame.f_code is code:
            yield frame.f_locals.get(name)
        frame = frame.f_back


def _new_asked() -> Generator[bool, None, None]:
    global _asked
    answers = _asked = _answers()
    return answers


def _answers() -> Generator[bool, None, None]:
    while True:
        # the outer one is for what is raised while the inner one keeps something
        try:
            while True:
                try:
                    while True:
                        yield bool(_kept)
                except GeneratorExit:
                    return
                except BaseException as error:  # noqa: B902
                    keep(error)
        except BaseException as error:  # noqa: B902
            keep(error)


def _start() -> None:
    answers = itertools.chain.from_iterable(iter(_new_asked, None))
    next(answers)  # it stands within `try`
    set_wait_func(answers.__next__)


_start()
