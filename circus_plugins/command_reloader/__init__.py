"""The plugin `command_reloader`: restarts a watcher when the program it runs changed on disk.

It follows the program and the script that a command names, and no other files: those that a program reads or imports
are for the program to know.
"""

from __future__ import annotations

import asyncio
import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from attrs import define, frozen

from circus_core.errors import CircusError
from circus_core.kinds import BOOLEAN, NUMBER, REGEX, choice
from circus_core.options import option
from circus_core.plugin import CircusPlugin
from circus_plugins.command_reloader.files import Seen, folders, look, programs, touched

if TYPE_CHECKING:
    from collections.abc import Callable

    from circus_core.events import WatcherAdded, WatcherRemoved, WatcherUpdated
    from circus_plugins.command_reloader.notices import Notices

PLUGINS = "plugin:"
"""How the names of the watchers of plugins begin, which are not followed."""
DECISIVE = frozenset({"cmd", "args", "env", "executable", "shell", "working_dir", "virtualenv", "copy_env"})
"""Options that say which files a watcher runs."""

SOON = 0.05
"""Seconds from the kernel's notice to the first look: a change is seldom one step."""

State = tuple[Seen | None, ...]


class Files(NamedTuple):
    """Files, how they were, and the inodes of the folders they were in."""

    paths: tuple[str, ...]
    state: State
    folders: frozenset[int]


@define
class Followed:
    """A watcher and its files: as they were when it last (re)started, and as they were at the last look."""

    name: str
    paths: tuple[str, ...]
    running: State
    last: State

    def lacks(self) -> bool:
        """Whether a file is gone."""
        return any(now is None and before is not None for before, now in zip(self.running, self.last, strict=True))

    def changed(self) -> str:
        """The first file that is not as it was."""
        pairs = zip(self.paths, self.running, self.last, strict=True)
        return next((path for path, before, now in pairs if before != now), "")


