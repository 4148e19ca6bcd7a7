"""The whole of what a plugin can be: every hook, who calls it, when, and what an answer means.

Three kinds. *Lifecycle* hooks are about one plugin. *Events* say what happened: one hook for each class in
`circus_core.events`, named `circus_` and the event's name, past tense, with one argument `event` and no answer.
*Interventions* may change or refuse what is about to happen; they are only ever asked inside circusd.
A plugin is told of events, and asked, only once its `circus_startup` is done: it gets the events since it was loaded
then, in order, and is never asked before, but for what is asked about a configuration (`EARLY`).
A hook takes its arguments by name and may leave out those it does not need.
"""

from __future__ import annotations

from collections.abc import Awaitable, Container, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pluggy import HookspecMarker

from circus_core.events import EVENTS, Event
from circus_core.model import GiveUp, Launch, Postpone, Refuse, Restart, RetryLater

if TYPE_CHECKING:
    from collections.abc import Callable

    from circus_core.config import PluginSections
    from circus_core.document import Document, RawSection
    from circus_core.events import ProcessExited
    from circus_core.model import Config, ProcessRef, WatcherOptions
    from circus_core.options import Section
    from circus_core.plan import Action
    from circus_core.plugin import Registry
    from circus_core.structure import Problem

PROJECT = "circus"
PREFIX = "circus_"
hookspec = HookspecMarker(PROJECT)


class Lifecycle:
    """Called for one plugin: when it comes, when what it shall do changes, and when it goes."""

    @hookspec
    def circus_add_hookspecs(self) -> Any:
        """When the plugin is loaded, before all else: answer a class of hooks that other plugins may implement.

        Each is a function with `circus_core.plugin.hookspec`, named `circus_...`, that says in its docstring who calls
        it and what an answer means. The plugin calls them by `supervisor.bus`: `ask`, `first`, `adjust`. A plugin that
        implements one has its section after this one's, so if it is called by this one's `circus_startup`, its own is
        still to come. A hook of a new *event* is there with the event's class.
        """

    @hookspec
    def circus_register_options(self, registry: Registry) -> None:
        """Before the configuration is read: declare options of `[circus]` or `[watcher:...]`, and further sections.

        Called by the bus while it loads the plugin. Raise, and the plugin is not loaded.
        """

    @hookspec
    def circus_register_commands(self, registry: Registry) -> None:
        """Before anything starts: add commands; each gets its place in `circusctl`, with help, for free.

        Called by the bus while it loads the plugin. Raise, and the plugin is not loaded.
        """

    @hookspec
    def circus_startup(self, supervisor: Any) -> Awaitable[None] | None:
        """Before the first watcher starts: open what the plugin needs. May be a coroutine; raise to refuse the start.

        All watchers are known by then, and stopped. One that is ordered to start now does so when every plugin inside
        circusd has started, so do not wait for it here.

        `supervisor` is the running Supervisor; a plugin that is to work in a process of its own too leaves it out and
        uses `self.client`.
        """

    @hookspec
    def circus_follow_config(self, config: Config) -> Awaitable[None] | None:
        """After `reloadconfig`, or a restart of everything, has a configuration in force: do what it says now.

        That is what the options say which the plugin itself declared for `[circus]`; nothing need have changed. May be
        a coroutine. What it orders of watchers on the spot is part of the reload, whose answer waits for it. Raise a
        CircusError where this machine does not allow it, or a SeveralError with several: all else goes on, whoever
        waits for the command gets each of them, and these options are in force as they were, so that the next reload
        tries again.
        """

    @hookspec
    def circus_shutdown(self) -> Awaitable[None] | None:
        """After the last watcher stopped, or when the plugin is unloaded: close what `circus_startup` opened.

        May be a coroutine; it is called even if `circus_startup` failed half-way, and not if that was never called.
        """


