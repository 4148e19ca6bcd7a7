"""Lines as messages of syslog: as RFC 5424 says, or in the older form that syslog(3) writes. It sends none."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from circus_plugins.streams.sink import Source

NIL = "-"
HOST_LENGTH, APP_LENGTH = 255, 48
LEAST = 128
"""Bytes of a line that fit into a message, however long what stands before it is."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
ELEMENT = "circus"
"""The name of our structured data, before the @ and the number of who uses it (RFC 5424, 7.2.2)."""


def rfc5424(priority: int, hostname: str, app_name: str, enterprise: int | None, source: Source, more: bool) -> bytes:
    """What stands before the text of a line now (RFC 5424, 6).

    The channel is MSGID, as the sort of message. The text is MSG-ANY: in which encoding a process writes nobody says.
    """
    at = datetime.now().astimezone().isoformat(timespec="microseconds")
    data = NIL
    if enterprise is not None:
        pairs = [("watcher", source.watcher), ("wid", str(source.wid)), ("channel", source.channel)]
        if more:
            pairs.append(("more", "true"))
        data = "[" + " ".join([f"{ELEMENT}@{enterprise}", *(f'{key}="{_quoted(text)}"' for key, text in pairs)]) + "]"
    host, app = _word(hostname, HOST_LENGTH), _word(app_name, APP_LENGTH)
    return f"<{priority}>1 {at} {host} {app} {source.pid} {source.channel} {data} ".encode(errors="replace")


def rfc3164(priority: int, hostname: str, app_name: str, source: Source) -> bytes:
    """The same in the older form (RFC 3164, 4.1); with no host's name, as the socket of the machine has it."""
    now = time.localtime()
    at = f"{MONTHS[now.tm_mon - 1]} {now.tm_mday:2d} {now.tm_hour:02d}:{now.tm_min:02d}:{now.tm_sec:02d}"
    host = f"{_word(hostname, HOST_LENGTH)} " if hostname else ""
    tag = "".join("_" if sign in ":[]" else sign for sign in _word(app_name, APP_LENGTH))
    return f"<{priority}>{at} {host}{tag}[{source.pid}]: ".encode()


def pieces(line: bytes, most: int) -> Iterator[bytes]:
    """A line in parts of at most so many bytes, in which no character of UTF-8 is torn apart."""
    start = 0
    while len(line) - start > most:
        end = start + most
        # The bytes of a character but the first begin with the bits 10, and there are three of them at most.
        back = next((number for number in range(4) if line[end - number] & 0xC0 != 0x80), 0)
        yield line[start : end - back]
        start = end - back
    yield line[start:]


def _word(text: str, most: int) -> str:
    """As printable ASCII without blanks (PRINTUSASCII), and something at least."""
    return "".join(sign if "!" <= sign <= "~" else "_" for sign in text[:most]) or NIL


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")
