"""The commands that order watchers about: start, stop, signal, change. Each starts its work before it answers."""

from __future__ import annotations

import asyncio
import fnmatch
import logging
import re
from typing import TYPE_CHECKING, Any

from circus_core import applying, changing, rolling
from circus_core.declarations import Config
from circus_core.dispatch import handles
from circus_core.errors import CircusError, OptionError, RequestError, SupersededError, SystemCallError
from circus_core.queue import results

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from circus_core.assembly import Reading
    from circus_core.model import WatcherOptions
    from circus_core.plan import Action
    from circus_core.process import Process
    from circus_core.queue import Outcomes
    from circus_core.requests import Reply, Request
    from circus_core.structure import Problem
    from circus_core.supervisor import Supervisor
    from circus_core.values import Change
    from circus_core.watcher import Watcher

log = logging.getLogger("circus")

# Starting and stopping


def _answer(request: Request, work: asyncio.Future[Any], reply: Callable[[Any], Reply]) -> Reply | Awaitable[Reply]:
    """At once, or, for a client that waits, when the work is done. The work goes on if the client gives up waiting."""
    return _answer_all(request, [work], lambda results: reply(results[0]))


def _answer_all(
    request: Request, work: Outcomes, reply: Callable[[list[Any]], Reply] = lambda _results: {}
) -> Reply | Awaitable[Reply]:
    """As `_answer`, when all of it is done; then the failures are the answer."""

    async def wait() -> Reply:
        return reply(await _finished(request, work))

    return wait() if request.waiting else {}


def _answer_group(
    request: Request, work: asyncio.Future[Outcomes], reply: Reply | None = None
) -> Reply | Awaitable[Reply]:
    """As `_answer_all`, for operations that are ordered one after another."""

    async def wait() -> Reply:
        [outcomes] = await _finished(request, [work])
        await _finished(request, outcomes)
        return reply or {}

    return wait() if request.waiting else {}


async def _finished(request: Request, work: Outcomes) -> list[Any]:
    if work:
        await asyncio.wait(work)
    if any(done.cancelled() for done in work):
        raise SupersededError(f"{request.command.name} gave way to the end of circusd")
    return results(work)


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
    return _answer_group(request, supervisor.background(supervisor.start_group(group, request.progress), group=True))


@handles("stop")
def _stop(supervisor: Supervisor, request: Request) -> Reply | Awaitable[Reply]:
    chosen = supervisor.in_order() if request.name is None else _matching(supervisor, request)
    if request.name is not None and len(chosen) == 1:
        return _answer(request, chosen[0].stop(request.progress), _info)
    return _answer_all(request, [watcher.stop(request.progress) for watcher in chosen])


@handles("restart")
def _restart(supervisor: Supervisor, request: Request) -> Reply | Awaitable[Reply]:
    if request.name is None:
        new = _reread(supervisor, request) if supervisor.assembly.path else None
        return _answer_group(request, supervisor.background(applying.restart(supervisor, new, request.progress)))
    chosen = _matching(supervisor, request)
    work = [watcher.restart(request.progress, running=request["running"]) for watcher in chosen]
    return _answer(request, work[0], _info) if len(work) == 1 else _answer_all(request, work)


@handles("reload")
def _reload(supervisor: Supervisor, request: Request) -> Reply | Awaitable[Reply]:
    manner = {key: request[key] for key in ("graceful", "sequential", "parallel")}
    rolling.check(**manner)
    if request.name is None:
        group = supervisor.reload_group(supervisor.in_order(), request.progress, **manner)
        return _answer_group(request, supervisor.background(group, group=True))
    manner["running"] = request["running"]
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
    if step > 0:
        # Said at once, and not by a machine that is out of memory.
        supervisor.assembly.sections["watcher"].check("numprocesses", watcher.options.numprocesses + step)
    done = watcher.scale(lambda: watcher.options.numprocesses + step, request.progress)
    return _answer(request, done, lambda number: {"numprocesses": number})


@handles("quit")
def _quit(supervisor: Supervisor, request: Request) -> Reply | Awaitable[Reply]:
    supervisor.begin_stop("a client asked to quit")
    return _answer(request, asyncio.shield(supervisor.emptied), _nothing)


# Signals


