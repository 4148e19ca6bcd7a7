"""Users of the configuration and their passwords; tokens for programs. It limits no attempts."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from circus_plugins.web.access.people import Person, account

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circus_plugins.web.access.people import Account

LONGEST = 1024
"""Letters of a password; hashing more of them is work that somebody else could make us do."""
PREFIX = "circus_"
"""What tokens begin with, so that they are known for what they are where they should not be."""


class Users:
    """The users of a configuration, by name in lower case."""

    def __init__(self, lines: Mapping[str, str]) -> None:
        self._accounts = {name.lower(): account(line) for name, line in lines.items()}
        self._hasher = PasswordHasher()
        # Of somebody who is not there the answer takes as long as of somebody who is.
        self._nobody = self._hasher.hash(secrets.token_hex(8)) if self._accounts else ""

    def __bool__(self) -> bool:
        return bool(self._accounts)

    def find(self, name: str) -> Account | None:
        """The account of this name."""
        return self._accounts.get(name.lower())

    def proved(self, name: str, password: str) -> bool:
        """Whether there is such a user with this password. It takes some hundredths of a second, as it should."""
        known = self.find(name)
        if len(password) > LONGEST or not self._accounts:
            return False
        try:
            self._hasher.verify(known.hash if known else self._nobody, password)
        except (VerificationError, InvalidHashError):
            return False
        return known is not None


class Tokens:
    """The tokens of a configuration."""

    def __init__(self, lines: Mapping[str, str]) -> None:
        self._accounts = {name: account(line) for name, line in lines.items()}

    def find(self, token: str) -> Person | None:
        """Whose it is."""
        digest = hashed(token).encode()
        for name, known in self._accounts.items():
            if hmac.compare_digest(known.hash.encode(), digest):
                return Person(name, known.role, "token")
        return None


def mark(known: Account) -> str:
    """Stands for an account as it is: another password or role has another."""
    return hashlib.sha256(f"{known.role:d} {known.hash}".encode()).hexdigest()[:16]


def new_token() -> str:
    """A token that nobody guesses."""
    return PREFIX + secrets.token_urlsafe(32)


def hashed(token: str) -> str:
    """What the configuration has in place of a token. It is as long as chance makes it, so a plain hash will do."""
    return f"sha256:{hashlib.sha256(token.encode()).hexdigest()}"


def hash_password(password: str) -> str:
    """What the configuration has in place of a password."""
    return PasswordHasher().hash(password)
