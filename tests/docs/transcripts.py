"""Runs the shell transcripts of a page as a reader would: in a fresh directory, on a terminal, with a real circusd.

A page is one session. Its blocks are taken from top to bottom:

- A block whose first line is `# NAME.ini` (or `.toml`, `.py`, `.env` ...) is written to that file.
- In a `console` block a line `$ COMMAND` is run by bash, and the lines below it are what it must print; `...` stands
  for any text, line ends included. A command may go on over several lines: `\\` at its end, `> ` before the next.
- `$ COMMAND &`, or any command in a block marked `{own-terminal="why"}`, goes on running until the page ends. The
  session moves on once its output so far matches; after a circusd without output, once its default endpoint answers.
- `{exit=3}`: the block's last command ends with this status; otherwise every command must end with 0.
- `{repeat="why"}`: the commands only look, at something that may still be under way, so each is run until it matches.
- `{no-run="why"}`: the block is not run.

Ports are free, where root runs this: each page has a network of its own (`network`). Nothing here sleeps for a fixed
time: output, ends of processes and an answering endpoint are waited for.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from tests.docs.network import Network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.docs.pages import Block

PATIENCE = 20.0
"""Seconds after which something that was waited for counts as never coming."""


class TranscriptError(AssertionError):
    """The page says one thing and the machine another."""


@frozen
class Step:
    """One command of a transcript and what it must print."""

    command: str
    expected: str
    last: bool

    @property
    def in_background(self) -> bool:
        return self.command.endswith("&")


def steps(text: str) -> list[Step]:
    """The commands of a console block, each with its expected output; raises ValueError for output before any."""
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif not found:
            raise ValueError(f"a transcript begins with a command, not with {line!r}")
        elif found[-1][0].endswith("\\") and line.startswith("> "):
            found[-1] = (f"{found[-1][0]}\n{line[2:]}", [])
        else:
            found[-1][1].append(line)
    last = len(found) - 1
    return [Step(command, "\n".join(lines), index == last) for index, (command, lines) in enumerate(found)]


def matches(expected: str, shown: str, *, so_far: bool = False) -> bool:
    """Whether the output is what was expected; with `so_far`, whether it begins like that.

    Several blanks are as good as one, so that the columns of a table may be as wide as they like.
    """
    pattern = ".*?".join(re.escape(part) for part in _plain(expected).split("..."))
    return re.fullmatch(pattern + (r"(\n.*)?" if so_far else ""), _plain(shown), re.DOTALL) is not None


def _plain(text: str) -> str:
    return "\n".join(re.sub(r"[ \t]+", " ", line).rstrip() for line in text.strip("\n").splitlines())


def on_screen(raw: bytes) -> str:
    """What is left on a terminal's lines after `raw`: no control sequences, and carriage returns overwrite."""
    text = re.sub(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[()].|[=>])", "", raw.decode(errors="replace"))
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(next((part for part in reversed(line.split("\r")) if part), "") for line in lines)


class Terminal:
    """A command on a pseudo-terminal of its own, 120 columns wide; what it prints is collected as it comes."""

    def __init__(self, command: str, cwd: Path, env: dict[str, str], network: Network) -> None:
        self.command = command
        self._raw = b""
        self._open = True
        self._news = threading.Condition()
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 120, 0, 0))
        self.process = subprocess.Popen(
            [*network.words, "bash", "-c", command],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, args=(ours,), daemon=True)
        self._reader.start()

    def _read(self, descriptor: int) -> None:
        with contextlib.suppress(OSError):  # EIO: nobody has the other end open any more
            while data := os.read(descriptor, 65536):
                with self._news:
                    self._raw += data
                    self._news.notify_all()
        os.close(descriptor)
        with self._news:
            self._open = False
            self._news.notify_all()

    @property
    def shown(self) -> str:
        """Everything printed so far, as it stands on the screen."""
        return on_screen(self._raw)

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    @property
    def ended(self) -> int | None:
        """The command's status, or None while it runs. Its output ends a moment before it does."""
        if not self._open:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(1.0)
        return self.process.poll()

    def wait_for(self, condition: Callable[[str], bool], timeout: float) -> bool:
        """Wait until what is shown fulfils `condition`; False if the output ends or the time is up before."""
        with self._news:
            self._news.wait_for(lambda: condition(self.shown) or not self._open, timeout)
        return condition(self.shown)

    def wait(self, timeout: float) -> int:
        """Wait for the command to end and for its output; raises TranscriptError if it does not."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TranscriptError(
                f"`{self.command}` did not end within {timeout:g} s; it printed\n{self.shown}"
            ) from None
        # A command may leave something behind that holds the terminal: its own output is there by now.
        self._reader.join(0.2 if self._open else None)
        return status

    def stop(self, timeout: float) -> bool:
        """Ask the command to end by SIGTERM, as a service manager would; False if it had to be killed."""
        if self.running:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        return True

    def kill(self) -> None:
        """End the command and everything that is still in its session's process group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@define
