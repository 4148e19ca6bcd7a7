"""The standard streams of circusctl, made fit for use, and what to say where they fail; it writes no output itself."""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO

from circus_plugins.ctl import report


def prepare() -> None:
    """Put /dev/null in place of streams that are closed, and let no letter be one that cannot be read or shown."""
    # In this order, as each gets the lowest free number: else a socket could get that of standard output.
    sys.stdin = sys.stdin or _nowhere(os.O_RDONLY)
    sys.stdout = sys.stdout or _nowhere(os.O_WRONLY)
    sys.stderr = sys.stderr or _nowhere(os.O_WRONLY)
    for stream, errors in ((sys.stdin, "surrogateescape"), (sys.stdout, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)


def lost(error: OSError, status: int) -> int:
    """The exit status once standard output failed; `status` is what it would have been."""
    report.give_up(sys.stdout)
    if isinstance(error, BrokenPipeError):  # whoever read the output has enough
        return status
    report.mistake(f"the output cannot be written: {error.strerror}")
    return status or report.NO_ANSWER


def _nowhere(flags: int) -> TextIO:
    return open(os.open(os.devnull, flags), "r" if flags == os.O_RDONLY else "w")
