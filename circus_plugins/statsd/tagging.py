"""Where a metric says whose it is: in its name, as in Circus, or in tags as DogStatsD or InfluxDB write them.

It sends nothing. What would end a name or a tag is replaced.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from attrs import field, frozen

from circus_plugins.statsd.clients import TAGS

if TYPE_CHECKING:
    from collections.abc import Mapping

NONE, DATADOG, INFLUXDB = "none", "datadog", "influxdb"


@frozen
class Tagging:
    """The manner of one plugin: its style, and the tags that all its metrics have."""

    style: str = NONE
    tags: Mapping[str, str] = field(factory=dict)

    def __bool__(self) -> bool:
        """Whether metrics have tags."""
        return self.style != NONE

    def __call__(self, name: str, group: str, plain: str, facts: Mapping[str, str]) -> str:
        """A metric's name with its tags behind it, as `Metrics` has it."""
        whole = bucket(".".join(part for part in (group, "" if self else plain, name) if part))
        return whole + written(self.style, {**self.tags, **facts}) if self else whole


def written(style: str, tags: Mapping[str, str]) -> str:
    """Tags as they follow a name: https://docs.datadoghq.com/developers/dogstatsd/datagram_shell, and Telegraf's input
    `statsd`."""
    between = ":" if style == DATADOG else "="
    pairs = [f"{_safe(name)}{between}{_safe(value)}" for name, value in tags.items() if value]
    return (TAGS if style == DATADOG else ",") + ",".join(pairs) if pairs else ""


def bucket(name: str) -> str:
    """A name as part of a metric: what would end it in statsd's format, and what is not ASCII, is a `_`."""
    return re.sub(r"[^!-~]|[:|@]", "_", name)


def _safe(text: str) -> str:
    return re.sub(r"[^!-~]|[:|@,#=]", "_", text)
