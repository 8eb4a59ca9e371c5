# _errors.py - the exceptions of the package, and how the library's errors become exceptions
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Exceptions."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple, cast

from ._dsq import ErrorCode, NativeError, NativeGError
from ._interrupt import OutcomeUnknownError as OutcomeUnknownError
from ._interrupt import deliver
from ._repr import printable, short, show

if TYPE_CHECKING:
    import pickle
else:  # its part in C, without the other one in Python
    pickle = importlib.import_module("_pickle")


class FormatError(OSError):
    """The file is not a store, or is one of a later version. Choose another file."""


class CorruptError(OSError):
    """The file, or a record in it, is damaged. Restore it from a backup.

    `key` is the key whose record it was, where many were read; the message names it too unless the
    store is encrypted.
    """

    key: Any = None


class UnloadableError(pickle.UnpicklingError, ValueError):
    """A value cannot be loaded: its class is not to be had in this process, say.

    It stays as it is, to be loaded where it can be, set anew or deleted. `key` is its key, which
    the message names too unless the store is encrypted; ``__cause__`` is what unpickling it raised.
    """

    key: Any = None


class UnsafePickleError(UnloadableError):
    """A value is, or would be stored as, a pickle that safe pickle refuses.

    `module` and `qualname` name what was refused, or are None where that is not a matter of a name;
    `offset` is where in the pickle it stands, in bytes: then nothing of it was run. It is None
    where building the value failed, of which an allowed class may have run a part. `reason` says
    why; `key` is None where it would be stored.
    """

    def __init__(
        self,
        reason: str,
        module: Optional[str] = None,
        qualname: Optional[str] = None,
        offset: Optional[int] = None,
        verb: str = "load",
    ) -> None:
        self.reason, self.module, self.qualname = reason, module, qualname
        self.offset, self._verb = offset, verb
        name = "" if module is None else f" with {module}.{qualname}"
        place = "" if offset is None else f", at offset {offset}"
        super().__init__(printable(f"Refused to {verb} a pickle{name}{place}: {reason}"))

    def __reduce__(self) -> Tuple[Any, ...]:
        arguments = (self.reason, self.module, self.qualname, self.offset, self._verb)
        return type(self), arguments, {"key": self.key, "args": self.args}


class WrongPasswordError(ValueError):
    """The password is not that of the file, or is missing, or the file has none."""


class ConflictError(RuntimeError):
    """A key that a transaction had read was changed before its end. Run the transaction again."""


# What is of the process rather than of the value, which may be loaded the next time.
_PASSING = (MemoryError, RecursionError)
# Exceptions whose messages name code, where those of others may hold a part of the value.
_OF_CODE = (AttributeError, EOFError, ImportError, NameError, TypeError, pickle.UnpicklingError)


def is_of_handler(error: Exception) -> bool:
    """Whether a signal's handler raised `error`, which may be at any instant."""
    signal: Any = importlib.import_module("_signal")  # the part in C, always there, of enums none
    handlers = [signal.getsignal(number) for number in signal.valid_signals()]
    functions = [getattr(handler, "__func__", handler) for handler in handlers]
    codes = [getattr(function, "__code__", None) for function in functions]
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code in codes:
            return True
        step = step.tb_next
    return False


def unloadable(error: Exception, key: object, is_named: bool) -> UnloadableError:
    """What to raise where decoding the value of `key`, named in the message or not, raised
    `error`; raises that itself where it is not about the value.
    """
    if isinstance(error, _PASSING) or is_of_handler(error):
        raise error
    if isinstance(error, UnloadableError):
        problem, reason = error, error.args[0]
    else:
        problem, reason = UnloadableError(), type(error).__name__
        problem.__cause__ = error
        if isinstance(error, _OF_CODE):
            reason = f"{reason}: {printable(short(str, error))}"
    problem.key = key
    name = f"of {short(show, key)}" if is_named else "of a key"
    problem.args = (f"Failed to load the value {name}: {reason}",)
    return problem


def unreadable(record: bytes, key: object, is_named: bool, path: str) -> CorruptError:
    """What to raise for the value of `key`, where `record` tells that its row is damaged."""
    name = short(repr, key) if is_named else "a key"
    reason = record[3:].decode()
    problem = CorruptError(errno.EBADMSG, f"Failed to load the value of {name}: {reason}", path)
    problem.key = key
    return problem


_DOMAIN = "dsq-error-quark"
_NOT_CONVERTED = "Converting the GError failed"


def _is_own(error: NativeError) -> bool:
    return isinstance(error, NativeGError) and error.domain == _DOMAIN