class CommandReloader(CircusPlugin):
    """Restarts what runs an old program."""

    name = "command_reloader"

    @frozen(kw_only=True)
    class Options:
        """PROTOCOL.md 7, and what is new here."""

        loop_rate: float = option(
            NUMBER, 1, unit="seconds", minimum=0.01,
            help="How long files have to be left alone before a watcher is restarted; with `poll` how often they are"
            " looked at.",
        )  # fmt: skip
        action: str = option(
            choice("restart", "reload"), "restart", help="`restart`, or `reload`: the new processes come up first."
        )
        watchers_regex: re.Pattern[str] = option(
            REGEX, re.compile(".*"), help="Which watchers; matched from the name's beginning."
        )
        poll: bool = option(
            BOOLEAN, False, help="Look at regular times: the kernel does not tell what others do on network disks."
        )

    def __init__(self) -> None:
        self.followed: dict[str, Followed] = {}
        self._notices: Notices | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def circus_startup(self) -> None:
        """Begin to follow what there is already."""
        if self.options.poll:
            self.every(self.options.loop_rate, self.look)
        else:
            from circus_plugins.command_reloader.notices import Notices

            try:
                self._notices = Notices(self.look_soon)
            except OSError as error:
                self._fall_back(error)
        for name in (await self.client.call("list"))["watchers"]:
            await self._follow(name, before=self._recalled(name))

    def circus_shutdown(self) -> None:
        """Let go of everything."""
        if self._timer is not None:
            self._timer.cancel()
        if self._notices is not None:
            self._notices.close()
            self._notices = None

    # Which watchers

    async def circus_watcher_added(self, event: WatcherAdded) -> None:
        """Follow it too, unless it was found at the start."""
        if event.watcher.lower() not in self.followed:
            await self._follow(event.watcher)

    async def circus_watcher_updated(self, event: WatcherUpdated) -> None:
        """It may run another program by now."""
        if event.option.partition(".")[0] in DECISIVE:
            await self._follow(event.watcher)

    def circus_watcher_removed(self, event: WatcherRemoved) -> None:
        """Nobody cares for its files any more."""
        # What is watched for it is let go at the next look.
        self.followed.pop(event.watcher.lower(), None)
        self.remember(event.watcher.lower(), None)

    def _concerns(self, watcher: str) -> bool:
        if watcher.lower().startswith(PLUGINS):
            return False
        pattern = self.options.watchers_regex
        return bool(pattern.match(watcher) or pattern.match(watcher.lower()))

    async def _follow(self, watcher: str, before: Files | None = None) -> None:
        """Follow its files from now on; `before` is what the plugin that was here before this one knew of them."""
        if not self._concerns(watcher):
            return
        try:
            options: dict[str, Any] = (await self.client.call("options", name=watcher))["options"]
        except CircusError:
            # It was removed meanwhile.
            return
        paths = programs(options)
        self._try(lambda notices: notices.include(paths))
        state = tuple(look(path) for path in paths)
        if before is not None and await self._missed(watcher, before, paths, state):
            state = before.state
            self.look_soon()
        self.followed[watcher.lower()] = Followed(watcher, paths, state, state)
        self._keep(self.followed[watcher.lower()])
        self.log.debug("%s: follows %s", watcher, ", ".join(paths) or "nothing")

    # What happened while no such plugin ran

    def _recalled(self, watcher: str) -> Files | None:
        kept = self.recall(watcher.lower())
        if kept is None:
            return None
        state = tuple(seen and Seen(*seen) for seen in kept["running"])
        return Files(tuple(kept["paths"]), state, frozenset(kept["folders"]))

    def _keep(self, followed: Followed) -> None:
        inodes = sorted({inode for path in followed.paths for inode in folders(path)})
        kept = {"paths": followed.paths, "running": followed.running, "folders": inodes}
        self.remember(followed.name.lower(), kept)

    async def _missed(self, watcher: str, before: Files, paths: tuple[str, ...], state: State) -> bool:
        """Whether there was a change after some process of it had started."""
        if before.paths != paths or before.state == state:
            return False
        try:
            details = (await self.client.call("status", name=watcher, extended=True))["details"]
        except CircusError:
            # It was removed meanwhile.
            return False
        # Not the age: whoever asks on a busy machine gets the answer late, and would take a process for younger.
        oldest = min((process["spawned_at"] for process in details[watcher]["processes"]), default=math.inf)
        return bool(oldest <= max(touched(path, before.folders) for path in paths))

    # Their files

    def _try(self, work: Callable[[Notices], None]) -> None:
        """Have the kernel told what to watch, if it can; else look at regular times from now on."""
        if self._notices is None:
            return
        try:
            work(self._notices)
        except OSError as error:
            self._notices.close()
            self._notices = None
            self._fall_back(error)

    def _fall_back(self, error: OSError) -> None:
        where = f" ({error.filename})" if error.filename else ""
        self.log.warning(
            "the kernel cannot tell when files change: %s%s; they are looked at every %g s instead",
            error.strerror, where, self.options.loop_rate,
        )  # fmt: skip
        self.every(self.options.loop_rate, self.look)

    def look_soon(self, seconds: float = SOON) -> None:
        """Look when what is under way may be over."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._due)

    def _due(self) -> None:
        self._timer = None
        self.look()

    def look(self) -> None:
        """Restart the watchers whose files changed and have been left alone since the last look."""
        paths = {path for followed in self.followed.values() for path in followed.paths}
        self._try(lambda notices: notices.follow(paths))
        seen = {path: look(path) for path in paths}
        for followed in tuple(self.followed.values()):
            now = tuple(seen[path] for path in followed.paths)
            settled, followed.last = now == followed.last, now
            if now == followed.running or followed.lacks():
                # As it was, or in the middle of being replaced: the kernel tells when it comes back.
                continue
            if settled:
                self._act(followed)
            elif self._notices is not None:
                self.look_soon(self.options.loop_rate)

    def _act(self, followed: Followed) -> None:
        action = self.options.action
        self.log.warning("%s: %s changed; %s", followed.name, followed.changed(), action)
        followed.running = followed.last
        self._keep(followed)
        manner = {"match": "simple"} if action == "restart" else {}
        # A watcher that the operator stopped stays stopped.
        self.client.cast(action, name=followed.name, running=True, **manner)
