"""A network of a page's own, so that the ports it names are free however many others run the tests on this machine.

It is a network namespace (network_namespaces(7)). Only root can make one without becoming somebody else, so others, and
whoever has no `unshare`, `nsenter` and `ip`, share the machine's network.
"""

from __future__ import annotations

import os
import shutil
import subprocess

TOOLS = ("unshare", "nsenter", "ip")


class Network:
    """Exists until it is closed; `words` stand before a command that is to run in it."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self._holder: subprocess.Popen[bytes] | None = None
        if os.geteuid() == 0 and all(map(shutil.which, TOOLS)):
            self._hold()

    def _hold(self) -> None:
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() == b"up\n":  # else this root may not, as in most containers
            self.words = ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net", "--"]

    def close(self) -> None:
        """Let it go; it ends with the last process in it."""
        if self._holder is not None:
            self._holder.communicate()
