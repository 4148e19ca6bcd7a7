"""A sink that sends each line to the journal of systemd by its native protocol, as an entry with fields.

The protocol is that of https://systemd.io/JOURNAL_NATIVE_PROTOCOL/, the fields those of systemd.journal-fields(7).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, ClassVar

from attrs import frozen

from circus_core.kinds import TEXT
from circus_core.options import option
from circus_plugins.streams.remote import Remote, Sent
from circus_plugins.streams.target import UNIX_ADDRESS, VARIABLE, absent, target
from circus_plugins.streams.wires import Datagrams, Entries

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from circus_plugins.streams.sink import Source

SOCKET = "unix:///run/systemd/journal/socket"


@frozen(kw_only=True)
class JournaldOptions(Sent):
    """The options of JournaldStream."""

    address: str = option(UNIX_ADDRESS, SOCKET, help="The socket of the journal, as `unix:///PATH`.")
    identifier: str | None = option(TEXT, None, help="The field SYSLOG_IDENTIFIER. Unset, the watcher's name.")

    def doubts(self) -> Iterator[tuple[str, str, str]]:
        """Whether there is a journal now."""
        if VARIABLE.search(self.address):
            return
        path = target(self.address).path
        if reason := absent(path):
            yield "address", f"there is no journal at {path} now: {reason}", "start systemd-journald, or name another"


class JournaldStream(Remote):
    """Sends each line to the journal of systemd, with the watcher, wid, pid and channel as fields."""

    Options: ClassVar[type] = JournaldOptions
    options: JournaldOptions
    datagrams: type[Datagrams] = Entries

    def messages(self, lines: Sequence[bytes], source: Source, more: bool) -> tuple[list[bytes], list[int]]:
        """An entry for each line."""
        common = b"".join(
            entry_field(name, text.encode(errors="surrogateescape"))
            for name, text in (
                ("PRIORITY", str(self.severity(source))),
                ("SYSLOG_IDENTIFIER", self.options.identifier or source.watcher),
                ("SYSLOG_PID", str(source.pid)),
                # The journal adds what it finds out about that process.
                ("OBJECT_PID", str(source.pid)),
                ("CIRCUS_WATCHER", source.watcher),
                ("CIRCUS_WID", str(source.wid)),
                ("CIRCUS_PID", str(source.pid)),
                ("CIRCUS_CHANNEL", source.channel),
            )
        )
        found = [common + entry_field("MESSAGE", line) for line in lines]
        sizes = [len(line) + 1 for line in lines]
        if more:
            found[-1] += entry_field("CIRCUS_MORE", b"1")
            sizes[-1] -= 1
        return found, sizes


def entry_field(name: str, value: bytes) -> bytes:
    """A field of an entry: `NAME=VALUE` if it is one line of text, else with its length before it."""
    if b"\n" not in value and (value.isascii() or _is_utf8(value)):
        return b"%b=%b\n" % (name.encode(), value)
    return b"%b\n%b%b\n" % (name.encode(), struct.pack("<Q", len(value)), value)


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
