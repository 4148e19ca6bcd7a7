"""The plugin `virtualenv`: what a process finds in its environment, and watchers whose environment is missing."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from circus_core.assembly import assemble
from circus_core.errors import ConfigError
from circus_core.model import Launch, Refuse, WatcherOptions
from circus_plugins.virtualenv import Virtualenv

if TYPE_CHECKING:
    from pathlib import Path

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


def watcher(folder: Path, **given: Any) -> WatcherOptions:
    extra = {"virtualenv": str(folder), **given}
    return WatcherOptions(name="one", cmd="python app.py", copy_env=True, extra=extra)


def launch(**env: str) -> Launch:
    return Launch(watcher="one", wid=1, argv=("python", "app.py"), env=env)


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    found = tmp_path / "venv" / "lib" / f"python{VERSION}" / "site-packages"
    found.mkdir(parents=True)
    return found


@pytest.mark.covers("option:virtualenv")
def test_programs_and_packages_of_the_environment_come_first(tmp_path: Path, packages: Path) -> None:
    (tmp_path / "source").mkdir()
    (packages / "app.pth").write_text(f"# where it is\nimport os; os.abort()\n{tmp_path}/source\nno-such-folder\n\n")
    (packages / ".hidden.pth").write_text(f"{tmp_path}\n")
    venv = tmp_path / "venv"
    found = Virtualenv().circus_adjust_launch(launch(PATH="/bin", PYTHONPATH="/old"), watcher(venv))
    assert found is not None
    assert found.env == {"PATH": f"{venv}/bin:/bin", "PYTHONPATH": f"{tmp_path}/source:/old:{packages}"}
    assert Virtualenv().circus_veto_start(watcher(venv)) is None


def test_without_the_option_nothing_changes() -> None:
    plain = WatcherOptions(name="one", cmd="true")
    assert Virtualenv().circus_adjust_launch(launch(), plain) is None
    assert Virtualenv().circus_veto_start(plain) is None


@pytest.mark.covers("option:virtualenv_py_ver")
def test_the_version_of_python_can_be_another(tmp_path: Path) -> None:
    packages = tmp_path / "lib" / "pypy3.10" / "site-packages"
    packages.mkdir(parents=True)
    found = Virtualenv().circus_adjust_launch(launch(), watcher(tmp_path, virtualenv_py_ver="3.10"))
    assert found is not None
    assert found.env == {"PATH": f"{tmp_path}/bin", "PYTHONPATH": str(packages)}


def test_a_missing_environment_keeps_its_watcher_stopped_and_says_why(tmp_path: Path, packages: Path) -> None:
    refusal = Virtualenv().circus_veto_start(watcher(tmp_path / "nowhere"))
    assert isinstance(refusal, Refuse)
    assert f"virtualenv: there is no folder {tmp_path}/nowhere; make it" in refusal.reason
    refusal = Virtualenv().circus_veto_start(watcher(tmp_path / "venv", virtualenv_py_ver="2.7"))
    assert isinstance(refusal, Refuse)
    assert f"virtualenv: {tmp_path}/venv has no lib/python2.7/site-packages" in refusal.reason
    assert "set virtualenv_py_ver" in refusal.reason
    without = WatcherOptions(name="one", cmd="true", extra={"virtualenv": str(tmp_path / "venv")})
    assert Virtualenv().circus_veto_start(without) == Refuse("virtualenv needs copy_env; set copy_env = True as well")


def test_what_is_wrong_is_known_when_the_configuration_is_read(tmp_path: Path, packages: Path) -> None:
    program = tmp_path / "venv" / "bin" / "serve"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (tmp_path / "app.ini").write_text(
        "[DEFAULT]\ncopy_env = True\n"
        f"[watcher:well]\ncmd = serve\nvirtualenv = {tmp_path}/venv\n"
        f"[watcher:no-program]\ncmd = no-such\nvirtualenv = {tmp_path}/venv\n"
        f"[watcher:nowhere]\ncmd = serve\nvirtualenv = {tmp_path}/nowhere\n"
        f"[watcher:other]\ncmd = serve\nvirtualenv = {tmp_path}/venv\nvirtualenv_py_ver = 2.7\n"
    )
    found = assemble(str(tmp_path / "app.ini"), plugins={"virtualenv": Virtualenv}).reread().warnings
    place = f"{tmp_path}/app.ini"
    assert [text.partition(" (")[0].replace(os.environ["PATH"], "...") for text in found] == [
        f"{place}:7: [watcher:no-program] cmd: "
        f"there is no program no-such on the PATH of its processes, {tmp_path}/venv/bin:...",
        f"{place}:11: [watcher:nowhere] virtualenv: there is no folder {tmp_path}/nowhere",
        f"{place}:14: [watcher:other] virtualenv: {tmp_path}/venv has no lib/python2.7/site-packages "
        "or lib/pypy2.7/site-packages",
    ]


def test_a_section_without_copy_env_contradicts_itself(tmp_path: Path) -> None:
    (tmp_path / "app.ini").write_text("[watcher:w]\ncmd = serve\nvirtualenv = /\n")
    with pytest.raises(ConfigError, match=r"app.ini:3: \[watcher:w\] virtualenv: needs copy_env \(set copy_env = True"):
        assemble(str(tmp_path / "app.ini"), plugins={"virtualenv": Virtualenv})
