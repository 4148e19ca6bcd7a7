"""The commands `stats` and `dstats`: what they say of real processes is what psutil and the kernel say."""

from __future__ import annotations

import asyncio
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from circus_core.errors import CircusError, RequestError
from circus_core.testing import python, until, watcher
from circus_plugins.stats import Statistics
from circus_plugins.stats.proc import HERTZ, parse
from circus_plugins.stats.words import cpu_time, size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from circus_core.model import ProcessRef
    from circus_core.process import Process

KEYS = {
    "pid", "cmdline", "username", "nice", "mem_info1", "mem_info2", "mem", "cpu", "ctime", "create_time", "age",
    "children",
}  # fmt: skip
"""Of every process (PROTOCOL.md 1.7)."""
BUSY = """
    import time
    while True:
        until = time.process_time() + 0.001
        while time.process_time() < until: pass
        time.sleep(0.003)
"""


def plugins() -> dict[str, object]:
    return {"statistics": Statistics()}


@pytest.mark.covers("command:stats")
async def test_a_process_in_the_words_of_circus(supervise: Callable[..., Any]) -> None:
    async with supervise(watcher("Web", "sleep 1000", numprocesses=2), plugins=plugins()) as run:
        pids = run.pids("web")
        reply = await run.call("stats", name="WEB")
        assert reply.keys() == {"name", "info"}
        assert reply["name"] == "WEB"
        assert reply["info"].keys() == {str(pid) for pid in pids}
        info = reply["info"][str(pids[0])]
        assert info.keys() == KEYS | {"started", "wid"}
        real = psutil.Process(pids[0])
        memory = real.memory_info()
        assert info == info | {
            "pid": pids[0], "cmdline": "sleep", "username": real.username(), "nice": real.nice(), "children": [],
            "ctime": "0:00.00", "wid": 1,
        }  # fmt: skip
        # The kernel counts pages for each of its processors, and adds them up only now and then (proc_pid_stat(5)).
        assert info["mem"] == pytest.approx(100 * memory.rss / psutil.virtual_memory().total, abs=0.005)
        assert info["mem_info2"] == f"{memory.vms / 2**20:.2f}M"
        assert info["create_time"] == pytest.approx(real.create_time(), abs=1)
        assert info["started"] == pytest.approx(time.time(), abs=20)
        assert 0 <= info["age"] < 20


async def test_one_process_and_all(supervise: Callable[..., Any]) -> None:
    idle = watcher("idle", autostart=False)
    async with supervise(watcher("a", "sleep 1000", numprocesses=2), idle, plugins=plugins()) as run:
        pid = run.pids("a")[1]
        one = await run.call("stats", name="a", process=str(pid))
        assert one.keys() == {"process", "info"}
        assert (one["process"], one["info"]["wid"]) == (pid, 2)
        everything = (await run.call("stats"))["infos"]
        assert everything.keys() == {"a", "idle"}
        assert everything["idle"] == {}
        assert everything["a"].keys() == {str(each) for each in run.pids("a")}
        with pytest.raises(RequestError, match=f"process {os.getpid()} not found in 'a'"):
            await run.call("stats", name="a", process=os.getpid())
        with pytest.raises(RequestError, match="message invalid 'name' is missing"):
            await run.call("stats", process=pid)
        with pytest.raises(RequestError, match="program b not found"):
            await run.call("stats", name="b")


@pytest.mark.covers("command:dstats")
async def test_circusd_itself_and_who_it_started(supervise: Callable[..., Any]) -> None:
    async with supervise(watcher("a", "sleep 1000"), plugins=plugins()) as run:
        info = (await run.call("dstats"))["info"]
        assert info.keys() == KEYS
        assert info["pid"] == os.getpid()
        children = {child["pid"]: child for child in info["children"]}
        assert children[run.pids("a")[0]].keys() == KEYS - {"children"}
        assert {"threads", "open_files"} <= (await run.call("dstats", extended=True))["info"].keys()


