"""What hooks are given as `watcher` and `arbiter`: the facts and orders that hooks in the wild use, and no more."""

from __future__ import annotations

import os
import signal

import pytest

from circus_core.testing import python, until, watcher
from tests.plugins.hooks.conftest import last_error


def hook(module, code):
    """Write `hook`, whose body is `code`; what it keeps in `kept` is the answer of the second function."""
    lines = "\n".join(f"    {line}" for line in code.strip().splitlines())
    module.write(f"kept = []\ndef hook(watcher, arbiter, hook_name, **given):\n{lines}\n    return True\n")


async def test_the_facts(supervise, module, hooks):
    hook(module, "kept.append((watcher, arbiter))")
    mine = module.watcher("after_start=hook", name="My web", numprocesses=2, priority=3, extra={"stats_port": "8090"})
    async with supervise(mine, watcher("other"), plugins=hooks) as run:
        given, arbiter = module.imported.kept[0]
        pids = run.pids("My web")
        assert (given.name, given.res_name, given.numprocesses, given.priority) == ("My web", "my_web", 2, 3)
        assert (given.cmd, given.singleton, given.stop_signal) == ("sleep 1000", False, signal.SIGTERM)
        assert list(given.processes) == given.pids == sorted(pids)
        process = given.processes[pids[0]]
        assert (process.pid, process.wid, process.name) == (pids[0], 1, "My web")
        assert process.is_alive()
        assert process.age() >= 0
        assert process.started == run.supervisor.watcher("my web").slots.by_wid[1].process.spawned_at
        assert [each.pid for each in given.get_active_processes()] == pids
        assert (given.status(), given.is_active(), given.is_stopped()) == ("active", True, False)
        assert (given.is_starting(), given.is_stopping()) == (False, False)
        assert dict(given.options())["stats_port"] == given._options["stats_port"] == "8090"
        assert dict(given.options())["numprocesses"] == 2
        assert given.env["PATH"] == os.environ["PATH"]

        assert [each.name for each in arbiter.watchers] == ["My web", "other"]
        assert [each.name for each in arbiter.iter_watchers(reverse=False)] == ["other", "My web"]
        assert arbiter.get_watcher("OTHER").pids == run.pids("other")
        with pytest.raises(KeyError):
            arbiter.get_watcher("third")
        assert (arbiter.numwatchers(), arbiter.numprocesses()) == (2, 3)
        assert arbiter.statuses() == {"My web": "active", "other": "active"}
        assert arbiter.endpoint is arbiter.pubsub_endpoint is None


def test_where_circusd_answers(circusd, module):
    hook(module, "print(arbiter.endpoint, arbiter.pubsub_endpoint, flush=True)")
    daemon = circusd(f"""
        [watcher:w]
        cmd = sleep 1000
        hooks.before_start = {module.path("hook")}
        [env:w]
        PYTHONPATH = {module.folder}
    """).up()
    assert f"{daemon.endpoint} {daemon.pubsub_endpoint}\n" in daemon.output()


async def test_what_there_is_not(supervise, module, hooks):
    hook(module, "kept.append((watcher, arbiter))")
    async with supervise(module.watcher("before_start=hook"), plugins=hooks):
        given, arbiter = module.imported.kept[0]
        with pytest.raises(AttributeError, match=r"watcher has no 'stream_redirector'; it has .*send_signal, .*cmd"):
            given.stream_redirector  # noqa: B018
        with pytest.raises(AttributeError, match=r"arbiter has no '_watchers_names'; it has .*get_watcher"):
            arbiter._watchers_names  # noqa: B018
        with pytest.raises(AttributeError, match="'numprocesses' of a hook's watcher cannot be set; give an order"):
            given.numprocesses = 3


