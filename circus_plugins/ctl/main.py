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
    try:
        if "_ARGCOMPLETE" in os.environ or "AUTO_COMPLETE" in os.environ:
            from circus_plugins.ctl import completion

            return completion.answer(os.environ)
        from circus_plugins.ctl.program import Program

        program = Program()
        try:
            return program.run(words)
        finally:
            program.close()
            sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has enough. Python must not find out again when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
