"""Starts a program that finds descriptors from 3 on, as sd_listen_fds(3) has it; it does not know what they are.

LISTEN_PID has to be the child's own pid, which only the child knows, and the numbers from 3 on may be in use by what
`subprocess` keeps open in it. So the child does the last steps itself, in `preexec_fn`: it moves the descriptors,
closes all others, and executes. What fails there is told over a pipe, with its error number, as the module `subprocess`
does for what it executes itself.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
from typing import TYPE_CHECKING

from circus_core.errors import SpawnError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from circus_core.model import Launch

FIRST = 3
"""SD_LISTEN_FDS_START."""
_NOT_PREPARED = b"prepare"


class Handover:
    """The last steps of one child. `run` is called in the child and never returns; `settle` in the parent, afterwards.

    `prepare` sets limits and user. Raises SpawnError where two descriptors would need the same number.
    """

    def __init__(self, launch: Launch, prepare: Callable[[], None] | None) -> None:
        self._launch = launch
        self._prepare = prepare
        self._end = FIRST + len(launch.listen_fds)
        taken = sorted(fd for fd in launch.pass_fds if FIRST <= fd < self._end)
        if taken:
            numbers = ", ".join(map(str, taken))
            raise SpawnError(
                f"cannot run {launch.argv[0]}: it is to find sockets as descriptors {FIRST} to {self._end - 1}, and"
                f" something else as {numbers}",
                hint="hand the sockets over by their numbers, without socket_activation, or fewer of them",
            )
        program = os.fsencode(launch.executable or launch.argv[0])
        folders = [b""] if b"/" in program else map(os.fsencode, os.get_exec_path(launch.env))
        # As execvp(3) tries them, in the folder and with the rights that the child has by then.
        self._paths = [os.path.join(folder, program) for folder in folders]
        self._reader, self._writer = os.pipe()

    def run(self) -> None:
        """In the child, which is in its working directory by now and has its standard streams."""
        # Above all numbers that are about to be taken. Limits come later: they may allow less.
        writer = fcntl.fcntl(self._writer, fcntl.F_DUPFD_CLOEXEC, self._end)
        try:
            above = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, self._end) for fd in self._launch.listen_fds]
            for number, fd in enumerate(above, FIRST):
                os.dup2(fd, number)
            _close_all_but({*range(self._end), *self._launch.pass_fds, writer})
            self._do_prepare()
            self._execute()
        except OSError as error:
            os.write(writer, b"%d" % (error.errno or 0))
        except subprocess.SubprocessError:
            os.write(writer, _NOT_PREPARED)
        finally:
            # Whatever it is, it must not go on as a second circusd.
            os._exit(255)

    def _do_prepare(self) -> None:
        if self._prepare is None:
            return
        try:
            self._prepare()
        except Exception as error:
            raise subprocess.SubprocessError from error

    def _execute(self) -> None:
        launch = self._launch
        own = {"LISTEN_FDS": str(len(launch.listen_fds)), "LISTEN_PID": str(os.getpid())}
        failed: OSError | None = None
        for path in self._paths:
            try:
                os.execve(path, launch.argv, {**launch.env, **own})
            except (FileNotFoundError, NotADirectoryError) as error:
                last = error
            except OSError as error:
                failed = failed or error
        raise failed or last

    def settle(self, child: subprocess.Popen[bytes]) -> None:
        """In the parent: done when the program runs; raises OSError and SubprocessError as `subprocess.Popen` does."""
        os.close(self._writer)
        self._writer = -1
        said = os.read(self._reader, 64)
        if not said:
            return
        # It has ended, and nobody is to hear of it.
        child.wait()
        if said == _NOT_PREPARED:
            raise subprocess.SubprocessError
        number = int(said)
        raise OSError(number, os.strerror(number), self._launch.executable or self._launch.argv[0])

    def close(self) -> None:
        """Let go of the pipe."""
        for fd in (self._reader, self._writer):
            if fd >= 0:
                os.close(fd)


def _close_all_but(kept: Collection[int]) -> None:
    """Where the kernel has close_range(2), that is one call for each gap between those to keep."""
    last = max(map(int, os.listdir("/proc/self/fd")))
    low = 0
    for fd in sorted({fd for fd in kept if fd <= last}):
        if low < fd:
            os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, last + 1)
