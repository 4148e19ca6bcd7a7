"""How the console is built: only when its sources changed, into every distribution, and without it if one wants."""

from __future__ import annotations

import importlib.util
import json
import re
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

from tests.contract.sources import ROOT

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

UI = ROOT / "circus_plugins" / "web" / "ui"


@pytest.fixture
def build() -> ModuleType:
    """The hook, which is no module of the distribution."""
    spec = importlib.util.spec_from_file_location("build_console", ROOT / "build_console.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def console(build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """One that is built, of a source file and a test."""
    monkeypatch.delenv("CIRCUS_WITHOUT_CONSOLE", raising=False)
    made = build.Console(tmp_path)
    (made.home / "src").mkdir(parents=True)
    (made.home / "src" / "main.ts").write_text("one")
    (made.home / "src" / "main.test.ts").write_text("one")
    (made.home / "package-lock.json").write_text("{}")
    made.built.mkdir()
    (made.built / build.STAMP).write_text(made.sources)
    return made


def test_it_is_built_again_only_if_its_sources_changed(console: Any) -> None:
    assert not console.wanted
    (console.home / "src" / "main.test.ts").write_text("other")
    (console.home / "node_modules").mkdir()
    assert not console.wanted
    (console.home / "src" / "main.ts").write_text("two")
    assert console.wanted
    (console.home / "src" / "main.ts").write_text("one")
    (console.home / "src" / "more.ts").touch()
    assert console.wanted


def test_it_can_be_left_out(console: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (console.home / "src" / "main.ts").write_text("two")
    monkeypatch.setenv("CIRCUS_WITHOUT_CONSOLE", "1")
    assert not console.wanted
    monkeypatch.setenv("CIRCUS_WITHOUT_CONSOLE", "0")
    assert console.wanted


def test_a_registry_that_cannot_be_reached_is_told_with_the_ways_out(
    build: ModuleType, console: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (console.home / "package.json").write_text('{"name": "x", "dependencies": {"preact": "1.0.0"}}')
    lock = {"name": "x", "lockfileVersion": 3, "packages": {
        "": {"name": "x", "dependencies": {"preact": "1.0.0"}},
        "node_modules/preact": {"version": "1.0.0", "integrity": "sha512-AAAA"},
    }}  # fmt: skip
    (console.home / "package-lock.json").write_text(json.dumps(lock))
    # Nobody listens there.
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setenv("npm_config_cache", str(console.home / "cache"))
    with pytest.raises(build.ConsoleError, match="could not fetch its libraries") as caught:
        console.build()
    assert "CIRCUS_WITHOUT_CONSOLE=1" in str(caught.value)
    assert "ECONNREFUSED" in str(caught.value)
    assert (console.built / build.STAMP).exists(), "what there was is left alone"


def test_distributions_have_what_was_built_and_wheels_no_sources(build: ModuleType, tmp_path: Path) -> None:
    if not (build.Console(ROOT).built / build.STAMP).exists():
        pytest.skip("the console is not built: make console")
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path))
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
    assert "circus_plugins/web/static/index.html" in names
    assert not [name for name in names if name.startswith("circus_plugins/web/ui")]
    (sdist,) = SdistBuilder(str(ROOT)).build(directory=str(tmp_path))
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {"circus_plugins/web/static/.built-from", "circus_plugins/web/ui/src/main.tsx", "build_console.py"} <= inside
    assert not [name for name in inside if "node_modules" in name]


def test_the_lock_file_has_no_addresses() -> None:
    packages = json.loads((UI / "package-lock.json").read_text())["packages"]
    assert packages
    assert not [name for name, each in packages.items() if "resolved" in each]


def test_the_licences_of_what_goes_to_browsers_are_permissive_and_go_with_it(build: ModuleType) -> None:
    told = build.Console(ROOT).built / "licenses.md"
    if not told.exists():
        pytest.skip("the console is not built: make console")
    found = dict(re.findall(r"^## (\S+) - \S+ \((.+)\)$", told.read_text(), re.MULTILINE))
    assert {"preact", "@preact/signals", "socket.io-client", "uplot"} <= found.keys()
    assert set(found.values()) <= {"MIT", "ISC", "0BSD", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0"}
