"""How much memory a child had at most, as far as wait4(2) tells. It looks at no child.

What the kernel counts for a process begins with the memory that it had before it ran its own program: ours, or a copy
of it (`exec_mmap` in the kernel's fs/exec.c). It also counts what the children were the most of that it waited for.
"""

from __future__ import annotations

KIB = 1024
CLEAR = 1.1
"""So many times our own memory is more than that: what the kernel counts on several processors is not exact."""


class Peaks:
    """Tells of children what was their own. Ours is looked up anew where it may have grown."""

    def __init__(self) -> None:
        self._ours = 0.0

    def of(self, counted: int) -> int | None:
        """In bytes, from `ru_maxrss`, which is in KiB; None where it may be ours, as no more than that is known."""
        if counted > self._ours:
            self._ours = max(self._ours, _ours() * CLEAR)
        return counted * KIB if counted > self._ours else None


def _ours() -> int:
    """The most memory that we had since we run this program, in KiB (`VmHWM` of proc_pid_status(5))."""
    with open("/proc/self/status", "rb") as status:
        text = status.read()
    return int(text[text.index(b"VmHWM:") + 6 :].split(None, 1)[0])
