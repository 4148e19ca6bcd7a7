"""Makes lines of the parts of output that circusd tells, each once, and says what is missing. It has no socket.

A follower subscribes, asks for what was said before, and drops by `ring` and `start` what it has.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from circus_core.wire import topic_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Line = dict[str, Any]
    Wanted = Callable[[Line], bool]

TOPIC = "output."
"""What the topics of output begin with: `output.WATCHER.WID.CHANNEL`."""


class _Heard:
    """What is known of one ring: its end, and the lines that have begun, by pid and channel.

    Once something is missing, `sound` are those who were heard from the beginning of a line on.
    """

    def __init__(self, end: int, *, torn: bool) -> None:
        self.end = end
        self.torn = torn
        self.sound: set[tuple[int, str]] = set()
        self.begun: dict[tuple[int, str], tuple[Line, bytes]] = {}


class Output:
    """What some processes say, as `{"at", "watcher", "wid", "pid", "channel", "line"}`.

    Where it came too fast there is `{"at", "watcher", "wid", "skipped"}` instead, the number of bytes. `names` are
    watchers, patterns or NAME/WID, all watchers if there are none. Of what was said before, `lines` is how many of each
    watcher come, all if it is None, and `wanted` which of them count.
    """

    def __init__(self, names: Iterable[str] = (), lines: int | None = None, wanted: Wanted | None = None) -> None:
        self.sync = os.urandom(16).hex()
        self._given = list(names)
        self._names = [parted(name) for name in self._given]
        self._lines = lines
        self._wanted = wanted
        self._rings: dict[str, _Heard] = {}
        self._before: list[Line] = []
        self._after: str | None = ""

    @property
    def topics(self) -> tuple[bytes, ...]:
        """What to subscribe to."""
        wanted = [topic for name, wid in self._names for topic in _topics(name, wid)] or [TOPIC]
        return (*(topic.encode() for topic in dict.fromkeys(wanted)), b"sync." + self.sync.encode())

    def question(self) -> dict[str, Any] | None:
        """The arguments of the next `tail` command, until what was said before is known."""
        if self._after is None:
            return None
        asked: dict[str, Any] = {"names": self._given}
        if self._lines is not None and self._wanted is None:
            asked["lines"] = self._lines + 1  # so that there is always some, which tells where a ring ends
        if self._after:
            asked["after"] = self._after
        return asked

    def ask_again(self) -> None:
        """Something may have been missed: what was said before is asked for once more, and only what is new told."""
        self._after = ""
        self._lines = None

    def replayed(self, reply: dict[str, Any]) -> None:
        """A reply to `tail`."""
        for part in reply["output"]:
            if part["ring"] not in self._rings:
                self._rings[part["ring"]] = _Heard(part["start"], torn=False)
            self._before += self._lines_of(part)
        self._after = reply["next"]

    def latest(self, *, end: bool = False) -> list[Line]:
        """What was said before, in order. At its `end`, lines that have only begun are lines too."""
        if end:
            for heard in self._rings.values():
                self._before += self._end(heard)
        lines, self._before = self._before, []
        lines.sort(key=lambda line: line["at"])
        if self._lines is None:
            return lines
        seen: Counter[str] = Counter()
        chosen = []
        for line in reversed(lines):
            seen[line["watcher"]] += 1
            if seen[line["watcher"]] <= self._lines:
                chosen.append(line)
        return chosen[::-1]

    def arrived(self, payload: bytes) -> tuple[list[Line], bool]:
        """Of something that was said just now: the lines that end with it, and whether to ask what came before.

        That is so for a ring that did not begin just now and is not known: circusd was started anew, say.
        """
        part = json.loads(payload)
        if not self._means(part):
            return [], False
        if part["ring"] not in self._rings:
            if part["start"]:
                self.ask_again()
                return [], True
            self._rings[part["ring"]] = _Heard(0, torn=False)
        return self._lines_of(part), False

    def _means(self, part: dict[str, Any]) -> bool:
        watcher, wid = part["watcher"].lower(), part["wid"]
        return not self._names or any(
            fnmatch.fnmatchcase(watcher, name) and among in (None, wid) for name, among in self._either()
        )

    def _either(self) -> Iterable[tuple[str, int | None]]:
        """A watcher may have a name that looks like NAME/WID."""
        for name, wid in self._names:
            yield name, wid
            if wid is not None:
                yield f"{name}/{wid}", None

    def _lines_of(self, part: dict[str, Any]) -> list[Line]:
        text = part["text"].encode("utf-8", "surrogateescape")
        heard, start = self._rings[part["ring"]], part["start"]
        who = part["pid"], part["channel"]
        found: list[Line] = []
        end = start + len(text)
        if end <= heard.end:
            return []
        if start < heard.end:
            text = text[heard.end - start :]
        elif start > heard.end:
            found.append({**_common(part, "at", "watcher", "wid"), "skipped": start - heard.end})
            heard.torn = True
            heard.sound.clear()
            heard.begun.clear()
        heard.end = end
        if heard.torn and who not in heard.sound:
            text = text[text.find(b"\n") + 1 :] if b"\n" in text else b""
            if not text:
                return self._chosen(found)
        heard.sound.add(who)
        found += self._end(heard, but=part["pid"])
        head, before = heard.begun.pop(who, (None, b""))
        *whole, rest = (before + text).split(b"\n")
        common = _common(part, "at", "watcher", "wid", "pid", "channel")
        for number, line in enumerate(whole):
            found.append({**(head if head and not number else common), "line": _text(line)})
        if rest:
            heard.begun[who] = head if head and not whole else common, rest
        return self._chosen(found)

    def _end(self, heard: _Heard, but: int | None = None) -> list[Line]:
        """The lines that have only begun, of all processes that said nothing since another did."""
        over = [who for who in heard.begun if who[0] != but]
        return self._chosen([{**head, "line": _text(rest)} for head, rest in map(heard.begun.pop, over)])

    def _chosen(self, lines: list[Line]) -> list[Line]:
        return [line for line in lines if self._wanted is None or "skipped" in line or self._wanted(line)]


def _common(part: dict[str, Any], *keys: str) -> Line:
    return {key: part[key] for key in keys}


def _text(line: bytes) -> str:
    return line.removesuffix(b"\r").decode("utf-8", "surrogateescape")


def parted(name: str) -> tuple[str, int | None]:
    """The watcher, or the pattern of several, and the wid of NAME/WID; without a wid it is None."""
    watcher, slash, wid = name.lower().rpartition("/")
    return (watcher, int(wid)) if slash and wid.isdecimal() else (name.lower(), None)


def _topics(name: str, wid: int | None) -> list[str]:
    literal = re.split(r"[*?[]", topic_name(name), maxsplit=1)[0]
    if literal != topic_name(name):
        return [TOPIC + literal]
    if wid is None:
        return [f"{TOPIC}{literal}."]
    return [f"{TOPIC}{literal}.{wid}.", f"{TOPIC}{literal}/{wid}."]
