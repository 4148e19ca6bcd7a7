"""What answers each command of `circus_core.requests`: it checks the arguments, then orders a supervisor about.

A handler's answer is a dict, or a coroutine where the client waits. Work starts before the answer, so that requests
take effect in the order in which they arrive.
"""

from __future__ import annotations

import fnmatch
import os
import re
from typing import TYPE_CHECKING, Any

from circus_core import __version__, changing, status
from circus_core.errors import ForbiddenError, RequestError, SystemCallError, UnknownCommandError
from circus_core.kinds import BOOLEAN, COMMAND, INTEGER, NUMBER, SIGNAL, TEXT
from circus_core.options import json_schema
from circus_core.requests import COMMANDS, Command, Handler, Reply, Request, Role

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from circus_core.options import Kind
    from circus_core.process import Process
    from circus_core.requests import Argument, Progress
    from circus_core.supervisor import Supervisor
    from circus_core.watcher import Watcher

HANDLERS: dict[str, Handler] = {}
KINDS: dict[str, Kind[Any]] = {
    "text": TEXT,
    "integer": INTEGER,
    "number": NUMBER,
    "boolean": BOOLEAN,
    "signal": SIGNAL,
    "words": COMMAND,
}


def table() -> dict[str, tuple[Command, Handler]]:
    """The core's commands with their handlers, fresh for one supervisor, for plugins to add to."""
    return {name: (command, HANDLERS[name]) for name, command in COMMANDS.items()}


def handles(name: str) -> Callable[[Handler], Handler]:
    """Enter a handler for the command `name`."""

    def enter(handler: Handler) -> Handler:
        HANDLERS[name] = handler
        return handler

    return enter


def dispatch(
    supervisor: Supervisor, name: str, properties: Mapping[str, Any], role: Role, progress: Progress | None
) -> Reply | Awaitable[Reply]:
    """Check a request and run it; raises CircusError for what is refused."""
    found = supervisor.assembly.commands.get(name.lower())
    if found is None:
        raise UnknownCommandError(f"unknown command: {name!r}", hint=_meant(name, supervisor.assembly.commands))
    command, handler = found
    if role < command.role:
        raise ForbiddenError(
            f"{command.name} needs the role {command.role.name.lower()}",
            hint=f"your key has the role {role.name.lower()}; `circusctl keys new` makes keys with others",
        )
    return handler(supervisor, Request(command, _check(command, properties), progress))


def _meant(name: str, known: Mapping[str, object]) -> str:
    import difflib

    near = difflib.get_close_matches(name.lower(), known, n=1)
    return f"did you mean {near[0]}?" if near else ""


