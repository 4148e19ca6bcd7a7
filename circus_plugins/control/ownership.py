"""What somebody to whom `endpoint_owner` gave the endpoint may change: nothing that others' processes would run.

It judges orders, and carries none out. Which options decide what is launched is in their declarations.
"""

from __future__ import annotations

import grp
import os
import pwd
from functools import partial
from typing import TYPE_CHECKING, Any

from circus_core.changing import members
from circus_core.errors import ForbiddenError, RequestError
from circus_core.options import Effect
from circus_core.requests import Role
from circus_plugins.doors.terms import account

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circus_core.model import WatcherOptions
    from circus_core.options import Option
    from circus_core.requests import Guard

REASON = "uid does not match endpoint_owner"
"""PROTOCOL.md 1.5, add."""
ADMITTED = frozenset(
    {"add", "set", "rm", "reloadconfig", "quit", "ipython", "plugins_rm", "plugin_report", "history_answer"}
)
"""The commands for administrators that cannot have anything run as circusd's user, or are judged here one by one.

With `plugin_report` comes a token that only the processes of plugins have; `history_answer` is data, and runs nothing.
"""
HARMLESS = (Effect.NOW, Effect.SCALE)
"""What an option takes, to be in force, that decides neither what is launched nor what becomes of its output."""


class Ownership:
    """Refuses whatever the user `owner` would have run as somebody else."""

    def __init__(self, supervisor: Any, owner: int) -> None:
        self._supervisor = supervisor
        self._owner = owner

    def __call__(self, command: str, properties: Mapping[str, Any]) -> Guard | None:
        """Raise CircusError if this request is not for the owner to make; else the guard that goes with it."""
        command = command.lower()
        options = properties.get("options")
        if not isinstance(options, dict):
            options = {}
        options = members(self._supervisor.assembly.sections["watcher"], options)
        if command == "add":
            if "uid" not in options:
                raise RequestError(REASON, hint=f"the options need uid = {self._owner} on this endpoint")
            self._check_options(options)
            if not self._is_own(self._owner, options.get("gid")):
                raise RequestError(f"{REASON}: user {self._owner} has no account, and so no group to run in")
        elif command == "set":
            self._check_options(options)
            return partial(self._check_watcher, asked=options)
        elif self._owner != os.geteuid():
            self._check_command(command)
        return None

    def _check_command(self, name: str) -> None:
        found = self._supervisor.assembly.commands.get(name)
        if found is not None and found[0].role is Role.ADMIN and name not in ADMITTED:
            raise ForbiddenError(
                f"{name} is not for user {self._owner}, to whom endpoint_owner gives this endpoint: plugins run as"
                " circusd's user",
                hint="write it into the configuration and give the order `reloadconfig`",
            )

    def _check_options(self, options: Mapping[str, Any]) -> None:
        if "uid" in options and account(options["uid"]) != self._owner:
            raise RequestError(REASON, hint=f"only uid = {self._owner} is possible on this endpoint")
        gid = options.get("gid")
        if gid is not None and not self._is_own(self._owner, gid):
            raise RequestError(f"{REASON}: user {self._owner} is not in the group {gid}", hint="leave gid out")
        for key in options:
            if options[key] is not None and self._owner != os.geteuid() and self._opens_files(key):
                raise RequestError(
                    f"{REASON}: circusd would open files for {key} as its own user, not as user {self._owner}",
                    hint="write it into the configuration and give the order `reloadconfig`",
                )

    def _check_watcher(self, current: WatcherOptions, asked: Mapping[str, Any]) -> None:
        if self._is_own(current.uid, current.gid):
            return
        for key in asked:
            entry = self._find(key)
            if entry is None or entry.effect not in HARMLESS:
                who = "circusd's user" if current.uid is None else f"uid {current.uid}"
                group = "" if current.gid is None else f" and gid {current.gid}"
                raise RequestError(
                    f"{REASON}: the watcher {current.name} runs as {who}{group}, so {key} is not for user {self._owner}"
                    " to change",
                    hint="an option that decides what is launched can only be set on a watcher of one's own",
                )

    def _opens_files(self, key: str) -> bool:
        """Whether circusd itself opens what an option names: a watcher's variables, or a sink of its output."""
        entry = self._find(key)
        return key == "env_file" or (entry is not None and entry.effect is Effect.OUTPUT)

    def _find(self, key: str) -> Option | None:
        found: Option | None = self._supervisor.assembly.sections["watcher"].find(key)
        return found

    def _is_own(self, uid: object, gid: object) -> bool:
        """Whether a process with these options has no rights that the owner has not."""
        if (os.geteuid() if uid is None else account(uid)) != self._owner:
            return False
        if self._owner in (0, os.geteuid()):
            return True
        groups = _groups(self._owner)
        # A user without an account has no group, and would be left with circusd's.
        return bool(groups) if gid is None else _group(gid) in groups


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
