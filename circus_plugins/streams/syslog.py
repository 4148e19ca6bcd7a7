"""A sink that sends each line to a syslog server, of this machine or of another (RFC 5424, 5426, 6587)."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, ClassVar

from attrs import frozen

from circus_core.kinds import INTEGER, TEXT, choice
from circus_core.options import option
from circus_plugins.streams.remote import FACILITIES, Remote, Sent
from circus_plugins.streams.syslogformats import LEAST, pieces, rfc3164, rfc5424
from circus_plugins.streams.target import ADDRESS, VARIABLE, absent, target

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from circus_plugins.streams.sink import Source

LOCAL = "unix:///dev/log"
LENGTHS = {"udp": 2048, "tcp": 8192, "unix": 8192}
"""The longest messages: what receivers of UDP should take (RFC 5426, 3.2), and what rsyslog takes unless told more."""
SHORTEST, LARGEST_DATAGRAM = 480, 65_487
"""What every receiver takes (RFC 5424, 6.1); what a datagram can have by IPv4 and IPv6."""


@frozen(kw_only=True)
class SyslogOptions(Sent):
    """The options of SyslogStream."""

    address: str = option(
        ADDRESS, LOCAL,
        help="The server: `udp://HOST:PORT`, `tcp://HOST:PORT` or `unix:///PATH`. A port that is not given is 514.",
    )  # fmt: skip
    format: str | None = option(
        choice("rfc5424", "rfc3164"), None,
        help="How a message is written. Unset, as in RFC 5424, but to a unix socket as in RFC 3164: what listens at"
        " `/dev/log` seldom understands the newer form.",
    )  # fmt: skip
    framing: str = option(
        choice("octets", "newline"), "octets",
        help="What separates messages over tcp: the length before each, or the end of a line after it, for servers that"
        " do not know lengths (RFC 6587).",
    )  # fmt: skip
    facility: str = option(choice(*FACILITIES, what="facility"), "daemon", help="What sort of program it is.")
    app_name: str | None = option(TEXT, None, help="The program's name in messages. Unset, the watcher's.")
    hostname: str | None = option(TEXT, None, help="This machine's name in messages. Unset, the one it has.")
    enterprise_number: int | None = option(
        INTEGER, None, minimum=0,
        help="Your organisation's number from IANA. With it, messages of RFC 5424 have the structured data"
        ' `[circus@NUMBER watcher="..." wid="..." channel="..."]`.',
    )  # fmt: skip
    max_length: int | None = option(
        INTEGER, None, minimum=SHORTEST, maximum=1 << 20, unit="bytes",
        help="The longest message; a longer line is sent as several. Unset, 2048 by udp and 8192 otherwise.",
    )  # fmt: skip

    def contradictions(self) -> Iterator[tuple[str, str, str]]:
        """What the transport cannot do."""
        if VARIABLE.search(self.address):
            return
        scheme = target(self.address).scheme
        if scheme == "udp" and (self.max_length or 0) > LARGEST_DATAGRAM:
            yield "max_length", "is more than a datagram can have", f"at most {LARGEST_DATAGRAM}, or tcp://"
        if scheme != "tcp" and self.framing != "octets":
            yield "framing", "is for tcp", f"{scheme} needs none: leave it out"

    def doubts(self) -> Iterator[tuple[str, str, str]]:
        """Whether there is a socket now."""
        if VARIABLE.search(self.address) or target(self.address).scheme != "unix":
            return
        path = target(self.address).path
        if reason := absent(path):
            yield "address", f"there is no server at {path} now: {reason}", "start one, or name another"


class SyslogStream(Remote):
    """Sends each line to a syslog server, by UDP, TCP or a unix socket, as RFC 5424 says."""

    Options: ClassVar[type] = SyslogOptions
    options: SyslogOptions

    def __init__(self, options: SyslogOptions) -> None:
        super().__init__(options)
        scheme = self._target.scheme
        self._facility = FACILITIES[options.facility] << 3
        self._longest = options.max_length or LENGTHS[scheme]
        self._newer = (options.format or ("rfc3164" if scheme == "unix" else "rfc5424")) == "rfc5424"
        named = options.hostname or socket.gethostname()
        # What listens at a socket of this machine knows its name.
        self._hostname = named if self._newer or scheme != "unix" or options.hostname else ""
        self._end = {"unix": b"\0", "tcp": b"\n" if options.framing == "newline" else b""}.get(scheme, b"")
        self._counted = scheme == "tcp" and not self._end

    def messages(self, lines: Sequence[bytes], source: Source, more: bool) -> tuple[list[bytes], list[int]]:
        """A message for each line, or several if it is long."""
        head = self._head(source, False)
        room = max(self._longest - len(head), LEAST)
        if not more and max(map(len, lines)) <= room:
            return self._framed(head, lines), [len(line) + 1 for line in lines]
        found: list[bytes] = []
        sizes: list[int] = []
        unended = self._head(source, True)
        for number, line in enumerate(lines):
            parts = list(pieces(line, max(self._longest - len(unended), LEAST)))
            whole = not (more and number == len(lines) - 1)
            found += self._framed(unended, parts[:-1]) + self._framed(head if whole else unended, parts[-1:])
            sizes += map(len, parts)
            sizes[-1] += whole
        return found, sizes

    def _head(self, source: Source, more: bool) -> bytes:
        options = self.options
        priority = self._facility | self.severity(source)
        name = options.app_name or source.watcher
        if self._newer:
            return rfc5424(priority, self._hostname, name, options.enterprise_number, source, more)
        return rfc3164(priority, self._hostname, name, source)

    def _framed(self, head: bytes, lines: Sequence[bytes]) -> list[bytes]:
        """As a stream needs it; in a datagram an end does no harm where it is usual (syslog(3))."""
        if self._counted:
            begun = len(head)
            return [b"%d %b%b" % (begun + len(line), head, line) for line in lines]
        end = self._end
        if end == b"\0":
            lines = [line.replace(b"\0", b"\\0") for line in lines]
        return [head + line + end for line in lines]
