"""What a watcher needs and this machine has not: files, accounts, its program. It starts nothing and refuses nothing.

All of it may be there by the time a process starts, so whoever asks has reason to warn, and not more.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from typing import TYPE_CHECKING

from attrs import evolve

from circus_core.envfile import read_env_file
from circus_core.errors import ConfigError, SpawnError
from circus_core.launch import Recipe
from circus_core.structure import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from circus_core.model import Config, Launch, WatcherOptions
    from circus_core.options import Section

    Lack = tuple[str, str, str]

ABSENT = "there is no file"


def lacking(options: WatcherOptions, environ: Mapping[str, str], *, program: bool = True) -> Iterator[Lack]:
    """Each thing that is lacking now, as (option that needs it, what is wrong, what to do).

    `environ` is circusd's environment. Without `program` that is left out.
    """
    yield from _env_file(options)
    yield from _working_dir(options)
    yield from _accounts(options)
    if program:
        yield from lacking_program(options, environ)


def warnings(config: Config, section: Section) -> Iterator[Problem]:
    """A warning for each thing that some watcher lacks now. `section` has all options of watchers.

    Where a plugin may have the program found elsewhere, it is for that plugin to tell.
    """
    environ = dict(os.environ)
    for options in config.watchers.values():
        entries = [section.find(key) for key in options.extra]
        located = any(entry is not None and entry.locating for entry in entries)
        for key, message, hint in lacking(options, environ, program=not located):
            yield Problem(f"watcher:{options.name}", key, message, hint, warning=True)


def lacking_program(
    options: WatcherOptions, environ: Mapping[str, str], adjust: Callable[[Launch], Launch] | None = None
) -> Iterator[Lack]:
    """Why no process could be the watcher's program, as `lacking` has it; `adjust` changes a launch as plugins do.

    Nothing where a shell looks for it, or where it may come with something else that is lacking.
    """
    if options.shell or any(_env_file(options)) or any(_working_dir(options)):
        return
    try:
        launch = Recipe(evolve(options, uid=None, gid=None), environ, {}).launch(1, "")
    except SpawnError as error:
        yield "cmd", error.message, error.hint
        return
    launch = adjust(launch) if adjust else launch
    found = _unfound(options, launch.executable or launch.argv[0], launch.env, environ)
    if found is not None:
        yield "executable" if options.executable else "cmd", *found


def _unfound(
    options: WatcherOptions, program: str, env: Mapping[str, str], environ: Mapping[str, str]
) -> tuple[str, str] | None:
    """What is wrong and what to do, if a process with the environment `env` would not find the program."""
    if "$(circus." in program or "((circus." in program:
        return f"{program} has a variable that nothing sets", "set it in [env], or in the environment of circusd"
    if "/" in program:
        path = os.path.join(options.working_dir or "", program)
        wrong = _wrong(path)
        return _with_path(program, wrong) if wrong else None
    tried = []
    for path in _paths(options, program, env):
        tried.append(_wrong(path))
        if not tried[-1]:
            return None
    ill = next((wrong for wrong in tried if not wrong.startswith(ABSENT)), "")
    if ill:
        return ill, "make it executable, or write the path of another"
    elsewhere = next((path for path in _paths(options, program, environ) if not _wrong(path)), "")
    path = os.pathsep.join(os.get_exec_path(env))
    return f"there is no program {program} on the PATH of its processes, {path}", _where(options, elsewhere)


def _where(options: WatcherOptions, elsewhere: str) -> str:
    if not elsewhere:
        return "install it, or write its path"
    also = "add its folder to PATH in env" if options.copy_env else "set copy_env = True to have the PATH of circusd"
    return f"write {elsewhere}, or {also}"


def _paths(options: WatcherOptions, program: str, env: Mapping[str, str]) -> Iterator[str]:
    """Where execvp(3) looks, in the folder that the process is in by then."""
    return (os.path.join(options.working_dir or "", folder, program) for folder in os.get_exec_path(env))


def _with_path(program: str, wrong: str) -> tuple[str, str]:
    if not wrong.startswith(ABSENT):
        return wrong, "make it executable, or name another"
    if os.path.isabs(program):
        return wrong, "install it, or name another"
    return f"{wrong}; {program} is relative to working_dir", "write another path, or set working_dir"


def _wrong(path: str) -> str:
    """Why a file cannot be run, as far as looking at it tells; nothing if it can."""
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return f"{ABSENT} {path}"
    except OSError as error:
        return f"{path} cannot be looked at: {error.strerror}"
    if stat.S_ISDIR(mode):
        return f"{path} is a folder"
    return "" if mode & 0o111 else f"{path} is not executable"


def _env_file(options: WatcherOptions) -> Iterator[Lack]:
    if not options.env_file:
        return
    try:
        read_env_file(options.env_file)
    except ConfigError as error:
        for problem in error.problems:
            yield "env_file", str(problem), _tilde(options.env_file) or "no process can start before that is mended"


def _working_dir(options: WatcherOptions) -> Iterator[Lack]:
    folder = options.working_dir
    if folder and not os.path.isdir(folder):
        what = f"{folder} is no folder" if os.path.lexists(folder) else f"there is no folder {folder}"
        yield "working_dir", what, _tilde(folder) or "make it, or name another"


def _tilde(path: str) -> str:
    named = any(part.startswith("~") for part in path.split("/"))
    return "`~` is not expanded; write the folder, or $(circus.env.HOME)" if named else ""


def _accounts(options: WatcherOptions) -> Iterator[Lack]:
    if isinstance(options.uid, str):
        try:
            pwd.getpwnam(options.uid)
        except KeyError:
            yield "uid", f"this machine has no user {options.uid}", "add it, or name another"
    if isinstance(options.gid, str):
        try:
            grp.getgrnam(options.gid)
        except KeyError:
            yield "gid", f"this machine has no group {options.gid}", "add it, or name another"
