"""Runs one plugin class inside circusd and in a process of its own, and compares what it did; a tool for tests."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import importlib.util
import inspect
import json
import logging
import os
import re
import tempfile
from typing import TYPE_CHECKING, Any

from attrs import define, field

from circus_core import events, logs
from circus_core.assembly import assemble
from circus_core.bundled import DEFAULT_PLUGINS
from circus_core.document import RawSection
from circus_core.model import Config, SupervisorOptions, WatcherOptions
from circus_core.requests import Role
from circus_core.structure import Place, Setting
from circus_core.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence

    from circus_core.events import Event
    from circus_core.requests import Reply

NEEDED = ("control", "publisher", "host")
FURTHER = frozenset({"plugin_report", "events", "globaloptions"})
"""Commands that the process of a plugin sends by itself."""
QUIET = 0.1
"""Seconds in which nothing happens, after which a plugin is held to have done all it does."""
LOGGED = re.compile(r"^\S+ \S+ (?P<logger>\S+)\[\d+\] \[(?P<level>\w+)\] (?P<text>.*)$")


@define
class Deeds:
    """What a plugin did: commands it sent, events it published, lines it logged, and how it failed. All as text."""

    commands: list[str] = field(factory=list)
    published: list[str] = field(factory=list)
    logged: list[str] = field(factory=list)
    failures: list[str] = field(factory=list)

    def lines(self) -> list[str]:
        """Everything, sort by sort, each in its order."""
        return [
            f"{sort}: {line}"
            for sort in ("commands", "published", "logged", "failures")
            for line in getattr(self, sort)
        ]


class Run:
    """A supervisor that a scenario acts on: `call` gives orders, and `supervisor` and `events` are to look at."""

    def __init__(self, supervisor: _Recording, recorder: _Recorder) -> None:
        self.supervisor = supervisor
        self._recorder = recorder

    @property
    def events(self) -> Sequence[Event]:
        """What has happened so far."""
        return self._recorder.happened

    async def call(self, command: str, **properties: Any) -> Reply:
        """Give an order that does not count as the plugin's."""
        answer = Supervisor.dispatch(self.supervisor, command, properties)
        return answer if isinstance(answer, dict) else await answer

    async def wait_for(self, name: str, **fields: object) -> Event:
        """Wait until there is an event of this name with these fields; the test's own time limit ends that."""
        while True:
            for event in self.events:
                if event.name == name and all(getattr(event, key, None) == value for key, value in fields.items()):
                    return event
            self._recorder.arrived.clear()
            await self._recorder.arrived.wait()

    def pids(self, name: str) -> list[int]:
        """The pids of a watcher."""
        return [process.pid for process in self.supervisor.watcher(name).slots.processes()]


class _Recording(Supervisor):
    ordered: list[tuple[str, dict[str, Any]]]

    def dispatch(self, command: str, properties: Mapping[str, Any], **given: Any) -> Reply | Awaitable[Reply]:
        if command not in FURTHER:
            order = (command, {key: value for key, value in properties.items() if value is not None})
            if not self._only_looks(command) or order not in self.ordered[-1:]:
                self.ordered.append(order)
        return super().dispatch(command, properties, **given)

    def _only_looks(self, command: str) -> bool:
        found = self.assembly.commands.get(command)
        return found is not None and found[0].role is Role.VIEW


async def restart_each(run: Run) -> None:
    """The scenario where none is given: every watcher is restarted, and then stopped."""
    for watcher in [each.name for each in run.supervisor.in_order() if not each.options.extra.get("plugins")]:
        for command in ("restart", "stop"):
            await run.call(command, name=watcher, match="simple", waiting=True)


async def check_plugin(
    cls: type,
    *,
    name: str = "checked",
    options: Mapping[str, object] | None = None,
    watchers: Sequence[WatcherOptions] = (),
    scenario: Callable[[Run], Awaitable[None]] = restart_each,
) -> Deeds:
    """Run a plugin class inside circusd, then in a process of its own, with the same real watchers and scenario.

    Answers what it did; raises AssertionError, with the difference, if it did not do the same. Pids and fractions are
    not compared, nor how often in a row it asks for the same, nor what comes once the scenario is over and the plugin
    quiet. Of several processes that end at once the kernel tells in any order, so let watchers have one each, unless
    the plugin does not care. It is for classes that only listen: one that implements an intervention raises
    ConfigError, as it would in a configuration.
    """
    done = [await _run(cls, name, options or {}, watchers, scenario, host) for host in ("core", "process")]
    inside, outside = (deeds.lines() for deeds in done)
    if inside != outside:
        difference = difflib.unified_diff(inside, outside, "inside circusd", "in a process of its own", lineterm="")
        raise AssertionError(f"{cls.__qualname__} does not do the same in both hosts:\n" + "\n".join(difference))
    return done[0]


