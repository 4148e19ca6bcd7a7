"""What a command costs before it does anything: the modules it imports."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from tests.plugins.ctl.running import environment

if TYPE_CHECKING:
    from tests.plugins.ctl.stub import Stub

SHOW = "import sys; from circus_plugins.ctl.main import main; main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
NOT_NEEDED = {
    "argcomplete",
    "argparse",
    "asyncio",
    "attr",
    "attrs",
    "circus_core.events",
    "circus_core.kinds",
    "circus_core.model",
    "circus_core.options",
    "circus_plugins.control",
    "circus_plugins.publisher",
    "difflib",
    "importlib.metadata",
    "inspect",
    "logging",
    "pluggy",
    "prompt_toolkit",
    "shlex",
    "socket",
    "ssl",
    "subprocess",
    "zmq.asyncio",
    "zmq.ssh",
}


def test_status_imports_only_what_it_needs(stub: Stub) -> None:
    stub.answers["status"] = {"statuses": {"web": "active"}}
    done = subprocess.run(
        [sys.executable, "-c", SHOW, "status"],
        env=environment(CIRCUSCTL_ENDPOINT=stub.endpoint),
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert done.stdout == "web: active\n"
    imported = set(done.stderr.split())
    assert "circus_plugins.ctl.console" in imported
    assert imported & NOT_NEEDED == set()
    assert (
        imported & {"circus_plugins.ctl.screen", "circus_plugins.ctl.parsers", "circus_plugins.ctl.following"} == set()
    )
