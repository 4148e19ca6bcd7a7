# PYTHON_ARGCOMPLETE_OK
"""circusctl's entry point: completion if a shell asks for that, else the command line; it imports what that needs."""

from __future__ import annotations

import gc
import os
import sys


def main(argv: list[str] | None = None) -> int:
    """Run circusctl with these words, or those of the process; the exit status."""
    if argv is not None:
        return _main(argv)
    # A tenth of `circusctl status` was Python looking for garbage, as it imports and again as it ends.
    gc.set_threshold(100_000)
    try:
        return _main(sys.argv[1:])
    finally:
        gc.freeze()


def _main(words: list[str]) -> int:
    if "_ARGCOMPLETE" in os.environ or "AUTO_COMPLETE" in os.environ:
        from circus_plugins.ctl import completion

        return completion.answer(os.environ)
    from circus_plugins.ctl import streams
    from circus_plugins.ctl.program import Program

    streams.prepare()
    program = Program()
    status = 0
    try:
        try:
            status = program.run(words)
        finally:
            program.close()
        sys.stdout.flush()
    except OSError as error:
        return streams.lost(error, status)
    return status


if __name__ == "__main__":
    sys.exit(main())
