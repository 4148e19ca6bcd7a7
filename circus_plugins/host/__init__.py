"""The plugin `host`: has plugins run in processes of their own, each a watcher like any other; it runs none itself.

What a host process does is in `circus_plugins.host.main`. Most of the rest is imported once a configuration names a
plugin that is not for inside circusd.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from circus_core.errors import PluginError, RequestError
from circus_core.events import PluginFailed, PluginStarted
from circus_core.kinds import TEXT
from circus_core.model import WatcherState
from circus_core.options import Effect, Kind
from circus_core.plugin import CircusPlugin
from circus_core.requests import Argument, Command, Role
from circus_plugins.host import requests

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence

    from circus_core.config import PluginSections
    from circus_core.document import Document
    from circus_core.events import Event, ProcessExited
    from circus_core.model import Launch, WatcherOptions
    from circus_core.options import Section
    from circus_core.plugin import Registry
    from circus_core.requests import Handler, Reply, Request
    from circus_core.structure import Problem
    from circus_plugins.host.hosted import Hosted
    from circus_plugins.host.post import Post

PATIENCE = 10.0
"""Seconds that the other watchers wait for the plugins to come up when circusd starts."""
MOVED = 2.5
"""Seconds after a reload by which endpoints that changed are open at their new places."""


def _not_set(value: object) -> Any:
    raise ValueError("circusd sets it, from the [plugin:...] sections")


PLUGINS: Kind[Any] = Kind(
    "plugins", "nothing", "is not for a configuration", _not_set, _not_set, lambda hosted: [str(one) for one in hosted]
)


class Host(CircusPlugin):
    """Makes a watcher of each plugin, tells its process what to run, and waits for plugins before anything starts."""

    name = "host"

    def __init__(self) -> None:
        self._supervisor: Any = None
        self._began = 0
        self._posts: dict[str, Post] = {}
        # Once everything is to stop: the watchers that have not stopped yet, but those of plugins.
        self._others: set[str] | None = None
        self._others_stopped = asyncio.Event()

    def circus_register_options(self, registry: Registry) -> None:
        """`group` of `[plugin:...]`, and what a watcher that runs plugins carries with it."""
        registry.option("plugin", "group", TEXT, help="Plugins of one group share a process; it saves memory.")
        registry.option(
            "watcher", "plugins", PLUGINS, effect=Effect.RELOAD, settable=False,
            help="The plugins that it runs. Never set by hand: circusd makes a watcher `plugin:NAME` of each plugin.",
        )  # fmt: skip

    def circus_register_commands(self, registry: Registry) -> None:
        """`plugin_report`, and those that change plugins."""
        for command, work in (
            (requests.ADD, "add"), (requests.RM, "remove"), (requests.SET, "change"), (requests.RESTART, "restart"),
            (requests.SHOW, "show"),
        ):  # fmt: skip
            registry.command(command, self._lazily(work))
        registry.command(
            Command(
                "plugin_report", Role.ADMIN, "Sent by the processes of plugins: how their plugins fare.",
                Argument("token", "text", "Which process it is, as circusd told it.", required=True),
                Argument("plugins", "object", "By name: started, hooks, failures, last_error, disabled."),
                Argument("failed", "any", "Failures to publish: objects of plugin, hook, error and disabled."),
                Argument("published", "any", "Events of the plugins, to publish: objects of name and fields."),
                Argument("ready", "boolean", "Every plugin is at work.", default=False),
            ),
            self._report,
        )  # fmt: skip

    def circus_decide_hosts(
        self, document: Document, sections: Mapping[str, Section], plugins: PluginSections
    ) -> tuple[Mapping[str, WatcherOptions], Sequence[Problem]]:
        """A watcher for each plugin or group of plugins."""
        if not plugins.options:
            return {}, ()
        from circus_plugins.host.hosted import watchers_of

        return watchers_of(document, sections, plugins)

    def circus_startup(self, supervisor: Any) -> None:
        """Learn where the plugins' watchers are."""
        self._supervisor = supervisor
        self._began = supervisor.bus.seq

    async def circus_before_watchers(self) -> None:
        """Start the plugins' watchers, and wait until the plugins are at work, though not for ever."""
        everyone = self._supervisor.in_order()
        starting = [each for each in everyone if each.options.autostart and _awaited(each.options)]
        for watcher in starting:
            watcher.start()
        # Each with the process that it has now: nobody waits for the one after it.
        waiting = {self._posts[watcher.name].up: watcher.name for watcher in starting}
        if not waiting:
            return
        _, late = await asyncio.wait(waiting, timeout=PATIENCE)
        for up, name in waiting.items():
            if up in late:
                self.log.error("%s is not at work after %g s; the others start without it", name, PATIENCE)

    def circus_shutdown(self) -> None:
        """Let go of what was shared with the processes."""
        for post in self._posts.values():
            post.close()
        self._posts.clear()

    # What happens to the processes

    def circus_adjust_launch(self, launch: Launch, watcher: WatcherOptions) -> Launch | None:
        """Hand a plugin's process its orders, by a descriptor: no command line and no environment shows them."""
        if not _plugins(watcher):
            return None
        post = self._posts[watcher.name]
        post.plugins = _plugins(watcher)
        return post.brief(launch, self._supervisor)

    def circus_watcher_added(self, event: Any) -> None:
        """The plugins of a new watcher catch up on what happens from now on, or has since circusd began to start."""
        watcher = self._supervisor.watchers.get(event.watcher.lower())
        if watcher is not None and _plugins(watcher.options):
            from circus_plugins.host.post import Post

            since = 0 if event.seq <= self._began else event.seq
            self._posts[watcher.name] = Post(watcher.name, _plugins(watcher.options), since)

    def circus_process_exited(self, event: ProcessExited) -> None:
        """Nobody waits for plugins whose process ended."""
        post = self._posts.get(event.watcher)
        if post is not None:
            post.ended(event)

    def circus_watcher_stopped(self, event: Any) -> None:
        """When everything stops, the plugins' processes go last."""
        if self._others is not None:
            self._others.discard(event.watcher)
            self._note_stopped()

    def circus_watcher_removed(self, event: Any) -> None:
        """A plugin's section is gone."""
        post = self._posts.pop(event.watcher, None)
        if post is not None:
            post.close()

    def circus_supervisor_stopping(self, event: Event) -> None:
        """Nobody waits for plugins any more."""
        for post in self._posts.values():
            post.settle()
        if self._supervisor is not None:
            watchers = [watcher for watcher in self._supervisor.watchers.values() if not _plugins(watcher.options)]
            self._others = {watcher.name for watcher in watchers if watcher.state is not WatcherState.STOPPED}
        self._note_stopped()

    def circus_before_stop(self, watcher: WatcherOptions) -> Awaitable[None] | None:
        """When everything stops, the plugins see it to its end."""
        if not _plugins(watcher) or not self._supervisor.stopping:
            return None
        return self._wait_for_others(watcher)

    def circus_supervisor_reloaded(self, event: Event) -> None:
        """If endpoints moved, the plugins' processes have to follow."""
        if self._posts:
            asyncio.get_running_loop().call_later(MOVED, self._follow_endpoints)

    def circus_describe_plugins(self) -> Sequence[Mapping[str, Any]]:
        """The plugins of all processes."""
        return [row for post in self._posts.values() for row in post.rows(self._supervisor.bus.seq)]

    # How

    async def come_up(self, name: str) -> None:
        """Wait until a plugin is at work that was to be started in a process; raises PluginError if it is not."""
        post = next((post for post in self._posts.values() if any(name == each.name for each in post.plugins)), None)
        if post is None or not self._supervisor.watcher(post.watcher).running:
            return
        await asyncio.wait([post.up], timeout=PATIENCE)
        reason = post.trouble(name)
        if reason:
            hint = f"circusd starts it again, ever later; `circusctl plugins rm {name}` removes it"
            raise PluginError(f"the plugin {name} is not at work: {reason}", hint=hint)

    def _lazily(self, work: str) -> Handler:
        """A handler of `changing`, which is imported once somebody wants it."""

        def handle(supervisor: Any, request: Request) -> Reply | Awaitable[Reply]:
            from circus_plugins.host import changing

            answer: Reply | Awaitable[Reply] = getattr(changing, work)(self, supervisor, request)
            return answer

        return handle

    def _note_stopped(self) -> None:
        if not self._others:
            self._others_stopped.set()

    async def _wait_for_others(self, options: WatcherOptions) -> None:
        try:
            # A little less than is allowed, for it is no fault that others take longer.
            await asyncio.wait_for(self._others_stopped.wait(), options.graceful_timeout * 0.9)
        except TimeoutError:
            self.log.info("%s: stops before the others, which take longer than its graceful_timeout", options.name)

    def _follow_endpoints(self) -> None:
        for post in tuple(self._posts.values()):
            watcher = self._supervisor.watchers.get(post.watcher.lower())
            if watcher is not None and watcher.running and post.moved(self._supervisor):
                self.log.info("%s: restarted, as the endpoints moved", post.watcher)
                watcher.restart()

    def _report(self, _supervisor: Any, request: Request) -> Reply:
        post = next((post for post in self._posts.values() if post.token == request["token"]), None)
        if post is None:
            raise RequestError("'token' is of no process of plugins", hint="only circusd's own processes send this")
        bus = self._supervisor.bus
        for name in post.heard(request["plugins"] or {}):
            bus.publish(PluginStarted(plugin=name))
        for failure in request["failed"] or ():
            known = {key: failure[key] for key in ("plugin", "hook", "error", "disabled") if key in failure}
            bus.publish(PluginFailed(**known))
        if request["published"]:
            from circus_plugins.host.decoding import typed

            for wire in request["published"]:
                bus.publish(typed(wire))
        if request["ready"]:
            post.settle()
        return {}


def _awaited(options: WatcherOptions) -> bool:
    return any(plugin.awaited for plugin in _plugins(options))


def _plugins(options: WatcherOptions) -> tuple[Hosted, ...]:
    """The plugins that a watcher runs, if it is one for that."""
    found: Any = options.extra.get("plugins", ())
    return tuple(found)
