"""One circusd per socket path: a lock file beside the socket, because libzmq takes a path over without asking.

The lock is the kernel's, not the file's: it ends with its holder, so a stale file or socket never blocks a start.
"""

from __future__ import annotations

import fcntl
import os
import stat

from circus_core.errors import EndpointError
from circus_plugins.doors import holder


class PathLock:
    """The lock of one socket path, held from construction to `release`; raises EndpointError if it cannot be had."""

    def __init__(self, path: str, option: str) -> None:
        self.file = f"{path}.lock"
        self._fd = self._take(path, option)
        try:
            os.truncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)
            _check_unused(path, option)
        except BaseException:
            self.release()
            raise

    def _take(self, path: str, option: str) -> int:
        while True:
            try:
                fd = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise EndpointError(
                    f"{option}: {self.file} cannot be opened: {error.strerror}",
                    hint=f"the folder {os.path.dirname(path) or '.'} must exist and be writable",
                ) from error
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pid = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
                os.close(fd)
                raise _in_use(path, option, int(pid) if pid.isdigit() else 0) from None
            if self._is_current(fd):
                return fd
            os.close(fd)  # its last holder removed the file between our open and our lock

    def _is_current(self, fd: int) -> bool:
        try:
            return os.path.samestat(os.fstat(fd), os.lstat(self.file))
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Let another circusd have the path; to be called once libzmq has let go of the socket."""
        if self._fd >= 0:
            if self._is_current(self._fd):
                os.unlink(self.file)
            os.close(self._fd)
            self._fd = -1


def _check_unused(path: str, option: str) -> None:
    """Refuse a path that is no socket, or on which somebody who takes no lock (Circus, say) answers."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise EndpointError(f"{option}: {path} exists and is not a socket", hint="remove it, or choose another path")
    pid = holder.of_path(path)
    if pid is not None:
        raise _in_use(path, option, pid)


def _in_use(path: str, option: str, pid: int) -> EndpointError:
    who = holder.describe(pid) if pid else "another process"
    return EndpointError(
        f"{option}: {path} is in use by {who}", hint="stop that program, or give this circusd another endpoint"
    )
