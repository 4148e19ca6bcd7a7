"""circus-plugin by hand: Circus' command line, and a plugin beside a circusd that comes and goes as it likes."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from circus_core import __version__
from circus_core.events import WatcherUpdated
from circus_core.testing import PATIENCE
from circus_plugins.host.orders import settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PROGRAM = [sys.executable, "-m", "circus_plugins.host.main"]
ENDPOINTS = "[circus]\nendpoint = ipc://control.sock\npubsub_endpoint = ipc://events.sock\n"
WHERE = ["--endpoint", "ipc://control.sock", "--pubsub", "ipc://events.sock"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False)


@contextlib.asynccontextmanager
async def plugin(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run circus-plugin inside the block; it has to have ended by itself in the end."""
    process = await asyncio.create_subprocess_exec(*PROGRAM, *arguments, stderr=subprocess.PIPE)
    try:
        yield process
        await asyncio.wait_for(process.communicate(), PATIENCE)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


def test_without_a_plugin_it_says_how_it_is_used():
    done = run()
    assert done.returncode == 0
    assert done.stdout.startswith("usage: circus-plugin")


def test_version():
    assert run("--version").stdout == f"circus-plugin {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["no.such.Plugin"], 1, "cannot be imported: ModuleNotFoundError"),
        (["plugin.py"], 1, "plugin.py is no plugin (name one of its classes, as in plugin.py:Intervening)"),
        (["plugin.py:Intervening"], 1, "circus_veto_start is an intervention"),
        (["plugin.py:Picky"], 2, "port: is missing"),
        (["plugin.py:Picky", "--config", "port:x"], 2, "port: 'x'"),
        (["plugin.py:Picky", "--config", "port:1:::prot:2"], 2, "prot: is not an option of this plugin"),
        (
            ["plugin.py:Picky", "--config", "active:no:::port:1"],
            1,
            "plugin.py:Picky is not run: --config has active:no",
        ),
        (["plugin.py:Picky", "--config", "active:perhaps:::port:1"], 2, "active = 'perhaps' isn't a valid boolean"),
        (["plugin.py:Picky", "--config", "port=1"], 2, "--config: 'port=1' is ignored, as it is not KEY:VALUE"),
        (["plugin.py:Picky", "--log-level", "loud"], 2, "there is no log level 'loud'"),
        (["--hosted"], 1, "--hosted is for circusd only"),
        (["--hosted", "99", "x"], 1, "--hosted is for circusd only"),
        (["plugin.py:Picky", "--bogus"], 2, "--bogus"),
    ],
)
def test_mistakes(tmp_path, monkeypatch, arguments, status, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plugin.py").write_text(
        "from attrs import frozen\n"
        "from circus_core.kinds import INTEGER\n"
        "from circus_core.options import option\n"
        "from circus_core.plugin import CircusPlugin\n"
        "class Intervening(CircusPlugin):\n    def circus_veto_start(self): pass\n"
        "class Picky(CircusPlugin):\n    @frozen\n    class Options:\n        port: int = option(INTEGER, help='x')\n"
    )
    done = run(*arguments)
    assert done.returncode == status
    assert message in done.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("a:1", {"a": "1"}),
        (" a : 1 ::: b: x y ", {"a": "1", "b": "x y"}),
        ("url:http://x:80/:::dropped:::c:", {"url": "http://x:80/", "c": ""}),
    ],
)
def test_config_is_read_as_circus_reads_it(text, expected):
    assert {key: setting.value for key, setting in settings(text).items()} == expected


async def test_it_is_told_what_happens_from_now_on_and_ends_in_good_order(hosting):
    async with hosting(ENDPOINTS) as running:
        async with plugin("plugin.py:Witness", *WHERE, "--config", "colour:deep blue:::size:4") as process:
            started = await running.notes.wait_for("witness", hook="startup")
            assert started["options"] == {"colour": "deep blue", "size": "4"}
            running.supervisor.bus.publish(WatcherUpdated(watcher="a", option="x"))
            seen = await running.notes.wait_for("witness", hook="event")
            assert seen["name"] == "watcher_updated"
            process.send_signal(signal.SIGHUP)
            await running.notes.wait_for("witness", hook="shutdown")
        assert process.returncode == 0


async def test_what_circus_puts_into_a_config_is_no_mistake(hosting):
    """PROTOCOL.md 5.1: all keys of the section, options of its watcher among them, and two that are always there."""
    code = """
        from attrs import frozen
        from circus_core.kinds import INTEGER
        from circus_core.options import option

        class Sized(Witness):
            @frozen
            class Options:
                size: int = option(INTEGER, 1, help="How much.")

            def circus_startup(self):
                self.note(hook="startup", size=self.options.size)
    """
    config = "__name__:plugin:sized:::active:True:::copy_env:True:::name:plugin:sized:::priority:1:::size:4"
    async with hosting(ENDPOINTS, code) as running, plugin("plugin.py:Sized", *WHERE, "--config", config) as process:
        assert (await running.notes.wait_for("sized", hook="startup"))["size"] == 4
        process.terminate()


async def test_circusd_tells_it_where_events_are(hosting):
    async with hosting(ENDPOINTS) as running, plugin("plugin.py:Witness", *WHERE[:2]) as process:
        await running.notes.wait_for("witness", hook="startup")
        running.supervisor.bus.publish(WatcherUpdated(watcher="a", option="x"))
        await running.notes.wait_for("witness", hook="event")
        process.terminate()


async def test_commands_and_events_go_through_ssh(hosting, told, tmp_path):
    where = [word.replace("ipc://", f"ipc://{tmp_path}/") for word in WHERE]
    async with (
        hosting(ENDPOINTS) as running,
        plugin("plugin.py:Witness", *where, "--ssh", "me@there") as process,
    ):
        await running.notes.wait_for("witness", hook="startup")
        running.supervisor.bus.publish(WatcherUpdated(watcher="a", option="x"))
        await running.notes.wait_for("witness", hook="event")
        assert " -- me@there " in told.read_text()
        process.terminate()


async def test_it_goes_on_with_the_circusd_that_comes_next(hosting):
    configuration = ENDPOINTS + "[watcher:app]\ncmd = sleep 1000\ncopy_env = True\n"
    async with contextlib.AsyncExitStack() as stack:
        async with hosting(configuration) as first:
            process = await stack.enter_async_context(plugin("plugin.py:Witness", *WHERE))
            await first.notes.wait_for("witness", hook="startup")
            await first.call("restart", name="app", waiting=True)
            await first.notes.wait_for("witness", name="process_spawned")
        async with hosting(configuration) as second:
            second.supervisor.bus.publish(WatcherUpdated(watcher="app", option="x"))
            await second.notes.wait_for("witness", name="watcher_updated")
            seen = [note["seq"] for note in second.notes.of("witness", hook="event")]
            # What it told of the end of the first may arrive here. Then all that the second did.
            seen = seen[seen.index(1) :]
            assert seen == list(range(1, len(seen) + 1))
            assert second.notes.of("witness", hook="startup") == []
            process.terminate()
            await process.wait()


async def test_it_waits_for_a_circusd_that_is_not_there_yet(hosting, tmp_path):
    async with contextlib.AsyncExitStack() as stack:
        async with hosting("", "") as before:
            assert before.pids  # it only wrote plugin.py
        process = await stack.enter_async_context(plugin("plugin.py:Witness", *WHERE))
        async with hosting(ENDPOINTS) as running:
            await running.notes.wait_for("witness", hook="startup")
            process.terminate()
            await process.wait()
