"""What browsers ask for, checked: values in, values out, RequestError for what makes no sense."""

from __future__ import annotations

from typing import Any

from circus_core.errors import RequestError

AT_ONCE = 32
"""Requests of one browser that may be under way."""
LONGEST = 1000
"""Letters of a name."""
MOST_LINES = 5000
MOST_EVENTS = 250


def call(given: Any) -> tuple[int | None, str, dict[str, Any]]:
    """The number, the command and the arguments of `call`."""
    asked = _object(given)
    number, command, properties = asked.get("id"), asked.get("command"), asked.get("properties", {})
    if not isinstance(command, str) or not isinstance(properties, dict):
        raise RequestError("call takes {id, command, properties}")
    return number if isinstance(number, int) else None, command, properties


def name(given: Any) -> str:
    """The name of a watcher."""
    found = _object(given).get("name")
    if not isinstance(found, str) or not 0 < len(found) <= LONGEST:
        raise RequestError("name is no name of a watcher")
    return found


def follow(given: Any) -> dict[str, Any]:
    """What is to be followed: name, wid and stream (both None for all), and how many lines of before."""
    asked = _object(given)
    found = {
        "name": "" if asked.get("name") is None else asked["name"],
        "wid": asked.get("wid"),
        "stream": asked.get("stream") or None,
        "lines": _count(asked.get("lines"), 200, MOST_LINES),
    }
    if not isinstance(found["name"], str) or len(found["name"]) > LONGEST:
        raise RequestError("name is no name of a watcher")
    if found["wid"] is not None and (type(found["wid"]) is not int or found["wid"] < 0):
        raise RequestError("wid is no number of a process")
    if found["stream"] not in (None, "stdout", "stderr"):
        raise RequestError("stream is stdout, stderr, or none for both")
    return found


def events(given: Any) -> dict[str, Any]:
    """The arguments of circusd's `events`, for those before or after one."""
    asked = _object(given)
    wanted: dict[str, Any] = {"limit": _count(asked.get("limit"), MOST_EVENTS, MOST_EVENTS)}
    before, since = asked.get("before"), asked.get("since")
    if before is not None:
        wanted["until"] = _count(before, 0, 2**53) - 1
    if since is not None:
        wanted["since"] = _count(since, 0, 2**53)
    return wanted


def _object(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise RequestError("what is asked for is no object")
    return given


def _count(value: Any, default: int, most: int) -> int:
    if value is None:
        return default
    if type(value) is not int or value < 0:
        raise RequestError("a number from 0 is expected")
    return min(value, most)
