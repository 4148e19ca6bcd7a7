"""What commands did to the plugins' sections of a configuration, laid over what its files say. Values only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve, field, frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circus_core.document import Document, RawSection


@frozen
class Overlay:
    """By the name of the plugin, the section that a command made; None where a command removed it."""

    sections: Mapping[str, RawSection | None] = field(factory=dict)

    def changed(self, name: str, section: RawSection | None) -> Overlay:
        """With another section of this plugin, or without any."""
        return Overlay({**self.sections, name: section})

    def over(self, document: Document) -> Document:
        """A document as commands have changed it."""
        kept = [raw for raw in document.sections if raw.kind != "plugin" or raw.name not in self.sections]
        return evolve(document, sections=(*kept, *(made for made in self.sections.values() if made is not None)))

    def after(self, old: Document, new: Document) -> Overlay:
        """What of it stays when files are read again: what was removed is there again, and what the files now say
        differently counts as they say it."""
        kept = {
            name: made
            for name, made in self.sections.items()
            if made is not None and _values(old, name) == _values(new, name)
        }
        return self if kept == self.sections else Overlay(kept)


def _values(document: Document, name: str) -> dict[str, object] | None:
    raw = document.find("plugin", name)
    return None if raw is None else {key: setting.value for key, setting in raw.settings.items()}
