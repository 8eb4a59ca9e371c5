# _errors.py - the exceptions of the package, and how the library's errors become exceptions
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Exceptions."""

from __future__ import annotations

import errno
import os
import pickle
from typing import Any, Dict, Optional, Tuple, cast

from ._dsq import ErrorCode, NativeError


class FormatError(OSError):
    """The file is not a store, or is one of a later version. Choose another file."""


class CorruptError(OSError):
    """The file, or a record in it, is damaged. Restore it from a backup."""


class UnsafePickleError(pickle.UnpicklingError, ValueError):
    """A value is, or would be stored as, a pickle that safe pickle refuses.

    Nothing of it was run. `module` and `qualname` name what was refused, or are None where that is
    not a matter of a name; `offset` is where in the pickle it stands, in bytes, or None; `reason`
    says why.
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
        super().__init__(f"Refused to {verb} a pickle{name}{place}: {reason}")

    def __reduce__(self) -> Tuple[Any, ...]:
        arguments = (self.reason, self.module, self.qualname, self.offset, self._verb)
        return type(self), arguments


class WrongPasswordError(ValueError):
    """The password is not that of the file, or is missing, or the file has none."""


class ConflictError(RuntimeError):
    """A key that a transaction had read was changed before its end. Run the transaction again."""


_DOMAIN = "dsq-error-quark"


def hides_order(error: Exception) -> bool:
    """Whether `error`, a ``GLib.Error``, says that the file does not show the order of keys."""
    native = cast(NativeError, error)
    return native.domain == _DOMAIN and native.code == ErrorCode.ENCRYPTED


def is_other_value(error: Exception) -> bool:
    """Whether `error`, a ``GLib.Error``, says that a value is not what the call can work on."""
    native = cast(NativeError, error)
    others = (ErrorCode.WRONG_TYPE, ErrorCode.INVALID_VALUE)
    return native.domain == _DOMAIN and native.code in others


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
}


def to_exception(error: Exception, path: str) -> Exception:
    """The exception to raise for `error`, a ``GLib.Error`` of the store at `path`.

    Raise it ``from None``: the ``GLib.Error`` says nothing more.
    """
    native = cast(NativeError, error)
    return exception_of(native.domain == _DOMAIN, native.code, native.message, path)


def exception_of(is_own: bool, code: int, message: str, path: str) -> Exception:
    """The exception to raise for an error, of the library's own domain or of another."""
    if not is_own:
        return OSError(errno.EIO, message, path)
    if code == ErrorCode.CLOSED:
        return RuntimeError("store is closed")
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
    if code in (ErrorCode.INVALID_ARGUMENT, ErrorCode.INVALID_KEY, ErrorCode.INVALID_VALUE):
        return ValueError(message)
    if code == ErrorCode.WRONG_TYPE:
        return TypeError(message)
    return RuntimeError(message)