class Interventions:
    """Asked before something happens. An implementation that raises, or whose answer is of another type than it
    should be (a coroutine, where the answer is needed at once), is passed over, as if it had not answered."""

    @hookspec
    def circus_adjust_launch(self, launch: Launch, watcher: WatcherOptions) -> Launch | None:
        """Before each spawn: answer a changed copy of the launch (`attrs.evolve`), or None to leave it.

        Each plugin is given what the one before it answered. Raise a CircusError where what the launch needs cannot be
        had: the spawn then fails for that reason, and is tried again later.
        """

    @hookspec
    def circus_imply_sections(self, document: Document) -> Sequence[RawSection] | None:
        """When a configuration is read: sections that it does not have, and that what it says amounts to.

        Asked of the plugins that are loaded by then. Where there is a section of the same title, what is missing there
        is filled in. Nothing is checked yet, and no variable expanded; a setting that is taken from another section
        brings its place with it, so that a mistake in it is found where it was written.
        """

    @hookspec
    def circus_decide_hosts(
        self, document: Document, sections: Mapping[str, Section], plugins: PluginSections
    ) -> tuple[Mapping[str, WatcherOptions], Sequence[Problem]] | None:
        """When a configuration is read: the watchers that run the plugins which are not for inside circusd, by key.

        `sections` are the known sorts; what those plugins add to them is to be added now. `plugins` are the
        `[plugin:...]` sections, checked as far as all plugins are alike. Mistakes are answered beside the watchers, and
        no configuration with one gets in force. Raise PluginError for a plugin that cannot be found. The first answer
        counts.
        """

    @hookspec
    def circus_check_config(self, config: Config) -> Sequence[Problem] | None:
        """When a configuration is read, by a start, `--check`, `reloadconfig` or `restart`: what is wrong with it.

        It is asked for a `set` and an `add` as well, with a `config` that has no other watcher; these are refused for
        what is wrong with that watcher, and was not before.

        That is what an option alone does not show, and what files of this machine tell; nothing may be changed or
        opened. `config` has what is right so far, and is not in force. A `Problem` names `section` (the title, such as
        `watcher:web`), `key` and, as `others`, further keys of that section that it is about; where it stands is found
        by these. No configuration with a problem that is no `warning` gets in force.
        """

    @hookspec
    def circus_plan_config(self, config: Config) -> Sequence[Action] | None:
        """When `reloadconfig` plans: what `circus_follow_config` would do with this configuration, so that it is said.

        That is, to watchers, and what an earlier reload left to be tried again. That a section is new, gone or changed
        is said already. Nothing may be changed or opened.
        """

    @hookspec
    def circus_describe_plugins(self) -> Sequence[Mapping[str, Any]] | None:
        """When somebody lists the plugins: those outside circusd, each with the keys that the command `plugins` has."""

    @hookspec
    def circus_before_watchers(self) -> Awaitable[None] | None:
        """When circusd starts, once each plugin inside it has started: the first watcher starts when this is done.

        For what has to be there first, such as the plugins in processes of their own. A stop of circusd cancels it.
        """

    @hookspec
    def circus_describe_watcher(self, watcher: WatcherOptions) -> Mapping[str, str] | None:
        """When somebody asks for the state of a watcher at length: what else there is to know, in words, by a heading.

        Only what is worth a line; `circusctl status NAME` shows it as it is.
        """

    @hookspec
    def circus_recall_output(self, watcher: WatcherOptions, wid: int) -> Sequence[str] | None:
        """When somebody wants to know why a process ended: the last lines of its standard error, oldest first.

        Asked for the slot it was in, by `status` and for `watcher_gave_up`. The first answer counts.
        """

    @hookspec
    def circus_veto_start(self, watcher: WatcherOptions) -> Refuse | Postpone | None:
        """Before a watcher starts: a `Refuse` keeps it stopped, and whoever asked is told the reason.

        `Postpone` keeps it stopped too, and is no failure: the plugin orders a start when the watcher is wanted, and is
        asked again then. If somebody stops or removes the watcher first, the event `start_called_off` says so. The
        first answer counts.
        """

    @hookspec
    def circus_veto_spawn(self, watcher: WatcherOptions, wid: int) -> Refuse | RetryLater | GiveUp | None:
        """Before each spawn: `RetryLater` asks again later, `GiveUp` leaves the slot empty, `Refuse` stops the watcher.

        The first answer counts.
        """

    @hookspec
    def circus_confirm_spawn(self, process: ProcessRef, watcher: WatcherOptions) -> Refuse | None:
        """After a process was started and before anybody is told: a `Refuse` ends it and stops the watcher.

        There is no `process_spawned` then. Its end is told by `process_exited`, as every end is.
        """

    @hookspec
    def circus_confirm_start(self, watcher: WatcherOptions) -> Refuse | None:
        """When each process of a starting watcher was spawned, before that is told: a `Refuse` stops it again.

        There is no `watcher_started` then.
        """

    @hookspec
    def circus_veto_signal(self, process: ProcessRef, signum: int) -> Refuse | None:
        """Before a signal is sent to a process: a `Refuse` holds it back. Never asked for SIGKILL."""

    @hookspec
    def circus_before_stop(self, watcher: WatcherOptions) -> Awaitable[None] | None:
        """Before the processes of a watcher are asked to stop; awaited for `graceful_timeout` seconds at most."""

    @hookspec
    def circus_decide_restart(
        self, exited: ProcessExited, recent: Sequence[ProcessExited], watcher: WatcherOptions
    ) -> Restart | GiveUp | Postpone | None:
        """After a process ended by itself: say when its slot is filled again, or that it is given up.

        `Postpone` closes the slot, as without `respawn`: with the last one the watcher is stopped, which is no failure.
        `recent` are the earlier deaths in the same slot, oldest first. The first answer counts; without one the
        policy of the watcher's own options decides.
        """

    @hookspec
    def circus_await_ready(self, process: ProcessRef, watcher: WatcherOptions) -> Awaitable[bool] | None:
        """After a spawn: an awaitable that answers whether the process came up. Without one it is ready at once.

        Rolling reloads stop no old process before its successor is ready.
        """


