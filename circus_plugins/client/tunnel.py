"""A way through ssh to an endpoint on another machine, open until closed; it asks for no password and keeps no key.

The program ssh forwards a socket in a private folder of ours, so that no other user of this machine can come along. On
the far side a `cat` reads what we never write: when we end, in whatever way, it ends, and ssh with it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile

from circus_core.errors import EndpointError

READY = b"circus-bus: the tunnel is ready"
LAST_WORDS = 1.0
"""Seconds that ssh gets to end by itself."""
_SERVER = re.compile(r"(?P<host>(?!-)(?:[^@\s]+@)?(?:\[[^\]\s]+\]|[^@:\s]+))(?::(?P<port>\d+))?")
_TCP = re.compile(r"tcp://(?P<host>\[[^\]]*\]|[^:;]+):(?P<port>\d+)")


class Tunnel:
    """A tunnel to `endpoint` as `server` (`[USER@]HOST[:PORT]`) sees it; `near` is its end here, an endpoint too.

    What ssh has to ask it asks on the terminal, and what it has to say it says on standard error. Raises
    EndpointError if there is no way through.
    """

    def __init__(self, endpoint: str, server: str, keyfile: str | None = None) -> None:
        target = _target(endpoint)
        match = _SERVER.fullmatch(server)
        if match is None:
            raise EndpointError(f"{server!r} is no ssh server", hint="expected [USER@]HOST[:PORT]")
        self._folder = tempfile.mkdtemp(prefix="circus-ssh-")
        near = f"{self._folder}/near"
        self.near = f"ipc://{near}"
        options = ["-o", "ExitOnForwardFailure=yes", "-o", "LogLevel=ERROR", "-L", f"{near}:{target}"]
        options += ["-p", match["port"]] if match["port"] else []
        options += ["-i", keyfile] if keyfile else []
        host = match["host"].replace("[", "").replace("]", "")
        try:
            self._ssh = subprocess.Popen(
                ["ssh", "-T", *options, "--", host, f"echo {READY.decode()!r}; exec cat"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        except OSError as error:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise EndpointError(
                f"ssh cannot be run: {error.strerror}", hint="is OpenSSH's client installed?"
            ) from error
        try:
            self._wait(server)
        except BaseException:
            self.close()
            raise

    def _wait(self, server: str) -> None:
        assert self._ssh.stdout is not None
        for line in self._ssh.stdout:  # a login may print things of its own
            if line.rstrip() == READY:
                return
        status = self._ssh.wait()
        raise EndpointError(
            f"no tunnel through {server}: ssh ended with status {status}", hint=f"try: ssh {server} true"
        )

    def close(self) -> None:
        """End ssh."""
        for pipe in (self._ssh.stdin, self._ssh.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._ssh.wait(LAST_WORDS)
        except subprocess.TimeoutExpired:
            self._ssh.terminate()
            self._ssh.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def _target(endpoint: str) -> str:
    """What ssh's -L calls the endpoint (ssh(1))."""
    if endpoint.startswith("ipc:///"):
        return endpoint.removeprefix("ipc://")
    match = _TCP.fullmatch(endpoint)
    if match is None:
        raise EndpointError(
            f"{endpoint} cannot be reached through ssh", hint="expected ipc:///PATH or tcp://HOST:PORT on the far side"
        )
    return f"{match['host']}:{match['port']}"