class Session:
    """One page being followed, from its first block to its last. Use it as a context manager."""

    directory: Path
    patience: float = PATIENCE
    background: list[Terminal] = field(factory=list)
    network: Network = field(factory=Network)

    def __enter__(self) -> Session:
        self.directory.mkdir()
        (self.directory / ".run").mkdir(mode=0o700)
        return self

    def __exit__(self, *exc_info: object) -> None:
        stubborn = [terminal for terminal in reversed(self.background) if not terminal.stop(self.patience)]
        for terminal in self.background:
            terminal.kill()
        self.network.close()
        if stubborn and exc_info[0] is None:
            lines = "\n".join(
                f"`{terminal.command}` had to be killed; it printed\n{terminal.shown}" for terminal in stubborn
            )
            raise TranscriptError(lines)

    @property
    def env(self) -> dict[str, str]:
        """The reader's environment: the project's programs first in PATH, a runtime directory, an English terminal."""
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
            "HOME": str(self.directory),
            "XDG_RUNTIME_DIR": str(self.directory / ".run"),
            "LANG": "C.UTF-8",
            "TERM": "xterm",
            "NO_COLOR": "1",
            "PYTHONUNBUFFERED": "1",
        }

    def follow(self, blocks: Iterable[Block]) -> None:
        """Write the files and run the transcripts of these blocks."""
        for block in blocks:
            if block.language == "console" and "no-run" not in block.marks:
                for step in steps(block.text):
                    self.run(block, step)
            elif block.file:
                target = self.directory / block.file
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(block.text)

    def run(self, block: Block, step: Step) -> None:
        """Run one command and hold its output against the page; raises TranscriptError where they differ."""
        if step.in_background or "own-terminal" in block.marks:
            self._start(block, step)
            return
        status = int(block.marks.get("exit", 0)) if step.last else 0
        deadline = time.monotonic() + self.patience
        while True:
            terminal = Terminal(step.command, self.directory, self.env, self.network)
            ended = terminal.wait(self.patience)
            if ended == status and matches(step.expected, terminal.shown):
                return
            if "repeat" not in block.marks or time.monotonic() > deadline:
                raise self._differs(block, step, terminal, status, ended)
            self._wait_for_news()

    def _start(self, block: Block, step: Step) -> None:
        terminal = Terminal(step.command.removesuffix("&").rstrip(), self.directory, self.env, self.network)
        self.background.append(terminal)
        if step.expected:
            if not terminal.wait_for(lambda shown: matches(step.expected, shown, so_far=True), self.patience):
                raise self._differs(block, step, terminal, None, terminal.ended)
        elif re.match(r"(\w+=\S+ )*circusd\b", step.command):
            self._wait_for_circusd(block, step, terminal)

    def _wait_for_circusd(self, block: Block, step: Step, circusd: Terminal) -> None:
        deadline = time.monotonic() + self.patience
        while True:
            asked = Terminal("circusctl --timeout 5 numwatchers", self.directory, self.env, self.network)
            if asked.wait(self.patience) == 0:
                return
            if not circusd.running or time.monotonic() > deadline:
                raise self._differs(block, step, circusd, None, circusd.ended)
            self._wait_for_news()

    def _wait_for_news(self) -> None:
        """Wait until the newest background command prints something, or a twentieth of a second."""
        if self.background:
            before = len(self.background[-1].shown)
            self.background[-1].wait_for(lambda shown: len(shown) > before, 0.05)

    def _differs(
        self, block: Block, step: Step, terminal: Terminal, status: int | None, ended: int | None
    ) -> TranscriptError:
        lines = [f"{block}: $ {step.command}"]
        if status is not None and ended != status:
            lines.append(f"should have ended with {status}, not {ended}")
        elif status is None and ended is not None:
            lines.append(f"should have gone on, and ended with {ended}")
        lines += ["expected", _indented(step.expected), "got", _indented(terminal.shown)]
        others = [other for other in self.background if other is not terminal]
        lines += [f"meanwhile `{other.command}` printed\n{_indented(other.shown)}" for other in others]
        return TranscriptError("\n".join(lines))


def _indented(text: str) -> str:
    return "\n".join(f"    {line.rstrip()}" for line in text.strip("\n").splitlines())