async def _run(
    cls: type,
    name: str,
    options: Mapping[str, object],
    watchers: Sequence[WatcherOptions],
    scenario: Callable[[Run], Awaitable[None]],
    host: str,
) -> Deeds:
    with tempfile.TemporaryDirectory(prefix="circus-") as folder, _log(f"{folder}/log", name) as lines:
        extra = {key: f"ipc://{folder}/{key}" for key in ("endpoint", "pubsub_endpoint")}
        config = Config(SupervisorOptions(extra=extra), {each.name.lower(): each for each in watchers})
        plugins = {needed: DEFAULT_PLUGINS[needed] for needed in NEEDED}
        recorder = _Recorder()
        happened = recorder.happened
        assembly = assemble(config=config, plugins={"recorder": recorder, **plugins})
        settings = {"use": _use(cls), "host": host, "graceful_timeout": 5.0 if host == "process" else None, **options}
        section = {
            key: Setting(value, text=isinstance(value, str)) for key, value in settings.items() if value is not None
        }
        assembly.adopt(assembly.change_plugin(name, lambda _: RawSection("plugin", name, section, Place("", 0))))
        assembly.load_configured(name, assembly.config.plugins[name])
        supervisor = _Recording(assembly)
        supervisor.ordered = []
        async with _ended(supervisor):
            run = Run(supervisor, recorder)
            await _settled(run)
            await scenario(run)
            await _settled(run)
            # What it does while everything ends is not compared: that ends all at once, in any order.
            own = getattr(cls, "watcher", "") or f"plugin:{name}"
            return _deeds(name, own, tuple(happened), tuple(supervisor.ordered), lines())


def _deeds(
    name: str,
    own: str,
    happened: Sequence[Event],
    ordered: Sequence[tuple[str, Mapping[str, Any]]],
    lines: Sequence[str],
) -> Deeds:
    told = _Words(happened, own)
    return Deeds(
        [told(f"{command} {json.dumps(given, sort_keys=True, default=str)}") for command, given in ordered],
        [told(f"{each.name} {each.fields()}") for each in happened if type(each).__module__ != events.__name__],
        [told(line) for line in lines],
        [
            told(f"{getattr(each, 'hook', '')}: {getattr(each, 'error', '')}")
            for each in happened
            if each.name == "plugin_failed" and getattr(each, "plugin", "") == name
        ],
    )


class _Recorder:
    def __init__(self) -> None:
        self.happened: list[Event] = []
        self.arrived = asyncio.Event()

    def circus_event(self, event: Event) -> None:
        self.happened.append(event)
        self.arrived.set()


class _Words:
    """Texts without what differs from run to run: pids have the names of their processes, and fractions none."""

    def __init__(self, happened: Sequence[Event], own: str) -> None:
        self._names = {str(os.getpid()): "PID"}
        counts: dict[str, int] = {}
        for event in happened:
            if event.name == "process_spawned":
                fields = event.fields()
                watcher = fields["watcher"]
                counts[watcher] = counts.get(watcher, 0) + 1
                told = "PID" if watcher == own else f"PID:{watcher}:{counts[watcher]}"
                self._names[str(fields["pid"])] = told

    def __call__(self, text: str) -> str:
        text = re.sub(r"\d+\.\d+(e-?\d+)?", "#", text)
        return re.sub(r"\b\d+\b", lambda number: self._names.get(number[0], number[0]), text)


@contextlib.asynccontextmanager
async def _ended(supervisor: Supervisor) -> AsyncIterator[None]:
    async with supervisor:
        try:
            yield
        except BaseException:
            supervisor.kill()
            raise


async def _settled(run: Run) -> None:
    """Wait until the plugin has seen everything and does no more. Nothing tells of that, so it is looked for."""
    before = None
    while True:
        rows = (await run.call("plugins"))["plugins"]
        now = (len(run.events), len(run.supervisor.ordered))
        if now == before and not any(row.get("behind") for row in rows):
            return
        before = now
        await asyncio.sleep(QUIET)


def _use(cls: type) -> str:
    """By what name a process of its own finds the class."""
    with contextlib.suppress(ImportError, ValueError):
        if importlib.util.find_spec(cls.__module__) is not None and cls.__module__ != "__main__":
            return f"{cls.__module__}:{cls.__qualname__}"
    return f"{os.path.abspath(inspect.getfile(cls))}:{cls.__qualname__}"


@contextlib.contextmanager
def _log(path: str, plugin: str) -> Iterator[Callable[[], list[str]]]:
    """Answers what gets what the plugin logged, wherever it ran."""
    lines: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{record.levelname} {record.getMessage()}")

    name = f"circus.plugin.{plugin}"
    handler, root = Handler(), logging.getLogger()
    level = root.level
    root.setLevel(logging.INFO)
    logging.getLogger(name).addHandler(handler)

    def all_lines() -> list[str]:
        with contextlib.suppress(FileNotFoundError), open(path) as file:
            for line in file:
                found = LOGGED.match(line.rstrip("\n"))
                if found and found["logger"] == name:
                    lines.append(f"{found['level']} {found['text']}")
        return lines

    try:
        with logs.elsewhere(path):
            yield all_lines
    finally:
        logging.getLogger(name).removeHandler(handler)
        root.setLevel(level)
