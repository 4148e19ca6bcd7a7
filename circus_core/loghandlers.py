"""The handlers of circusd's log: standard error, a file, syslog; none ever raises, or waits for whoever reads it.

Those of logging do both: `WatchedFileHandler` raises where something is logged once its file cannot be opened again,
a stalled reader of a pipe stops `StreamHandler`, and `SysLogHandler` looks its host's name up at every line.
"""

from __future__ import annotations

import errno
import logging
import os
import select
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket

STDERR = 2
_ATOMIC = select.PIPE_BUF
_SYSLOG_LIMIT = 32_768
TURN = 20
"""Milliseconds in which a terminal takes a line. While another process writes to it, it looks as if it were full."""
_SEVERITIES = {"CRITICAL": 2, "ERROR": 3, "WARNING": 4, "INFO": 6, "DEBUG": 7}


class LineHandler(logging.Handler):
    """Delivers each record as text; counts those that cannot be delivered, and says so when one can be again."""

    where = ""

    def __init__(self) -> None:
        super().__init__()
        self.lost = 0
        self._reason = ""

    def deliver(self, level: str, text: str) -> None:
        """Write `text` without waiting; raises OSError if it cannot be written now."""
        raise NotImplementedError

    def reopen(self) -> None:
        """Let go of what is open, and open what is there now under the same name."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if self.lost:
                self._tell_loss()
            self.deliver(record.levelname, self._text(record))
        except OSError as error:
            self.lost += 1
            self._reason = error.strerror or str(error)
            if self.lost == 1:
                complain(f"cannot log to {self.where}: {self._reason}; going on without")

    def _tell_loss(self) -> None:
        message = f"{self.lost} lines of this log were lost: {self._reason}"
        note = logging.LogRecord("circus.logs", logging.WARNING, "", 0, message, None, None)
        self.deliver(note.levelname, self._text(note))
        self.lost = 0

    def _text(self, record: logging.LogRecord) -> str:
        try:
            return self.format(record)
        except Exception as error:
            # A call with the wrong arguments should not cost the line.
            return f"{record.levelname} {record.msg!r} {record.args!r} (cannot be formatted: {error!r})"


class StderrHandler(LineHandler):
    """Standard error, whatever it is: a terminal, a file, a pipe, or a socket of the journal."""

    where = "standard error"

    def __init__(self) -> None:
        super().__init__()
        self._fd = _own(STDERR)

    def deliver(self, level: str, text: str) -> None:
        # One that took too long is not waited for again.
        write(self._fd, text, turn=0 if self.lost else TURN)

    def close(self) -> None:
        if self._fd != STDERR:
            os.close(self._fd)
            self._fd = STDERR
        super().close()


class FileHandler(LineHandler):
    """A file, appended to; if it is renamed or removed, the next line makes a new one. Raises OSError if it cannot."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = self.where = os.path.abspath(path)
        self._complained = False
        self._fd = self._open()

    def deliver(self, level: str, text: str) -> None:
        if self._moved():
            self._replace()
        write(self._fd, text)

    def reopen(self) -> None:
        self.acquire()
        try:
            self._replace()
        finally:
            self.release()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        super().close()

    def _open(self) -> int:
        # Without O_NONBLOCK the opening of a FIFO would wait for a reader.
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY, 0o666)

    def _moved(self) -> bool:
        try:
            return not os.path.samestat(os.stat(self.path), os.fstat(self._fd))
        except OSError:
            return True

    def _replace(self) -> None:
        """Open the file anew; where that fails, the old one still takes the lines, wherever it is now."""
        try:
            fd = self._open()
        except OSError as error:
            if not self._complained:
                complain(f"cannot open the log {self.path}: {error.strerror}; the file that was open is used")
            self._complained = True
            return
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = fd
        self._complained = False


