"""Circus' plugins are there under Circus' dotted paths, with Circus' options and defaults (PROTOCOL.md 7)."""

from __future__ import annotations

import re

import pytest

from circus_core.finding import find, instance
from circus_core.options import declared

STATSD = {"host": "localhost", "port": 8125, "sample_rate": 1.0}
DEFAULTS: dict[str, dict[str, object]] = {
    "flapping.Flapping": {"attempts": 2, "window": 1, "retry_in": 7, "max_retry": 5},
    "resource_watcher.ResourceWatcher": {
        **STATSD, "application_name": "app", "loop_rate": 60, "watcher": "()", "service": "()", "max_cpu": 90,
        "min_cpu": 0, "max_mem": "90", "min_mem": "0", "health_threshold": 75, "max_count": 3,
        "process_children": "no", "child_signal": 15,
    },
    "watchdog.WatchDog": {
        "loop_rate": 60, "max_count": 3, "watchers_regex": ".*", "msg_regex": r"^(?P<pid>.*);(?P<timestamp>.*)$",
        "ip": "127.0.0.1", "port": 1664, "watchers_stop_signal": None, "watchers_graceful_timeout": None,
    },
    "statsd.StatsdEmitter": {**STATSD, "application_name": "app"},
    "_statsd.StatsdEmitter": {**STATSD, "application_name": "app"},
    "statsd.FullStats": {**STATSD, "application_name": "app", "loop_rate": 60},
    "command_reloader.CommandReloader": {"loop_rate": 1},
    "redis_observer.RedisObserver": {
        **STATSD, "application_name": "redis_observer", "loop_rate": 60, "redis_url": "redis://localhost:6379/0",
        "timeout": 5, "restart_on_timeout": "",
    },
    "http_observer.HttpObserver": {
        **STATSD, "application_name": "http_observer", "loop_rate": 60, "check_url": "http://localhost/",
        "timeout": 10, "restart_on_error": "",
    },
}  # fmt: skip
"""Where an option is not set in Circus, what means the same here."""


def plain(value: object) -> object:
    """A pattern as its text, an amount as it is written."""
    if isinstance(value, re.Pattern):
        return value.pattern
    return value if value is None or isinstance(value, int | float | str) else str(value)


@pytest.mark.parametrize("path", DEFAULTS)
def test_options_and_defaults_are_those_of_circus(path: str) -> None:
    plugin = instance(path, find(f"circus.plugins.{path}"))
    options = declared(plugin.Options)  # type: ignore[attr-defined]
    ours = {key: plain(option.default) for key, option in options.items() if key in DEFAULTS[path]}
    assert ours == DEFAULTS[path]
