"""The options of `[plugin:notify]`, each declared once; circusd checks them before it starts anything."""

from __future__ import annotations

import fnmatch
import socket
from string import Template
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from attrs import fields, frozen

from circus_core.events import EVENTS
from circus_core.kinds import INTEGER, NUMBER, TEXT, choice
from circus_core.options import option

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

COMMON = frozenset({"event", "hostname", "last_error", "more", "seq", "summary", "time", "watcher"})
"""What a template has of every event."""
SUBJECT = "[$hostname] $summary"
BODY = "$summary\n\nhost: $hostname\ntime: $time\nevent: $event, number $seq\nlast error: $last_error\n"


def words(text: str) -> tuple[str, ...]:
    """The parts of a comma-separated list."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a name is one of those meant, whatever its case."""
    return any(fnmatch.fnmatchcase(name.lower(), pattern.lower()) for pattern in patterns)


@frozen
class Options:
    """What to tell, whom, and how often."""

    webhook: str = option(TEXT, "", help="URL that gets each notice as JSON, by POST.")
    webhook_headers: Mapping[str, str] = option(
        TEXT, prefix="webhook_header.", help="A header of that request, as `webhook_header.Authorization = Bearer X`."
    )
    slack_webhook: str = option(TEXT, "", help="URL of an incoming webhook of Slack, or of what takes the same JSON.")
    mail_to: str = option(TEXT, "", help="Addresses that get each notice by e-mail, separated by commas.")
    mail_from: str = option(TEXT, "", help="The sender's address.")
    smtp_host: str = option(TEXT, "localhost", help="The mail server.")
    smtp_port: int = option(INTEGER, 0, minimum=0, help="Its port; 0: 587 with starttls, 465 with tls, 25 with none.")
    smtp_security: str = option(
        choice("starttls", "tls", "none"), "starttls", help="How the connection to it is encrypted."
    )
    smtp_user: str = option(TEXT, "", help="The name to log in to it with; without one nobody logs in.")
    smtp_password: str = option(TEXT, "", help="The password for that.")
    events: str = option(
        TEXT, "watcher_gave_up, spawn_failed, process_exited, process_flapping, events_lost",
        help="Names of events, separated by commas; `*` and `?` stand for any text and any character.",
    )  # fmt: skip
    exits: str = option(
        choice("failed", "unrequested", "all"), "failed",
        help="Which process_exited count: nobody asked for it and the code is not 0; nobody asked for it; all.",
    )  # fmt: skip
    watchers: str = option(TEXT, "*", help="Names of watchers, separated by commas, with `*` and `?`.")
    ignore: str = option(TEXT, "", help="Names of watchers that are not told about, in the same way.")
    hostname: str = option(TEXT, "", help="What this machine is called in notices; its own name if not given.")
    subject: str = option(TEXT, SUBJECT, help="Template of the subject.")
    body: str = option(TEXT, BODY, help="Template of the text.")
    rate_limit: int = option(
        INTEGER, 5, minimum=1, help="So many notices of one event of one watcher in a `rate_period`, then a summary."
    )
    rate_period: float = option(NUMBER, 600.0, minimum=0, unit="seconds", help="The time of `rate_limit`.")
    timeout: float = option(NUMBER, 10.0, minimum=0.001, unit="seconds", help="How long one attempt may take.")
    retries: int = option(INTEGER, 8, minimum=0, help="Further attempts before a notice is given up.")
    retry_delay: float = option(
        NUMBER, 1.0, minimum=0, unit="seconds", help="Before the second attempt; it doubles each time, up to 300."
    )
    queue_size: int = option(INTEGER, 500, minimum=1, help="Notices that wait for one recipient; more are dropped.")

    @property
    def machine(self) -> str:
        """What this machine is called."""
        return self.hostname or socket.gethostname()

    @property
    def port(self) -> int:
        """The mail server's port."""
        return self.smtp_port or {"starttls": 587, "tls": 465}.get(self.smtp_security, 25)

    def contradictions(self) -> list[tuple[str, ...]]:
        """Errors that only all options together show: the option, what is wrong, what to do, other options."""
        found: list[tuple[str, ...]] = []
        if not (self.webhook or self.slack_webhook or self.mail_to):
            message, hint = "is missing, as are slack_webhook and mail_to", "nobody would be told anything"
            found.append(("webhook", message, hint, "slack_webhook", "mail_to"))
        for key in ("webhook", "slack_webhook"):
            url = getattr(self, key)
            # What is wrong with it is not shown: it may hold a secret.
            if url and not _is_url(url):
                found.append((key, "is not a URL", "it should begin with https:// or http:// and a host"))
        if self.mail_to and not self.mail_from:
            found.append(("mail_to", "is set without mail_from", "mail needs a sender", "mail_from"))
        if bool(self.smtp_user) != bool(self.smtp_password):
            found.append(("smtp_user", "and smtp_password need each other", "set both or none", "smtp_password"))
        if self.smtp_user and self.smtp_security == "none":
            hint = "a password is sent over encrypted connections only"
            found.append(("smtp_security", "is none", hint, "smtp_user"))
        for key in ("subject", "body"):
            if not Template(getattr(self, key)).is_valid():
                found.append((key, "is not a template", "write $$ for a dollar sign"))
        return found

    def doubts(self) -> list[tuple[str, str, str]]:
        """Warnings about templates with names that no event here has."""
        known = COMMON.union(*({field.name for field in fields(cls)} for cls in EVENTS.values()))
        found = []
        for key in ("subject", "body"):
            strange = sorted(set(Template(getattr(self, key)).get_identifiers()) - known)
            if strange:
                found.append((key, f"has ${', $'.join(strange)}", "no event that is known here has that"))
        return found


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
