"""Distributions in contrib/ are third parties: they import what is public, and what they say they need."""

from __future__ import annotations

import re
import sys
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract import sources
from tests.contract.sources import ROOT, imports

if TYPE_CHECKING:
    from pathlib import Path

DISTRIBUTIONS = sorted(file.parent for file in ROOT.glob("contrib/*/pyproject.toml"))
PUBLIC = {
    "circus_core.errors",
    "circus_core.events",
    "circus_core.kinds",
    "circus_core.model",
    "circus_core.options",
    "circus_core.plugin",
    # "Embed a supervisor in a program" is about it.
    "circus_core.supervisor",
    "circus_core.testing",
    "circus_core.wire",
    "circus_plugins.client",
}
MODULES = {"pyzmq": "zmq", "prometheus-client": "prometheus_client"}
"""Distributions whose module has another name."""
SLEEPS = re.compile(r"time\.sleep|asyncio\.to_thread|.*\.run_in_executor")


def project(distribution: Path) -> dict[str, Any]:
    told: dict[str, Any] = tomllib.loads((distribution / "pyproject.toml").read_text())
    return told


def packages(distribution: Path) -> list[str]:
    found: list[str] = project(distribution)["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    return found


def modules(distribution: Path) -> list[Path]:
    return [file for package in packages(distribution) for file in sorted((distribution / package).rglob("*.py"))]


every_distribution = pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=lambda path: path.name)


@every_distribution
def test_of_ours_they_import_only_what_is_public(distribution: Path) -> None:
    files = [*modules(distribution), *sorted((distribution / "tests").rglob("*.py"))]
    ours = [found for file in files for found in imports(file) if found.top in ("circus_core", "circus_plugins")]
    assert not [str(found) for found in ours if found.module not in PUBLIC]


@every_distribution
def test_they_need_what_they_import(distribution: Path) -> None:
    words = [re.match(r"[\w-]+", line) for line in project(distribution)["project"]["dependencies"]]
    needed = {MODULES.get(word[0], word[0]) for word in words if word}
    allowed = {*sys.stdlib_module_names, *needed, *packages(distribution), "circus_core", "circus_plugins"}
    # attrs comes with circus-bus, which cannot declare an option without it.
    wrong = [found for file in modules(distribution) for found in imports(file) if found.top not in allowed | {"attrs"}]
    assert not [str(found) for found in wrong]


@every_distribution
def test_no_failure_is_swallowed_and_nothing_sleeps(distribution: Path) -> None:
    for file in modules(distribution):
        assert not list(sources.silent_handlers(file)), file
        assert not [name for _line, name in sources.names_used(file) if SLEEPS.fullmatch(name)], file


@every_distribution
def test_files_are_short(distribution: Path) -> None:
    long = [file for file in modules(distribution) if len(file.read_text().splitlines()) > 300]
    assert not long


@every_distribution
def test_each_has_its_page(distribution: Path) -> None:
    name = distribution.name.removeprefix("circus-")
    assert f"contrib/{distribution.name}/README.md" in (ROOT / "docs" / "contrib" / f"{name}.md").read_text()
    assert f"contrib/{name}" in (ROOT / "docs" / "index.md").read_text()


def test_circus_bus_installs_none_of_them() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert not {package for each in DISTRIBUTIONS for package in packages(each)} & set(wheel["packages"])