@pytest.mark.parametrize(
    ("order", "then"),
    [
        ("stop()", ["stop"]), ("restart()", ["stop", "start"]), ("reload()", ["reload"]), ("incr()", ["spawn"]),
        ("decr(nb=1)", ["kill"]), ("reload(graceful=False)", ["stop", "start"]),
    ],
)  # fmt: skip
async def test_orders(supervise, module, hooks, order, then):
    hook(module, f"arbiter.get_watcher('other').{order}")
    mine = module.watcher("after_signal=hook", "before_start=hook", name="w", autostart=False)
    async with supervise(mine, watcher("other"), plugins=hooks) as run:
        before = len(run.events.seen)
        await run.call("start", name="w", waiting=True)
        names = {"stop": "stopped", "start": "started", "reload": "reloaded"}
        for action in then:
            event = f"watcher_{names[action]}" if action in names else None
            event = event or {"spawn": "process_spawned", "kill": "process_signaled"}[action]
            count = len([each for each in run.events.seen[:before] if each.name == event]) + 1
            await run.events.wait_for(event, watcher="other", count=count)


async def test_an_order_from_a_thread(supervise, module, hooks):
    """As hooks give them that fear to block Circus."""
    hook(
        module,
        "import threading\n"
        "other = arbiter.get_watcher('other')\n"
        "threading.Thread(target=other.start).start()\n"
        "pid = arbiter.get_watcher('third').pids[0]\n"
        "threading.Thread(target=arbiter.get_watcher('third').send_signal, args=(pid, 9)).start()",
    )
    mine = module.watcher("before_start=hook", name="w", autostart=False)
    async with supervise(mine, watcher("other", autostart=False), watcher("third"), plugins=hooks) as run:
        await run.call("start", name="w", waiting=True)
        await run.events.wait_for("watcher_started", watcher="other")
        await run.events.wait_for("process_exited", watcher="third", exit_code=-9)


async def test_a_signal_is_sent_before_the_hook_goes_on(supervise, module, hooks, tmp_path):
    """As in the example of Circus that has uWSGI finish its requests before it is stopped."""
    pauses = python(f"""
        import os, signal
        def pause(signum, frame):
            os.mkdir({str(tmp_path / "paused")!r})
        signal.signal(signal.SIGUSR1, pause)
        os.mkdir({str(tmp_path / "up")!r})
        while True:
            signal.pause()
    """)
    hook(
        module,
        f"import os, signal\n"
        f"if given['signum'] == signal.SIGTERM:\n"
        f"    watcher.send_signal(given['pid'], signal.SIGUSR1)\n"
        f"    watcher.send_signal(1, signal.SIGUSR1)\n"
        f"    while not os.path.exists({str(tmp_path / 'paused')!r}): pass",
    )
    async with supervise(module.watcher("before_signal=hook", cmd=pauses), plugins=hooks) as run:
        until((tmp_path / "up").exists)
        await run.call("stop", name="w", waiting=True)
        sent = [event.signum for event in run.events.seen if event.name in ("signal_sent", "process_signaled")]
        assert sent == [signal.SIGUSR1, signal.SIGTERM]


async def test_what_a_hook_changes_in_the_environment(supervise, module, hooks, tmp_path):
    out = tmp_path / "out"
    shows = f"""sh -c 'echo "$COLOUR $SHAPE $NUMBER $GONE" > {out}; mv {out} {out}.done; exec sleep 1000'"""
    hook(module, "watcher.env.update(COLOUR='red', SHAPE='round', NUMBER=7)\nwatcher.env.pop('GONE', None)")
    mine = module.watcher("before_spawn=hook", cmd=shows)
    mine.env.update(COLOUR="blue", GONE="here")
    async with supervise(mine, plugins=hooks) as run:
        done = tmp_path / "out.done"
        until(done.exists)
        assert done.read_text() == "red round 7 \n"
        assert run.supervisor.watcher("w").options.env["COLOUR"] == "blue"


async def test_a_hook_that_uses_what_there_is_not_fails_as_any_other(supervise, module, hooks):
    hook(module, "arbiter.sockets")
    async with supervise(module.watcher("before_start=hook"), plugins=hooks) as run:
        assert "raised AttributeError: a hook's arbiter has no 'sockets'; it has" in await last_error(run)
