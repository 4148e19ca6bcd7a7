"""Finds the code blocks of the documentation's pages; it runs and loads nothing.

What a test may know about a block is written on its opening line, after the language: ```` ```console {exit=3} ````.
A first line of the form `# app.ini` names the file that the block is.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen
from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md"), *ROOT.glob("contrib/*/README.md")]
)
PAGES = [page for page in PAGES if "generated" not in page.relative_to(ROOT).parts]

# What a block's opening line may say: a status for `exit`, a part of the message for `error`, else the reason.
MARKS = {
    "console": {"exit", "no-run", "own-terminal", "repeat"},
    "ini": {"error", "no-load"},
    "toml": {"error", "no-load"},
}


@frozen
class Block:
    """One fenced block: where it opens (1 is the first line), its language, its text and its marks."""

    page: Path
    line: int
    language: str
    text: str
    marks: dict[str, str]

    @property
    def file(self) -> str | None:
        """The name in the block's first line, if that line is only a comment with a file name."""
        named = re.match(r"[#;] ([\w./-]+\.\w+)\n", self.text)
        return named[1] if named else None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT) if self.page.is_relative_to(ROOT) else self.page.name}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """Every fenced block of a page, in order, those inside of MyST directives too."""
    return list(_blocks(page, page.read_text(), 0))


def every(*languages: str) -> list[Block]:
    """Every block of these languages, of every page."""
    return [block for page in PAGES for block in blocks(page) if block.language in languages]


def _blocks(page: Path, text: str, offset: int) -> Iterator[Block]:
    for token in MarkdownIt("commonmark").parse(text):
        if token.type != "fence":
            continue
        line = offset + token.map[0] + 1
        language, _, rest = token.info.strip().partition(" ")
        if language.startswith("{"):
            yield from _blocks(page, token.content, line)
        else:
            yield Block(page, line, language, token.content, _marks(rest, f"{page.name}:{line}"))


def _marks(text: str, where: str) -> dict[str, str]:
    text = text.strip()
    if not text:
        return {}
    if not (text.startswith("{") and text.endswith("}")):
        raise ValueError(f"{where}: expected {{name=value ...}} after the language, not {text!r}")
    pairs = (word.partition("=") for word in shlex.split(text[1:-1]))
    return {name: value for name, _, value in pairs}
