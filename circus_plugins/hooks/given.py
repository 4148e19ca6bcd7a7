"""What hooks are given as `watcher` and `arbiter`: what is, and orders that are put into the queue. No way further in.

Names and meanings are those of Circus' objects, as far as hooks in the wild use them. Orders may be given from any
thread, since hooks that fear to block circusd give them from one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

from circus_core import status
from circus_core.launch import environment
from circus_core.model import WatcherOptions, WatcherState
from circus_core.options import declared
from circus_core.wire import topic_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circus_core.process import Process
    from circus_core.supervisor import Supervisor
    from circus_core.watcher import Watcher


class Given:
    """Offers its public attributes, and says which these are when asked for another."""

    __slots__ = ()
    _what: ClassVar[str] = ""
    _more: ClassVar[tuple[str, ...]] = ()

    def __getattr__(self, name: str) -> Any:
        offered = [word for word in [*dir(type(self)), *self._more] if not word.startswith("_")]
        raise AttributeError(f"a hook's {self._what} has no {name!r}; it has {', '.join(offered)}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name!r} of a hook's {self._what} cannot be set; give an order instead")


def _keep(given: Given, **values: object) -> None:
    for name, value in values.items():
        object.__setattr__(given, name, value)


class ProcessOfHook(Given):
    """A process of a watcher. `started` is in seconds since 1970."""

    __slots__ = ("_process", "name", "pid", "started", "wid")
    _what = "process"
    _process: Process

    def __init__(self, process: Process) -> None:
        _keep(
            self, _process=process, name=process.watcher, pid=process.pid, wid=process.wid, started=process.spawned_at
        )

    def age(self) -> float:
        """Seconds since the spawn."""
        return self._process.age

    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.alive


class WatcherOfHook(Given):
    """A watcher: each of its options is an attribute (`numprocesses`, `cmd` ...), and what follows."""

    __slots__ = ("_env", "_env_of", "_loop", "_plain", "_supervisor", "_watcher")
    _what = "watcher"
    _more = tuple(key for key, entry in declared(WatcherOptions).items() if not entry.prefix)
    _env: dict[str, str]
    _watcher: Watcher
    _supervisor: Supervisor

    def __init__(self, watcher: Watcher, supervisor: Supervisor) -> None:
        _keep(self, _watcher=watcher, _supervisor=supervisor, _loop=asyncio.get_running_loop())
        _keep(self, _env={}, _plain={}, _env_of=None)

    def __getattr__(self, name: str) -> Any:
        entry = declared(WatcherOptions).get(name)
        return super().__getattr__(name) if entry is None else getattr(self._watcher.options, entry.attribute)

    # What is

    @property
    def name(self) -> str:
        return self._watcher.name

    @property
    def res_name(self) -> str:
        """The name as it is in topics."""
        return topic_name(self.name)

    @property
    def env(self) -> dict[str, str]:
        """The environment of its processes. What a hook changes in it is in force from the next spawn on."""
        options = self._watcher.options
        if self._env_of is not options.env:
            plain = environment(options, self._watcher.slots.around.environ)
            _keep(self, _plain=plain, _env=dict(plain), _env_of=options.env)
        return self._env

    @property
    def _options(self) -> dict[str, object]:
        """The options that are not the core's. Hooks written after an example of Circus' read them here."""
        return dict(self._watcher.options.extra)

    @property
    def processes(self) -> dict[int, ProcessOfHook]:
        """Its processes that have not ended, by pid."""
        return {process.pid: ProcessOfHook(process) for process in self._watcher.slots.everyone()}

    @property
    def pids(self) -> list[int]:
        return sorted(self.processes)

    def get_active_processes(self) -> list[ProcessOfHook]:
        """Its processes that have not ended."""
        return list(self.processes.values())

    def options(self) -> list[tuple[str, object]]:
        """Every option and its value, those of plugins and free-form ones too."""
        section = self._supervisor.assembly.sections["watcher"]
        shown = {**status.options(section, self._watcher.options), "env": dict(self.env)}
        return sorted(shown.items())

    def status(self) -> str:
        """`stopped`, `starting`, `active` or `stopping`."""
        return str(self._watcher.state)

    def is_active(self) -> bool:
        return self._watcher.state is WatcherState.ACTIVE

    def is_starting(self) -> bool:
        return self._watcher.state is WatcherState.STARTING

    def is_stopping(self) -> bool:
        return self._watcher.state is WatcherState.STOPPING

    def is_stopped(self) -> bool:
        return self._watcher.state is WatcherState.STOPPED

    # Orders

    def start(self) -> None:
        """As `circusctl start`, and so on; none of them waits."""
        self._order("start")

    def stop(self) -> None:
        self._order("stop")

    def restart(self) -> None:
        self._order("restart")

    def reload(self, graceful: bool = True, sequential: bool = False) -> None:
        self._order("reload", graceful=graceful, sequential=sequential)

    def incr(self, nb: int = 1) -> None:
        self._order("incr", nb=nb)

    def decr(self, nb: int = 1) -> None:
        self._order("decr", nb=nb)

    def _order(self, command: str, **properties: object) -> None:
        client = self._supervisor.client
        self._loop.call_soon_threadsafe(lambda: client.cast(command, name=self.name, **properties))

    def send_signal(self, pid: int, signum: int) -> None:
        """Send a signal to a process of the watcher, before this returns; from another thread, soon."""
        process = next((each for each in self._watcher.slots.everyone() if each.pid == pid), None)
        if process is None:
            return
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self._loop.call_soon_threadsafe(process.signal, signum)
        else:
            process.signal(signum)


def changed_environment(watcher: WatcherOfHook, env: Mapping[str, str]) -> dict[str, str] | None:
    """`env` with what hooks changed in `watcher.env`, or None if that is nothing."""
    plain, mine = watcher._plain, watcher._env
    if watcher._env_of is not watcher._watcher.options.env or plain == mine:
        return None
    kept = {name: value for name, value in env.items() if name in mine or name not in plain}
    return {**kept, **{name: str(value) for name, value in mine.items() if plain.get(name) != value}}


class Arbiter(Given):
    """The supervisor of all watchers."""

    __slots__ = ("_supervisor",)
    _what = "arbiter"
    _supervisor: Supervisor

    def __init__(self, supervisor: Supervisor) -> None:
        _keep(self, _supervisor=supervisor)

    @property
    def watchers(self) -> list[WatcherOfHook]:
        """All watchers, in the order in which they start."""
        return [WatcherOfHook(watcher, self._supervisor) for watcher in self._supervisor.in_order()]

    def iter_watchers(self, reverse: bool = True) -> list[WatcherOfHook]:
        """All watchers; not in `reverse`, those that start last come first."""
        return self.watchers if reverse else self.watchers[::-1]

    def get_watcher(self, name: str) -> WatcherOfHook:
        """The watcher of this name, in any case; raises KeyError."""
        found = self._supervisor.watchers.get(name.lower())
        if found is None:
            raise KeyError(name)
        return WatcherOfHook(found, self._supervisor)

    def numwatchers(self) -> int:
        return len(self._supervisor.watchers)

    def numprocesses(self) -> int:
        """How many processes run, of all watchers."""
        return sum(len(watcher.slots.everyone()) for watcher in self._supervisor.watchers.values())

    def statuses(self) -> dict[str, str]:
        """The state of each watcher, by name."""
        return {watcher.name: str(watcher.state) for watcher in self._supervisor.watchers.values()}

    @property
    def endpoint(self) -> str | None:
        return self._global("endpoint")

    @property
    def pubsub_endpoint(self) -> str | None:
        return self._global("pubsub_endpoint")

    def _global(self, key: str) -> str | None:
        if "globaloptions" not in self._supervisor.assembly.commands:
            return None
        reply: Any = self._supervisor.dispatch("globaloptions", {"option": key})
        value: str | None = reply["options"][key]
        return value
