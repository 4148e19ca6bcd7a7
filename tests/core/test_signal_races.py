"""Signals to processes that end at the same moment."""

from __future__ import annotations

import os
import signal

import pytest

from circus_core.testing import python, until, watcher


@pytest.mark.covers("command:signal")
async def test_a_child_that_has_just_ended_keeps_no_signal_from_its_brothers(supervise, tmp_path):
    """The hook is called between the look for children and the signal: there the first of them ends."""
    cmd = python(f"""
        import os, signal
        for name in "ab":
            if os.fork() == 0:
                signal.signal(signal.SIGUSR1, lambda *_: open({str(tmp_path)!r} + "/told", "w").close())
                open({str(tmp_path)!r} + "/" + name, "w").close()
                while True: signal.pause()
        while True: os.wait()
    """)

    class Kills:
        first = 0

        def circus_veto_signal(self, process, signum):
            if signum == signal.SIGUSR1 and not self.first:
                (it,) = run.supervisor.watcher("w").slots.processes()
                self.first = it.children()[0]
                os.kill(self.first, signal.SIGKILL)
                until(lambda: not os.path.exists(f"/proc/{self.first}"))

    async with supervise(watcher("w", cmd), plugins={"kills": Kills()}) as run:
        until(lambda: (tmp_path / "a").exists() and (tmp_path / "b").exists())
        assert await run.call("signal", name="w", signum="usr1", children=True) == {}
        until((tmp_path / "told").exists)
