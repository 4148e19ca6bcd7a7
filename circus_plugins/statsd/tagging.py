"""Where a metric says whose it is: in its name, as in Circus, or in tags as DogStatsD or InfluxDB write them.

It sends nothing. What would end a tag is replaced, as in names.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import frozen

from circus_core.kinds import TEXT, choice
from circus_core.options import option
from circus_plugins.statsd.clients import TAGS
from circus_plugins.statsd.sending import StatsdOptions, StatsdPlugin

if TYPE_CHECKING:
    from collections.abc import Mapping

NONE, DATADOG, INFLUXDB = "none", "datadog", "influxdb"


@frozen(kw_only=True)
class TaggedOptions(StatsdOptions):
    """The options of plugins whose metrics may have tags."""

    tag_style: str = option(
        choice(NONE, DATADOG, INFLUXDB), NONE,
        help="Say which watcher or socket a metric is about by a tag, as DogStatsD (`datadog`) or Telegraf (`influxdb`)"
        " read it; `none`: in its name.",
    )  # fmt: skip
    tags: Mapping[str, str] = option(TEXT, prefix="tags.", help="A tag that every metric has, such as `tags.env`.")

    def contradictions(self) -> list[tuple[str, str, str]]:
        """Called when they are read."""
        if self.tags and self.tag_style == NONE:
            key = f"tags.{next(iter(self.tags))}"
            return [(key, "is a tag, and metrics have none", f"write tag_style = {DATADOG} or {INFLUXDB}")]
        return [(f"tags.{name}", "is empty", "give it a value") for name, value in self.tags.items() if not value]


class Tagged(StatsdPlugin):
    """A plugin whose metrics are about a watcher or a socket, and say so by name or by tag."""

    Options: ClassVar[type | None] = TaggedOptions

    def told(self, name: str, *, group: str = "", plain: str = "", **facts: str) -> tuple[str, str]:
        """A metric's name and its tags: `GROUP.PLAIN.NAME` without tags, else `GROUP.NAME` and a tag for each fact."""
        options: Any = self.options
        tagged = options.tag_style != NONE
        parts = (group, "" if tagged else plain, name)
        bucket = ".".join(part for part in parts if part)
        return bucket, written(options.tag_style, {**options.tags, **facts}) if tagged else ""


def written(style: str, tags: Mapping[str, str]) -> str:
    """Tags as they follow a name: https://docs.datadoghq.com/developers/dogstatsd/datagram_shell, and Telegraf's input
    `statsd`."""
    if not tags:
        return ""
    between = ":" if style == DATADOG else "="
    pairs = [f"{_safe(name)}{between}{_safe(value)}" for name, value in tags.items()]
    return (TAGS if style == DATADOG else ",") + ",".join(pairs)


def _safe(text: str) -> str:
    return re.sub(r"[^!-~]|[:|@,#=]", "_", text)
