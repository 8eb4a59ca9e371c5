# _dsq.py - the one module that meets PyGObject: the native library, with types
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The native library Dsq as this package calls it.

PyGObject has no type stubs, so everything taken from it is given a type here, once.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from typing import TYPE_CHECKING, Any, Callable, List, Optional, Tuple, Type

if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object  # whose classes are made faster


class NativeError(Protocol):
    """What is read of a ``GLib.Error``."""

    domain: str
    code: int
    message: str


class Scan(Protocol):
    """``Dsq.Scan``: a walk over the keys in order. A pack without items is its end."""

    def next_texts_pack(self, max_entries: int, keys_only: bool) -> bytes:
        """The next keys, as a pack; or key, record, key, record, ..."""

    def next_key_pack(self) -> bytes:
        """The next key, as a pack."""

    def check(self, n_used: int) -> int:
        """Whether the last batch is still current, of which `n_used` entries were used.

        If not, the scan stands behind the last one used, and the rest must be fetched again.
        """


class Cursor(Protocol):
    """``Dsq.Cursor``: the same, for a channel."""


class Channel(Protocol):
    """``Dsq.Channel``: batches of operations, and a descriptor that tells when they are done."""

    def get_fd(self) -> int: ...
    def submit(self, operations: bytes) -> int: ...
    def submit_walk(self, cursor: Cursor, max_entries: int, keys_only: bool) -> int: ...
    def collect(self) -> bytes: ...


class NativeWatch(Protocol):
    """``Dsq.Watch``: what changes, and a descriptor that tells when there is something."""

    def get_fd(self) -> int: ...

    def take(self) -> Tuple[bytes, bool]:
        """The pack of the keys, or b"" for all of them, and whether nothing more will come."""


class Stats(Protocol):
    """``Dsq.Stats``: read by field name."""

    def __getattr__(self, name: str) -> Any: ...


class Store(Protocol):
    """``Dsq.Store``: keys and records are encoded bytes, and an empty record means missing.

    What is passed as str must not hold U+0000, at which PyGObject cuts it without a word. Answers
    are 1 and 0.
    """

    def init(self, cancellable: Any) -> bool: ...
    def get_record(self, key: bytes) -> bytes: ...
    def get_text(self, key: str) -> bytes: ...
    def get_stamped_text(self, key: str) -> bytes: ...
    def get_stamped_string(self, key: str) -> Tuple[int, Optional[str]]: ...
    def map_words(self) -> Tuple[int, int]: ...
    def set_text(self, text: str) -> int: ...
    def set_stamped_text(self, key: str, record: bytes) -> int: ...
    def contains_text(self, key: str) -> int: ...
    def remove_text(self, key: str) -> int: ...
    def set_record(self, key: bytes, record: bytes) -> bool: ...
    def contains_key(self, key: bytes) -> int: ...
    def remove_key(self, key: bytes) -> int: ...
    def get_last_pack(self) -> bytes: ...
    def set_expiring_record(self, key: bytes, record: bytes, milliseconds: int) -> bool: ...
    def touch_key(self, key: bytes, milliseconds: int) -> int: ...
    def get_expiry_key(self, key: bytes) -> int: ...
    def expire(self, cancellable: None) -> int: ...
    def set_property(self, name: str, value: int) -> None: ...
    def get_pack(self, keys: bytes) -> bytes: ...
    def set_pack(self, entries: bytes) -> bool: ...
    def apply_pack(
        self, expected: bytes, changes: bytes, clears: bool, times: Optional[List[int]]
    ) -> int: ...
    def increment_key(self, key: bytes, delta: int, initial: int) -> Tuple[bool, int]: ...
    def compare_and_set_record(
        self, key: bytes, expected: bytes, record: bytes, keeps_expiry: bool
    ) -> int: ...
    def clear(self, cancellable: None) -> bool: ...
    def count(self, cancellable: None) -> int: ...
    def walk(self, order: Any) -> Cursor: ...
    def walk_pack(self, backwards: bool) -> Scan: ...
    def get_table_utf8(self, name: bytes) -> Store: ...
    def list_tables_pack(self) -> bytes: ...
    def drop_table_utf8(self, name: bytes) -> int: ...
    def flush(self, cancellable: Any) -> bool: ...
    def change_password(self, old: Any, new: Any, cancellable: Any) -> bool: ...
    def copy(
        self, path: bytes, form: Any, password: Any, cancellable: Any, progress: Any
    ) -> bool: ...
    def get_stats(self) -> Stats: ...
    # These answer from memory only: b"\0", 0 or -1 is for what would have to wait.
    def peek_stamped_string(self, key: str) -> Tuple[int, Optional[str]]: ...
    def peek_text(self, key: str) -> bytes: ...
    def peek_record(self, key: bytes) -> bytes: ...
    def peek_pack(self, keys: bytes) -> bytes: ...
    def try_set_text(self, text: str) -> int: ...
    def try_set_record(self, key: bytes, record: bytes) -> int: ...
    def try_set_pack(self, entries: bytes) -> int: ...
    def try_contains_key(self, key: bytes) -> int: ...
    def try_remove_key(self, key: bytes) -> int: ...
    def try_count(self) -> int: ...
    def open_channel(self) -> Channel: ...
    def watch_utf8(self, prefix: bytes) -> NativeWatch: ...
    def check(self, cancellable: Any) -> Optional[List[str]]: ...
    def list_keys_pack(
        self, prefix: bytes, start: bytes, max_keys: int, may_be_texts: bool
    ) -> bytes: ...
    def begin(self) -> Store: ...  # with commit() and rollback() besides
    def close(self, cancellable: Any) -> bool: ...
    def is_closed(self) -> bool: ...


