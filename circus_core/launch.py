"""From a watcher's options to the `Launch` of each slot: words, environment, user, limits. It starts nothing.

Whatever the machine lacks (a user, an env_file, a variable) is a SpawnError that names it, so that one watcher's
misfortune stays its own.
"""

from __future__ import annotations

import grp
import os
import pwd
import sys
from typing import TYPE_CHECKING, Any

from circus_core.envfile import read_env_file
from circus_core.errors import ConfigError, SpawnError
from circus_core.expand import environment_variables, expand, expand_wid
from circus_core.kinds import shell_words
from circus_core.kinship import MARK
from circus_core.model import Launch
from circus_core.options import declared
from circus_core.spawn import DEVNULL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circus_core.model import WatcherOptions

SHELL = "/bin/sh"
_NUMBER = "\0"
"""Stands for the number of the slot in words that serve all slots; no text of a configuration can hold it."""


class Recipe:
    """The launches of one watcher's options: what all its slots have in common is found once, at the first.

    `environ` is circusd's own environment, `variables` are more names to expand.
    """

    __slots__ = ("_common", "_environ", "_variables", "options")

    def __init__(self, options: WatcherOptions, environ: Mapping[str, str], variables: Mapping[str, object]) -> None:
        self.options = options
        self._environ = environ
        self._variables = variables
        self._common: tuple[dict[str, str], tuple[str, ...], str | None] | None = None

    def launch(self, wid: int, mark: str) -> Launch:
        """The launch of slot `wid`; users and groups are looked up, and an env_file is read, for each anew."""
        options = self.options
        if self._common is None or options.env_file:
            self._common = self._find()
        env, argv, executable = self._common
        number = str(wid)
        uid, gid, groups = identity(options)
        return Launch(
            watcher=options.name,
            wid=wid,
            argv=tuple([word.replace(_NUMBER, number) for word in argv]),
            # The mark is nothing that the words may mean.
            env={**env, MARK: mark},
            cwd=options.working_dir,
            executable=executable and executable.replace(_NUMBER, number),
            uid=uid,
            gid=gid,
            groups=groups,
            umask=options.umask,
            rlimits=options.rlimits,
            stdin=DEVNULL if options.close_child_stdin else None,
            stdout=DEVNULL if options.close_child_stdout else None,
            stderr=DEVNULL if options.close_child_stderr else None,
        )

    def _find(self) -> tuple[dict[str, str], tuple[str, ...], str | None]:
        options = self.options
        env = environment(options, self._environ)
        known = _Variables(options, env, self._variables)
        return env, _argv(options, known), options.executable and expand(options.executable, known.all())


def environment(options: WatcherOptions, environ: Mapping[str, str]) -> dict[str, str]:
    """What the process finds in its environment: circusd's if copied, then env_file, then env."""
    env = dict(environ) if options.copy_env else {}
    if options.copy_path:
        env["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    if options.env_file:
        try:
            env.update(read_env_file(options.env_file))
        except ConfigError as error:
            raise SpawnError(f"env_file: {'; '.join(map(str, error.problems))}") from error
    env.update(options.env)
    return env


def identity(options: WatcherOptions) -> tuple[int | None, int | None, tuple[int, ...] | None]:
    """User, group and supplementary groups as numbers, None for those that stay circusd's own."""
    uid = gid = groups = None
    account = None
    if options.uid is not None:
        try:
            account = pwd.getpwuid(options.uid) if isinstance(options.uid, int) else pwd.getpwnam(options.uid)
            uid = account.pw_uid
        except KeyError:
            if not isinstance(options.uid, int):
                raise SpawnError(f"there is no user {options.uid}", hint="add it, or change uid") from None
            uid = options.uid
    if options.gid is not None:
        try:
            gid = options.gid if isinstance(options.gid, int) else grp.getgrnam(options.gid).gr_gid
        except KeyError:
            raise SpawnError(f"there is no group {options.gid}", hint="add it, or change gid") from None
    elif account is not None:
        gid = account.pw_gid
    if account is not None and gid is not None:
        groups = tuple(os.getgrouplist(account.pw_name, gid))
    elif uid is not None:
        # No account, so no groups: those of circusd are not for others.
        groups = ()
    if (uid, gid) == (os.geteuid(), os.getegid()) and os.geteuid() != 0:
        return None, None, None
    return uid, gid, groups if os.geteuid() == 0 else None


class _Variables:
    """The names that `$(circus.NAME)` may mean at spawn, gathered only if a text has one."""

    def __init__(self, options: WatcherOptions, env: Mapping[str, str], more: Mapping[str, object]) -> None:
        self._parts = (options, env, more)
        self._all: dict[str, object] | None = None

    def all(self) -> dict[str, object]:
        if self._all is None:
            options, env, more = self._parts
            names: dict[str, Any] = {
                entry.key: getattr(options, entry.attribute) for entry in declared(type(options)).values()
            }
            self._all = {**names, **environment_variables(env), **more, "wid": _NUMBER, "name": options.name}
        return self._all


def _argv(options: WatcherOptions, known: _Variables) -> tuple[str, ...]:
    cmd, args, shell_args = options.cmd, options.args, options.shell_args or ""
    if "$" in cmd + args + shell_args or "((" in cmd + args + shell_args:
        cmd, args, shell_args = (expand_wid(expand(text, known.all()), _NUMBER) for text in (cmd, args, shell_args))
    try:
        if options.shell:
            return (SHELL, "-c", f"{cmd} {args}".strip(), *shell_words(shell_args))
        words = (*shell_words(cmd), *shell_words(args))
    except ValueError as error:
        raise SpawnError(f"cmd and args are no shell words once expanded: {error}") from error
    if not words:
        raise SpawnError("cmd is empty once expanded", hint="the program to run is missing")
    return words
