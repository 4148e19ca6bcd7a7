"""The commands that only look: they answer at once and change nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from circus_core import __version__, installed, status
from circus_core.dispatch import handles
from circus_core.errors import RequestError
from circus_core.options import json_schema

if TYPE_CHECKING:
    from circus_core.requests import Reply, Request
    from circus_core.supervisor import Supervisor


@handles("list")
def _list(supervisor: Supervisor, request: Request) -> Reply:
    if request.name is None:
        return {"watchers": sorted(supervisor.watchers)}
    watcher = supervisor.watcher(request.name)
    return {"pids": [process.pid for process in watcher.slots.processes()]}


@handles("status")
def _status(supervisor: Supervisor, request: Request) -> Reply:
    if request.name is None:
        watchers = list(supervisor.watchers.values())
        reply: Reply = {"statuses": {watcher.name: str(watcher.state) for watcher in watchers}}
    else:
        watchers = [supervisor.watcher(request.name)]
        reply = {"status": str(watchers[0].state)}
    if request["extended"]:
        reply["details"] = {watcher.name: status.details(watcher) for watcher in watchers}
    return reply


@handles("numwatchers")
def _numwatchers(supervisor: Supervisor, _request: Request) -> Reply:
    return {"numwatchers": len(supervisor.watchers)}


@handles("numprocesses")
def _numprocesses(supervisor: Supervisor, request: Request) -> Reply:
    if request.name is None:
        return {"numprocesses": sum(len(watcher.slots.processes()) for watcher in supervisor.watchers.values())}
    watcher = supervisor.watcher(request.name)
    return {"numprocesses": len(watcher.slots.processes()), "watcher_name": request.name}


@handles("options")
def _options(supervisor: Supervisor, request: Request) -> Reply:
    section = supervisor.assembly.sections["watcher"]
    return {"options": status.options(section, supervisor.watcher(request.name or "").options)}


@handles("get")
def _get(supervisor: Supervisor, request: Request) -> Reply:
    section = supervisor.assembly.sections["watcher"]
    options = supervisor.watcher(request.name or "").options
    return {"options": {key: status.option(section, options, key) for key in request["keys"]}}


@handles("commands")
def _commands(supervisor: Supervisor, _request: Request) -> Reply:
    described = [command.schema() for command, _handler in supervisor.assembly.commands.values()]
    return {
        "commands": sorted(described, key=lambda command: str(command["name"])),
        "version": __version__,
        "pid": os.getpid(),
    }


@handles("schema")
def _schema(supervisor: Supervisor, _request: Request) -> Reply:
    return {"sections": {name: json_schema(section) for name, section in supervisor.assembly.sections.items()}}


@handles("plugins")
def _plugins(supervisor: Supervisor, request: Request) -> Reply:
    rows = [status.plugin(loaded) for loaded in supervisor.bus.loaded.values()]
    for name, error in supervisor.assembly.failed.items():
        if name in supervisor.config.plugins and name not in supervisor.bus.loaded:
            rows.append(status.failed_plugin(supervisor.config.plugins[name], error))
    for _plugin, elsewhere in supervisor.bus.ask("circus_describe_plugins"):
        rows += elsewhere
    return {"plugins": rows, "installed": installed.rows(rows)} if request["installed"] else {"plugins": rows}


@handles("listen")
def _listen(_supervisor: Supervisor, _request: Request) -> Reply:
    raise RequestError("invalid message. use a pub/sub socket", hint="`circusctl listen` does that")


@handles("ipython")
def _ipython(_supervisor: Supervisor, _request: Request) -> Reply:
    return {"shell": False, "msg": "circusd runs no code for its clients; embed the supervisor to look inside it"}
