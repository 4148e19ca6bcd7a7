"""`tail`: prints what processes said and say, each line after whose it is, until all is told or it is interrupted."""

from __future__ import annotations

import re
import sys
import time
from typing import TYPE_CHECKING, Any

from circus_plugins.ctl import report
from circus_plugins.ctl.following import moment
from circus_plugins.ctl.mistakes import UsageError
from circus_plugins.ctl.tables import Terminal, columns, visible
from circus_plugins.phrases import size

if TYPE_CHECKING:
    from collections.abc import Callable

    from circus_plugins.ctl.session import Session

    Line = dict[str, Any]

LINES = 10
"""So many lines of each watcher come first, unless told otherwise."""
_PALETTE = ("36", "33", "32", "35", "34", "96", "93", "92", "95", "94")
"""Colours of processes (ECMA-48, SGR); red is for standard error."""
_COLOURING = re.compile(r"(\x1b\[[0-9;:]*m)")
_RESET = "\x1b[0m"


def tail(session: Session, properties: dict[str, Any]) -> int:
    """Print the last lines, and with `follow` those to come."""
    pattern = _pattern(properties.get("grep"))
    wanted = _wanted(properties, pattern)
    lines = properties.get("lines", None if wanted else LINES)
    if lines is not None and lines < 0:
        raise UsageError(f"--lines: {lines} is no number of lines", hint="0 begins with what is said from now on")
    write = _Writer(session, properties, pattern)
    for line in session.client.output(
        *properties.get("names", ()),
        lines=lines,
        follow=bool(properties.get("follow")),
        wanted=wanted,
        connection=report.connection,
    ):
        write.line(line)
    return report.DONE


def _pattern(text: str | None) -> re.Pattern[str] | None:
    try:
        return re.compile(text) if text is not None else None
    except re.error as error:
        raise UsageError(f"--grep: {text!r} is no regular expression: {error}") from None


def _wanted(properties: dict[str, Any], pattern: re.Pattern[str] | None) -> Callable[[Line], bool] | None:
    """Which lines count; None if all do."""
    channels = [channel for channel in ("stdout", "stderr") if properties.get(channel)]
    since = moment(properties["since"]) if "since" in properties else None
    if not channels and since is None and pattern is None:
        return None

    def wanted(line: Line) -> bool:
        return (
            (not channels or line["channel"] in channels)
            and (since is None or line["at"] >= since)
            and (pattern is None or pattern.search(line["line"]) is not None)
        )

    return wanted


class _Writer:
    """Prints lines in the way the settings and the output ask for; each leaves at once."""

    def __init__(self, session: Session, properties: dict[str, Any], pattern: re.Pattern[str] | None) -> None:
        self._settings = session.settings
        self._terminal = Terminal(sys.stdout)
        self._shown = report.for_people(session.settings)
        self._prefix = properties.get("prefix", True)
        self._time = properties.get("time", False)
        self._pattern = pattern
        self._colours: dict[str, str] = {}
        self._width = 0

    def line(self, line: Line) -> None:
        """A line, or the word that some are missing."""
        if self._settings.json:
            print(report.as_json(line, self._settings), flush=True)
        elif "skipped" in line:
            self._skipped(line)
        else:
            mark = self._paint("!", "31") if line["channel"] == "stderr" else self._paint("|", "2")
            text = self._readable(line["line"]) if self._shown else line["line"]
            _write(f"{self._head(line, mark)}{text}\n")

    def _skipped(self, line: Line) -> None:
        words = f"{size(line['skipped'])} not shown: they came faster than they can be followed"
        if self._shown and self._prefix:
            _write(f"{self._head(line, self._paint('…', '33'))}{self._paint(words, '33')}\n")
        else:
            sys.stdout.flush()
            report.say(f"{line['watcher']}/{line['wid']}: {words}")

    def _head(self, line: Line, mark: str) -> str:
        at = f"{self._paint(self._when(line['at']), '2')} " if self._time else ""
        if not self._prefix:
            return at
        name = visible(f"{line['watcher']}/{line['wid']}")
        colour = self._colours.setdefault(name, _PALETTE[len(self._colours) % len(_PALETTE)])
        self._width = max(self._width, columns(name))
        return f"{at}{self._paint(name, colour)}{' ' * (self._width - columns(name))} {mark} "

    def _when(self, at: float) -> str:
        local = time.localtime(at)
        parts = f".{int(at % 1 * 1000):03d}"
        if self._shown:
            return time.strftime("%H:%M:%S", local) + parts
        return time.strftime("%Y-%m-%dT%H:%M:%S", local) + parts + time.strftime("%z", local)

    def _readable(self, text: str) -> str:
        """The line with its own colours, but without anything else that would steer a terminal."""
        parts = _COLOURING.split(text.expandtabs())
        coloured = len(parts) > 1
        kept = [part if at % 2 else visible(part) for at, part in enumerate(parts)]
        if not self._terminal.colours:
            return "".join(kept[::2])
        if self._pattern is not None and not coloured:
            return self._pattern.sub(lambda found: self._paint(found[0], "1;31"), kept[0])
        return "".join(kept) + (_RESET if coloured else "")

    def _paint(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}{_RESET}" if self._shown and self._terminal.colours and text else text


def _write(text: str) -> None:
    """Bytes that are no letters leave as they came."""
    if sys.stdout.isatty() or not hasattr(sys.stdout, "buffer"):
        sys.stdout.write(text)
    else:
        sys.stdout.flush()
        encoding = sys.stdout.encoding or "utf-8"
        sys.stdout.buffer.write(text.encode(encoding, "surrogateescape" if encoding == "utf-8" else "backslashreplace"))
    sys.stdout.flush()