def unwritable(path: str) -> str:
    """Why lines could not be added to a file, or the file made: empty if they can. Nothing is made or changed."""
    path = os.path.realpath(path)
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
            os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOCTTY))
            return ""
    except FileNotFoundError:
        folder = os.path.dirname(path)
        try:
            os.close(os.open(folder, os.O_PATH | os.O_DIRECTORY))
        except OSError as error:
            return os.strerror(error.errno or 0)
        path, wanted = folder, os.W_OK | os.X_OK
    except OSError as error:
        return os.strerror(error.errno or 0)
    else:
        # Opening others, such as a FIFO, does something.
        wanted = os.W_OK
    return "" if os.access(path, wanted, effective_ids=True) else os.strerror(errno.EACCES)


class SyslogHandler(LineHandler):
    """A syslog server by UDP (RFC 3164), or the local one by its socket. It may be absent at first.

    A host's name is looked up when the handler is made and by `reopen`, never when something is logged.
    """

    def __init__(self, address: str | tuple[str, int], facility: int) -> None:
        super().__init__()
        self.address = address
        self.where = f"syslog at {address if isinstance(address, str) else '{}:{}'.format(*address)}"
        self._facility = facility
        self._socket: socket.socket | None = None
        self._resolved: tuple[int, tuple[Any, ...]] | None = None
        self.reopen()

    def deliver(self, level: str, text: str) -> None:
        priority = self._facility << 3 | _SEVERITIES.get(level, _SEVERITIES["WARNING"])
        line = f"<{priority}>{text}".encode(errors="backslashreplace")[:_SYSLOG_LIMIT]
        if isinstance(self.address, str):
            # What ends a line of the local protocol where the socket is a stream.
            line += b"\0"
        try:
            self._connected().send(line)
        except BlockingIOError:
            raise
        except OSError:
            # The server was started anew, or an earlier datagram found nobody.
            self._disconnect()
            self._connected().send(line)

    def reopen(self) -> None:
        self._disconnect()
        if isinstance(self.address, str):
            return
        import socket

        host, port = self.address
        try:
            family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        except OSError as error:
            complain(f"cannot find {host}, the syslog server: {error.strerror}; SIGHUP makes circusd look again")
        else:
            self._resolved = (family, address)

    def close(self) -> None:
        self._disconnect()
        super().close()

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket = self._connect()
        return self._socket

    def _connect(self) -> socket.socket:
        import socket

        if isinstance(self.address, str):
            try:
                return _connect(socket.AF_UNIX, socket.SOCK_DGRAM, self.address)
            except OSError as error:
                if error.errno != errno.EPROTOTYPE:
                    raise
                return _connect(socket.AF_UNIX, socket.SOCK_STREAM, self.address)
        if self._resolved is None:
            raise OSError(errno.EHOSTUNREACH, "the name of the host is not known")
        return _connect(self._resolved[0], socket.SOCK_DGRAM, self._resolved[1])

    def _disconnect(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def complain(message: str) -> None:
    """Say on standard error what is wrong with the log, if anybody is there to read it."""
    with suppress(OSError):
        write(STDERR, f"circusd: {message}")


def write(fd: int, line: str, turn: int = 0) -> None:
    """Write a line, or raise OSError; BlockingIOError if that would mean waiting, at a terminal for over `turn` ms."""
    data = memoryview(f"{line}\n".encode(errors="backslashreplace"))
    poller = select.poll()
    poller.register(fd, select.POLLOUT)
    while data:
        # A pipe that is ready takes this much at once; terminals and sockets are as good as that.
        if not poller.poll(0) and not (turn and os.isatty(fd) and poller.poll(turn)):
            raise BlockingIOError(errno.EAGAIN, "it is full and nobody reads it")
        data = data[os.write(fd, data[:_ATOMIC]) :]


def _own(fd: int) -> int:
    """A descriptor of our own for the same pipe, which may be non-blocking without others noticing; else `fd`.

    Without it a child that shares the pipe could fill it between our poll and our write.
    """
    try:
        if stat.S_ISFIFO(os.fstat(fd).st_mode):
            return os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        pass
    return fd


def _connect(family: int, kind: int, address: str | tuple[Any, ...]) -> socket.socket:
    import socket

    made = socket.socket(family, kind)
    try:
        made.setblocking(False)
        made.connect(address)
    except BaseException:
        made.close()
        raise
    return made
