# legacy_files.py - files as other programs write them, made from what is documented of them
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import ctypes
import ctypes.util
import hashlib
import os
import pickle
import sqlite3

SALT = b"DictSQLite_v4_default_salt_16b"


def seal(password: str, plain: bytes, marked: bool = False) -> bytes:
    """AES-256-GCM by nettle's own functions, which take a context that is long enough."""
    nettle = ctypes.CDLL(ctypes.util.find_library("nettle") or "libnettle.so.8")
    key = hashlib.pbkdf2_hmac("sha256", password.encode(), SALT, 100_000)
    nonce = os.urandom(12)
    context = ctypes.create_string_buffer(1 << 16)
    sealed = ctypes.create_string_buffer(len(plain) + 1)
    tag = ctypes.create_string_buffer(16)
    nettle.nettle_gcm_aes256_set_key(context, key)
    nettle.nettle_gcm_aes256_set_iv(context, ctypes.c_size_t(12), nonce)
    nettle.nettle_gcm_aes256_encrypt(context, ctypes.c_size_t(len(plain)), sealed, plain)
    nettle.nettle_gcm_aes256_digest(context, ctypes.c_size_t(16), tag)
    return (b"ENC\0" if marked else b"") + nonce + sealed.raw[: len(plain)] + tag.raw


def write_v4(path, entries, wal=False):
    """A file of DictSQLite 4.1 or 2.x."""
    connection = sqlite3.connect(path)
    if wal:
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(
        "CREATE TABLE kv_store (key TEXT PRIMARY KEY, value BLOB NOT NULL,"
        " tier TEXT DEFAULT 'cold', access_count INTEGER DEFAULT 0, last_access REAL)"
    )
    connection.executemany("INSERT INTO kv_store (key, value) VALUES (?, ?)", entries)
    connection.commit()
    return connection


def write_sqlitedict(path, entries, table="unnamed"):
    connection = sqlite3.connect(path)
    connection.execute(f'CREATE TABLE "{table}" (key TEXT PRIMARY KEY, value BLOB)')
    connection.executemany(
        f'INSERT INTO "{table}" VALUES (?, ?)',
        [(key, pickle.dumps(value, pickle.HIGHEST_PROTOCOL)) for key, value in entries.items()],
    )
    connection.commit()
    connection.close()


def write_diskcache(folder, rows):
    """`rows`: key, raw, expire_time, mode, filename, value."""
    os.makedirs(folder, exist_ok=True)
    connection = sqlite3.connect(os.path.join(folder, "cache.db"))
    connection.execute(
        "CREATE TABLE Cache (rowid INTEGER PRIMARY KEY, key BLOB, raw INTEGER, store_time REAL,"
        " expire_time REAL, access_time REAL, access_count INTEGER DEFAULT 0, tag BLOB,"
        " size INTEGER DEFAULT 0, mode INTEGER DEFAULT 0, filename TEXT, value BLOB)"
    )
    connection.executemany(
        "INSERT INTO Cache (key, raw, expire_time, mode, filename, value)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        rows,
    )
    connection.commit()
    connection.close()