@handles("kill")
def _kill(supervisor: Supervisor, request: Request) -> Reply | Awaitable[Reply]:
    watcher = supervisor.watcher(request.name or "")
    grace = request["graceful_timeout"]
    if grace is not None and grace < 0:
        raise RequestError(f"'graceful_timeout' is {grace:g}", hint="the least possible is 0")
    ends = watcher.end(_chosen(watcher, request["pid"]), request["signum"], grace)
    return _answer_all(request, ends)


@handles("signal")
def _signal(supervisor: Supervisor, request: Request) -> Reply:
    watcher = supervisor.watcher(request.name or "")
    signum, pid, child = request["signum"], request["pid"], request["childpid"]
    if child is not None and pid is None:
        raise RequestError("cannot specify childpid without pid")
    for process in _chosen(watcher, pid):
        try:
            _signal_one(process, request, signum, child)
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
    """The processes in slots, or, by its pid, one that is perhaps on its way out and hangs."""
    if pid is None:
        return watcher.slots.processes()
    return [process for process in watcher.slots.everyone() if process.pid == pid]


# Changing


@handles("set")
def _set(supervisor: Supervisor, request: Request) -> Reply | Awaitable[Reply]:
    watcher = supervisor.watcher(request.name or "")
    section = supervisor.assembly.sections["watcher"]
    asked = request["options"]

    def change(options: WatcherOptions) -> tuple[WatcherOptions, tuple[Change, ...]]:
        if request.guard is not None:
            request.guard(options)
        return changing.changed(section, options, asked)

    # What is wrong is said at once; what it comes to depends on the changes that are still waiting for their turn.
    new, _changes = change(watcher.options)
    _refuse_mistakes(supervisor, new, watcher.options)
    return _answer(request, watcher.update(change), _nothing)


@handles("add")
def _add(supervisor: Supervisor, request: Request) -> Reply | Awaitable[Reply]:
    section = supervisor.assembly.sections["watcher"]
    arguments = request.arguments
    options = changing.created(section, arguments["name"], arguments["cmd"], arguments["args"], arguments["options"])
    _refuse_mistakes(supervisor, options)
    watcher = supervisor.add(options)
    if not request["start"]:
        return {}
    return _answer(request, watcher.start(request.progress), lambda info: info)


def _refuse_mistakes(supervisor: Supervisor, options: WatcherOptions, before: WatcherOptions | None = None) -> None:
    """Raise OptionError for what plugins find wrong with the options of a watcher, and did not before."""
    known = {(problem.key, problem.message) for problem in _mistakes(supervisor, before)} if before else set()
    for problem in _mistakes(supervisor, options):
        if (problem.key, problem.message) not in known:
            raise OptionError(f"{problem.key} {problem.message}", hint=problem.hint)


def _mistakes(supervisor: Supervisor, options: WatcherOptions) -> Iterator[Problem]:
    now = supervisor.config
    config = Config(supervisor=now.supervisor, watchers={options.name.lower(): options}, sections=now.sections)
    for _plugin, problems in supervisor.bus.ask("circus_check_config", config=config):
        for problem in problems:
            if not problem.warning and problem.section == f"watcher:{options.name}":
                yield problem


@handles("rm")
def _rm(supervisor: Supervisor, request: Request) -> Reply | Awaitable[Reply]:
    watcher = supervisor.watcher(request.name or "")
    return _answer(request, supervisor.remove(watcher, nostop=request["nostop"]), _nothing)


@handles("reloadconfig")
def _reloadconfig(supervisor: Supervisor, request: Request) -> Reply | Awaitable[Reply]:
    if request["plan"]:
        seen = supervisor.assembly.reread()
        return _planned(applying.planned(supervisor, seen), seen)
    new = _reread(supervisor, request)
    reply: Reply = {}

    async def work() -> Outcomes:
        actions, outcomes = await applying.reload(supervisor, new, request.progress)
        reply.update(_planned(actions, new))
        return outcomes

    return _answer_group(request, supervisor.background(work()), reply)


def _reread(supervisor: Supervisor, request: Request) -> Reading:
    """The configuration as its files are now; mistakes are for who asked, and for the log."""
    try:
        return supervisor.assembly.reread()
    except CircusError as error:
        log.warning("%s is refused, and nothing was touched: %s", request.command.name, error)
        raise


def _planned(actions: Sequence[Action], new: Reading) -> Reply:
    return {"plan": [action.to_wire() for action in actions], "warnings": list(new.warnings)}
