"""What somebody to whom `endpoint_owner` gave the endpoint may change: nothing that others' processes would run.

It judges orders, and carries none out. Which options decide what is launched is in their declarations.
"""

from __future__ import annotations

import grp
import os
import pwd
from typing import TYPE_CHECKING, Any

from circus_core.errors import RequestError
from circus_core.options import Effect
from circus_plugins.doors.terms import account

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from circus_core.model import WatcherOptions

REASON = "uid does not match endpoint_owner"
"""PROTOCOL.md 1.5, add."""


class Ownership:
    """Refuses an `add` or `set` by which the user `owner` would have something run as somebody else."""

    def __init__(self, supervisor: Any, owner: int) -> None:
        self._supervisor = supervisor
        self._owner = owner

    def __call__(self, command: str, properties: Mapping[str, Any]) -> None:
        """Raise RequestError if this request is not for the owner to make."""
        command = command.lower()
        options = properties.get("options")
        if not isinstance(options, dict):
            options = {}
        if command == "add":
            if "uid" not in options:
                raise RequestError(REASON, hint=f"the options need uid = {self._owner} on this endpoint")
            self._check_account(options)
        elif command == "set":
            self._check_account(options)
            watcher = self._supervisor.watchers.get(str(properties.get("name")).lower())
            if watcher is not None:
                self._check_watcher(watcher.options, options)

    def _check_account(self, options: Mapping[str, Any]) -> None:
        if "uid" in options and account(options["uid"]) != self._owner:
            raise RequestError(REASON, hint=f"only uid = {self._owner} is possible on this endpoint")
        if options.get("gid") is not None and not self._is_own(self._owner, options["gid"]):
            raise RequestError(
                f"{REASON}: user {self._owner} is not in the group {options['gid']}", hint="leave gid out"
            )

    def _check_watcher(self, current: WatcherOptions, asked: Iterable[str]) -> None:
        if self._is_own(current.uid, current.gid):
            return
        section = self._supervisor.assembly.sections["watcher"]
        for key in asked:
            entry = section.find(key)
            if entry is None or entry.effect is Effect.RELOAD:
                who = "circusd's user" if current.uid is None else f"uid {current.uid}"
                group = "" if current.gid is None else f" and gid {current.gid}"
                raise RequestError(
                    f"{REASON}: the watcher {current.name} runs as {who}{group}, so {key} is not for user {self._owner}"
                    " to change",
                    hint="an option that decides what is launched can only be set on a watcher of one's own",
                )

    def _is_own(self, uid: object, gid: object) -> bool:
        """Whether a process with these options has no rights that the owner has not."""
        if (os.geteuid() if uid is None else account(uid)) != self._owner:
            return False
        return gid is None or self._owner == 0 or _group(gid) in _groups(self._owner)


def _group(gid: object) -> int | None:
    """The number of a group that may be given by name; None if there is no such group."""
    text = str(gid)
    try:
        return int(text) if text.isdecimal() else grp.getgrnam(text).gr_gid
    except (KeyError, ValueError):
        return None


def _groups(uid: int) -> list[int]:
    try:
        found = pwd.getpwuid(uid)
    except KeyError:
        return []
    return os.getgrouplist(found.pw_name, found.pw_gid)
