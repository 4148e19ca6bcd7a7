"""From what Circus' options say about statistics to the section of the streamer, `[plugin:stats]`; it checks none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from circus_core.document import RawSection
from circus_core.structure import Setting
from circus_plugins.doors.terms import ENDPOINT
from circus_plugins.implying import meaning, says_yes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circus_core.document import Document
    from circus_core.structure import Place

USE = "stats"
"""The streamer's entry point, and the name of its section."""
SHARED = ("stats_endpoint", "keys_dir", "endpoint_owner")
"""Options of [circus] that are the streamer's too."""
OUTPUTS = ("close_child_stdout", "close_child_stderr")


def implied(document: Document) -> list[RawSection]:
    """The sections of streamers as they are to be: those that are there, or one if [circus] wants statistics.

    As in Circus, `stats_endpoint` means that they are wanted, even with `statsd = False` (O-28).
    """
    circus = document.find("circus")
    settings: Mapping[str, Setting] = circus.settings if circus is not None else {}
    there = [raw for raw in document.of("plugin") if _is_streamer(raw)]
    if (
        circus is not None
        and not there
        and ("stats_endpoint" in settings or says_yes(settings.get("statsd"), document))
    ):
        there = [RawSection("plugin", USE, {}, _place(circus))]
    own = {key: settings[key] for key in SHARED if key in settings and _usable(key, settings[key], document)}
    if says_yes(settings.get("statsd_close_outputs"), document):
        own |= dict.fromkeys(OUTPUTS, evolve(settings["statsd_close_outputs"], value=True, text=False))
    return [evolve(raw, settings={"use": Setting(USE, raw.place), **own}) for raw in there]


def _is_streamer(raw: RawSection) -> bool:
    use = raw.settings.get("use")
    return use.value == USE if use is not None else raw.name == USE


def _place(circus: RawSection) -> Place:
    setting = circus.settings.get("statsd") or circus.settings.get("stats_endpoint")
    return setting.place if setting is not None and setting.place is not None else circus.place


def _usable(key: str, setting: Setting, document: Document) -> bool:
    """Whether it makes sense; what does not is told of once, where it was written."""
    return key != "stats_endpoint" or meaning(setting, ENDPOINT, document) is not None
