"""`get_arbiter`, as scripts use it: watchers as dictionaries, `start` and `stop`. Nothing of an Arbiter beyond that."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import threading
from typing import TYPE_CHECKING, Any

from circus_core.errors import CircusError, RequestError
from circus_core.model import Config, SupervisorOptions
from circus_core.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
PLUGINS = {"control": "control", "publisher": "publisher", "virtualenv": "virtualenv"}
"""Those of circus-bus that make an endpoint, publish events and know virtualenvs."""
WITHOUT_EFFECT = frozenset({"check_delay", "debug", "name", "proc_name", "stream_backend", "warmup_delay"})
"""Arguments of Circus that change nothing here that anybody could see."""


class Arbiter:
    """Watchers that run as long as `start` does."""

    def __init__(self, watchers: Iterable[Mapping[str, Any]], endpoints: Mapping[str, str]) -> None:
        self._watchers = [_request(watcher) for watcher in watchers]
        self._config = Config(supervisor=SupervisorOptions(extra=dict(endpoints)))
        self._running: tuple[asyncio.AbstractEventLoop, Supervisor] | None = None

    def start(self) -> None:
        """Run everything, until `stop`, the command `quit`, or a signal to end; raises CircusError for bad options."""
        asyncio.run(self._run())

    def stop(self) -> None:
        """End `start`, from whatever thread; without effect where it does not run."""
        if self._running is not None:
            loop, supervisor = self._running
            loop.call_soon_threadsafe(supervisor.begin_stop, "stop was called")

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        async with Supervisor(self._config, plugins=PLUGINS) as supervisor:
            self._running = loop, supervisor
            signals = SIGNALS if threading.current_thread() is threading.main_thread() else ()
            try:
                for signum in signals:
                    loop.add_signal_handler(signum, supervisor.begin_stop, signum.name)
                for request in self._watchers:
                    await supervisor.client.call("add", start=True, waiting=True, **request)
                await supervisor.finished
            except CircusError:
                # Told to end before all had started, it does.
                if not supervisor.stopping:
                    raise
            finally:
                self._running = None
                for signum in signals:
                    loop.remove_signal_handler(signum)


def get_arbiter(
    watchers: Iterable[Mapping[str, Any]],
    controller: str | None = None,
    pubsub_endpoint: str | None = None,
    **more: Any,
) -> Arbiter:
    """Something that runs these watchers, each with a `cmd` and further options; raises TypeError for other arguments.

    Without `controller` and `pubsub_endpoint` the endpoints are where those of circus-bus are without configuration.
    """
    refused = sorted(key for key, value in more.items() if value and key not in WITHOUT_EFFECT)
    if refused:
        raise TypeError(
            f"get_arbiter of circus-compat has no {', '.join(refused)}: write a configuration, and run circusd with it"
        )
    endpoints = {"endpoint": controller, "pubsub_endpoint": pubsub_endpoint}
    return Arbiter(watchers, {key: value for key, value in endpoints.items() if value})


def _request(watcher: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of the command `add` for a watcher."""
    options = dict(watcher)
    if not options.get("cmd"):
        raise RequestError("a watcher has no cmd", hint="each is a dictionary with a `cmd`, and more if you like")
    cmd = options.pop("cmd")
    name = options.pop("name", None) or os.path.basename(shlex.split(cmd)[0])
    return {"name": name, "cmd": cmd, "args": options.pop("args", None), "options": options}
