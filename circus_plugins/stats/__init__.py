"""The plugin `statistics`: circusd says what processes use and used when it is asked, and has a streamer where it is
wanted.

The streamer, which tells it all the time, is the plugin `stats` in `circus_plugins.stats.streamer`: it has a process of
its own. This module reads no figures, and imports the rest once somebody asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circus_core.kinds import BOOLEAN
from circus_core.plugin import CircusPlugin, hookimpl, hookspec
from circus_core.structure import Problem
from circus_plugins.doors.address import STATS, default_endpoint, parse
from circus_plugins.doors.terms import ENDPOINT, mistakes
from circus_plugins.stats import requests

if TYPE_CHECKING:
    from circus_core.document import Document, RawSection
    from circus_core.errors import CircusError
    from circus_core.model import Config, ProcessRef
    from circus_core.plugin import Registry
    from circus_core.requests import Command, Handler
    from circus_plugins.stats.asked import Asked
    from circus_plugins.stats.history.questions import Questions

STREAMER = "stats"
OTHERS = ("endpoint", "pubsub_endpoint")
"""The endpoints that circusd opens itself."""


class Additions:
    """What the plugin asks others inside circusd."""

    @hookspec
    def circus_extend_stats(self, process: ProcessRef, stats: dict[str, Any]) -> str | None:
        """When somebody asks for the statistics of a process at length: put into `stats` what else there is to say.

        Called by the plugin `statistics` for the command `stats` with `extended`, for each process; values travel as
        JSON. Answer what went wrong, in words, if something did: whoever asked is told.
        """


class Statistics(CircusPlugin):
    """Answers `stats` and `dstats`, and has the streamer answer `history`."""

    name = "statistics"

    def __init__(self) -> None:
        self._supervisor: Any = None
        self._asked: Asked | None = None
        self._questions: Questions | None = None
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
        streamer = next((name for name, each in config.plugins.items() if each.use == STREAMER), None)
        if option != "stats_endpoint" or streamer is None:
            return None
        own = config.raw_plugins.get(streamer, {}).get(option)
        return str(own.value if own is not None else config.supervisor.extra.get(option) or default_endpoint(STATS))

    def circus_register_commands(self, registry: Registry) -> None:
        """`stats`, `dstats`, and those of the history."""
        work: dict[Command, Handler] = {
            requests.STATS: lambda _supervisor, request: self._now().stats(request),
            requests.DSTATS: lambda _supervisor, request: self._now().dstats(request),
            requests.HISTORY: lambda _supervisor, request: self._before().ask(request),
            requests.HISTORY_ANSWER: lambda _supervisor, request: self._before().answered(request),
        }
        for command, handler in work.items():
            registry.command(command, handler)

    def circus_startup(self, supervisor: Any) -> None:
        """Nothing is done before somebody asks."""
        self._supervisor = supervisor

    def circus_process_ready(self, event: Any) -> None:
        """Remember how long it took."""
        self._ready[event.pid] = event.after

    def circus_process_exited(self, event: Any) -> None:
        """Forget that."""
        self._ready.pop(event.pid, None)
        if self._questions is not None:
            self._questions.ended(event.pid)

    def circus_shutdown(self) -> None:
        """Nobody is asked any more."""
        if self._questions is not None:
            self._questions.close()

    def _now(self) -> Asked:
        if self._asked is None:
            from circus_plugins.stats.asked import Asked

            self._asked = Asked(self._supervisor, self._ready)
        return self._asked

    def _before(self) -> Questions:
        if self._questions is None:
            from circus_plugins.stats.history.questions import Questions

            self._questions = Questions(self._supervisor, self._absent)
        return self._questions

    def _absent(self) -> CircusError:
        from circus_plugins.stats.history.questions import absent

        return absent(self._supervisor.config, STREAMER)