@pytest.mark.parametrize("count", [1, 2])
async def test_the_children_of_processes(supervise: Callable[..., Any], count: int) -> None:
    """Of one they are read from its own files, of several by a pass over all processes."""
    async with supervise(
        watcher("a", "sh -c 'sleep 1000 & sleep 1000; :'", numprocesses=count), plugins=plugins()
    ) as run:
        processes = run.supervisor.watcher("a").slots.processes()
        until(lambda: all(_programs(process) == ["sleep", "sleep"] for process in processes))
        info = (await run.call("stats", name="a"))["info"]
        for process in processes:
            assert sorted(child["pid"] for child in info[str(process.pid)]["children"]) == sorted(process.children())
            assert [child["cmdline"] for child in info[str(process.pid)]["children"]] == ["sleep", "sleep"]


def _programs(process: Process) -> list[str]:
    return [psutil.Process(child).name() for child in process.children()]


async def test_cpu_is_of_the_time_since_it_was_last_asked_for(supervise: Callable[..., Any]) -> None:
    async with supervise(watcher("busy", python(BUSY)), plugins=plugins()) as run:
        await run.call("stats")
        real = psutil.Process(run.pids("busy")[0])
        real.cpu_percent()
        began = time.monotonic()
        until(lambda: time.monotonic() - began > 2)
        ours = (await run.call("stats"))["infos"]["busy"][str(real.pid)]["cpu"]
        theirs = real.cpu_percent()
        assert theirs > 5
        assert ours == pytest.approx(theirs, abs=2)
        again = (await run.call("stats"))["infos"]["busy"][str(real.pid)]["cpu"]
        assert again == pytest.approx(ours, abs=5), "a look right after another is about no hundredth of a second"


async def test_what_extended_adds(supervise: Callable[..., Any]) -> None:
    holding = python("import time; files = [open('/dev/null') for _ in range(20)]; print(flush=True); time.sleep(1000)")
    async with supervise(watcher("a", holding), plugins=plugins()) as run:
        pid = run.pids("a")[0]
        until(lambda: len(os.listdir(f"/proc/{pid}/fd")) >= 20)
        real = psutil.Process(pid)
        info = (await run.call("stats", name="a", extended=True, pss=True))["info"][str(pid)]
        assert (info["open_files"], info["threads"]) == (real.num_fds(), 1)
        traffic = real.io_counters()
        assert (info["read_bytes"], info["write_bytes"]) == (traffic.read_bytes, traffic.write_bytes)
        assert info["pss"] == pytest.approx(real.memory_full_info().pss, rel=0.1)
        assert info["rss"] == pytest.approx(real.memory_info().rss, rel=0.05)
        assert (info["restarts"], info["state"], info["ready_after"]) == (0, "ready", None)
        assert "pss" not in (await run.call("stats", name="a", extended=True))["info"][str(pid)]
        os.kill(pid, 9)
        await run.events.wait_for("process_spawned", count=2)
        info = (await run.call("stats", name="a", extended=True))["info"]
        assert [each["restarts"] for each in info.values()] == [1]


