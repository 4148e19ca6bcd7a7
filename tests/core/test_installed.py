"""What is installed is read from metadata: nothing is imported, and a name that two distributions claim is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from circus_core import __version__, installed
from circus_core.errors import PluginError
from circus_core.finding import find
from circus_plugins.flapping import Flapping

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """`install(distribution, name, path)`: a distribution that registers a plugin by a name; its code is not there."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(distribution: str, name: str, path: str, *, group: str = "circus.plugins", metadata: bool = True) -> None:
        about = tmp_path / f"{distribution}-1.0.dist-info"
        about.mkdir(exist_ok=True)
        if metadata:
            (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        with (about / "entry_points.txt").open("a") as file:
            file.write(f"[{group}]\n{name} = {path}\n")

    return write


def _of(name: str, *plugins: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for row in installed.rows(plugins) if row["name"] == name]


def test_the_bundled_ones() -> None:
    (row,) = _of("flapping")
    assert row == {
        "name": "flapping",
        "path": "circus_plugins.flapping:Flapping",
        "distribution": "circus-bus",
        "version": __version__,
        "bundled": True,
        "loaded": [],
        "problem": "",
    }


@pytest.mark.parametrize(
    "use",
    [
        "flapping",
        "circus.plugins.flapping.Flapping",
        "circus_plugins.flapping.Flapping",
        "circus_plugins.flapping:Flapping",
    ],
)
def test_one_is_loaded_whatever_its_section_calls_it(use: str) -> None:
    here, there = {"name": "a", "host": "core"}, {"name": "b", "host": "process"}
    (row,) = _of("flapping", {**here, "use": use}, {**there, "use": use}, {**here, "use": "watchdog"})
    assert row["loaded"] == [here, there]


def test_nothing_is_imported(install: Install) -> None:
    install("acme", "lamp", "no_such_module:Lamp")
    (row,) = _of("lamp")
    assert (row["distribution"], row["version"], row["bundled"]) == ("acme", "1.0", False)
    assert row["path"] == "no_such_module:Lamp"
    with pytest.raises(PluginError) as refused:
        find("lamp")
    assert (
        refused.value.message == "plugin lamp cannot be imported: ModuleNotFoundError: No module named 'no_such_module'"
    )
    assert "--editable" in refused.value.hint


def test_a_name_that_two_distributions_claim_means_neither(install: Install) -> None:
    install("acme", "lamp", "acme:Lamp")
    install("zenith", "lamp", "zenith.light:Lamp")
    first, second = _of("lamp", {"name": "l", "use": "zenith.light:Lamp", "host": "core"})
    assert first["problem"] == "claimed by zenith 1.0 too, for other code: `use = lamp` is refused"
    assert second["problem"] == "claimed by acme 1.0 too, for other code: `use = lamp` is refused"
    assert (first["loaded"], second["loaded"]) == ([], [{"name": "l", "host": "core"}])
    with pytest.raises(PluginError) as refused:
        find("lamp")
    assert refused.value.message == (
        "the name lamp is claimed by acme 1.0 (acme:Lamp) and by zenith 1.0 (zenith.light:Lamp)"
    )
    assert "as `use = module:Class`" in refused.value.hint


def test_nor_can_anybody_take_the_name_of_a_bundled_one(install: Install) -> None:
    install("acme", "flapping", "acme:Lamp")
    install("acme", "circus.plugins.flapping.Flapping", "acme:Lamp", group="circus.aliases")
    for use in ("flapping", "circus.plugins.flapping.Flapping"):
        with pytest.raises(PluginError, match="claimed by"):
            find(use)
    assert find("circus_plugins.flapping:Flapping") is Flapping


def test_one_that_is_registered_twice_is_told_and_works(install: Install) -> None:
    install("acme", "flapping", "circus_plugins.flapping:Flapping")
    told = {row["distribution"]: row["problem"] for row in _of("flapping")}
    assert told == {
        "acme": f"registered by circus-bus {__version__} too",
        "circus-bus": "registered by acme 1.0 too",
    }
    assert find("flapping") is Flapping


def test_a_distribution_that_lacks_its_metadata_is_listed(install: Install) -> None:
    install("broken", "lamp", "acme:Lamp", metadata=False)
    (row,) = _of("lamp")
    assert (row["distribution"], row["version"]) == ("?", "?")
