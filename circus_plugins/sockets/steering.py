"""Which sockets of a SO_REUSEPORT group get what comes, told to the kernel by a filter; it opens and closes none.

Without one the kernel spreads what comes over all of them, also over those that no process has (socket(7),
SO_ATTACH_REUSEPORT_CBPF).
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_ATTACH, _DETACH = 51, 68
"""SO_ATTACH_REUSEPORT_CBPF and SO_DETACH_REUSEPORT_BPF (asm-generic/socket.h)."""
_INSTRUCTION, _PROGRAM = struct.Struct("=HBBI"), struct.Struct("@HP")
_LOAD, _REMAINDER, _IF_EQUAL, _ANSWER = 0x20, 0x94, 0x15, 0x06
_RANDOM = 0xFFFFF000 + 56
"""SKF_AD_OFF + SKF_AD_RANDOM (linux/filter.h): a random number."""
MOST = 2000
"""A filter may have 4,096 instructions, and each socket takes two."""


def steer(one: socket.socket, choices: Sequence[int]) -> None:
    """Have what comes to the group of a socket spread by chance over these, numbered as the kernel does: in the order
    in which they were opened, but the last has the number of one that was closed. Raises OSError."""
    import ctypes

    code = [(_LOAD, 0, 0, _RANDOM), (_REMAINDER, 0, 0, len(choices))]
    for number, choice in enumerate(choices[:-1]):
        code += [(_IF_EQUAL, 0, 1, number), (_ANSWER, 0, 0, choice)]
    code.append((_ANSWER, 0, 0, choices[-1]))
    text = ctypes.create_string_buffer(b"".join(_INSTRUCTION.pack(*each) for each in code))
    one.setsockopt(socket.SOL_SOCKET, _ATTACH, _PROGRAM.pack(len(code), ctypes.addressof(text)))


def let_go(one: socket.socket) -> None:
    """Leave it to the kernel again, which sees to it that all from one address and port come to the same socket."""
    one.setsockopt(socket.SOL_SOCKET, _DETACH, 0)