def _find_library(gi: Any) -> None:
    """Have the install that this package is part of looked into first, if it is part of one."""
    try:
        paths: Any = importlib.import_module(f"{__package__}._paths")
    except ModuleNotFoundError:
        return  # uninstalled: the environment says where the library is
    if not os.path.isdir(paths.TYPELIB_DIR):
        return
    repository: Any = gi.Repository.get_default()
    if not hasattr(repository, "prepend_search_path"):  # before PyGObject 3.52
        gi.require_version("GIRepository", "2.0")
        repository = importlib.import_module("gi.repository.GIRepository").Repository
    repository.prepend_search_path(paths.TYPELIB_DIR)
    repository.prepend_library_path(paths.LIBRARY_DIR)


def _load() -> Tuple[Any, Any, Any]:
    """The namespaces Dsq (of the install that this package is part of, else the system's), GLib
    and Gio."""
    try:
        gi: Any = importlib.import_module("gi")
    except ModuleNotFoundError as error:
        raise ImportError(
            f"dictsqlite_v4 needs PyGObject, which {sys.executable} does not find: install "
            "Debian's python3-gi and use /usr/bin/python3, or 'pip install PyGObject' here",
            name="gi",
        ) from error
    with warnings.catch_warnings():
        # PyGObject's importer is of the kind that Python warns of, which -W error makes fatal.
        warnings.simplefilter("ignore", ImportWarning)
        _find_library(gi)
        try:
            gi.require_version("Dsq", "1.0")
            dsq = importlib.import_module("gi.repository.Dsq")
        except (ValueError, ImportError) as error:
            raise ImportError(
                f"dictsqlite_v4 in {os.path.dirname(__file__)} does not find the library dictsqlite"
                f" ({error}): install it, or have GI_TYPELIB_PATH name the folder of "
                "Dsq-1.0.typelib and LD_LIBRARY_PATH that of libdictsqlite-1.so.0",
                name="gi.repository.Dsq",
            ) from error
        return (
            dsq,
            importlib.import_module("gi.repository.GLib"),
            importlib.import_module("gi.repository.Gio"),
        )


_Dsq, _GLib, _Gio = _load()

# PyGObject makes a class when it is first asked for, and another thread may see it half made. So
# all that calls give are asked for here.
for _name in ("Store", "Stats", "Cursor", "Scan", "Channel", "Transaction", "Watch"):
    getattr(_Dsq, _name)