def _check(command: Command, properties: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with defaults filled in; keys that no argument has are passed over, as Circus does."""
    checked = {}
    for argument in command.arguments:
        value = properties.get(argument.name)
        if value is None:
            if argument.required:
                raise RequestError(f"message invalid {argument.name!r} is missing", hint=argument.help)
            checked[argument.name] = argument.default
        else:
            checked[argument.name] = _typed(argument, value)
    return checked


def _typed(argument: Argument, value: Any) -> Any:
    if argument.kind == "object":
        if not isinstance(value, dict):
            raise RequestError(f"{argument.name!r} property should be an object")
        return value
    if argument.kind == "list":
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise RequestError(f"{argument.name!r} property should be a list of names")
        return value
    kind = KINDS.get(argument.kind)
    if kind is None:
        return value
    try:
        # Circus' own circusctl sends numbers as text (O-12).
        value = kind.parse(value) if isinstance(value, str) else kind.check(value)
    except ValueError as error:
        complaint = "signal invalid" if argument.kind == "signal" else f"{argument.name!r} {kind.complaint}"
        raise RequestError(complaint, hint=str(error)) from None
    if argument.choices and value not in argument.choices:
        raise RequestError(f"unknown match method {value}", hint=f"possible are {', '.join(argument.choices)}")
    return value


class LocalClient:
    """The commands for code inside this process: plugins in circusd, and programs that embed a supervisor."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    async def call(self, command: str, **properties: Any) -> Reply:
        """Run a command as an admin and answer its reply; raises CircusError."""
        answer = self._supervisor.dispatch(command, properties)
        return answer if isinstance(answer, dict) else await answer

    def cast(self, command: str, **properties: Any) -> None:
        """Run a command once what happens now is over; a failure is logged."""
        self._supervisor.background(self.call(command, **properties))


# Reading


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
    options = status.options(section, supervisor.watcher(request.name or "").options)
    for key in request["keys"]:
        if key not in options:
            near = section.nearest(key)
            raise RequestError(f"{key!r} option not found", hint=f"did you mean {near}?" if near else "")
    return {"options": {key: options[key] for key in request["keys"]}}


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
def _plugins(supervisor: Supervisor, _request: Request) -> Reply:
    return {"plugins": [status.plugin(loaded) for loaded in supervisor.bus.loaded.values()]}


@handles("listen")
def _listen(_supervisor: Supervisor, _request: Request) -> Reply:
    raise RequestError("invalid message. use a pub/sub socket", hint="`circusctl listen` does that")


@handles("ipython")
def _ipython(_supervisor: Supervisor, _request: Request) -> Reply:
    return {"shell": False, "msg": "circusd runs no code for its clients; embed the supervisor to look inside it"}


# Starting and stopping


def _answer(request: Request, work: Awaitable[Any], reply: Callable[[Any], Reply]) -> Reply | Awaitable[Reply]:
    """At once, or, for a client that waits, when the work is done."""

    async def wait() -> Reply:
        return reply(await work)

    return wait() if request.waiting else {}


def _matching(supervisor: Supervisor, request: Request) -> list[Watcher]:
    """The watchers that a name or pattern means, in the order in which they start (PROTOCOL.md 1.4)."""
    pattern, match = request.name or "", request["match"]
    exact = supervisor.watchers.get(pattern.lower())
    if match == "simple":
        return [supervisor.watcher(pattern)]
    if exact is not None:
        return [exact]
    if match == "regex":
        try:
            compiled = re.compile(pattern, re.IGNORECASE)
        except re.error as error:
            raise RequestError(f"the regular expression {pattern!r} cannot be read: {error}") from None
        found = [watcher for watcher in supervisor.in_order() if compiled.match(watcher.name)]
    else:
        folded = pattern.lower()
        found = [watcher for watcher in supervisor.in_order() if fnmatch.fnmatchcase(watcher.name.lower(), folded)]
    if not found:
        supervisor.watcher(pattern)
    return found


def _nothing(_result: Any) -> Reply:
    return {}


def _info(result: Any) -> Reply:
    return {"info": result}


@handles("start")
def _start(supervisor: Supervisor, request: Request) -> Reply | Awaitable[Reply]:
    chosen = supervisor.in_order() if request.name is None else _matching(supervisor, request)
    if request.name is not None and len(chosen) == 1:
        return _answer(request, chosen[0].start(request.progress), _info)
    group = [watcher for watcher in chosen if watcher.options.autostart]
    return _answer(request, supervisor.background(supervisor.start_group(group, request.progress)), _nothing)


@handles("stop")
def _stop(supervisor: Supervisor, request: Request) -> Reply | Awaitable[Reply]:
    chosen = supervisor.in_order() if request.name is None else _matching(supervisor, request)
    if request.name is not None and len(chosen) == 1:
        return _answer(request, chosen[0].stop(request.progress), _info)
    return _answer(request, changing.together([watcher.stop(request.progress) for watcher in chosen]), _nothing)


@handles("restart")
def _restart(supervisor: Supervisor, request: Request) -> Reply | Awaitable[Reply]:
    if request.name is None:
        return _answer(request, supervisor.background(supervisor.restart(request.progress)), _nothing)
    chosen = _matching(supervisor, request)
    if len(chosen) == 1:
        return _answer(request, chosen[0].restart(request.progress), _info)
    return _answer(request, changing.together([watcher.restart(request.progress) for watcher in chosen]), _nothing)


@handles("reload")
def _reload(supervisor: Supervisor, request: Request) -> Reply | Awaitable[Reply]:
    manner = {"graceful": request["graceful"], "sequential": request["sequential"]}
    if request.name is None:
        group = supervisor.reload_group(supervisor.in_order(), request.progress, **manner)
        return _answer(request, supervisor.background(group), _nothing)
    return _answer(request, supervisor.watcher(request.name).reload(say=request.progress, **manner), _info)


@handles("incr")
def _incr(supervisor: Supervisor, request: Request) -> Reply | Awaitable[Reply]:
    return _count(supervisor, request, request["nb"])


@handles("decr")
def _decr(supervisor: Supervisor, request: Request) -> Reply | Awaitable[Reply]:
    return _count(supervisor, request, -request["nb"])


def _count(supervisor: Supervisor, request: Request, step: int) -> Reply | Awaitable[Reply]:
    watcher = supervisor.watcher(request.name or "")
    if watcher.options.singleton:
        return {"numprocesses": watcher.options.numprocesses, "singleton": True}
    done = watcher.scale(lambda: watcher.options.numprocesses + step, request.progress)
    return _answer(request, done, lambda number: {"numprocesses": number})


@handles("quit")
def _quit(supervisor: Supervisor, request: Request) -> Reply | Awaitable[Reply]:
    stopping = supervisor.background(supervisor.stop_watchers()) if request.waiting else None
    supervisor.stop_soon("quit", after=stopping)
    return {} if stopping is None else _answer(request, stopping, _nothing)


# Signals


@handles("kill")
def _kill(supervisor: Supervisor, request: Request) -> Reply | Awaitable[Reply]:
    watcher = supervisor.watcher(request.name or "")
    grace = request["graceful_timeout"]
    if grace is not None and grace < 0:
        raise RequestError(f"'graceful_timeout' is {grace:g}", hint="the least possible is 0")
    ends = watcher.end(_chosen(watcher, request["pid"]), request["signum"], grace)
    return _answer(request, changing.together(ends), _nothing)


@handles("signal")
def _signal(supervisor: Supervisor, request: Request) -> Reply:
    watcher = supervisor.watcher(request.name or "")
    signum, pid, child = request["signum"], request["pid"], request["childpid"]
    if child is not None and pid is None:
        raise RequestError("cannot specify childpid without pid")
    for process in _chosen(watcher, pid):
        try:
            _signal_one(process, request, signum, child)
        except ProcessLookupError:
            continue
        except OSError as error:
            raise SystemCallError(str(error)) from None
    return {}


def _signal_one(process: Process, request: Request, signum: int, child: int | None) -> None:
    if child is not None:
        if child not in process.descendants():
            raise RequestError(f"pid {child} is no descendant of pid {process.pid}")
        process.signal_child(child, signum)
    elif request["children"]:
        for pid in process.children():
            process.signal_child(pid, signum)
    else:
        below = process.descendants() if request["recursive"] else []
        process.signal(signum)
        for pid in below:
            process.signal_child(pid, signum)


def _chosen(watcher: Watcher, pid: int | None) -> list[Process]:
    processes = watcher.slots.processes()
    return processes if pid is None else [process for process in processes if process.pid == pid]


# Changing


@handles("set")
def _set(supervisor: Supervisor, request: Request) -> Reply | Awaitable[Reply]:
    watcher = supervisor.watcher(request.name or "")
    section = supervisor.assembly.sections["watcher"]
    options, changes = changing.changed(section, watcher.options, request["options"])
    return _answer(request, watcher.update(options, changes), _nothing)


@handles("add")
def _add(supervisor: Supervisor, request: Request) -> Reply | Awaitable[Reply]:
    section = supervisor.assembly.sections["watcher"]
    arguments = request.arguments
    options = changing.created(section, arguments["name"], arguments["cmd"], arguments["args"], arguments["options"])
    watcher = supervisor.add(options)
    if not request["start"]:
        return {}
    return _answer(request, watcher.start(request.progress), lambda info: info)


@handles("rm")
def _rm(supervisor: Supervisor, request: Request) -> Reply | Awaitable[Reply]:
    watcher = supervisor.watcher(request.name or "")
    return _answer(request, supervisor.remove(watcher, nostop=request["nostop"]), _nothing)


@handles("reloadconfig")
def _reloadconfig(supervisor: Supervisor, request: Request) -> Reply | Awaitable[Reply]:
    new, actions = supervisor.reread()
    planned = {"plan": [action.to_wire() for action in actions]}
    if request["plan"]:
        return planned
    work = supervisor.background(supervisor.apply(new, actions, request.progress))
    return _answer(request, work, lambda _result: planned)
