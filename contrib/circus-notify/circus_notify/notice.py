"""From an event to words: what is told about it. It sends nothing."""

from __future__ import annotations

import signal
import time
from contextlib import suppress
from string import Template
from typing import TYPE_CHECKING, Any

from attrs import evolve, field, frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circus_core.events import Event

SENTENCES = {
    "watcher_gave_up": "$watcher/$wid is given up: $reason",
    "spawn_failed": "$watcher/$wid cannot be started: $reason",
    "process_exited": "$watcher/$wid (pid $pid) ended with $ending after $lived s",
    "process_flapping": "$watcher/$wid died $deaths times within $window s",
    "events_lost": "events $first to $last were missed: what happened then is not known",
}


@frozen
class Notice:
    """Something to tell. `more` is the number of notices that a summary stands for."""

    event: str
    watcher: str
    seq: int
    at: float
    fields: Mapping[str, Any] = field(factory=dict)
    last_error: str = ""
    more: int = 0

    @property
    def summary(self) -> str:
        """One sentence."""
        if self.more:
            return f"{self.watcher or 'circusd'}: {self.more} more {self.event}"
        sentence = SENTENCES.get(self.event)
        if sentence is not None:
            return Template(sentence).safe_substitute(self.fields, watcher=self.watcher)
        said = ", ".join(f"{key} {value}" for key, value in self.fields.items() if key != "watcher")
        return f"{self.watcher or 'circusd'}: {self.event}" + (f" ({said})" if said else "")

    def standing_for(self, more: int) -> Notice:
        """A summary of so many notices, of which this is the last."""
        return evolve(self, more=more)


@frozen
class Message:
    """A notice in words. `payload` is what programs get."""

    subject: str
    body: str
    payload: Mapping[str, Any]


@frozen
class Writer:
    """The templates."""

    hostname: str
    subject: str
    body: str

    def write(self, notice: Notice) -> Message:
        """The notice in words; a name that the event does not have stays as it is written in the template."""
        names = {
            **notice.fields,
            "event": notice.event,
            "hostname": self.hostname,
            "last_error": notice.last_error or "none",
            "more": notice.more,
            "seq": notice.seq,
            "summary": notice.summary,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(notice.at)),
            "watcher": notice.watcher,
        }
        subject = " ".join(Template(self.subject).safe_substitute(names).split())
        body = Template(self.body).safe_substitute(names)
        own = ("summary", "event", "watcher", "hostname", "time", "seq", "more")
        payload = {
            **{key: names[key] for key in own},
            "at": notice.at,
            "last_error": notice.last_error or None,
            "subject": subject,
            "body": body,
            "fields": dict(notice.fields),
        }
        return Message(subject, body, payload)


def notice_of(event: Event, last_error: str) -> Notice:
    """What there is to tell of an event."""
    fields = event.fields()
    if event.name == "process_exited":
        fields["ending"] = ending(fields["exit_code"])
        fields["lived"] = f"{fields['age']:.1f}"
    watcher = fields.get("watcher") or ""
    return Notice(event.name, watcher, event.seq, event.at, fields, last_error)


def error_of(event: Event) -> str:
    """The error that an event tells of, if it does."""
    fields = event.fields()
    if event.name == "process_exited":
        return "" if fields["exit_code"] == 0 or fields["requested"] else f"ended with {ending(fields['exit_code'])}"
    return str(fields.get("error") or fields.get("reason") or "") if fields.get("watcher") else ""


def ending(exit_code: int | None) -> str:
    """How a process ended, from its exit code as events have it."""
    if exit_code is None:
        return "an unknown code"
    if exit_code >= 0:
        return f"code {exit_code}"
    with suppress(ValueError):
        return signal.Signals(-exit_code).name
    return f"signal {-exit_code}"
