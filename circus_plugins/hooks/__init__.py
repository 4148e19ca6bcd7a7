"""The plugin `hooks`: Circus' hooks, functions of a watcher's own that are called inside circusd (PROTOCOL.md 6.7).

This module declares the options `hooks.NAME` and hands on what happens. It imports no function of anybody, nor the
rest of the plugin, until a watcher that has hooks is started.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from circus_core.events import Event, circus, event
from circus_core.kinds import BOOLEAN
from circus_core.options import Kind
from circus_core.plugin import CircusPlugin, hookimpl

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from circus_core.model import Launch, ProcessRef, Refuse, RetryLater, WatcherOptions
    from circus_core.plugin import Registry
    from circus_plugins.hooks.work import Work

FAMILY = "hooks."
NAMES = frozenset({
    "before_start", "after_start", "before_spawn", "after_spawn", "before_stop", "after_stop", "before_signal",
    "after_signal", "before_reap", "after_reap", "extended_stats",
})  # fmt: skip


def _text(path: str, lenient: bool) -> str:
    module, _dot, function = path.replace(":", ".").rpartition(".")
    if not module or not all(part.isidentifier() for part in (*module.split("."), function)):
        raise ValueError("it should be the dotted path of a function, such as package.module.function")
    return f"{path},true" if lenient else path


def _parse(text: str) -> str:
    path, comma, flag = text.partition(",")
    try:
        lenient = BOOLEAN.parse(flag.strip()) if comma else False
    except ValueError:
        raise ValueError("after the comma comes true or false: whether an exception counts as success") from None
    return _text(path.strip(), lenient)


def _check(value: object) -> str:
    match value:
        case str():
            return _parse(value)
        case [str(path), bool(lenient)]:
            return _text(path, lenient)
    raise ValueError('expected "package.module.function" or ["package.module.function", true]')


HOOK: Kind[str] = Kind(
    "hook", "the dotted path of a function", "isn't the dotted path of a function", _parse, _check,
    schema={"type": ["string", "array"]},
)  # fmt: skip


@event
class HookSucceeded(Event):
    """A function of `hooks.NAME` returned, whatever it answered; `hook` is the NAME, `seconds` how long it took."""

    action: ClassVar[str | None] = "hook_success"
    watcher: str
    hook: str = circus("name")
    seconds: float


@event
class HookFailed(Event):
    """A function of `hooks.NAME` raised; `hook` is the NAME, `error` what it said."""

    action: ClassVar[str | None] = "hook_failure"
    watcher: str
    hook: str = circus("name")
    error: str
    seconds: float


class Hooks(CircusPlugin):
    """Calls a watcher's own Python functions when it starts, stops, spawns, signals and reaps, as Circus does."""

    name = "hooks"

    def __init__(self) -> None:
        self._supervisor: Any = None
        self._work: Work | None = None

    def circus_register_options(self, registry: Registry) -> None:
        """`hooks.NAME` of `[watcher:...]`."""
        registry.option(
            "watcher", FAMILY, HOOK, prefix=True, names=NAMES, locating=True,
            fixed="it names code, and circusd imports none on a client's order; write it in the configuration and give"
            " the order `reloadconfig`",
            help="A Python function that is called inside circusd, as `package.module.function`. With `, true` after it"
            " an exception counts as success.",
        )  # fmt: skip

    def circus_startup(self, supervisor: Any) -> None:
        """Nothing is done before a watcher with hooks starts."""
        self._supervisor = supervisor

    async def circus_shutdown(self) -> None:
        """Let functions that are coroutines come to their ends."""
        if self._work:
            await self._work.end()

    def circus_veto_start(self, watcher: WatcherOptions) -> Refuse | None:
        """Import the functions, and ask `before_start`."""
        if self._work is None and not any(key.startswith(FAMILY) for key in watcher.extra):
            return None
        return self._at_work().begin(watcher)

    def _at_work(self) -> Work:
        if self._work is None:
            from circus_plugins.hooks.work import Work

            self._work = Work(self._supervisor, self)
        return self._work

    def circus_veto_spawn(self, watcher: WatcherOptions) -> Refuse | RetryLater | None:
        """Ask `before_spawn`."""
        return self._work.before_spawn(watcher.name) if self._work else None

    def circus_adjust_launch(self, launch: Launch) -> Launch | None:
        """What a hook changed in `watcher.env` is in force from then on."""
        return self._work.adjusted(launch) if self._work else None

    def circus_confirm_spawn(self, process: ProcessRef) -> Refuse | None:
        """Ask `after_spawn`."""
        return self._work.after_spawn(process) if self._work else None

    def circus_confirm_start(self, watcher: WatcherOptions) -> Refuse | None:
        """Ask `after_start`."""
        return self._work.after_start(watcher.name) if self._work else None

    def circus_veto_signal(self, process: ProcessRef, signum: int) -> Refuse | None:
        """Ask `before_signal`."""
        return self._work.before_signal(process, signum) if self._work else None

    @hookimpl(optionalhook=True)
    def circus_extend_stats(self, process: ProcessRef, stats: dict[str, Any]) -> str | None:
        """Call `extended_stats`."""
        return self._work.extended_stats(process, stats) if self._work else None

    def circus_process_signaled(self, event: Any) -> None:
        """Call `after_signal`."""
        if self._work:
            self._work.after_signal(event)

    def circus_signal_sent(self, event: Any) -> None:
        """Call `after_signal`."""
        if self._work:
            self._work.after_signal(event)

    def circus_before_stop(self, watcher: WatcherOptions) -> Awaitable[None] | None:
        """Call `before_stop`."""
        return self._work.before_stop(watcher.name) if self._work else None

    def circus_process_exited(self, event: Any) -> None:
        """Call `before_reap` and `after_reap`."""
        if self._work:
            self._work.reaped(event)

    def circus_watcher_stopped(self, event: Any) -> None:
        """Call `after_stop`."""
        if self._work:
            self._work.after_stop(event.watcher)

    def circus_watcher_removed(self, event: Any) -> None:
        """Forget the functions of a watcher, once it has stopped."""
        if self._work:
            self._work.removed(event.watcher)

    def circus_watcher_updated(self, event: Any) -> None:
        """Take changed hooks of a watcher that may be running."""
        if event.option.startswith(FAMILY):
            self._at_work().changed(event.watcher)

    def circus_supervisor_reloaded(self, event: Any) -> None:
        """Import again what was changed."""
        if self._work:
            self._work.refresh()
