"""The plugin `streams`: what processes write goes to files and other sinks (PROTOCOL.md 4.7), whole and in order.

This module declares the options and hands on what happens. The rest of the plugin is imported for the first watcher
that has a stream.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from circus_core import logs
from circus_core.errors import CircusError
from circus_core.events import Event, LogsReopened, event
from circus_core.kinds import BOOLEAN
from circus_core.options import Effect, Kind
from circus_core.plugin import CircusPlugin, hookimpl, hookspec
from circus_core.requests import Argument, Command, Role
from circus_plugins.amounts import SIZE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from circus_core.model import Config, Launch, ProcessRef, Refuse, WatcherOptions
    from circus_core.plugin import Registry
    from circus_core.requests import Reply, Request
    from circus_core.structure import Problem
    from circus_plugins.streams.sink import Sink
    from circus_plugins.streams.work import Work

FAMILIES = ("stdout_stream.", "stderr_stream.")
RECENT = "recent_output"
KEPT = 65_536
"""Bytes of output that are kept of each process, unless `recent_output` says otherwise."""


def _value(value: object) -> object:
    if not isinstance(value, str | int | float):
        raise ValueError("expected a text or a number")
    return value


VALUE: Kind[Any] = Kind(
    "text", "text", "isn't a text or a number", _value, _value, schema={"type": ["string", "number", "boolean"]}
)


BUNDLED = {
    "FileStream": "files",
    "WatchedFileStream": "files",
    "TimedRotatingFileStream": "timed",
    "StdoutStream": "console",
    "FancyStdoutStream": "console",
    "JsonStream": "jsonlines",
    "SyslogStream": "syslog",
    "JournaldStream": "journald",
    "QueueStream": "memory",
}
"""The classes that need no path, and the modules here that have them."""
CIRCUS = "circus.stream."
"""What dotted paths of Circus' own classes begin with."""


def _bundled(value: object) -> object:
    if not isinstance(value, str) or value.removeprefix(CIRCUS) not in BUNDLED:
        raise ValueError(
            f"there are {', '.join(BUNDLED)}; any other names code, and circusd imports none on a client's order: write"
            " it in the configuration and give the order reloadconfig"
        )
    return value


BUNDLED_WORD: Kind[Any] = Kind("text", "a bundled class", "isn't a bundled stream", _bundled, _bundled)


@event
class OutputLost(Event):
    """What processes of a watcher wrote could not be kept; said once a minute as long as that goes on.

    `sink` says where it was to go, `error` what was wrong, `lost` how many bytes since it last could be written.
    """

    name: ClassVar[str] = "output_lost"
    watcher: str
    channel: str
    sink: str
    error: str
    lost: int


Listener = Callable[[str, bytes], bool]


class Overhearing:
    """Hooks for plugins that want to know what processes say as they say it."""

    @hookspec
    def circus_overhear_output(self, process: ProcessRef, watcher: WatcherOptions) -> Listener | None:
        """After a process whose output is read was spawned: a function that is given each part of it, as it comes.

        It is called with `stdout` or `stderr` and the bytes, in order, until it answers True: it need not hear more.
        What it raises ends that too, and is logged. Asked by the plugin `streams`, before `circus_await_ready`.
        """


