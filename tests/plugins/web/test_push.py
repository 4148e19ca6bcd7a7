"""What browsers are told, and what comes of what they ask: by WebSocket and by long polling."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
import socketio

from tests.plugins.web.conftest import Console, bearer, browser

if TYPE_CHECKING:
    from collections.abc import Callable

    Served = Callable[..., Console]


def row(told: dict[str, Any], name: str) -> dict[str, Any]:
    rows = told["watchers"] if "watchers" in told else told["rows"]
    found: dict[str, Any] = next((each for each in rows if each["name"] == name), {})
    return found


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_a_picture_and_what_changes_of_it(served: Served, transport: str) -> None:
    console = served()
    with console.owner() as owner:
        async with browser(console, by=owner, transport=transport) as page:
            hello = await page.wait_for("hello")
            assert (hello["user"], hello["role"], hello["read_only"]) == ("owner", "admin", False)
            assert {"start", "stop", "status"} <= {command["name"] for command in hello["commands"]}
            assert "circushttpd" in {plugin["name"] for plugin in hello["plugins"]}
            snapshot = await page.wait_for("snapshot")
            assert snapshot["problem"] == ""
            assert snapshot["circusd"]["pid"] == console.daemon.pid
            assert snapshot["machine"]["memory_total"] > snapshot["machine"]["memory_used"] > 0
            web, later, own = (row(snapshot, name) for name in ("web", "later", "circushttpd"))
            assert web == web | {"state": "active", "mood": "good", "wanted": 2, "up": 2, "plugin": False}
            assert (later["state"], later["mood"], own["plugin"]) == ("stopped", "off", True)
            answer = await page.call("start", name="later", waiting=True)
            assert answer["ok"] is True
            assert len(answer["info"]["started"]) == 1
            told = await page.wait_for("rows", lambda told: row(told, "later").get("state") == "active")
            assert row(told, "later")["id"] == later["id"]
            assert "past" not in row(told, "later")
            spawned = await page.wait_for(
                "event", lambda events: any(event["event"] == "process_spawned" for event in events)
            )
            assert {event["watcher"] for event in spawned} == {"later"}
            assert (await page.call("rm", name="later", waiting=True))["ok"] is True
            await page.wait_for("rows", lambda told: told["gone"] == [later["id"]])
    console.audit(r"owner \(admin\) from 127.0.0.1: rm name=later waiting=True done")


@pytest.mark.covers("web-option:interval")
async def test_figures_and_the_past_of_them(console: Console) -> None:
    async with browser(console, bearer("view")) as page:
        snapshot = await page.wait_for("snapshot")
        number = row(snapshot, "web")["id"]
        figures = await page.wait_for("figures", lambda told: any(each[0] == number for each in told["rows"]))
        assert figures["machine"]["cpus"] == os.cpu_count()
        await page.wait_for("figures", lambda told: told["circusd"] is not None and told["circusd"][1] > 0)
    async with browser(console, bearer("view")) as page:
        # The page was loaded anew: what was measured before is there at once.
        past = row(await page.wait_for("snapshot"), "web")["past"]
        assert len(past) > 0
        assert past[0][0] <= snapshot["at"] + 60


async def test_one_watcher_closely(console: Console) -> None:
    async with browser(console, bearer("operate")) as page:
        await page.wait_for("snapshot")
        assert await page.ask("watch", {"name": "web"}) == {"ok": True, "name": "web"}
        told = await page.wait_for("watcher")
        assert (told["name"], told["details"]["state"]) == ("web", "active")
        pids = [process["pid"] for process in told["processes"]]
        assert pids == console.daemon.call("list", name="web")["pids"]
        figures = await page.wait_for("processes")
        assert {pid for pid, _cpu, _memory in figures["rows"]} <= set(pids)
        os.kill(pids[0], signal.SIGKILL)
        told = await page.wait_for("watcher", lambda told: pids[0] not in [each["pid"] for each in told["processes"]])
        assert told["details"]["last_exit"]["exit_code"] == -signal.SIGKILL
        assert await page.ask("unwatch") == {"ok": True}


async def test_output_is_followed(served: Served) -> None:
    watchers = (
        '    [watcher:web]\n    copy_env = True\n    cmd = sh -c \'echo one; echo two >&2; echo "<b>three</b>"; exec'
        " sleep 1000'\n    stdout_stream.class = FileStream\n    stdout_stream.filename = out.log\n"
        "    stderr_stream.class = FileStream\n    stderr_stream.filename = err.log\n"
    )
    console = served(watchers=watchers)
    with console.owner() as owner:
        async with browser(console, by=owner) as page:
            assert (await page.ask("follow", {"name": "web", "stream": "stdout", "lines": 10}))["ok"] is True
            seen: list[Any] = []

            def second(told: Any) -> bool:
                seen.extend(told["lines"])
                return len(seen) >= 2

            assert (await page.wait_for("output", second))["lost"] == 0
            assert [(line["watcher"], line["wid"], line["stream"], line["text"]) for line in seen[:2]] == [
                ("web", 1, "stdout", "one"), ("web", 1, "stdout", "<b>three</b>"),
            ]  # fmt: skip
            page.forget()
            await page.call("restart", name="web", waiting=True)
            again = await page.wait_for("output", lambda told: told["lines"] != [])
            assert again["lines"][0]["pid"] != seen[0]["pid"]
            page.forget()
            assert (await page.ask("follow", {"name": "web", "stream": "stderr", "wid": 1}))["ok"] is True
            told = await page.wait_for("output", lambda told: told["lines"] != [])
            assert {line["text"] for line in told["lines"]} == {"two"}
            assert await page.ask("unfollow") == {"ok": True}


async def test_older_events(console: Console) -> None:
    async with browser(console, bearer("view")) as page:
        newest = await page.ask("events", {"before": None, "limit": 2})
        assert len(newest["events"]) == 2
        assert newest["events"][-1]["seq"] == newest["last"]
        older = await page.ask("events", {"before": newest["events"][0]["seq"], "limit": 2})
        assert [event["seq"] for event in older["events"]] == [newest["events"][0]["seq"] - 2 + n for n in (0, 1)]


async def test_what_makes_no_sense_is_answered(console: Console) -> None:
    async with browser(console, bearer("operate")) as page:
        for name, told in (
            ("call", None), ("call", 7), ("call", {"command": 7}), ("call", {"command": "status", "properties": []}),
            ("watch", {}), ("watch", {"name": "x" * 2000}), ("follow", {"name": []}), ("follow", {"stream": "x"}),
            ("follow", {"wid": -1}), ("follow", {"lines": "many"}), ("events", {"before": "now"}), ("events", []),
        ):  # fmt: skip
            answer = await page.ask(name, told)
            assert (answer["ok"], answer["errno"]) == (False, 3), (name, told, answer)
            assert answer["reason"]
        assert (await page.ask("sing", {}))["errno"] == 2
        assert (await page.call("sing"))["errno"] == 2
        wrong = await page.call("incr", name="web", waitin=True)
        assert (wrong["reason"], wrong["hint"]) == ("incr has no argument 'waitin'", "did you mean waiting?")
        refused = await page.call("quit")
        assert (refused["errno"], refused["reason"]) == (7, "quit needs the role admin")
        assert (await page.call("status"))["ok"] is True


async def test_progress_of_what_lasts(console: Console) -> None:
    async with browser(console, bearer("operate")) as page:
        asked = {"id": 42, "command": "restart", "properties": {"name": "web", "waiting": True}}
        assert (await page.ask("call", asked))["ok"] is True
        assert (await page.wait_for("progress"))["id"] == 42


async def test_nobody_gets_in_without_a_session(console: Console) -> None:
    for transport in ("websocket", "polling"):
        with pytest.raises(socketio.exceptions.ConnectionError):
            async with browser(console, transport=transport):
                pass
    with pytest.raises(socketio.exceptions.ConnectionError):
        async with browser(console, {**bearer("view"), "Origin": "http://evil.example"}):
            pass
    async with browser(console, {**bearer("view"), "Origin": console.address}) as page:
        await page.wait_for("hello")


async def test_who_logs_out_is_out_everywhere(served: Served) -> None:
    console = served()
    with console.owner() as owner:
        async with browser(console, by=owner) as page:
            await page.wait_for("snapshot")
            owner.post("/logout").raise_for_status()
            await page.client.wait()
            assert not page.client.connected
