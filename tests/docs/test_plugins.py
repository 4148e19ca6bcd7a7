"""The pages of bundled plugins: every option with its default, or where they are; and a list that has every page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import reference

from circus_core.options import Section, describe
from tests.docs.pages import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PAGES = sorted(page for page in (ROOT / "docs" / "reference" / "plugins").glob("*.md") if page.stem != "index")


def table(page: Path) -> dict[str, str]:
    """The options in the page's tables, each with its default."""
    return dict(re.findall(r"^\| `([\w.]+)` \| (.+?) \| .*\|$", page.read_text(), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_every_option_with_its_default_or_a_link_to_them(page: Path) -> None:
    if f"options.md#options-plugin-{page.stem}" in page.read_text():
        return
    known = reference.assembly()
    plugin = known.bus.loaded[page.stem].plugin
    if plugin.Options is None:
        # Its options are those that it adds to watchers, if it has any.
        mine = [entry for section in known.sections.values() for entry in section if entry.plugin == page.stem]
        assert not mine or "options.md#option-watcher-" in page.read_text()
        return
    rows = describe(Section(page.stem, type(plugin).Options))
    assert table(page) == {
        str(row["key"]): "must be given" if row["required"] else reference.shown(row["default"]) for row in rows
    }


def test_the_list_has_every_page() -> None:
    index = (ROOT / "docs" / "reference" / "plugins" / "index.md").read_text()
    names = [page.stem for page in PAGES]
    assert sorted(re.findall(r"^\| \[(\w+)\]\(\1\.md\) \|", index, re.MULTILINE)) == names
    assert sorted(re.findall(r"^(\w+)$", index.partition("```{toctree}")[2], re.MULTILINE)) == names
