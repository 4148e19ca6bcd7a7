"""Every configuration in the documentation and among its examples is loaded, and has no mistake that is not meant.

Two that have the same name, but for `.ini` and `.toml`, mean the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import reference
from attrs import evolve

from circus_core import config, finding
from tests.docs.pages import PAGES, ROOT, Block, blocks, every

if TYPE_CHECKING:
    from pathlib import Path

    from circus_core.model import Config

FOLDER = ROOT / "docs" / "examples"
EXAMPLES = sorted(path for path in FOLDER.rglob("*") if path.suffix in (".ini", ".toml"))
PAIRS = [path for path in EXAMPLES if path.parent == FOLDER and path.suffix == ".ini"]


def mistakes(file: Path) -> list[str]:
    """What a circusd with every bundled plugin says about a configuration, warnings too."""
    _, problems = config.build(config.read(str(file)), reference.assembly().sections, strict=True)
    return [str(problem) for problem in problems]


def meaning(file: Path) -> tuple[Config, dict[str, object]]:
    """A configuration without its places, and the options of its plugins."""
    made = config.load(str(file), reference.assembly().sections, strict=True)
    settings = {
        name: finding.plugin_options(name, finding.find(made.plugins[name].use), raw)
        for name, raw in made.raw_plugins.items()
    }
    return evolve(made, files=(), raw_plugins={}), settings


def twins() -> list[object]:
    """Pairs of named blocks of one page, an ini file and a TOML one."""
    found = []
    for page in PAGES:
        named = {block.file: block for block in blocks(page) if block.file}
        for name, block in named.items():
            other = named.get(name.removesuffix(".ini") + ".toml")
            if name.endswith(".ini") and other is not None:
                found.append(pytest.param(block, other, id=str(block)))
    return found


@pytest.mark.parametrize("block", [block for block in every("ini", "toml") if "no-load" not in block.marks], ids=str)
def test_a_block_loads(block: Block, tmp_path: Path) -> None:
    file = tmp_path / (block.file or f"block.{block.language}")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(block.text)
    found = mistakes(file)
    if "error" in block.marks:
        assert any(block.marks["error"] in mistake for mistake in found), found
    else:
        assert not found


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_an_example_loads(example: Path) -> None:
    assert not mistakes(example)


@pytest.mark.parametrize(("ini", "toml"), twins())
def test_ini_and_toml_of_one_name_mean_the_same(ini: Block, toml: Block, tmp_path: Path) -> None:
    files = [tmp_path / "a.ini", tmp_path / "a.toml"]
    for file, block in zip(files, (ini, toml), strict=True):
        file.write_text(block.text)
    assert meaning(files[0]) == meaning(files[1])


@pytest.mark.parametrize("ini", PAIRS, ids=lambda path: path.name)
def test_an_example_means_the_same_in_toml(ini: Path) -> None:
    assert meaning(ini) == meaning(ini.with_suffix(".toml"))
