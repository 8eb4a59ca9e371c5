# test_guide_protection.py - the uses that the guide shows of passwords and of safe pickle
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import datetime
import decimal
import hashlib
import os
import pickle
import secrets
import sys
import types
from pathlib import Path

import pytest

from dictsqlite_v4 import DictSQLiteV4

PASSWORD = "a password of some length"


@pytest.fixture(autouse=True)
def in_a_scratch_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def bytes_beside(name):
    return b"".join(path.read_bytes() for path in Path(".").glob(f"{name}*"))


def test_encryption():
    db = DictSQLiteV4("secure.db", encryption_password=PASSWORD)
    db["secret key"] = "the secret value"
    assert db["secret key"] == "the secret value"
    found = bytes_beside("secure.db")
    assert b"secret value" not in found and b"secret key" not in found
    db.close()
    with DictSQLiteV4("secure.db", encryption_password=PASSWORD) as db:
        assert db["secret key"] == "the secret value"
    found = bytes_beside("secure.db")
    assert b"secret value" not in found and b"secret key" not in found
    for wrong in ("another password", None):
        with pytest.raises((ValueError, OSError)):
            DictSQLiteV4("secure.db", encryption_password=wrong)


def test_password_from_the_environment(monkeypatch):
    monkeypatch.setenv("DB_PASSWORD", PASSWORD)
    with DictSQLiteV4("secure.db", encryption_password=os.environ["DB_PASSWORD"]) as db:
        db["a"] = 1
    with DictSQLiteV4("secure.db", encryption_password=PASSWORD) as db:
        assert db["a"] == 1


def test_user_records():
    salt, secret = secrets.token_bytes(16), secrets.token_bytes(32)
    user = {
        "name": "alice",
        "credentials": {
            "hash": hashlib.pbkdf2_hmac("sha256", b"hunter2", salt, 1000),
            "salt": salt,
        },
        "two_factor": {"enabled": True, "secret": secret},
    }
    parameters = {"persist_mode": "writethrough", "encryption_password": PASSWORD}
    with DictSQLiteV4("users.db", **parameters) as db:
        db["user:alice"] = user
    with DictSQLiteV4("users.db", **parameters) as db:
        assert db["user:alice"] == user
    found = bytes_beside("users.db")
    assert secret not in found and salt not in found and b"alice" not in found


class Evil:
    def __reduce__(self):
        return eval, ("1 + 1",)


def test_safe_pickle(monkeypatch):
    models = types.ModuleType("myapp.models")
    exec("class User:\n    def __init__(self, name):\n        self.name = name\n", vars(models))
    models.User.__module__ = "myapp.models"
    monkeypatch.setitem(sys.modules, "myapp", types.ModuleType("myapp"))
    monkeypatch.setitem(sys.modules, "myapp.models", models)
    parameters = {
        "enable_safe_pickle": True,
        "safe_pickle_allowed_modules": ["datetime", "decimal", "myapp.models"],
    }
    now = datetime.datetime.now()
    with DictSQLiteV4("safe.db", **parameters) as db:
        db["now"] = now
        db["price"] = decimal.Decimal("9.99")
        db["user"] = models.User("Alice")
        assert db["now"] == now and db["price"] == decimal.Decimal("9.99")
        assert type(db["user"]) is models.User and db["user"].name == "Alice"
        with pytest.raises(pickle.UnpicklingError):
            db["evil"] = Evil()
        assert "evil" not in db
    with DictSQLiteV4("safe.db") as db:
        db["evil"] = Evil()
    with DictSQLiteV4("safe.db", **parameters) as db:
        with pytest.raises(pickle.UnpicklingError):
            db["evil"]
        assert db["now"] == now


def test_the_safest_preset():
    with DictSQLiteV4(
        "data.db", persist_mode="writethrough", encryption_password=PASSWORD
    ) as db:
        db["key"] = "value"
        assert db["key"] == "value"
