"""From what Circus' options say about a web console to its section, `[plugin:circushttpd]`; it checks none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from circus_core.document import RawSection
from circus_core.kinds import INTEGER
from circus_core.structure import Setting
from circus_plugins.implying import meaning, says_yes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circus_core.document import Document

USE = "web"
"""The console's entry point."""
NAME = "circushttpd"
SHARED = {"httpd_host": "host", "httpd_port": "port"}
"""Options of [circus], and what the console's section calls them."""
OUTPUTS = ("close_child_stdout", "close_child_stderr")


def implied(document: Document) -> list[RawSection]:
    """The sections of consoles as they are to be: those that are there, or one if [circus] wants a console."""
    circus = document.find("circus")
    settings: Mapping[str, Setting] = circus.settings if circus is not None else {}
    there = [raw for raw in document.of("plugin") if _is_console(raw)]
    wanted = settings.get("httpd")
    if circus is not None and wanted is not None and not there and says_yes(wanted, document):
        there = [RawSection("plugin", NAME, {}, wanted.place or circus.place)]
    own = {mine: settings[key] for key, mine in SHARED.items() if key in settings and _usable(key, settings, document)}
    closed = settings.get("httpd_close_outputs")
    if closed is not None and says_yes(closed, document):
        own |= dict.fromkeys(OUTPUTS, evolve(closed, value=True, text=False))
    return [evolve(raw, settings={"use": Setting(USE, raw.place), **own}) for raw in there]


def _is_console(raw: RawSection) -> bool:
    use = raw.settings.get("use")
    return use.value == USE if use is not None else raw.name == NAME


def _usable(key: str, settings: Mapping[str, Setting], document: Document) -> bool:
    """Whether it makes sense; what does not is told of once, where it was written."""
    return key != "httpd_port" or meaning(settings[key], INTEGER, document) is not None
