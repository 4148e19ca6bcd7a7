"""From whatever runs to whatever the file says: the plan says what will be done, and nothing else is touched."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from circus_core.changing import changed
from circus_core.errors import CircusError
from circus_core.supervisor import Supervisor
from circus_core.values import diff, write

NAMES = ["a", "b", "c"]
VALUES = {
    "cmd": ["sleep 1000", "sleep 2000"],
    "numprocesses": ["0", "1", "2"],
    "singleton": ["True", "False"],
    "autostart": ["True", "False"],
    "priority": ["0", "1"],
    "umask": ["", "022"],
    "rlimit_core": ["", "0", "default"],
    "mine": ["1", "2"],
}
sections_ = st.fixed_dictionaries({"cmd": st.sampled_from(VALUES["cmd"])}, optional={
    key: st.sampled_from(values) for key, values in VALUES.items() if key != "cmd"
}).filter(lambda options: options.get("singleton") != "True" or options.get("numprocesses") != "2")  # fmt: skip
files = st.dictionaries(st.sampled_from(NAMES), sections_, max_size=3)
names = st.sampled_from(NAMES)
orders = st.one_of(
    st.tuples(st.just("reloadconfig"), files),
    st.tuples(st.sampled_from(["rm", "stop", "start", "incr", "decr"]), names),
    st.tuples(st.just("add"), names),
    st.tuples(st.just("set"), names, st.sampled_from([
        {"cmd": "sleep 3000"}, {"numprocesses": 3}, {"numprocesses": 0}, {"singleton": True}, {"priority": 2},
        {"mine": "3"}, {"rlimit_core": None},
    ])),
)  # fmt: skip


def text(file: dict[str, dict[str, str]]) -> str:
    return "\n".join(
        f"[watcher:{name}]\n" + "\n".join(f"{key} = {value}" for key, value in options.items())
        for name, options in file.items()
    )


class World:
    """A supervisor and its file, and what is to hold when the file is read again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.supervisor = Supervisor(str(path), plugins={})

    async def call(self, command: str, **properties: object) -> dict[str, object]:
        return await self.supervisor.client.call(command, **properties)

    def state(self) -> dict[str, tuple[Any, bool, list[int]]]:
        return {
            key: (watcher.options, watcher.running, [process.pid for process in watcher.slots.processes()])
            for key, watcher in self.supervisor.watchers.items()
        }

    async def obey(self, order: tuple[object, ...]) -> None:
        match order:
            case "reloadconfig", file:
                await self.reload(file)
                return
            case "add", name:
                properties = {"name": name, "cmd": "sleep 4000", "start": True}
            case "set", name, options:
                properties = {"name": name, "options": options}
            case _, name:
                properties = {"name": name}
        # There may be no such watcher, or the order contradicts what it has.
        with suppress(CircusError):
            await self.call(order[0], **properties, waiting=True)

    async def reload(self, file: dict[str, dict[str, str]]) -> None:
        self.path.write_text(text(file))
        old, before = self.supervisor.config, self.state()
        shown = await self.call("reloadconfig", plan=True)
        assert self.state() == before
        done = await self.call("reloadconfig", waiting=True)
        assert done == shown
        self.check({action["target"]: action["action"] for action in done["plan"]}, old, before, self.state())
        assert (await self.call("reloadconfig", plan=True))["plan"] == []

    def check(self, done, old, before, after) -> None:
        section, new = self.supervisor.assembly.sections["watcher"], self.supervisor.config
        assert after.keys() == (before.keys() - old.watchers.keys()) | new.watchers.keys()
        for key in before.keys() - done.keys():
            assert after[key] == before[key]
        for key, what in done.items():
            match what:
                case "remove":
                    assert key not in new.watchers
                case "start" | "add":
                    assert key not in before
                    assert after[key][:2] == (new.watchers[key], what == "start")
                case _:
                    self.check_change(what, before[key], after[key])
        for key, options in new.watchers.items():
            if key in old.watchers and key in before:
                in_file = {change.key: change.new for change in diff(section, old.watchers[key], options)}
                touched = {change.key for change in diff(section, before[key][0], after[key][0])}
                assert not in_file.keys() & {change.key for change in diff(section, after[key][0], options)}
                # What a command set stays, unless it contradicts what is new in the section.
                assert touched <= in_file.keys() or write(section, before[key][0], in_file).contradictions()

    def check_change(self, what, before, after) -> None:
        (options, running, pids), (now, runs, has) = before, after
        assert options != now
        assert runs == running
        kept = set(pids) & set(has)
        match what:
            case "update":
                assert has == pids
            case "adjust":
                assert len(kept) == min(len(pids), len(has))
            case "reload":
                assert not kept
        assert changed(self.supervisor.assembly.sections["watcher"], now, {}) == (now, ())
        assert len(has) == (now.numprocesses if runs else 0)


async def live(world: World, steps: list[tuple[object, ...]], last: dict[str, dict[str, str]]) -> None:
    async with asyncio.timeout(20), world.supervisor:
        for step in steps:
            await world.obey(step)
        await world.reload(last)


@settings(max_examples=60, deadline=None)
@given(first=files, steps=st.lists(orders, max_size=7), last=files)
def test_a_plan_is_what_is_done_and_is_done_once(first, steps, last):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "app.ini")
        path.write_text(text(first))
        asyncio.run(live(World(path), steps, last))