NativeGError: Any = _GLib.Error
# What is raised for an error of the library: a GLib.Error. Where a signal's handler raises while
# PyGObject makes one of those, it is a RuntimeError that says nothing; see to_exception().
GError: Type[Exception] = RuntimeError
ErrorCode: Any = _Dsq.Error
FORWARD: Any = _Dsq.WalkOrder.FORWARD
NEVER: int = _Dsq.NEVER
N_WORDS: int = _Dsq.N_WORDS
WORD_WALKS: int = _Dsq.WORD_WALKS
WORD_ASKS: int = _Dsq.WORD_ASKS
WORD_UNTIL: int = _Dsq.WORD_UNTIL
WORD_LIVE: int = _Dsq.WORD_LIVE
VERSION = f"{_Dsq.MAJOR_VERSION}.{_Dsq.MINOR_VERSION}.{_Dsq.MICRO_VERSION}"
COPY_SAME: Any = _Dsq.CopyForm.SAME
COPY_ENCRYPTED: Any = _Dsq.CopyForm.ENCRYPTED
COPY_PLAIN: Any = _Dsq.CopyForm.PLAIN
COPY_NEW_KEYS: Any = _Dsq.CopyForm.NEW_KEYS

PERSIST_MODES = {
    "memory": _Dsq.PersistMode.MEMORY,
    "lazy": _Dsq.PersistMode.LAZY,
    "writethrough": _Dsq.PersistMode.WRITETHROUGH,
}
DURABILITIES = {"normal": _Dsq.Durability.NORMAL, "full": _Dsq.Durability.FULL}


def migrate_derive_v4_key(password: str) -> bytes:
    """The key that DictSQLite 2.x and 4.1 made of a password."""
    if "\0" in password:
        raise ValueError("a password with U+0000 cannot be used for an import")
    return _Dsq.migrate_derive_v4_key(password)  # type: ignore[no-any-return]


def migrate_unseal_v4(key: bytes, sealed: bytes) -> bytes:
    """The value in `sealed`: nonce, ciphertext and tag; raises ``GLib.Error``."""
    return _Dsq.migrate_unseal_v4(key, sealed)  # type: ignore[no-any-return]


def create_store(
    path: bytes, text: Optional[str], password: Optional[bytes], **properties: Any
) -> Store:
    """A store that init() will open, which raises ``GLib.Error``.

    `text` is the path as UTF-8 says it, or None for a file name that is not UTF-8: that travels
    as a ``Gio.File`` made of the bytes in `path`.
    """
    if text is None:
        properties["file"] = _Gio.File.new_for_path(path)
    else:
        properties["path"] = text
    if password is not None:
        properties["password_bytes"] = as_bytes(password)
    store = _Dsq.Store(**properties)
    return store  # type: ignore[no-any-return]


# What a pickle would import and call, as Dsq.pickle_check() documents it; b'' for plain data.
# Raises ``GLib.Error`` for what is refused whatever it imports.
check_pickle: Callable[[bytes], bytes] = _Dsq.pickle_check
def rekey_file(
    path: bytes, old: Any, new: Any, kdf_limit: int, cancellable: Any, progress: Any
) -> None:
    """Write an encrypted file anew; raises ``GLib.Error``."""
    _Dsq.Store.rekey_file(path, old, new, kdf_limit, cancellable, progress)


def set_wait_func(func: Optional[Callable[[], bool]]) -> None:
    """Have `func` asked, while a call of the main thread waits, whether it shall end; None: none.

    It must be a function in C. The other kind runs the handlers of signals at its door, where what
    they raise is lost.
    """
    _Dsq.set_wait_func(func)


def new_cancellable() -> Any:
    """A ``Gio.Cancellable``."""
    return _Gio.Cancellable()


def as_bytes(data: bytes) -> Any:
    """A ``GLib.Bytes``."""
    return _GLib.Bytes(data)


def unpack_variant(payload: bytes) -> Any:
    """The plain value in the serialised form, little-endian, of a variant that holds it."""
    boxed = _GLib.Variant.new_from_bytes(_GLib.VariantType("v"), _GLib.Bytes(payload), False)
    if sys.byteorder == "big":
        boxed = boxed.byteswap()
    return boxed.get_variant().unpack()
