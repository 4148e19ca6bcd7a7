"""`circusd --daemon`: it puts this process into the background, and refuses to hide whether the start succeeded.

Circus' first process exits 0 before the configuration is read, so no error is ever seen (PROTOCOL.md O-53). Here it
waits until the daemon reports, prints what the daemon has to say, and exits with the daemon's code.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from circus_core.errors import SystemCallError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Report = Callable[[int, str], None]

STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
"""The signals that end circusd."""


def detach(*, keep: Iterable[int] = ()) -> Report:
    """Go on as a daemon, and return the function that tells the waiting first process how the start went.

    The daemon is in a session of its own without a terminal (daemon(7)); 0, 1 and 2 are /dev/null, and every other
    descriptor except those to `keep` is closed. The working directory and the umask stay. Call it before anything opens
    descriptors or starts threads.

    `report(code, text)` makes the first process print `text` on standard error and exit with `code`; only the first
    report counts. A daemon that ends without one is reported as failed. Raises SystemCallError if the first fork fails.
    """
    reader, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
    try:
        child = os.fork()
    except OSError as error:
        os.close(reader)
        os.close(writer)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        raise SystemCallError(f"cannot fork: {error.strerror}", hint="see ulimit -u and the free memory") from None
    if child:
        os.close(writer)
        _wait(reader, child)
    report = _Report(writer)
    try:
        os.setsid()
        # The leader of a session could get a terminal by opening one; its child cannot.
        if os.fork():
            os._exit(0)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        report.name_daemon(os.getpid())
        _close_all_but({writer, *keep})
    except OSError as error:
        report(1, f"circusd: cannot become a daemon: {error}")
        os._exit(1)
    return report


def open_standard() -> None:
    """Point 0, 1 and 2 at /dev/null where they are closed, so that no file opened later is taken for one of them."""
    for standard in (0, 1, 2):
        try:
            os.fstat(standard)
        except OSError:
            # The lowest free number is the one that is missing; unlike other files, it is for children too.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


class _Report:
    """The daemon's end of the pipe: the first line is the daemon's pid, the second the code, the rest the text."""

    def __init__(self, writer: int) -> None:
        self.writer = writer
        self.named = False

    def name_daemon(self, pid: int) -> None:
        self.named = True
        with suppress(BrokenPipeError):
            os.write(self.writer, b"%d\n" % pid)

    def __call__(self, code: int, text: str) -> None:
        if self.writer < 0:
            return
        if not self.named:
            self.name_daemon(0)
        # The first process may be gone, and then nobody wants to know.
        with suppress(BrokenPipeError), open(self.writer, "wb") as pipe:
            pipe.write(b"%d\n%s" % (code, text.encode(errors="backslashreplace")))
        self.writer = -1


def _wait(reader: int, child: int) -> NoReturn:
    """The rest of the first process' life: wait for the report, pass it on, exit. An interrupt is passed on too."""
    received, interrupted, pending = b"", 0, False

    def pass_on() -> None:
        nonlocal pending
        pid = int(received.partition(b"\n")[0] or 0)
        if pending and pid:
            pending = False
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def interrupt(signum: int, _frame: object) -> None:
        nonlocal interrupted, pending
        interrupted, pending = signum, True
        pass_on()

    for signum in STOP:
        if signal.getsignal(signum) is not signal.SIG_IGN:
            signal.signal(signum, interrupt)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP)
    while piece := os.read(reader, 65536):
        received += piece
        # The interrupt may have come before the daemon's pid.
        pass_on()
    with suppress(ChildProcessError):
        os.waitpid(child, 0)
    _pid, _, rest = received.partition(b"\n")
    code, _, text = rest.partition(b"\n")
    if not code:
        code, text = b"1", b"circusd: the daemon ended before it had started"
    if text.strip():
        with suppress(OSError):
            os.write(2, text.rstrip(b"\n") + b"\n")
    os._exit(128 + interrupted if interrupted else int(code))


def _close_all_but(kept: set[int]) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    for fd in map(int, os.listdir("/proc/self/fd")):
        if fd > 2 and fd not in kept:
            # One of them was the listing's own, which is closed already.
            with suppress(OSError):
                os.close(fd)
