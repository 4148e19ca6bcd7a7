"""Programs that use a supervisor in a Python process of their own, where they may be daemon, poor, or somebody else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

HEAD = """
import asyncio, json, os, resource, signal, subprocess, sys
from circus_core.model import Config
from circus_core.supervisor import Supervisor
from circus_core.testing import Events, alive, python, supervised, until, watcher
sys.path.insert(0, sys.argv[1])
from tests.core.proc import descriptors, settled, stubborn

async def main():
"""


def script(body: str, *, before: str = "", wrapper: tuple[str, ...] = (), **options: Any) -> Any:
    """Run the lines of an async function in a process of its own, below a wrapper; answers what they return."""
    code = (
        f"{HEAD}{textwrap.indent(textwrap.dedent(body), '    ')}\n"
        f"{textwrap.dedent(before)}\n"
        "answer = asyncio.run(main())\n"
        "print(json.dumps(answer))\n"
    )
    # Into files and not through pipes, which a process left behind would keep open.
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        done = subprocess.run(
            [*wrapper, sys.executable, "-c", code, str(ROOT)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            timeout=50,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            start_new_session=True,
            **options,
        )
        out.seek(0)
        err.seek(0)
        assert done.returncode == 0, err.read()
        return json.loads(out.read().splitlines()[-1])
