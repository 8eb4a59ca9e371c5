# format_sealed.py - a reader and a writer of encrypted stores, from docs/on-disk-format.md alone
# SPDX-License-Identifier: LGPL-2.1-or-later
"""By ctypes on libnettle (AES-GCM) and libargon2; HMAC and HKDF by Python's own. Shares no code
with the library, so that the two can be held against each other."""

from __future__ import annotations

import ctypes
import hmac
import os
import sqlite3
import struct
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

from format_reader import SCHEMA, Reader, Row, crc32c, need, read_body, read_key, take_header
from format_writer import Writer, write_body, write_key

_nettle = ctypes.CDLL("libnettle.so.8")
_argon2 = ctypes.CDLL("libargon2.so.1")
_size = ctypes.c_size_t


# --- what the format is made of -------------------------------------------------------------------


def hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """HKDF-SHA256, 32 bytes of it: one block."""
    key = hmac.digest(salt or bytes(32), secret, "sha256")
    return hmac.digest(key, info + b"\1", "sha256")


def argon2id(password: bytes, salt: bytes, memory: int, passes: int, lanes: int) -> bytes:
    out = ctypes.create_string_buffer(32)
    code = _argon2.argon2id_hash_raw(
        passes, memory, lanes, password, _size(len(password)), salt, _size(len(salt)), out,
        _size(32),
    )
    need(code == 0, "Argon2id failed")
    return out.raw


def _aes(key: bytes, blocks: bytes) -> bytes:
    context = ctypes.create_string_buffer(1024)
    out = ctypes.create_string_buffer(len(blocks))
    _nettle.nettle_aes256_set_encrypt_key(context, key)
    _nettle.nettle_aes256_encrypt(context, _size(len(blocks)), out, blocks)
    return out.raw


def _gcm(key: bytes, nonce: bytes, aad: bytes, data: bytes, way: str) -> Tuple[bytes, bytes]:
    context = ctypes.create_string_buffer(8192 + 16)
    aligned = ctypes.c_void_p(ctypes.addressof(context) + 15 & ~15)
    out = ctypes.create_string_buffer(len(data) + 1)
    tag = ctypes.create_string_buffer(16)
    _nettle.nettle_gcm_aes256_set_key(aligned, key)
    _nettle.nettle_gcm_aes256_set_iv(aligned, _size(12), nonce)
    _nettle.nettle_gcm_aes256_update(aligned, _size(len(aad)), aad)
    getattr(_nettle, f"nettle_gcm_aes256_{way}")(aligned, _size(len(data)), out, data)
    _nettle.nettle_gcm_aes256_digest(aligned, _size(16), tag)
    return out.raw[: len(data)], tag.raw


def _derive(key: bytes, prefix: bytes) -> bytes:
    """XAES-256-GCM's key for a nonce that begins with `prefix`."""
    block = int.from_bytes(_aes(key, bytes(16)), "big") << 1
    subkey = (block & (1 << 128) - 1) ^ (0x87 if block >> 128 else 0)
    messages = [int.from_bytes(bytes([0, i, 0x58, 0]) + prefix, "big") for i in (1, 2)]
    return _aes(key, b"".join((message ^ subkey).to_bytes(16, "big") for message in messages))


def seal(key: bytes, aad: bytes, plain: bytes, nonce: Optional[bytes] = None) -> bytes:
    nonce = nonce or os.urandom(24)
    sealed, tag = _gcm(_derive(key, nonce[:12]), nonce[12:], aad, plain, "encrypt")
    return nonce + sealed + tag


def unseal(key: bytes, aad: bytes, sealed: bytes) -> bytes:
    need(len(sealed) >= 40, "something sealed is too short")
    nonce, body, tag = sealed[:24], sealed[24:-16], sealed[-16:]
    plain, expected = _gcm(_derive(key, nonce[:12]), nonce[12:], aad, body, "decrypt")
    need(hmac.compare_digest(tag, expected), "something sealed was damaged or tampered with")
    return plain


# --- a store's keys -------------------------------------------------------------------------------


class Keys:
    """What the header and the password give."""

    def __init__(self, store_id: bytes, data_key: bytes):
        self.store_id = store_id
        self.token_key, self.name_key, self.value_key = (
            hkdf(data_key, store_id, b"dsq1 " + purpose)
            for purpose in (b"token", b"name", b"value")
        )

    def token(self, table: int, mark: bytes, key: bytes) -> bytes:
        return hmac.digest(self.token_key, struct.pack("<I", table) + mark + key, "sha256")[:16]

    def aad(self, purpose: bytes, table: int, mark: bytes, token: bytes) -> bytes:
        return purpose + b"\2" + self.store_id + struct.pack("<I", table) + mark + token

    def seal_mark(self, table: int, mark: bytes, nonce: Optional[bytes] = None) -> bytes:
        return b"\2" + seal(self.name_key, self.aad(b"dsq1m", table, b"", b""), mark, nonce)

    def unseal_mark(self, table: int, column: bytes) -> bytes:
        need(len(column) == 57 and column[:1] == b"\2", "not a mark of version 2")
        return unseal(self.name_key, self.aad(b"dsq1m", table, b"", b""), column[1:])


