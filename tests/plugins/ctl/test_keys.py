"""`circusctl keys`, and a key made by it at an endpoint that asks for one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.plugins.ctl.running import circusctl

if TYPE_CHECKING:
    from pathlib import Path


def test_make_list_and_revoke(tmp_path: Path) -> None:
    folder = str(tmp_path / "keys")
    done = circusctl("keys", "new", "alice", "--role", "view", "--dir", folder)
    assert done.returncode == 0
    assert f"{folder}/handover/alice.key" in done.stdout
    assert f"keys_dir = {folder}" in done.stdout
    assert (tmp_path / "keys/handover/alice.key").stat().st_mode & 0o777 == 0o600
    made = json.loads(circusctl("--json", "keys", "new", "bob", "--dir", folder).stdout)
    assert made == {"name": "bob", "role": "operate", "file": f"{folder}/handover/bob.key"}
    assert circusctl("keys", "list", "--dir", folder).stdout == "alice: view\nbob: operate\n"
    assert circusctl("keys", "revoke", "alice", "--dir", folder).returncode == 0
    assert circusctl("keys", "list", "--dir", folder).stdout == "bob: operate\n"


def test_mistakes(tmp_path: Path) -> None:
    folder = str(tmp_path)
    done = circusctl("keys", "new", "--dir", folder)
    assert (done.returncode, done.stderr) == (2, "error: keys new: NAME missing\nusage: circusctl keys new NAME\n")
    assert circusctl("keys", "make", "--dir", folder).returncode == 2
    done = circusctl("keys", "revoke", "nobody", "--dir", folder)
    assert (done.returncode, done.stderr) == (3, "error: there is no key for nobody\ncircusctl keys list\n")
