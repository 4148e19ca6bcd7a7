"""The pages themselves: blocks in languages that the tests know, marks with reasons, links that lead somewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.docs.pages import MARKS, PAGES, ROOT, Block, blocks, every

if TYPE_CHECKING:
    from pathlib import Path

LANGUAGES = {"console", "docker", "ini", "json", "python", "sh", "systemd", "text", "toml"}

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@every_page
def test_blocks_are_in_known_languages(page: Path) -> None:
    assert {block.language for block in blocks(page)} <= LANGUAGES


@every_page
def test_a_mark_is_known_and_says_why(page: Path) -> None:
    for block in blocks(page):
        assert block.marks.keys() <= MARKS.get(block.language, set()), block
        assert all(block.marks.values()), block


@every_page
def test_what_looks_like_a_transcript_is_one(page: Path) -> None:
    for block in blocks(page):
        assert block.language == "console" or not block.text.startswith("$ "), block


@pytest.mark.parametrize("block", every("python"), ids=str)
def test_python_compiles(block: Block) -> None:
    compile(block.text, str(block), "exec")


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"])
def test_links_of_pages_that_sphinx_does_not_build_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        assert target.startswith("https://") or (ROOT / target).exists(), target
