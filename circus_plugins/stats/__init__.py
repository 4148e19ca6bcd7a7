"""The plugin `statistics`: circusd says what processes use when it is asked, and has a streamer where it is wanted.

The streamer, which tells it all the time, is the plugin `stats` in `circus_plugins.stats.streamer`: it has a process of
its own. This module reads no figures, and imports the rest once somebody asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circus_core.kinds import BOOLEAN
from circus_core.plugin import CircusPlugin, hookimpl, hookspec
from circus_core.requests import NAME, Argument, Command, Role
from circus_core.structure import Problem
from circus_plugins.doors.address import STATS, default_endpoint, parse
from circus_plugins.doors.terms import ENDPOINT, mistakes

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from circus_core.document import Document, RawSection
    from circus_core.model import Config, ProcessRef
    from circus_core.plugin import Registry
    from circus_core.requests import Reply, Request
    from circus_plugins.stats.asked import Asked

STREAMER = "stats"
OTHERS = ("endpoint", "pubsub_endpoint")
"""The endpoints that circusd opens itself."""
EXTENDED = Argument(
    "extended", "boolean", "Add threads, open files, bytes read and written, restarts and the cgroup.", default=False
)
PSS = Argument(
    "pss", "boolean", "With extended: the share of memory that is its own, which takes long to find out.", default=False
)


class Additions:
    """What the plugin asks others inside circusd."""

    @hookspec
    def circus_extend_stats(self, process: ProcessRef, stats: dict[str, Any]) -> str | None:
        """When somebody asks for the statistics of a process at length: put into `stats` what else there is to say.

        Called by the plugin `statistics` for the command `stats` with `extended`, for each process; values travel as
        JSON. Answer what went wrong, in words, if something did: whoever asked is told.
        """


class Statistics(CircusPlugin):
    """Answers `stats` and `dstats`."""

    name = "statistics"

    def __init__(self) -> None:
        self._supervisor: Any = None
        self._asked: Asked | None = None
        self._ready: dict[int, float] = {}

    def circus_add_hookspecs(self) -> type:
        """The hook of those who know more of a process."""
        return Additions

    def circus_register_options(self, registry: Registry) -> None:
        """The options of `[circus]` by which Circus has statistics published."""
        registry.option(
            "circus", "statsd", BOOLEAN, False,
            help="Have statistics published, by a process of their own: as if there were a section [plugin:stats].",
        )  # fmt: skip
        registry.option(
            "circus", "stats_endpoint", ENDPOINT,
            help="Where statistics are published: ipc:///PATH or tcp://HOST:PORT. It means that they are, whatever"
            " `statsd` says. Unset, a socket only this user can use.",
        )  # fmt: skip
        registry.option(
            "circus", "statsd_close_outputs", BOOLEAN, False,
            help="What the process that publishes statistics writes, such as its log, goes to /dev/null.",
        )  # fmt: skip

    def circus_imply_sections(self, document: Document) -> list[RawSection]:
        """`[plugin:stats]`, where statistics are wanted, with what `[circus]` says of the endpoint."""
        from circus_plugins.stats.implied import implied

        return implied(document)

    def circus_check_config(self, config: Config) -> list[Problem]:
        """Whether the endpoint could be opened, and found."""
        extra = config.supervisor.extra
        found = [each for other in OTHERS for each in mistakes(config, "stats_endpoint", other=other)]
        endpoint = str(extra.get("stats_endpoint") or "")
        if endpoint and (address := parse(endpoint, "stats_endpoint")).tcp and not address.port:
            hint = "the process that opens it is not circusd, which could not tell where it is"
            found.append(Problem("circus", "stats_endpoint", "needs a port of its own choosing", hint))
        return list(dict.fromkeys(found))

    @hookimpl(optionalhook=True)
    def circus_locate_endpoint(self, option: str) -> str | None:
        """Where statistics are published, if they are."""
        config: Config = self._supervisor.config
        if option != "stats_endpoint" or not any(each.use == STREAMER for each in config.plugins.values()):
            return None
        return str(config.supervisor.extra.get(option) or default_endpoint(STATS))

    def circus_register_commands(self, registry: Registry) -> None:
        """`stats` and `dstats`."""
        figures = (
            "in the keys of Circus: cpu in percent of one core, mem in percent of the machine's memory, and others"
        )
        registry.command(
            Command(
                "stats", Role.VIEW, "Show what processes use.", NAME,
                Argument("process", "integer", "Only the process with this pid.", positional=True),
                EXTENDED, PSS,
                help="The CPU figure is of the time since it was last asked for, of half a second at least; of a"
                " process that was not asked for within ten minutes, of its whole life.",
                replies={
                    "infos": f"without a name: an object per watcher, of an object per pid, {figures}",
                    "info": "with a name: an object per pid; with a process: its object",
                    "name": "with a name: as it was given",
                    "process": "with a process: its pid",
                },
                example="circusctl stats web",
            ),
            self._stats,
        )  # fmt: skip
        registry.command(
            Command(
                "dstats", Role.VIEW, "Show what circusd itself uses.", EXTENDED, PSS,
                help="The CPU figure is as that of `stats`.",
                replies={"info": f"the object of circusd and, as `children`, of each process it started, {figures}"},
                example="circusctl dstats",
            ),
            self._dstats,
        )  # fmt: skip

    def circus_startup(self, supervisor: Any) -> None:
        """Nothing is done before somebody asks."""
        self._supervisor = supervisor

    def circus_process_ready(self, event: Any) -> None:
        """Remember how long it took."""
        self._ready[event.pid] = event.after

    def circus_process_exited(self, event: Any) -> None:
        """Forget that."""
        self._ready.pop(event.pid, None)

    def _at_work(self) -> Asked:
        if self._asked is None:
            from circus_plugins.stats.asked import Asked

            self._asked = Asked(self._supervisor, self._ready)
        return self._asked

    def _stats(self, _supervisor: Any, request: Request) -> Awaitable[Reply]:
        return self._at_work().stats(request)

    def _dstats(self, _supervisor: Any, request: Request) -> Awaitable[Reply]:
        return self._at_work().dstats(request)
