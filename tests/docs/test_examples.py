"""Every configuration in the documentation and among its examples is loaded, and has no mistake that is not meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import reference

from circus_core import config
from tests.docs.pages import ROOT, Block, every

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = sorted(path for path in (ROOT / "docs" / "examples").iterdir() if path.suffix in (".ini", ".toml"))


def mistakes(file: Path) -> list[str]:
    """What a circusd with every bundled plugin says about a configuration, warnings too."""
    _, problems = config.build(config.read(str(file)), reference.assembly().sections, strict=True)
    return [str(problem) for problem in problems]


@pytest.mark.parametrize("block", [block for block in every("ini", "toml") if "no-load" not in block.marks], ids=str)
def test_a_block_loads(block: Block, tmp_path: Path) -> None:
    file = tmp_path / (block.file or f"block.{block.language}")
    file.write_text(block.text)
    found = mistakes(file)
    if "error" in block.marks:
        assert any(block.marks["error"] in mistake for mistake in found), found
    else:
        assert not found


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_loads(example: Path) -> None:
    assert not mistakes(example)