def is_no_key(error: Exception) -> bool:
    """Whether `error`, a ``GLib.Error``, says that what was looked for cannot be a key."""
    native = cast(NativeError, error)
    return _is_own(native) and native.code == ErrorCode.INVALID_KEY


def is_no_table(error: Exception) -> bool:
    """Whether `error`, a ``GLib.Error``, says that the table was dropped."""
    native = cast(NativeError, error)
    return _is_own(native) and native.code == ErrorCode.NO_TABLE


def hides_order(error: Exception) -> bool:
    """Whether `error`, a ``GLib.Error``, says that the file does not show the order of keys."""
    native = cast(NativeError, error)
    return _is_own(native) and native.code == ErrorCode.ENCRYPTED


def is_other_value(error: Exception) -> bool:
    """Whether `error`, a ``GLib.Error``, says that a value is not what the call can work on."""
    native = cast(NativeError, error)
    others = (ErrorCode.WRONG_TYPE, ErrorCode.INVALID_VALUE)
    return _is_own(native) and native.code in others


_ERRNO: Dict[int, int] = {
    ErrorCode.IO: errno.EIO,
    ErrorCode.NO_SPACE: errno.ENOSPC,
    ErrorCode.READ_ONLY: errno.EROFS,
    ErrorCode.NOT_FOUND: errno.ENOENT,
    ErrorCode.PERMISSION: errno.EACCES,
    ErrorCode.BUSY: errno.EBUSY,
    ErrorCode.EXISTS: errno.EEXIST,
    ErrorCode.NAME_TOO_LONG: errno.ENAMETOOLONG,
    ErrorCode.TOO_MANY_FILES: errno.EMFILE,
    ErrorCode.TOO_LARGE: errno.EFBIG,
    ErrorCode.NOT_SUPPORTED: errno.EOPNOTSUPP,
}


_VALUE_ERRORS = (
    ErrorCode.INVALID_ARGUMENT,
    ErrorCode.INVALID_KEY,
    ErrorCode.INVALID_VALUE,
    ErrorCode.TOO_COSTLY,
)


def to_exception(error: Exception, path: str) -> Exception:
    """The exception to raise for `error`, a ``GLib.Error`` of the store at `path`.

    Raise it ``from None``: the ``GLib.Error`` says nothing more. What is none, and so not the
    library's, is to be raised as it is; but for what PyGObject raises where a signal's handler
    raised while it made one. It has printed that, and the interpreter keeps it. What a handler has
    raised meanwhile, which has ended the call, is raised here.
    """
    deliver()
    if not isinstance(error, NativeGError):
        raised: Any = sys.last_value if str(error) == _NOT_CONVERTED else error
        return cast(Exception, raised)
    native = cast(NativeError, error)
    return exception_of(native.domain == _DOMAIN, native.code, native.message, path)


def exception_of(is_own: bool, code: int, message: str, path: str) -> Exception:
    """The exception to raise for an error, of the library's own domain or of another."""
    if code != ErrorCode.WRONG_PASSWORD:
        message = message.removeprefix(f"{path}: ")  # which an OSError shows by itself
    if not is_own:
        return OSError(errno.EIO, message, path)
    if code == ErrorCode.CLOSED:
        return RuntimeError("store is closed")
    if code == ErrorCode.CONFLICT:
        return ConflictError(message)
    if code == ErrorCode.OUTCOME_UNKNOWN:
        return OutcomeUnknownError(errno.EIO, message, path)
    if code == ErrorCode.CHANGED:
        return RuntimeError("dictionary changed size during iteration")
    if code == ErrorCode.NO_TABLE:
        return RuntimeError("table is dropped")
    if code in _ERRNO:
        return OSError(_ERRNO[code], message, path)
    if code == ErrorCode.NOT_REGULAR:
        return OSError(errno.EISDIR if os.path.isdir(path) else errno.EINVAL, message, path)
    if code == ErrorCode.FORMAT:
        return FormatError(errno.EINVAL, message, path)
    if code == ErrorCode.CORRUPT:
        return CorruptError(errno.EBADMSG, message, path)
    if code in (ErrorCode.WRONG_PASSWORD, ErrorCode.ENCRYPTED, ErrorCode.NOT_ENCRYPTED):
        return WrongPasswordError(message)
    # Keys are encoded by this package and well-formed, so a refused one is too long.
    if code in _VALUE_ERRORS:
        return ValueError(message)
    if code == ErrorCode.WRONG_TYPE:
        return TypeError(message)
    return RuntimeError(message)
