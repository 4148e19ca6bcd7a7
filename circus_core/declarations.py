"""The options of supervisor, watcher and plugin, each declared once, and a configuration made of them; values only."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from circus_core.kinds import (
    ACCOUNT,
    BOOLEAN,
    COMMAND,
    ENVIRONMENT,
    INTEGER,
    LEVEL,
    LIMIT,
    NUMBER,
    OCTAL,
    PATTERNS,
    RLIMITS,
    SIGNAL,
    TEXT,
    shell_words,
)
from circus_core.options import NOTHING_SET, Effect, Section, option
from circus_core.paths import PATH, PLUGIN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circus_core.structure import Setting

MOST = 100_000
"""Processes of one watcher: more than a machine can bear, so that a slip of the finger is told."""
NOW, SCALE, RELOAD, RESTART = Effect.NOW, Effect.SCALE, Effect.RELOAD, Effect.RESTART


@frozen
class SupervisorOptions:
    """The `[circus]` section, as far as the core knows it; plugins add the endpoints and more."""

    check_delay: float = option(
        NUMBER, 5.0, unit="s", help="Accepted for Circus' sake; deaths are noticed at once, so nothing is ever polled."
    )
    warmup_delay: float = option(NUMBER, 0.0, unit="s", minimum=0, help="Pause after each watcher started.")
    umask: int | None = option(OCTAL, None, effect=RESTART, help="The file mode mask of circusd and its processes.")
    pidfile: str | None = option(TEXT, None, effect=RESTART, help="File that holds circusd's pid while it runs.")
    loglevel: str | None = option(
        LEVEL, None, effect=RESTART, help="What circusd logs: debug, info, warning, error or critical."
    )
    logoutput: str | None = option(
        TEXT,
        None,
        effect=RESTART,
        help="Where circusd logs: a file, `-` (standard error) or `syslog://[host[:port]][/path][?facility]`.",
    )
    loggerconfig: str | None = option(
        TEXT,
        None,
        effect=RESTART,
        help="A .ini, .json, .toml or (with PyYAML) .yaml file for logging.config; `default` for none.",
    )
    debug: bool = option(BOOLEAN, False, effect=RESTART, help="Log at level debug whatever loglevel says.")
    debug_gc: bool = option(BOOLEAN, False, effect=RESTART, help="Let Python's collector report what leaks.")
    fqdn_prefix: str | None = option(
        TEXT, None, effect=RESTART, help="Put before this host's name in the `host` of events, as `PREFIX@HOST`."
    )
    stream_backend: str | None = option(
        TEXT, None, help="Accepted for Circus' sake, which documents it and does not read it either."
    )
    include: str | None = option(PATTERNS, None, help="Further files to read: blank-separated globs.")
    include_dir: str | None = option(
        PATTERNS, None, help="Folders whose *.ini and *.toml are read too: blank-separated globs."
    )
    extra: Mapping[str, object] = NOTHING_SET


@frozen
class WatcherOptions:
    """A `[watcher:NAME]` section: what runs, how often, as whom, and what happens when it ends."""

    name: str
    cmd: str = option(
        COMMAND,
        effect=RELOAD,
        also=("command", "exec", "script"),
        help="The program and its arguments, in shell words.",
    )
    args: str = option(COMMAND, "", effect=RELOAD, help="Further arguments, in shell words, put after those in cmd.")
    shell: bool = option(BOOLEAN, False, effect=RELOAD, help="Run cmd and args by /bin/sh, so that | ; > and $ work.")
    shell_args: str | None = option(COMMAND, None, effect=RELOAD, help="With shell: words for $0, $1 and so on.")
    executable: str | None = option(
        TEXT, None, effect=RELOAD, help="The file to run instead of the first word, which stays as the process' name."
    )
    working_dir: str | None = option(
        TEXT,
        None,
        effect=RELOAD,
        also=("directory", "cwd", "workdir", "chdir"),
        help="The folder to start in; circusd's own if unset.",
    )
    uid: int | str | None = option(
        ACCOUNT, None, effect=RELOAD, also=("user",), help="User to run as, by name or number."
    )
    gid: int | str | None = option(
        ACCOUNT, None, effect=RELOAD, also=("group",), help="Group to run as; the primary group of uid if unset."
    )
    umask: int | None = option(OCTAL, None, effect=RELOAD, help="The processes' file mode mask; circusd's if unset.")
    env: Mapping[str, str] = option(
        ENVIRONMENT,
        {},
        effect=RELOAD,
        also=("environment",),
        help="Environment variables; those of [env] and [env:...] end here too.",
    )
    env_file: str | None = option(
        PATH, None, effect=RELOAD,
        help="A file of NAME=VALUE lines, read at each start; env wins over it. Beside the file that names it.",
    )  # fmt: skip
    copy_env: bool = option(BOOLEAN, False, effect=RELOAD, help="Start from circusd's environment, not from nothing.")
    copy_path: bool = option(BOOLEAN, False, effect=RELOAD, help="Hand circusd's sys.path on as PYTHONPATH.")
    rlimits: Mapping[str, int] = option(
        LIMIT,
        prefix="rlimit_",
        names=frozenset(RLIMITS),
        effect=RELOAD,
        help="A resource limit of setrlimit(2), soft and hard; nothing means unlimited, and `default` circusd's own.",
    )
    close_child_stdin: bool = option(BOOLEAN, True, effect=RELOAD, help="Standard input reads from /dev/null.")
    close_child_stdout: bool = option(BOOLEAN, False, effect=RELOAD, help="Standard output goes to /dev/null.")
    close_child_stderr: bool = option(BOOLEAN, False, effect=RELOAD, help="Standard error goes to /dev/null.")

    numprocesses: int = option(
        INTEGER,
        1,
        effect=SCALE,
        minimum=0,
        maximum=MOST,
        also=("processes", "instances"),
        help="How many processes to keep.",
    )
    singleton: bool = option(BOOLEAN, False, help="Never more than one process, whatever incr and set say.")
    priority: int = option(INTEGER, 0, help="Watchers with a higher number start first.")
    autostart: bool = option(BOOLEAN, True, help="Start together with circusd.")
    warmup_delay: float = option(NUMBER, 0.0, unit="s", minimum=0, help="Pause between two spawns.")
    reload_parallel: int = option(
        INTEGER, 1, minimum=1, help="A reload replaces so many processes at a time: new ones first, then as many old."
    )

    stop_signal: int = option(SIGNAL, int(signal.SIGTERM), help="The signal that asks a process to stop.")
    stop_children: bool = option(BOOLEAN, False, help="Send the stop signal to the whole process group.")
    graceful_timeout: float = option(
        NUMBER, 30.0, unit="s", minimum=0, help="How long a process and its children may take to stop before SIGKILL."
    )
    send_hup: bool = option(BOOLEAN, False, help="A graceful reload only sends SIGHUP to each process.")
    max_age: float = option(NUMBER, 0, unit="s", minimum=0, help="Replace a process that is older; 0 is never.")
    max_age_variance: float = option(NUMBER, 30, unit="s", minimum=0, help="Up to this much is added to max_age.")

    respawn: bool = option(
        BOOLEAN, True, effect=SCALE, also=("autorestart",), help="Replace a process that ends by itself."
    )
    max_retry: int | None = option(
        INTEGER,
        None,
        minimum=-1,
        help="How often in a row one process may fail to come up before it is given up; -1 is for ever. "
        "Unset, it is 5 for a program that cannot be started and for ever for one that dies young.",
    )
    min_uptime: float = option(NUMBER, 1.0, unit="s", minimum=0, help="A process that ends earlier died young.")
    restart_burst: int = option(
        INTEGER, 5, minimum=0, help="So many young deaths in a row are replaced at once, before delays begin."
    )
    restart_delay: float = option(
        NUMBER, 0.5, unit="s", minimum=0, help="The first delay; each further one is twice as long."
    )
    restart_delay_max: float = option(NUMBER, 30.0, unit="s", minimum=0, help="The longest delay between restarts.")
    exit_on_failure: bool = option(
        BOOLEAN, False, help="When this watcher fails for good, circusd stops everything and exits with its status."
    )
    extra: Mapping[str, object] = NOTHING_SET

    def contradictions(self) -> list[tuple[str, ...]]:
        """Options that do not go together, as (key, what is wrong, what would be right, other keys it is about)."""
        found: list[tuple[str, ...]] = []
        if not self.cmd.strip():
            found.append(("cmd", "is empty", "it should be the program to run"))
        if self.singleton and self.numprocesses > 1:
            message = f"is {self.numprocesses} for a singleton"
            found.append(("numprocesses", message, "set it to 1, or drop singleton", "singleton"))
        if self.copy_path and not self.copy_env:
            found.append(("copy_path", "needs copy_env", "set copy_env = True as well", "copy_env"))
        return found

    def doubts(self) -> list[tuple[str, ...]]:
        """Options that have no effect beside the others, as those of `contradictions`."""
        found: list[tuple[str, ...]] = []
        if self.shell_args and not self.shell:
            found.append(("shell_args", "means nothing without shell", "set shell = True, or drop shell_args", "shell"))
        if self.restart_delay > self.restart_delay_max:
            message = f"is more than restart_delay_max, which is {self.restart_delay_max:g} and counts"
            found.append(("restart_delay", message, "make one of them fit the other", "restart_delay_max"))
        return found

    @property
    def words(self) -> list[str]:
        """cmd and args as words, before expansion."""
        return shell_words(self.cmd) + shell_words(self.args)


HOSTS = ("process", "core")
"""What `host` in a plugin's section may be. Any other value is an option `host` of the plugin: those of Circus mean a
machine by it."""


@frozen
class PluginOptions:
    """A `[plugin:NAME]` section: which plugin, and where it runs. Every other key belongs to the plugin."""

    name: str
    use: str = option(
        PLUGIN, effect=RELOAD,
        help="A dotted path to the class, `file.py:Class` beside the file that names it, or a registered name."
        " Without a class, the module itself is the plugin.",
    )  # fmt: skip
    host: str | None = option(
        TEXT, None, effect=RELOAD,
        help="`process`: a process of its own; `core`: inside circusd; unset: as the plugin's class says, which is "
        "`process` for most. Other values are the plugin's own.",
    )  # fmt: skip
    active: bool = option(BOOLEAN, True, effect=RELOAD, help="False: it is not run.")
    extra: Mapping[str, object] = NOTHING_SET

    @property
    def inside(self) -> bool:
        """Whether it runs inside circusd."""
        return self.active and self.host == "core"


@frozen
class Config:
    """Everything one configuration says, checked."""

    supervisor: SupervisorOptions = field(factory=SupervisorOptions)
    watchers: Mapping[str, WatcherOptions] = field(factory=dict)
    plugins: Mapping[str, PluginOptions] = field(factory=dict)
    sections: Mapping[str, Mapping[str, Any]] = field(factory=dict)
    raw_plugins: Mapping[str, Mapping[str, Setting]] = field(factory=dict)
    files: tuple[str, ...] = ()


def sections() -> dict[str, Section]:
    """The sections the core knows, fresh for one supervisor, for plugins to add to."""
    return {
        "circus": Section("circus", SupervisorOptions, "The supervisor itself.", named=False),
        "watcher": Section("watcher", WatcherOptions, "A program and the processes that run it."),
        "plugin": Section("plugin", PluginOptions, "A plugin to load."),
    }
