"""What a plugin remembers is there for the one that takes its place, wherever it runs and however it ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from circus_core.errors import PluginError
from circus_core.memory import Memory
from circus_core.plugin import CircusPlugin
from circus_plugins.host import shared
from circus_plugins.host.shared import SharedMemory
from tests.plugins.host.conftest import APP

CODE = """
    class Counts(Witness):
        def circus_startup(self):
            self.remember("starts", (1, *(self.recall("starts") or ())))
            self.note(hook="startup", starts=self.recall("starts"))
"""
BOTH = pytest.mark.parametrize("where", ["", "host = core\n"], ids=["process", "core"])
SECTION = "[plugin:counts]\nuse = plugin.py:Counts\n"


@BOTH
async def test_a_restart_and_changed_options_leave_it(hosting, where):
    async with hosting(APP + SECTION + where, CODE) as run:
        await run.notes.wait_for("counts", hook="startup", starts=[1])
        await run.call("plugins_restart", name="counts", waiting=True)
        await run.notes.wait_for("counts", hook="startup", starts=[1, 1])
        await run.call("plugins_set", name="counts", options={"size": "4"}, waiting=True)
        await run.notes.wait_for("counts", hook="startup", starts=[1, 1, 1])


@BOTH
async def test_it_goes_with_the_section(hosting, where):
    async with hosting(APP + SECTION + where, CODE) as run:
        await run.notes.wait_for("counts", hook="startup", starts=[1])
        await run.call("plugins_rm", name="counts", waiting=True)
        await run.call("reloadconfig", waiting=True)
        await run.notes.wait_for("counts", hook="startup", starts=[1], count=2)


async def test_sigkill_leaves_it(hosting):
    async with hosting(APP + SECTION, CODE) as run:
        os.kill((await run.notes.wait_for("counts", hook="startup", starts=[1]))["pid"], signal.SIGKILL)
        await run.notes.wait_for("counts", hook="startup", starts=[1, 1])


async def test_each_plugin_of_a_group_has_its_own(hosting):
    group = "group = both\n"
    more = f"[plugin:other]\nuse = plugin.py:Counts\n{group}"
    async with hosting(APP + SECTION + group, CODE) as run:
        await run.notes.wait_for("counts", hook="startup", starts=[1])
        run.configure(APP + SECTION + group + more)
        await run.call("reloadconfig", waiting=True)
        await run.notes.wait_for("counts", hook="startup", starts=[1, 1])
        await run.notes.wait_for("other", hook="startup", starts=[1])


def test_there_is_none_before_the_plugin_runs():
    with pytest.raises(PluginError, match=r"remember\(\) needs a running plugin"):
        CircusPlugin().remember("a", 1)


def test_what_json_has_no_word_for_is_refused_at_once():
    memory = Memory()
    with pytest.raises(TypeError):
        memory.remember("a", {1, 2})
    assert memory.recall("a") is None


def test_who_changes_the_value_later_changes_nothing_here():
    memory, value = Memory(), [1]
    memory.remember("a", value)
    value.append(2)
    memory.recall("a").append(3)
    assert memory.recall("a") == [1]


@pytest.fixture
def fd():
    made = shared.create("of the test")
    yield made
    os.close(made)


def test_another_process_finds_the_latest_of_it_and_it_takes_no_more_room_than_twice(fd):
    memory = SharedMemory(fd)
    for size in (10, 5000, 3, 4000, 70, *range(200)):
        memory.remember("text", "x" * size)
        memory.remember("size", size)
        found = SharedMemory(fd)
        assert (found.recall("text"), found.recall("size")) == ("x" * size, size)
    memory.remember("text", None)
    assert SharedMemory(fd).texts == {"size": "199"}
    assert os.fstat(fd).st_size < 3 * 5100


def test_killed_while_it_writes_it_is_as_it_was_before_or_after(fd):
    code = """
import sys
from circus_plugins.host.shared import SharedMemory
memory, number = SharedMemory(int(sys.argv[1])), 0
while True:
    number += 1
    memory.remember("all", [number] * 20000)
    if number == 3:
        print(flush=True)
"""
    for _ in range(5):
        os.pwrite(fd, shared.WHERE.pack(0, 0), 0)
        with subprocess.Popen([sys.executable, "-c", code, str(fd)], pass_fds=[fd], stdout=subprocess.PIPE) as writing:
            assert writing.stdout
            writing.stdout.readline()
            writing.kill()
        kept = SharedMemory(fd).recall("all")
        assert kept[0] >= 3
        assert kept == kept[:1] * 20000
