"""What a stranger does: a new plugin is written, installed beside circus-bus, tested, and run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from typing import TYPE_CHECKING

import pytest

from circus_plugins.ctl.main import main

if TYPE_CHECKING:
    from pathlib import Path


def _run(*words: object, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [*map(str, words)], cwd=cwd, capture_output=True, text=True, env={**os.environ, **(env or {})}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(180)
def test_from_nothing_to_a_plugin_that_runs(tmp_path: Path, circusd) -> None:
    ctl = ("-m", "circus_plugins.ctl.main")
    _run(sys.executable, *ctl, "plugins", "new", "night-watch", cwd=tmp_path)
    folder = tmp_path / "circus-night-watch"
    venv.create(tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    site = _run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip()
    # What this test runs with is there as if it had been installed, so that no package index is needed.
    with open(f"{site}/beside.pth", "w") as path:
        path.write(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    offline = ("--no-index", "--no-build-isolation", "--no-deps", "--disable-pip-version-check", "-q")
    _run(python, "-m", "pip", "install", *offline, folder, cwd=tmp_path)
    assert " passed" in _run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=folder)
    for tool in (("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",)):
        _run(sys.executable, "-m", *tool, cwd=folder, env={"MYPYPATH": str(folder)})

    daemon = circusd("[watcher:a]\ncmd = sleep 1000\n[plugin:eye]\nuse = night_watch\n", python=str(python)).up()
    env = {"CIRCUSCTL_ENDPOINT": daemon.endpoint}
    rows = json.loads(_run(python, *ctl, "plugins", "--json", cwd=tmp_path, env=env))["plugins"]
    assert {"name": "eye", "use": "night_watch", "host": "process", "started": True}.items() <= next(
        row for row in rows if row["name"] == "eye"
    ).items()
    _run(python, *ctl, "plugins", "add", "other", "--use", "night_watch", "every=9", "--waiting", cwd=tmp_path, env=env)
    shown = json.loads(_run(python, *ctl, "plugins", "show", "other", "--json", cwd=tmp_path, env=env))["plugin"]
    assert shown["options"] == {"watcher": "*", "every": 9}


@pytest.mark.parametrize(
    ("name", "package", "cls"),
    [("demo", "circus_demo", "Demo"), ("circus-demo", "circus_demo", "Demo"), ("a_b-c2", "circus_a_b_c2", "ABC2")],
)
def test_names(tmp_path: Path, capsys, name: str, package: str, cls: str) -> None:
    assert main(["plugins", "new", name, "--folder", str(tmp_path / "new")]) == 0
    assert f"class {cls}(CircusPlugin):" in (tmp_path / "new" / package / "plugin.py").read_text()
    assert str(tmp_path / "new") in capsys.readouterr().out


@pytest.mark.parametrize("name", ["Demo", "1st", "a b", "../x", "class", "", "-x", "a--b"])
def test_names_that_cannot_be(tmp_path: Path, monkeypatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["plugins", "new", "--", name] if name.startswith("-") else ["plugins", "new", name]) == 2
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path, capsys) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "kept").write_text("kept")
    assert main(["plugins", "new", "demo", "--folder", str(folder)]) == 3
    assert [path.name for path in folder.iterdir()] == ["kept"]
    assert "is there already" in capsys.readouterr().err
    assert main(["plugins", "new", "demo", "--folder", str(folder / "kept" / "deeper")]) == 3
