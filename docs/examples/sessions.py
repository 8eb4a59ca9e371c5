# sessions.py - sessions of a web site, each of which ends half an hour after its last use
# SPDX-License-Identifier: LGPL-2.1-or-later
import secrets
from typing import Any, Dict, Optional

from dictsqlite_v4 import DictSQLiteV4


class Sessions:
    def __init__(self, path: str) -> None:
        self._db = DictSQLiteV4(path, default_expire=30 * 60, sliding=True)

    def begin(self, user: str) -> str:
        token = secrets.token_urlsafe()
        self._db[token] = {"user": user}
        return token

    def find(self, token: str) -> Optional[Dict[str, Any]]:
        return self._db.get(token)  # which is a use

    def end(self, token: str) -> None:
        self._db.pop(token, None)

    def close(self) -> None:
        self._db.close()


sessions = Sessions("sessions.db")
token = sessions.begin("alice")
print(sessions.find(token))
sessions.end(token)
print(sessions.find(token))
sessions.close()
