"""Lets people in and out: it puts users, links, tokens, sessions and the count of attempts together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from circus_core.errors import CircusError
from circus_core.requests import Role
from circus_plugins.web.access.attempts import Attempts
from circus_plugins.web.access.people import Person
from circus_plugins.web.access.users import mark

if TYPE_CHECKING:
    import logging

    from circus_plugins.web.access.links import Links
    from circus_plugins.web.access.sessions import Session, Sessions
    from circus_plugins.web.access.users import Tokens, Users

LONGEST = 80
"""Letters of a name in the log."""
OWNER = "owner"
"""What somebody is called who came by the link: circusd's own user, or whom that user gave it to."""


class LoginError(CircusError):
    """Nobody with this name and password, or no such link."""

    code = "login"


class TooManyError(CircusError):
    """It was tried, or asked for, too often; `wait` is after how many seconds it may be again."""

    code = "too-many"
    wait: float = 1.0


class Entry:
    """The one way in. `links` is None where users are in the configuration: then nobody comes by a link."""

    def __init__(
        self,
        users: Users,
        tokens: Tokens,
        sessions: Sessions,
        links: Links | None,
        audit: logging.Logger,
        *,
        read_only: bool = False,
    ) -> None:
        self._users = users
        self._tokens = tokens
        self._sessions = sessions
        self._links = links
        self._attempts = Attempts()
        self._audit = audit
        self.read_only = read_only

    @property
    def by_link(self) -> bool:
        """Whether people come in by a link, and not by name and password."""
        return self._links is not None

    @property
    def lifetime(self) -> float:
        """How many seconds a session lasts."""
        return self._sessions.lifetime

    def login(self, name: str, password: str, address: str) -> tuple[Person, str]:
        """Who it is, and the cookie of a new session; raises LoginError, and TooManyError without a look at it."""
        self._check_attempts(address, name)
        if not self._users.proved(name, password):
            self._failed(address, f"as {name[:LONGEST]!r}")
            raise LoginError("there is no user with this name and password", hint=_hint(self._users))
        known = self._users.find(name)
        assert known is not None
        return self._begin(name.lower(), "password", mark(known), address)

    def login_by_link(self, token: str, address: str) -> tuple[Person, str]:
        """As `login`, by the link."""
        self._check_attempts(address, OWNER)
        if self._links is None:
            raise LoginError("nobody logs in by a link here", hint="log in with name and password")
        if not self._links.take(token):
            self._failed(address, "by a link")
            raise LoginError(
                "this link does not count, or does not any more",
                hint="it counts once; `circushttpd --link` shows the one that does",
            )
        return self._begin(OWNER, "link", "", address)

    def person(self, cookie: str | None) -> Person | None:
        """Whose session a cookie is of."""
        session = self._sessions.find(cookie) if cookie else None
        if session is None:
            return None
        role = self._role(session)
        return self._limited(Person(session.name, role, session.way, session.id, session.until)) if role else None

    def bearer(self, token: str) -> Person | None:
        """Whose token it is."""
        found = self._tokens.find(token)
        return self._limited(found) if found is not None else None

    def logout(self, person: Person, address: str) -> None:
        """End a session."""
        self._sessions.end(person.session, person.until)
        self._audit.info("%s from %s: logged out", person, address)

    def _begin(self, name: str, way: str, mark: str, address: str) -> tuple[Person, str]:
        self._attempts.proved(address)
        cookie = self._sessions.begin(name, way, mark)
        person = self.person(cookie)
        assert person is not None
        self._audit.info("%s from %s: logged in by %s", person, address, way)
        return person, cookie

    def _role(self, session: Session) -> Role | None:
        """What a session is good for now: nothing if its user is gone, or has another password."""
        if session.way == "link":
            return Role.ADMIN if self._links is not None else None
        known = self._users.find(session.name)
        return known.role if known is not None and mark(known) == session.mark else None

    def _limited(self, person: Person) -> Person:
        return evolve(person, role=Role.VIEW) if self.read_only else person

    def _check_attempts(self, address: str, name: str) -> None:
        wait = self._attempts.wait(address)
        if wait > 0:
            self._audit.warning("somebody from %s: login as %r not tried, as too many failed", address, name[:LONGEST])
            error = TooManyError("too many logins failed", hint=f"try again in {wait:.0f} seconds")
            error.wait = wait
            raise error

    def _failed(self, address: str, what: str) -> None:
        self._attempts.failed(address)
        self._audit.warning("somebody from %s: login %s failed", address, what)


def _hint(users: Users) -> str:
    return "" if users else "no users are in the configuration: log in by the link that `circushttpd --link` shows"
