"""`listen` and `events`: prints what happened and what happens, one line each, until interrupted or done."""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import zmq

from circus_plugins.client import wire
from circus_plugins.client.connections import Connections
from circus_plugins.client.follow import TOPICS
from circus_plugins.ctl import report
from circus_plugins.ctl.mistakes import UsageError
from circus_plugins.ctl.session import NoAnswerError, Session
from circus_plugins.ctl.tables import Terminal, visible
from circus_plugins.phrases import signal_name, size

if TYPE_CHECKING:
    from collections.abc import Iterator


Event = dict[str, Any]
PROBE = 0.5
"""Seconds in which a control endpoint shows that it is one."""
LATEST = 50
"""How many events `events` shows unless told otherwise."""
PAGE = 1000
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_NOT_SHOWN = frozenset({"event", "time", "at", "seq", "host", "run", "watcher", "process_pid", "topic"})


def listen(session: Session, topics: list[str]) -> int:
    """Print the events whose topics begin with one of `topics` (all if none), until interrupted."""
    settings = session.settings
    write = _Writer(session)
    with closing(Connections(settings.key, settings.ssh, settings.ssh_keyfile)) as connections:
        endpoint = _event_endpoint(session)
        handshake = connections.handshake(zmq.SUB, endpoint, report.connection)
        socket = handshake.socket
        for topic in topics or TOPICS:
            socket.subscribe(topic)
        while True:
            if handshake.wait():
                frames = socket.recv_multipart()
                write.live(frames[0].decode("utf-8", "replace"), frames[-1])


def _event_endpoint(session: Session) -> str:
    """Where events are published. Circus' `listen` is given that endpoint, every other command the control endpoint;
    here both work, as only a control endpoint answers.
    """
    given = session.settings.endpoint
    try:
        answer = session.ask("globaloptions", {"option": "pubsub_endpoint"}, timeout=PROBE if given else None)
    except NoAnswerError:
        if given is None:
            raise
        return given
    options = wire.result(answer)["options"]
    return wire.events_endpoint(session.client.endpoint, options["pubsub_endpoint"])


def events(session: Session, properties: dict[str, Any]) -> int:
    """Print the latest events, or those since some point; with `follow` also every further one, until interrupted."""
    write = _Writer(session)
    chosen: dict[str, Any] = {key: properties[key] for key in ("watcher", "event", "until") if key in properties}
    since, oldest = _point(properties.get("since"))
    if since is None:
        limit = properties.get("limit", LATEST)
        page = wire.result(session.ask("events", {**chosen, "limit": limit}))
        for event in page["events"]:
            write.event(event)
        since, run = page["last"], page["run"]
    else:
        run = None
        for event in _pages(session, chosen, since, properties.get("limit")):
            since, run = max(since, event["seq"]), event.get("run", run)
            if event.get("at", oldest) >= oldest:
                write.event(event)
    if properties.get("follow"):
        name = chosen.get("event")
        following = {"watcher": chosen.get("watcher"), "run": run, "connection": report.connection}
        for event in session.client.events(since, **following):
            if name in (None, event["event"]):
                write.event(event)
    return report.DONE


def _point(text: str | None) -> tuple[int | None, float]:
    """A seq, and the time in epoch seconds before which events are left out."""
    if text is None:
        return None, 0.0
    if text.isdecimal():
        return int(text), 0.0
    return 0, moment(text, "a number, or 90s, 5m, 2h, 1d")


def moment(text: str, expected: str = "90s, 5m, 2h or 1d") -> float:
    """When it was that long ago, in epoch seconds; raises UsageError."""
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not number.replace(".", "", 1).isdecimal():
        raise UsageError(f"--since: {text!r} is no point in time", hint=f"expected {expected}")
    return time.time() - float(number) * _UNITS[unit]


def _pages(session: Session, chosen: dict[str, Any], since: int, limit: int | None) -> Iterator[Event]:
    left = limit
    while left is None or left > 0:
        size = PAGE if left is None else min(left, PAGE)
        page = wire.result(session.ask("events", {**chosen, "since": since, "limit": size}))
        if page["lost"] and since:
            yield {"event": "events_lost", "seq": page["lost"]["last"], **page["lost"]}
        yield from page["events"]
        if page["next"] <= since or page["next"] >= page["last"]:
            return
        since = page["next"]
        left = None if left is None else left - len(page["events"])


class _Writer:
    """Prints events in the way the settings and the output ask for; each line leaves at once."""

    def __init__(self, session: Session) -> None:
        self._settings = session.settings
        self._terminal = Terminal(sys.stdout) if report.for_people(session.settings) else None

    def live(self, topic: str, payload: bytes) -> None:
        """An event as it came: for scripts as Circus prints it, but without Python's marks of bytes (O-66)."""
        try:
            event = json.loads(payload)
        except ValueError:
            event = payload.decode("utf-8", "replace")
        if not isinstance(event, dict):
            event = {"payload": event}
        if self._settings.json:
            print(report.as_json({"topic": topic, **event}, self._settings), flush=True)
        elif self._terminal is None:
            print(f"{topic}: {payload.decode('utf-8', 'replace')}", flush=True)
        else:
            self._line(event, topic)

    def event(self, event: Event) -> None:
        """An event of the history, or one that follows it."""
        if self._settings.json:
            print(report.as_json(event, self._settings), flush=True)
        else:
            self._line(event, f"{event.get('seq', '')} {event['event']} {event.get('watcher', '')}".rstrip())

    def _line(self, event: Event, what: str) -> None:
        at = time.localtime(event.get("at") or event.get("time") or time.time())
        known = ((key, item) for key, item in event.items() if key not in _NOT_SHOWN and item is not None)
        facts = " ".join(_fact(key, item) for key, item in known)
        if self._terminal is None:
            print(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z', at)} {what} {facts}".rstrip(), flush=True)
            return
        mood = _mood(event)
        print(
            self._terminal.paint(time.strftime("%H:%M:%S", at), "dim"),
            self._terminal.paint(visible(what), mood),
            visible(facts),
            flush=True,
        )


def _fact(key: str, item: object) -> str:
    match key, item:
        case ("signum", int()):
            item = signal_name(item)
        case ("exit_code", int()) if item < 0:
            item = f"{item}({signal_name(-item)})"
        case ("peak_memory", int()):
            item = size(item)
        case (_, float()):
            item = f"{item:.3g}s" if item < 100 else f"{item:.0f}s"
    return f"{key}={item}" if isinstance(item, str) and " " not in item else f"{key}={json.dumps(item)}"


def _mood(event: Event) -> str:
    name = str(event.get("event", ""))
    if "fail" in name or "lost" in name or name == "watcher_gave_up":
        return "bad"
    if name == "process_exited":
        return "" if event.get("requested") or not event.get("exit_code") else "bad"
    if "delayed" in name or "vetoed" in name:
        return "busy"
    return "good" if name in ("process_spawned", "watcher_started", "process_ready") else ""