class Streams(CircusPlugin):
    """Reads the output of the processes that have streams, and hands it to their sinks."""

    name = "streams"

    def __init__(self) -> None:
        self._supervisor: Any = None
        self._work: Work | None = None
        self._served: tuple[frozenset[str], Callable[[str, dict[str, Any]], None]] | None = None

    def sinks(self, watcher: str, channel: str = "stdout") -> list[Sink]:
        """The sinks that the processes of a watcher write to now, for a program that circusd is embedded in."""
        return self._work.sinks(watcher, channel) if self._work else []

    def circus_add_hookspecs(self) -> type:
        """The hook of those who listen to what processes say."""
        return Overhearing

    def circus_register_options(self, registry: Registry) -> None:
        """`stdout_stream.*`, `stderr_stream.*` and `redirect_stderr` of `[watcher:...]`."""
        for family in FAMILIES:
            channel = family.partition("_")[0]
            registry.option(
                "watcher", f"{family}class", VALUE, effect=Effect.OUTPUT, by_command=BUNDLED_WORD,
                help=f"Where the {channel} of the processes goes: {', '.join(BUNDLED)}, a name of the entry points"
                " `circus.streams`, or the dotted path of a class. A command may only set the first.",
            )  # fmt: skip
            registry.option(
                "watcher", family, VALUE, prefix=True, effect=Effect.OUTPUT,
                help=f"An option of the sort of sink that `{family}class` says.",
            )  # fmt: skip
        registry.option(
            "watcher", "redirect_stderr", BOOLEAN, False, effect=Effect.RELOAD,
            help="Standard error goes where standard output goes, in one order.",
        )  # fmt: skip
        registry.option(
            "watcher", RECENT, SIZE, KEPT, minimum=0, effect=Effect.OUTPUT,
            help="So much of the latest output of each process is kept in memory, for `circusctl tail` and for who asks"
            " why one ended. 0 keeps none. It counts where the output is read: a watcher with a stream.",
        )  # fmt: skip

    def circus_register_commands(self, registry: Registry) -> None:
        """`reopenlogs` and `tail`."""
        registry.command(
            Command(
                "reopenlogs", Role.OPERATE, "Open circusd's log and the files of streams anew.",
                help="For who has moved them away, such as logrotate. SIGHUP does so too, and reloads all watchers.",
                example="circusctl reopenlogs",
            ),
            self._reopenlogs,
        )  # fmt: skip
        registry.command(
            Command(
                "tail", Role.VIEW, "Show what processes said last.",
                Argument("names", "list", "Watchers, patterns for several, or NAME/WID for one process; all if none.",
                         positional=True, rest=True),
                Argument("channel", "text", "Only this one.", choices=("stdout", "stderr")),
                Argument("lines", "integer", "About so many lines of each process, the last; all if not told."),
                Argument("after", "text", "Go on after this process: the `next` of the reply before."),
                help="Whoever follows subscribes to the topics `output.WATCHER.WID.CHANNEL` of the event endpoint"
                " first, and drops what it has by `ring` and `start`.",
                replies={
                    "output": "parts of the output, by process, oldest first: watcher, wid, pid, channel, at, ring,"
                    " start (how many bytes that ring had before) and text; what is no UTF-8 is in lone surrogates",
                    "next": "the process to ask on after, or null",
                },
                example="circusctl tail web --lines 100",
            ),
            self._tail,
        )  # fmt: skip

    def circus_startup(self, supervisor: Any) -> None:
        """Nothing is done before a watcher with a stream starts."""
        self._supervisor = supervisor

    async def circus_shutdown(self) -> None:
        """Hand on what the last processes said, and close everything."""
        if self._work:
            await self._work.close()
            self._work = None

    def circus_check_config(self, config: Config) -> Sequence[Problem]:
        """Whether there are such sinks, whether they have such options, and whether their files can be written now."""
        if not any(_has_stream(watcher) for watcher in config.watchers.values()):
            return ()
        from circus_plugins.streams.choice import problems
        from circus_plugins.streams.clashes import clashes

        return [*(problem for watcher in config.watchers.values() for problem in problems(watcher)), *clashes(config)]

    def circus_veto_start(self, watcher: WatcherOptions) -> Refuse | None:
        """Keep a watcher stopped whose output could not go where it should."""
        return self._at_work().objection(watcher) if _has_stream(watcher) else None

    def circus_adjust_launch(self, launch: Launch, watcher: WatcherOptions) -> Launch | None:
        """Give a process pipes in place of what has a stream."""
        if watcher.extra.get("redirect_stderr") or _has_stream(watcher):
            return self._at_work().piped(launch, watcher)
        return None

    def circus_confirm_spawn(self, process: ProcessRef) -> None:
        """Begin to read."""
        if self._work:
            self._work.spawned(process)

    def circus_spawn_failed(self, event: Any) -> None:
        """There is nobody to read from."""
        if self._work:
            self._work.forget(event.watcher, event.wid)

    def circus_process_exited(self, event: Any) -> None:
        """Read its last words; the rest of its tree may have more to say."""
        if self._work:
            self._work.exited(event.watcher, event.wid, event.pid)

    def circus_describe_watcher(self, watcher: WatcherOptions) -> dict[str, str] | None:
        """What was lost of its output."""
        lost = self._work.lost(watcher.name) if self._work else []
        if not lost:
            return None
        return {"output lost": "; ".join(f"{sink.loss.total} bytes, {sink.name}: {sink.loss.error}" for sink in lost)}

    def circus_watcher_removed(self, event: Any) -> None:
        """What it said is nobody's any more."""
        if self._work:
            self._work.removed(event.watcher)

    def circus_recall_output(self, watcher: WatcherOptions, wid: int) -> Sequence[str] | None:
        """The last lines of the standard error of the process that ended last in a slot."""
        return self._work.rings.last_words(watcher, wid) if self._work else None

    @hookimpl(optionalhook=True)
    def circus_serve_topics(self, topics: frozenset[str], publish: Callable[[str, dict[str, Any]], None]) -> None:
        """Pass on what processes say to those who follow it."""
        self._served = topics, publish
        if self._work:
            self._work.following.serve(topics, publish)

    def circus_watcher_updated(self, event: Any) -> None:
        """Send output elsewhere from now on, if that is what changed."""
        if event.option.startswith((*FAMILIES, RECENT)):
            self._at_work().changed(event.watcher)

    def circus_logs_reopened(self, event: Any) -> None:
        """Open files anew, as logrotate(8) expects of a SIGHUP."""
        if self._work:
            self._work.reopen()

    def _reopenlogs(self, supervisor: Any, request: Request) -> Reply:
        logs.reopen()
        supervisor.bus.publish(LogsReopened())
        problems = self._work.problems() if self._work else []
        if problems:
            raise CircusError("not all could be opened anew: " + "; ".join(problems))
        return {}

    def _tail(self, supervisor: Any, request: Request) -> Reply:
        given = request.arguments
        return self._at_work().rings.page(
            supervisor, given.get("names") or (), channel=given.get("channel"), lines=given.get("lines"),
            after=given.get("after"),
        )  # fmt: skip

    def _at_work(self) -> Work:
        if self._work is None:
            from circus_plugins.streams.work import Work

            self._work = Work(self._supervisor, self)
            if self._served:
                self._work.following.serve(*self._served)
        return self._work


def _has_stream(watcher: WatcherOptions) -> bool:
    return any(key.startswith(FAMILIES) for key in watcher.extra)