@pytest.fixture
def group() -> Iterator[Path]:
    """A cgroup of version 2."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    mounted = next((words[1] for words in mounts if words[2] == "cgroup2" and os.access(words[1], os.W_OK)), None)
    if mounted is None:
        pytest.skip("no cgroup of version 2 can be made here")
    made = Path(mounted, f"circus-test-{os.getpid()}")
    made.mkdir()
    yield made
    until(lambda: not (made / "cgroup.procs").read_text())
    made.rmdir()


async def test_a_process_in_a_cgroup_of_its_own(supervise: Callable[..., Any], group: Path) -> None:
    async with supervise(watcher("a", python(BUSY)), plugins=plugins()) as run:
        pid = run.pids("a")[0]
        (group / "cgroup.procs").write_text(str(pid))
        until(lambda: "usage_usec 0\n" not in (group / "cpu.stat").read_text())
        found = (await run.call("stats", name="a", extended=True))["info"][str(pid)]["cgroup"]
        assert found.keys() == {"path", "memory", "memory_max", "processes", "cpu_seconds"}
        assert found["path"].endswith(group.name)
        assert 0 < found["cpu_seconds"] < 60
        # What the kernel counts there depends on which controllers are in use.
        current = group / "pids.current"
        assert found["processes"] == (int(current.read_text()) if current.exists() else None)


async def test_how_long_a_process_took_to_be_ready(supervise: Callable[..., Any]) -> None:
    class Ready:
        async def circus_await_ready(self, process: ProcessRef) -> bool:
            return True

    async with supervise(watcher("a"), plugins={"ready": Ready(), **plugins()}) as run:
        await run.events.wait_for("process_ready")
        info = (await run.call("stats", name="a", extended=True))["info"]
        assert [0 <= each["ready_after"] < 20 for each in info.values()] == [True]


@pytest.mark.covers("hook:circus_extend_stats")
async def test_plugins_have_more_to_say_and_may_fail(supervise: Callable[..., Any]) -> None:
    class Knows:
        def circus_extend_stats(self, process: ProcessRef, stats: dict[str, Any]) -> str | None:
            stats["queue"] = [process.watcher, process.wid]
            return "the queue is gone" if process.watcher == "b" else None

    async with supervise(watcher("a"), watcher("b"), plugins={**plugins(), "knows": Knows()}) as run:
        info = (await run.call("stats", name="a", extended=True))["info"]
        assert [each["queue"] for each in info.values()] == [["a", 1]]
        assert "queue" not in str(await run.call("stats"))
        with pytest.raises(CircusError, match=r"^b: the queue is gone") as raised:
            await run.call("stats", name="b", extended=True)
        assert raised.value.errno == 5


async def test_a_process_that_is_gone_is_said_to_be(supervise: Callable[..., Any]) -> None:
    """It ended, and circusd is about to be told."""
    async with supervise(watcher("a", "sleep 1000"), plugins=plugins()) as run:
        process = run.supervisor.watcher("a").slots.processes()[0]
        gone, process.pid = process.pid, 2**22 + 1
        assert (await run.call("stats", name="a"))["info"] == {str(process.pid): "No such process (stopped?)"}
        process.pid = gone


async def test_other_requests_have_their_turn_meanwhile(supervise: Callable[..., Any]) -> None:
    async with supervise(watcher("a", "sleep 1000", numprocesses=50), plugins=plugins()) as run:
        asked = run.supervisor.dispatch("stats", {})
        assert not isinstance(asked, dict)
        order: list[str] = []
        task = run.supervisor.background(asked)
        task.add_done_callback(lambda _task: order.append("stats"))
        await run.call("status")
        await asyncio.sleep(0)
        order.append("other")
        await task
        assert order == ["other", "stats"]


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0B"), (1023, "1023B"), (1024, "1.00K"), (12939427, "12.34M"), (2**40 + 2**39, "1.50T")]
)
def test_sizes_are_written_as_in_circus(number: int, text: str) -> None:
    assert size(number) == text


@pytest.mark.parametrize(("ticks", "text"), [(0, "0:00.00"), (5, "0:00.05"), (6123, "1:01.23"), (360_001, "0:00.01")])
def test_times_are_written_as_in_circus(ticks: int, text: str) -> None:
    assert HERTZ == 100
    assert cpu_time(ticks) == text
    assert re.fullmatch(r"\d+:\d\d\.\d\d", text)


@pytest.mark.parametrize("name", ["sleep", ") S 1 (", "a b", "x) R 2 3"])
def test_a_program_may_have_any_name(name: str) -> None:
    rest = "S 7 8 8 0 -1 4194304 1 0 0 0 3 4 0 0 20 5 9 0 1234 4096 2 18446744073709551615 0"
    seen = parse(f"42 ({name}) {rest}\n".encode())
    assert seen.name == name.encode()
    assert (seen.state, seen.parent, seen.ticks, seen.nice, seen.threads, seen.started) == ("S", 7, 7, 5, 9, 1234)
    assert (seen.vms, seen.rss) == (4096, 2 * os.sysconf("SC_PAGE_SIZE"))
