"""The file that tells others circusd's pid, locked while circusd lives; it refuses to outvote a living holder.

The lock decides who holds the file (flock(2), released by the kernel however the holder ends), so no stale, empty,
garbled or recycled pid ever blocks a start. The content is for readers: the first line is the pid, as Circus writes it
(PROTOCOL.md 6.12), the second the process' start time (field 22 of /proc/PID/stat, proc_pid_stat(5)), by which a
reader tells the holder from a later process with the same pid.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from attrs import define, field

from circus_core import tree
from circus_core.errors import PidFileError

if TYPE_CHECKING:
    from types import TracebackType

log = logging.getLogger("circus.pidfile")

MODE = 0o644
_ENOUGH = 64
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}
_CLOCK_SLACK = 2.0
_CIRCUS = {b"circusd", b"circus.circusd"}


def _absolute(path: str | os.PathLike[str]) -> str:
    return os.path.abspath(path)


@define
class PidFile:
    """A pid file at `path`, held from `acquire` to `release`, or to the end of the process."""

    path: str = field(converter=_absolute)
    _fd: int = field(default=-1, init=False)
    _content: bytes = field(default=b"", init=False)

    def acquire(self) -> None:
        """Lock the file and write this process into it, after all forking; raises PidFileError if a living one does."""
        while self._fd < 0:
            fd = self._open()
            try:
                locked = self._lock(fd)
                if not self._is(fd):
                    continue
                if locked is False:
                    raise self._held(_parse(os.pread(fd, _ENOUGH, 0))[0])
                self._refuse_unlocked_holder(fd, locks=locked is not None)
                self._write(fd)
                self._fd, fd = fd, -1
            finally:
                if fd >= 0:
                    os.close(fd)

    def release(self) -> None:
        """Remove the file if it still is the one that this process wrote, and unlock it."""
        if self._fd < 0:
            return
        try:
            if _content(os.getpid()) == self._content == os.pread(self._fd, _ENOUGH, 0) and self._is(self._fd):
                os.unlink(self.path)
        except OSError as error:
            log.warning("pid file '%s' stays behind: %s", self.path, error.strerror)
        os.close(self._fd)
        self._fd = -1

    def __enter__(self) -> PidFile:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _open(self) -> int:
        """The open file, made if need be. A link is not followed: it could lead root to overwrite anything."""
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, MODE)
        except OSError as error:
            raise self._unusable(error) from None
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise PidFileError(f"pid file '{self.path}' is not a regular file", hint="choose another path")
        return fd

    def _lock(self, fd: int) -> bool | None:
        """Whether the lock was free; None where the file system has no locks."""
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno in _NO_LOCKS:
                return None
            raise self._unusable(error) from None
        return True

    def _is(self, fd: int) -> bool:
        """Whether the open file is still the one at the path: a holder that ends removes it, then unlocks it."""
        try:
            return os.path.samestat(os.fstat(fd), os.lstat(self.path))
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._unusable(error) from None

    def _refuse_unlocked_holder(self, fd: int, *, locks: bool) -> None:
        """Raise for a living process that holds the file without locking it: Circus, or where nothing can be locked."""
        pid, started = _parse(os.pread(fd, _ENOUGH, 0))
        if pid is None or pid == os.getpid():
            return
        if started is None:
            holds = _is_older_circusd(pid, os.fstat(fd).st_mtime)
        else:
            holds = not locks and _started(pid) == started
        if holds:
            raise self._held(pid)

    def _write(self, fd: int) -> None:
        content = _content(os.getpid())
        try:
            with suppress(PermissionError):
                os.fchmod(fd, MODE)
            # In this order no reader ever finds the file empty that had something in it.
            os.pwrite(fd, content, 0)
            os.ftruncate(fd, len(content))
        except OSError as error:
            raise self._unusable(error) from None
        self._content = content

    def _held(self, pid: int | None) -> PidFileError:
        holder = f"process {pid}" if pid else "a process that is just starting"
        first = f"stop that one first (kill {pid})" if pid else "stop that one first"
        return PidFileError(
            f"pid file '{self.path}' is held by {holder}, which is running", hint=f"{first}, or choose another pid file"
        )

    def _unusable(self, error: OSError) -> PidFileError:
        hints = {
            errno.ENOENT: f"create the folder {os.path.dirname(self.path)}",
            errno.ELOOP: "it is a symbolic link; name the file itself",
            errno.ENOSPC: "make room on the disk",
        }
        hint = hints.get(error.errno or 0, "choose a file that circusd may write")
        return PidFileError(f"pid file '{self.path}' cannot be used: {error.strerror}", hint=hint)


def read_pid(path: str | os.PathLike[str]) -> int | None:
    """The pid of the living process that a pid file names; None if there is no such file, or it is stale."""
    try:
        with open(path, "rb") as file:
            pid, started = _parse(file.read(_ENOUGH))
            written = os.fstat(file.fileno()).st_mtime
    except OSError:
        return None
    if pid is None:
        return None
    if started is None:
        return pid if _is_older_circusd(pid, written) else None
    return pid if _started(pid) == started else None


def _started(pid: int) -> int | None:
    """The start time of a living process."""
    return tree.identify([pid]).get(pid)


def _content(pid: int) -> bytes:
    return b"%d\n%d\n" % (pid, _started(pid) or 0)


def _parse(content: bytes) -> tuple[int | None, int | None]:
    """The pid and the start time, each None if it is not there or not a number."""
    lines = content.split(b"\n")
    numbers = [int(line) if line.strip().isdigit() else None for line in lines[:2]]
    pid, started = (*numbers, None)[:2]
    return pid or None, started


def _is_older_circusd(pid: int, written: float) -> bool:
    """Whether a file without a start time, as Circus writes it, names a circusd that was there when it was written."""
    ticks = _started(pid)
    if ticks is None:
        return False
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = {os.path.basename(word.strip()) for word in file.read().split(b"\0")}
        with open("/proc/stat", "rb") as file:
            booted = next(int(line.split()[1]) for line in file if line.startswith(b"btime "))
    except OSError:
        return False
    return bool(words & _CIRCUS) and booted + ticks / os.sysconf("SC_CLK_TCK") <= written + _CLOCK_SLACK