def unlock(header: bytes, password: bytes) -> Keys:
    need(header[:6] == b"DSQ1\2\1" and len(header) == 164, "not an encrypted header of version 2")
    need(crc32c(header[:160]) == int.from_bytes(header[160:], "little"), "a header's checksum")
    need(header[6:8] == b"\0\0" and header[24:28] == b"\1\0\0\0", "a header's reserved bytes")
    memory, passes, lanes = struct.unpack("<III", header[28:40])
    need(19456 <= memory <= 1 << 20 and 2 <= passes <= 16 and 1 <= lanes <= 16, "absurd costs")
    store_id, salt = header[8:24], header[40:56]
    password_key = argon2id(password, salt, memory, passes, lanes)
    header_key = hkdf(password_key, b"", b"dsq1 header" + store_id)
    mac = hmac.digest(header_key, header[:128], "sha256")
    need(hmac.compare_digest(mac, header[128:160]), "a wrong password")
    wrap_key = hkdf(password_key, b"", b"dsq1 wrap" + store_id)
    return Keys(store_id, unseal(wrap_key, header[:56], header[56:128]))


def lock(store_id: bytes, data_key: bytes, password: bytes, salt: bytes, nonce: bytes) -> bytes:
    """A header, of the least work."""
    head = b"DSQ1\2\1\0\0" + store_id + b"\1\0\0\0" + struct.pack("<III", 19456, 2, 1) + salt
    password_key = argon2id(password, salt, 19456, 2, 1)
    wrap_key = hkdf(password_key, b"", b"dsq1 wrap" + store_id)
    header = head + seal(wrap_key, head, data_key, nonce)
    header_key = hkdf(password_key, b"", b"dsq1 header" + store_id)
    header += hmac.digest(header_key, header, "sha256")
    return header + struct.pack("<I", crc32c(header))


# --- the file -------------------------------------------------------------------------------------


class SealedReader(Reader):
    """An encrypted store, or a table of it, open for reading."""

    def __init__(self, path: Path, password: str, name: Optional[str] = None):
        self.password = password.encode()
        super().__init__(path, name)
        self.sealed_keys: Dict[bytes, bytes] = dict(
            self.database.execute(
                "SELECT token, name FROM entry WHERE table_id = ?", (self.table,)
            )
        )

    def _read_header(self) -> bytes:
        ((column,),) = self.database.execute("SELECT header FROM store")
        self.keys = unlock(take_header(column), self.password)
        return self.keys.store_id

    def _read_mark(self, table: int, token: bytes, column: bytes) -> bytes:
        return self.keys.unseal_mark(table, column)

    def _read_name(self, table: int, token: bytes, name: Optional[bytes], mark: bytes) -> str:
        if table == 1:
            need(name is None, "a name of the first table")
            return ""
        need(name is not None and name[:1] == b"\2", "not a name of version 2")
        keys = self.keys
        plain = unseal(keys.name_key, keys.aad(b"dsq1t", table, mark, token), (name or b"")[1:])
        need(keys.token(0, b"", plain) == token, "a token that is not the name's")
        return plain.decode()

    def read_row(self, row: Row) -> Tuple[Any, Any]:
        need(row.place >> 40 == row.table == self.table, "a row of another table")
        name, keys = self.sealed_keys[row.token], self.keys
        need(name[:1] == row.value[:1] == b"\2", "a column of another version")
        place = (row.table, self.mark, row.token)
        key = unseal(keys.name_key, keys.aad(b"dsq1n", *place), name[1:])
        need(keys.token(row.table, self.mark, key) == row.token, "a token that is not the key's")
        body = unseal(keys.value_key, keys.aad(b"dsq1v", *place), row.value[1:])
        return read_key(key), read_body(body, row.expires)


def create(path: Path, password: str) -> None:
    """Make an empty encrypted store."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
    header = lock(*(os.urandom(n) for n in (16, 32)), password.encode(), *map(os.urandom, (16, 24)))
    database = sqlite3.connect(path)
    for statement in SCHEMA:
        database.execute(statement)
    database.execute("INSERT INTO store VALUES (1, ?)", (header,))
    mark = unlock(header, password.encode()).seal_mark(1, os.urandom(16))
    database.execute("INSERT INTO tables VALUES (1, x'', NULL, ?, 1, 0)", (mark,))
    database.execute("PRAGMA application_id = 0x44535131")
    database.execute("PRAGMA user_version = 2")
    database.commit()
    database.execute("PRAGMA journal_mode = WAL")
    database.close()


class SealedWriter(Writer):
    """An encrypted store, open for writing; each call is one transaction."""

    def __init__(self, path: Path, password: str):
        super().__init__(path)
        ((header,),) = self.database.execute("SELECT header FROM store")
        ((column,),) = self.database.execute("SELECT mark FROM tables WHERE id = 1")
        self.keys = unlock(take_header(header), password.encode())
        self.mark = self.keys.unseal_mark(1, column)

    def put_record(
        self, key: bytes, kind: int, payload: bytes, expires: Optional[int] = None
    ) -> None:
        keys, token = self.keys, self.keys.token(1, self.mark, key)
        body = write_body(kind, payload, expires)
        name = b"\2" + seal(keys.name_key, keys.aad(b"dsq1n", 1, self.mark, token), key)
        value = b"\2" + seal(keys.value_key, keys.aad(b"dsq1v", 1, self.mark, token), body)
        self.write(token, name, expires, value)

    def remove(self, key: Any) -> None:
        self.remove_token(self.keys.token(1, self.mark, write_key(key)))
