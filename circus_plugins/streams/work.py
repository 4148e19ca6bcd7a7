"""All output that is read: which process has which pipes, and which sink they lead to."""

from __future__ import annotations

import asyncio
import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from attrs import define, evolve, field

from circus_core import open_files
from circus_core.errors import CircusError
from circus_core.model import Refuse
from circus_plugins.streams import OutputLost
from circus_plugins.streams.channel import Channel, pipe
from circus_plugins.streams.choice import CHANNELS, Choice, choose
from circus_plugins.streams.following import Following
from circus_plugins.streams.keeping import Keeping
from circus_plugins.streams.overhearing import Listeners
from circus_plugins.streams.pump import Pump
from circus_plugins.streams.rings import Rings, kept
from circus_plugins.streams.shared import Shared
from circus_plugins.streams.sink import Source

if TYPE_CHECKING:
    from collections.abc import Hashable

    from circus_core.model import Launch, ProcessRef, WatcherOptions
    from circus_core.plugin import CircusPlugin
    from circus_core.supervisor import Supervisor
    from circus_plugins.streams.sink import Sink

STDOUT = 1
LAST_WORDS = 2.0
"""Seconds that whoever reads the output has when circusd ends."""


@define
class _Pipes:
    """What was made for a process that is about to be spawned: our ends and their sinks, and the child's ends."""

    launch: Launch
    watcher: WatcherOptions
    ours: dict[str, tuple[int, Shared]] = field(factory=dict)
    theirs: list[int] = field(factory=list)

    def close_theirs(self) -> None:
        """The child has its own now, or there is none."""
        for descriptor in self.theirs:
            os.close(descriptor)
        self.theirs.clear()


