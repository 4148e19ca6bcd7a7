"""Who somebody is, and how accounts are written in a configuration. It imports nothing that an extra brings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from attrs import frozen

from circus_core.kinds import TEXT
from circus_core.options import Kind
from circus_core.requests import Role

if TYPE_CHECKING:
    from collections.abc import Callable

ROLES = tuple(role.name.lower() for role in Role)
PASSWORD = re.compile(r"\$argon2(id|i|d)\$v=\d+\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+")
TOKEN = re.compile(r"sha256:[0-9a-f]{64}")


@frozen
class Person:
    """Somebody who is known: a name, what they may do, and by which `way`: link, password or token.

    `session` is the number of their session, empty without one, and `until` when it ends, in epoch seconds.
    """

    name: str
    role: Role
    way: str
    session: str = ""
    until: float = 0.0

    def __str__(self) -> str:
        return f"{self.name} ({self.role.name.lower()})"


@frozen
class Account:
    """A role, and the hash of what proves who one is."""

    role: Role
    hash: str


def account(line: str) -> Account:
    """What a line `ROLE HASH` says, once it was checked."""
    role, _blank, digest = line.partition(" ")
    return Account(Role[role.upper()], digest.strip())


def _line(pattern: re.Pattern[str], advice: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        role, _blank, digest = TEXT.check(value).strip().partition(" ")
        if role.lower() not in ROLES:
            raise ValueError(f"expected a role first: {', '.join(ROLES)}")
        if not pattern.fullmatch(digest.strip()):
            raise ValueError(advice)
        return f"{role.lower()} {digest.strip()}"

    return check


_user = _line(
    PASSWORD, "expected the hash of a password after the role: `circushttpd --hash-password` makes such a line"
)
_token = _line(TOKEN, "expected the hash of a token after the role: `circushttpd --new-token` makes such a line")

USER: Kind[str] = Kind(
    "role and password", "a role and a hash", "isn't a role and the hash of a password", _user, _user,
    show=lambda line: f"{line.partition(' ')[0]} ********", schema={"type": "string"},
)  # fmt: skip
BEARER: Kind[str] = Kind(
    "role and token", "a role and a hash", "isn't a role and the hash of a token", _token, _token,
    show=lambda line: f"{line.partition(' ')[0]} ********", schema={"type": "string"},
)  # fmt: skip