ANSWERS: dict[str, tuple[type, ...]] = {
    "circus_imply_sections": (Sequence,),
    "circus_adjust_launch": (Launch,),
    "circus_decide_hosts": (tuple,),
    "circus_check_config": (Sequence,),
    "circus_plan_config": (Sequence,),
    "circus_describe_plugins": (Sequence,),
    "circus_before_watchers": (Awaitable,),
    "circus_describe_watcher": (Mapping,),
    "circus_recall_output": (Sequence,),
    "circus_veto_start": (Refuse, Postpone),
    "circus_veto_spawn": (Refuse, RetryLater, GiveUp),
    "circus_confirm_spawn": (Refuse,),
    "circus_confirm_start": (Refuse,),
    "circus_veto_signal": (Refuse,),
    "circus_before_stop": (Awaitable,),
    "circus_decide_restart": (Restart, GiveUp, Postpone),
    "circus_await_ready": (Awaitable,),
}
"""What each intervention may answer, besides None. A hook that a plugin added may answer anything."""

EARLY = frozenset({*vars(Lifecycle), "circus_imply_sections", "circus_decide_hosts", "circus_check_config"})
"""Hooks by which plugins are called that have not started, and perhaps never will. A hook that a plugin added is called
when that plugin chooses."""


def _event_hook(name: str, cls: type[Event]) -> Callable[..., None]:
    def hook(event: Event) -> None: ...

    hook.__name__ = hook.__qualname__ = PREFIX + name
    hook.__doc__ = cls.__doc__
    return hookspec(hook)


def _every(event: Event) -> None:
    """Every event, whatever its class, in the order of `seq`; after the hook of the event's own class."""


_every.__name__ = _every.__qualname__ = PREFIX + "event"


def event_hooks(known: Container[str] = ()) -> type:
    """The event hooks that are not `known`, made from the table of event classes as it is now: plugins add some."""
    hooks: dict[str, Any] = {PREFIX + name: staticmethod(_event_hook(name, cls)) for name, cls in EVENTS.items()}
    hooks[PREFIX + "event"] = staticmethod(hookspec(_every))
    return type("Events", (), {name: hook for name, hook in hooks.items() if name not in known})
