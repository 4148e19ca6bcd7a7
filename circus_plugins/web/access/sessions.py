"""Sessions as signed cookies: nothing is kept of them but which were ended early. It knows no passwords."""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import TYPE_CHECKING

from attrs import frozen
from itsdangerous import BadSignature, URLSafeTimedSerializer

from circus_plugins.web.access import private

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KEY = "console.key"
"""The file of the secret that cookies are signed by, one for each installation."""


@frozen
class Session:
    """What a cookie says. `mark` stands for the account as it was when the session began; `until` is its end."""

    id: str
    name: str
    way: str
    mark: str
    until: float


class Sessions:
    """Begins sessions of `lifetime` seconds, knows them again, and ends them.

    `ended` are the ids of those that were ended early, with the time from which on they would be over anyway;
    `remember` is called with all of them when there is another.
    """

    def __init__(
        self,
        secret: bytes,
        lifetime: float,
        ended: Mapping[str, float],
        remember: Callable[[dict[str, float]], object],
    ) -> None:
        self.lifetime = lifetime
        self._ended = dict(ended)
        self._remember = remember
        self._signer = URLSafeTimedSerializer(
            secret, salt="circus web console", signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"}
        )

    def begin(self, name: str, way: str, mark: str) -> str:
        """The cookie of a new session."""
        return str(self._signer.dumps([secrets.token_urlsafe(12), name, way, mark]))

    def find(self, cookie: str) -> Session | None:
        """The session of a cookie; None if it is none of ours, or over."""
        try:
            told, began = self._signer.loads(cookie, max_age=int(self.lifetime), return_timestamp=True)
        except BadSignature:
            return None
        number, name, way, mark = told
        session = Session(number, name, way, mark, began.timestamp() + self.lifetime)
        return None if session.id in self._ended else session

    def end(self, session: str, until: float) -> None:
        """End it, whoever has its cookie."""
        now = time.time()
        self._ended = {each: end for each, end in self._ended.items() if end > now} | {session: until}
        self._remember(self._ended)


def secret() -> bytes:
    """The secret of this installation, which is made when it is first asked for."""
    found = private.read(KEY)
    if found is None:
        private.write(KEY, secrets.token_bytes(32), keep=True)
        found = private.read(KEY)
    assert found
    return found
