"""The supervised processes as a benchmark sees them: each reports its own birth, and the last death is an end of file.

So nobody has to look for processes, and no supervisor is measured by its own word.
"""

import fcntl
import os
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PIPE_BYTES = 1 << 20


@dataclass(frozen=True)
class Birth:
    """One child's report. `at` is CLOCK_MONOTONIC in ns, read by the child itself at the start of its main()."""

    name: str
    pid: int
    at: int


class Nursery:
    """A FIFO in `folder` into which children report. `program` is the compiled native/child.c, or None: then a shell
    script stands in for it, and the time of a birth is that of its arrival here."""

    def __init__(self, folder: Path, program: Path | None) -> None:
        self.fifo = folder / "births"
        self.program = program
        self.pids: set[int] = set()
        self._partial = b""
        self._ended = False
        os.mkfifo(self.fifo)
        self._reader = os.open(self.fifo, os.O_RDONLY | os.O_NONBLOCK)
        fcntl.fcntl(self._reader, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._poll = select.poll()
        self._poll.register(self._reader, select.POLLIN)

    def close(self) -> None:
        os.close(self._reader)

    def argv(self, name: str) -> list[str]:
        """The command line of the child called `name`; contains no blank unless the folder's path does."""
        if self.program:
            return [str(self.program), str(self.fifo), name]
        script = self.fifo.with_name("child.sh")
        script.write_text('#!/bin/sh\nexec 9>"$1"\necho "$2 $$ 0" >&9\nexec sleep infinity\n')
        script.chmod(0o755)
        return [str(script), str(self.fifo), name]

    def kill(self, birth: Birth) -> int:
        """SIGKILL the child; when, in ns of CLOCK_MONOTONIC. ProcessLookupError if the pid is not that child's."""
        if os.fsencode(self.fifo) not in Path(f"/proc/{birth.pid}/cmdline").read_bytes() and self.program:
            raise ProcessLookupError(birth.pid)
        at = time.monotonic_ns()
        os.kill(birth.pid, signal.SIGKILL)
        return at

    def births(self, timeout: float) -> list[Birth]:
        """The births reported by now; waits up to `timeout` s for the first."""
        if self._ended or not self._poll.poll(timeout * 1000):
            return []
        arrived = time.monotonic_ns()
        try:
            data = os.read(self._reader, PIPE_BYTES)
        except BlockingIOError:
            return []
        self._ended = not data
        *lines, self._partial = (self._partial + data).split(b"\n")
        found = []
        for line in lines:
            name, pid, at = line.decode().split()
            found.append(Birth(name, int(pid), int(at) or arrived))
            self.pids.add(int(pid))
        return found

    def wait_for(self, count: int, timeout: float, hopeless: Callable[[], bool] = lambda: False) -> list[Birth]:
        """The next `count` births or a few more. TimeoutError if they are not there after `timeout` s, or if it is
        `hopeless` to wait for them."""
        deadline = time.monotonic() + timeout
        found: list[Birth] = []
        while len(found) < count:
            if time.monotonic() > deadline or self._ended or hopeless():
                raise TimeoutError(f"only {len(found)} of {count} children were born")
            found += self.births(0.1)
            if len(found) < count - 1:
                time.sleep(0.005)  # births carry their own time: reading them in batches takes less of the machine
        return found

    def wait_until_empty(self, timeout: float) -> int:
        """When the last child died, in ns of CLOCK_MONOTONIC. TimeoutError if one lives after `timeout` s."""
        deadline = time.monotonic() + timeout
        while not self._ended:
            if time.monotonic() > deadline:
                raise TimeoutError(f"children still live after {timeout} s")
            self.births(0.1)
        return time.monotonic_ns()