class Work:
    """What the plugin `streams` does once a watcher has a stream."""

    def __init__(self, supervisor: Supervisor, plugin: CircusPlugin) -> None:
        self._supervisor = supervisor
        self._plugin = plugin
        self._pump = Pump()
        self._shared: dict[Hashable, Shared] = {}
        self._keeping = Keeping()
        self._chosen: dict[str, tuple[WatcherOptions, dict[str, Choice]]] = {}
        self._pending: dict[tuple[str, int], _Pipes] = {}
        self._channels: dict[int, list[tuple[Channel, Launch]]] = {}
        self.following = Following()
        self.rings = Rings(self.following)
        self._changes: set[str] = set()

    # Before a spawn

    def objection(self, watcher: WatcherOptions) -> Refuse | None:
        """Why a watcher is not to start, if its sinks cannot be had."""
        for channel in CHANNELS:
            problems = [problem for problem in choose(watcher, channel)[1] if not problem.warning]
            if problems:
                first = problems[0]
                return Refuse(f"{first.key} {first.message}", first.hint)
        return None

    def piped(self, launch: Launch, watcher: WatcherOptions) -> Launch:
        """The launch with the child's ends of new pipes; raises CircusError if they or the sinks cannot be had."""
        slot = launch.watcher, launch.wid
        self.forget(*slot)
        chosen = self._choices(watcher)
        joined = bool(watcher.extra.get("redirect_stderr"))
        made = self._pending[slot] = _Pipes(launch, watcher)
        ends = {"stdout": launch.stdout, "stderr": launch.stderr}
        try:
            for channel in CHANNELS:
                if channel in chosen and not (joined and channel == "stderr"):
                    sink = self._sink(chosen[channel], launch)
                    sink.promise()
                    try:
                        ours, theirs = pipe()
                    except OSError:
                        sink.break_promise()
                        raise
                    made.ours[channel] = ours, sink
                    made.theirs.append(theirs)
                    ends[channel] = theirs
        except OSError as error:
            self.forget(*slot)
            raise CircusError(
                f"its output cannot be read: {error.strerror}",
                hint=open_files.advice() if error.errno == errno.EMFILE else "",
            ) from error
        except CircusError:
            self.forget(*slot)
            raise
        if joined:
            ends["stderr"] = STDOUT if ends["stdout"] is None else ends["stdout"]
        return evolve(launch, stdout=ends["stdout"], stderr=ends["stderr"])

    def forget(self, watcher: str, wid: int) -> None:
        """There is no process; close the pipes that were made for it."""
        made = self._pending.pop((watcher, wid), None)
        if made is None:
            return
        made.close_theirs()
        for descriptor, sink in made.ours.values():
            os.close(descriptor)
            sink.break_promise()

    # While it runs

    def spawned(self, process: ProcessRef) -> None:
        """Read what it says from now on."""
        slot = process.watcher, process.wid
        made = self._pending.pop(slot, None)
        if made is None:
            return
        made.close_theirs()
        recent = self.rings.of(slot, kept(made.watcher))
        asked = dict(self._supervisor.bus.ask("circus_overhear_output", process=process, watcher=made.watcher))
        listeners = Listeners(process, asked) if asked else None
        for channel, (descriptor, sink) in made.ours.items():
            source = Source(process.watcher, process.wid, process.pid, channel)
            reader = Channel(
                descriptor, source, sink, recent, self._pump, self._over, listeners.hear if listeners else None
            )
            if listeners:
                listeners.channels.append(reader)
            self._channels.setdefault(process.pid, []).append((reader, made.launch))

    def exited(self, watcher: str, wid: int, pid: int) -> None:
        """Read what it said last; what it started may still have the pipe, and is read until that ends too."""
        for channel, _launch in tuple(self._channels.get(pid, ())):
            channel.drain()
        self.rings.ended((watcher, wid), pid)

    def changed(self, name: str) -> None:
        """Options of a watcher's streams changed; several may in one order."""
        if not self._changes:
            asyncio.get_running_loop().call_soon(self._follow)
        self._changes.add(name.lower())

    def reopen(self) -> None:
        """Open anew what may have been moved away."""
        for shared in tuple(self._shared.values()):
            shared.reopen()

    def problems(self) -> list[str]:
        """What could not be opened anew the last time, in words."""
        return [f"{shared.name}: {shared.unopened}" for shared in self._shared.values() if shared.unopened]

    def removed(self, watcher: str) -> None:
        """Forget what was said by a watcher that is no more."""
        self.rings.removed(watcher)
        self._chosen.pop(watcher, None)
        self._keeping.release(watcher, set())

    def lost(self, watcher: str) -> list[Shared]:
        """The sinks of a watcher that lost something."""
        return sorted((sink for sink in self._of(watcher) if sink.loss.total), key=lambda sink: sink.name)

    def sinks(self, watcher: str, channel: str) -> list[Sink]:
        """What one channel of a watcher leads to."""
        return [shared.sink for shared in self._of(watcher, channel) | self._keeping.of(watcher, channel)]

    def _of(self, watcher: str, *channels: str) -> set[Shared]:
        return {
            channel.sink
            for channel in self._all()
            if channel.source.watcher.lower() == watcher.lower() and channel.source.channel in (channels or CHANNELS)
        }

    async def close(self) -> None:
        """Hand on what is left, for a while if that is not taken, and close everything."""
        for slot in tuple(self._pending):
            self.forget(*slot)
        for channel in self._all():
            channel.drain()
        sinks = tuple(self._shared.values())
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                for shared in sinks:
                    await shared.settle()
        for channel in self._all():
            channel.close()
        for shared in sinks:
            shared.abandon()
        self._pump.close()
        self.following.close()

    def _all(self) -> list[Channel]:
        return [channel for pairs in self._channels.values() for channel, _launch in pairs]

    # Sinks

    def _choices(self, watcher: WatcherOptions) -> dict[str, Choice]:
        kept = self._chosen.get(watcher.name)
        if kept is None or kept[0] is not watcher:
            before = kept[1] if kept else {}
            kept = watcher, {}
            for channel in CHANNELS:
                choice, problems = choose(watcher, channel)
                wrong = next((problem for problem in problems if not problem.warning), None)
                if wrong:
                    self._plugin.log.error("%s; its output goes where it went", wrong)
                    choice = before.get(channel)
                if choice:
                    kept[1][channel] = choice
            self._chosen[watcher.name] = kept
        return kept[1]

    def _sink(self, choice: Choice, launch: Launch) -> Shared:
        options = choice.expanded(launch)
        hashable: Hashable = tuple(sorted(options.items())) if isinstance(options, dict) else options
        key = choice.word, hashable, choice.owner
        shared = self._shared.get(key)
        if shared is None:
            name = getattr(options, "filename", None) or getattr(options, "address", None) or choice.word
            try:
                sink = choice.make(options)
                sink.open()
            except OSError as error:
                raise CircusError(f"{name} cannot be opened: {error.strerror}", hint=_hint(error)) from error
            except Exception as error:
                raise CircusError(f"{choice.word} cannot be made: {type(error).__name__}: {error}") from error
            shared = self._shared[key] = Shared(key, str(name), sink, self._told, self._unused)
            if choice.owner:
                self._keeping.keep(*choice.owner, shared)
        return shared

    def _unused(self, shared: Shared) -> None:
        self._shared.pop(shared.key, None)

    def _over(self, channel: Channel) -> None:
        pid = channel.source.pid
        left = [pair for pair in self._channels.get(pid, ()) if pair[0] is not channel]
        if left:
            self._channels[pid] = left
        else:
            self._channels.pop(pid, None)

    def _told(self, source: Source, shared: Shared) -> None:
        loss = shared.loss
        self._plugin.publish(
            OutputLost(
                watcher=source.watcher, channel=source.channel, sink=shared.name, error=loss.error, lost=loss.unwritten
            )
        )

    def _follow(self) -> None:
        names, self._changes = self._changes, set()
        for name in names:
            watcher = self._supervisor.watchers.get(name)
            if watcher is not None:
                self.rings.resize(watcher.options)
                self._redirect(watcher.options)

    def _redirect(self, watcher: WatcherOptions) -> None:
        """Output of the processes that have pipes goes to the new sinks; those that need others are replaced."""
        chosen = self._choices(watcher)
        wanted = set(chosen) - ({"stderr"} if watcher.extra.get("redirect_stderr") else set())
        replace = False
        for process in self._supervisor.watchers[watcher.name.lower()].slots.processes():
            pairs = self._channels.get(process.pid, [])
            if {channel.source.channel for channel, _ in pairs} != wanted:
                replace = True
                continue
            for channel, launch in tuple(pairs):
                try:
                    sink = self._sink(chosen[channel.source.channel], launch)
                except CircusError as error:
                    self._plugin.log.error("%s: its output goes where it went: %s", watcher.name, error)
                    continue
                sink.promise()
                channel.redirect(sink)
        self._keeping.release(watcher.name, self._of(watcher.name))
        if replace:
            self._plugin.client.cast("reload", name=watcher.name)


def _hint(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "the folder is not there"
    return "nobody reads this FIFO" if error.errno == errno.ENXIO else ""
