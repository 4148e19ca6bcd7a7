"""circusd as a shell sees it: arguments in; output, error and status out. It waits for circusd to end."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from circus_core.testing import Circusd

CIRCUSD = (sys.executable, "-m", "circus_core.main")


def run(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run circusd to its end."""
    words = [*CIRCUSD, *map(str, arguments)]
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, **options)


def is_up(run: Circusd) -> bool:
    """Whether circusd says that it has started everything."""
    return "circusd is up" in run.output()
