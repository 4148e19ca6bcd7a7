"""The table of commands: names, arguments, roles and words of help. It runs nothing, so clients import it cheaply.

The handlers are in `circus_core.commands`. PROTOCOL.md 1.5 is the source of the names, arguments and reply fields.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from circus_core.model import WatcherOptions
    from circus_core.supervisor import Supervisor

Reply = dict[str, Any]
Progress = Callable[[str], None]
Guard = Callable[["WatcherOptions"], None]
Handler = Callable[["Supervisor", "Request"], Awaitable[Reply] | Reply]


class Role(enum.IntEnum):
    """What a client may do: each role includes the smaller ones."""

    VIEW = 1
    OPERATE = 2
    ADMIN = 3


class Argument:
    """One argument of a command. `kind` is text, integer, number, boolean, signal, words, object, list or any.

    `positional` arguments are given without a flag in the shell; `rest` takes all remaining words. The flag of a
    boolean stands for the opposite of its default; `off` says what one does that turns something off. `short` is
    another flag of one letter, such as `-f`.
    """

    __slots__ = ("choices", "default", "flag", "help", "kind", "name", "off", "positional", "required", "rest", "short")

    def __init__(
        self,
        name: str,
        kind: str,
        help: str,
        *,
        required: bool = False,
        default: object = None,
        choices: tuple[str, ...] = (),
        positional: bool = False,
        rest: bool = False,
        flag: str = "",
        off: str = "",
        short: str = "",
    ) -> None:
        self.name = name
        self.kind = kind
        self.help = help
        self.required = required
        self.default = default
        self.choices = choices
        self.positional = positional
        self.rest = rest
        self.off = off
        self.short = short
        self.flag = flag or ("" if positional else f"--{name}")


class Command:
    """The declaration of one command; `waits` says that it may last, and answers early unless `waiting` is set."""

    __slots__ = ("arguments", "example", "help", "name", "plugin", "replies", "role", "summary", "waits")

    def __init__(
        self,
        name: str,
        role: Role,
        summary: str,
        *arguments: Argument,
        help: str = "",
        replies: Mapping[str, str] | None = None,
        waits: bool = False,
        example: str = "",
    ) -> None:
        self.name = name
        self.role = role
        self.summary = summary
        self.arguments = (*arguments, WAITING) if waits else arguments
        self.help = help
        self.replies = replies or {}
        self.waits = waits
        self.example = example
        self.plugin = ""

    def schema(self) -> dict[str, Any]:
        """The command as JSON-ready values, for clients that learn it from the daemon."""
        return {
            "name": self.name,
            "role": self.role.name.lower(),
            "summary": self.summary,
            "help": self.help,
            "waits": self.waits,
            "example": self.example,
            "replies": dict(self.replies),
            "arguments": [{slot: getattr(entry, slot) for slot in Argument.__slots__} for entry in self.arguments],
        }


class Request:
    """A checked request: the command, its arguments with defaults filled in, and who sent it.

    `guard` is asked before a watcher with such options is changed, when its turn comes, and raises CircusError if the
    change is not for the sender to make.
    """

    __slots__ = ("arguments", "command", "guard", "name", "progress", "waiting")

    def __init__(
        self,
        command: Command,
        arguments: dict[str, Any],
        progress: Progress | None = None,
        guard: Guard | None = None,
    ) -> None:
        self.command = command
        self.arguments = arguments
        self.name: str | None = arguments.get("name")
        self.waiting = bool(arguments.get("waiting"))
        self.progress = progress
        self.guard = guard

    def __getitem__(self, key: str) -> Any:
        return self.arguments[key]


WAITING = Argument("waiting", "boolean", "Answer only when it is done.", default=False)
NAME = Argument("name", "text", "The watcher's name; upper and lower case are the same.", positional=True)
THE_NAME = Argument(
    "name", "text", "The watcher's name; upper and lower case are the same.", required=True, positional=True
)
PATTERN = Argument("name", "text", "The watcher's name, or a pattern for several.", positional=True)
MATCH = Argument(
    "match", "text", "How the name is read.", default="glob", choices=("simple", "glob", "regex")
)  # fmt: skip
RUNNING = Argument("running", "boolean", "Leave a stopped watcher stopped.", default=False)
COUNT = Argument("nb", "integer", "By how many.", default=1, positional=True)

_STARTED = {"info": "with waiting and one watcher: `started` and `kept`, lists of pids"}
_RESTARTED = {"info": "with waiting and one watcher: `stopped`, `started` and `kept`, sorted lists of pids"}
_COUNTED = {
    "numprocesses": "with waiting: how many processes there are to be",
    "singleton": "true if the watcher is a singleton, and nothing changed",
}

COMMANDS: dict[str, Command] = {
    command.name: command
    for command in (
        Command(
            "add", Role.ADMIN, "Add a watcher.",
            Argument("name", "text", "The new watcher's name.", required=True, positional=True),
            Argument("cmd", "text", "The program to run.", required=True, positional=True, rest=True),
            Argument("args", "any", "Further arguments: a text of shell words, or a list."),
            Argument("options", "object", "Options, as in a [watcher:NAME] section."),
            Argument("start", "boolean", "Start it at once.", default=False),
            help="It lives until `rm`, `quit` or a full `restart`; write it into the configuration to keep it.",
            replies={"started": "with start and waiting: pids", "kept": "with start and waiting: pids"},
            waits=True, example="circusctl add --start clock sh -c 'while date; do sleep 1; done'",
        ),
        Command(
            "commands", Role.VIEW, "Describe the commands this circusd has.",
            replies={"commands": "one object per command: name, role, summary, help, arguments, replies",
                     "version": "circusd's version", "pid": "circusd's pid"},
        ),
        Command(
            "decr", Role.OPERATE, "Keep fewer processes.", THE_NAME, COUNT,
            help="The oldest processes stop first. The number never falls below 0.", replies=_COUNTED, waits=True,
            example="circusctl decr web 2 --waiting",
        ),
        Command(
            "get", Role.VIEW, "Show some options of a watcher.", THE_NAME,
            Argument("keys", "list", "The options' names.", required=True, positional=True, rest=True),
            replies={"options": "values by option"}, example="circusctl get web numprocesses stop_signal",
        ),
        Command(
            "incr", Role.OPERATE, "Keep more processes.", THE_NAME, COUNT, replies=_COUNTED, waits=True,
            example="circusctl incr web 2 --waiting",
        ),
        Command(
            "ipython", Role.ADMIN, "Not offered: no command runs code inside circusd.",
            help="Circus opens an IPython kernel in the daemon. Whoever reaches it owns the machine, so this circusd answers that it has none; embed the supervisor to look inside it.",  # noqa: E501
            replies={"shell": "false", "msg": "why not"},
        ),
        Command(
            "kill", Role.OPERATE, "End processes: a signal, some time, then SIGKILL.", THE_NAME,
            Argument("pid", "integer", "Only the process with this pid.", positional=True),
            Argument("signum", "signal", "The signal to begin with; the watcher's stop_signal if not given."),
            Argument("graceful_timeout", "number", "Seconds before SIGKILL; the watcher's own if not given."),
            help="The watcher replaces what was ended. It does not wait for other operations of the watcher.",
            waits=True, example="circusctl kill web 4242 --signum INT --graceful_timeout 2",
        ),
        Command(
            "list", Role.VIEW, "List the watchers, or the pids of one.", NAME,
            replies={"watchers": "names in lower case, sorted", "pids": "with a name: its pids in spawn order"},
        ),
        Command(
            "listen", Role.VIEW, "Follow events; a client does this on the event endpoint.",
            help="As a request it is refused, as in Circus. `circusctl listen` subscribes instead.",
        ),
        Command("numprocesses", Role.VIEW, "Count the processes of one or all watchers.", NAME,
                replies={"numprocesses": "how many", "watcher_name": "with a name: the name as sent"}),
        Command("numwatchers", Role.VIEW, "Count the watchers.", replies={"numwatchers": "how many"}),
        Command("options", Role.VIEW, "Show every option of a watcher.", THE_NAME,
                help="Values in env whose names look secret are masked.",
                replies={"options": "values by option"}),
        Command(
            "plugins", Role.VIEW, "List the plugins: where each runs, its hooks, and its health.",
            Argument("installed", "boolean", "List those that are installed, loaded or not.", default=False),
            help="Installed is what a distribution has registered in the entry point group circus.plugins; nothing of it is imported to list it. It runs once a section [plugin:NAME] or `plugins add` names it.",  # noqa: E501
            replies={
                "plugins": "one object per plugin: name, use, host, started, hooks, failures, last_error, disabled; and in a process of its own watcher, pid, behind (events), handling (an event's number)",  # noqa: E501
                "installed": "with installed: one object per name and distribution: name, path, distribution, version, bundled, loaded (objects of name and host), problem",  # noqa: E501
            },
            example="circusctl plugins --installed",
        ),
        Command("quit", Role.ADMIN, "Stop every watcher and end circusd.", waits=True),
        Command(
            "reload", Role.OPERATE, "Replace the processes of one or all watchers without a gap.", NAME,
            Argument("graceful", "boolean", "Start new processes first, then stop the old ones.",
                     default=True, flag="--terminate", off="Stop the old processes first, as `restart` does."),
            Argument("parallel", "integer", "Replace so many at a time; the watcher's reload_parallel if not given."),
            Argument("sequential", "boolean", "End each process before its successor starts.", default=False), RUNNING,
            help="Each new process must be ready before an old one is told to end; if one never is, the reload stops, the old ones go on, and the answer says why. Where a watcher has send_hup, its processes get SIGHUP and stay. Without a name, stopped watchers stay stopped.",  # noqa: E501
            replies=_RESTARTED, waits=True, example="circusctl reload web --parallel 2 --waiting",
        ),
        Command(
            "reloadconfig", Role.ADMIN, "Read the configuration again and do what changed.",
            Argument("plan", "boolean", "Only show what would be done.", default=False),
            help="Nothing is touched if the files have a mistake. What the files say and does not run is added, even what `rm` took away; what `set` changed and the files did not stays.",  # noqa: E501
            replies={
                "plan": "what is (or would be) done, a list of objects: action, target, why",
                "warnings": "what is odd in the files, and what this machine lacks, as texts",
            },
            waits=True,
        ),
        Command(
            "restart", Role.OPERATE, "Stop and start one, several or all watchers.", PATTERN, MATCH, RUNNING,
            help="Without a name everything stops, the configuration is read again, and everything starts.",
            replies=_RESTARTED, waits=True,
        ),
        Command(
            "rm", Role.ADMIN, "Stop and forget a watcher.", THE_NAME,
            Argument("nostop", "boolean", "Let its processes run on, even beyond circusd's end.", default=False),
            waits=True,
        ),
        Command("schema", Role.VIEW, "The JSON schema of every section of the configuration.",
                replies={"sections": "a JSON schema per section"}),
        Command(
            "set", Role.ADMIN, "Change options of a watcher.", THE_NAME,
            Argument("options", "object", "Options, each with its value.", required=True, positional=True, rest=True),
            help="An option that decides what is launched takes a graceful reload, which follows by itself; the others count at once. The reference of options says which is which. Null or, in a shell, \"\" puts an option back that need not be set.",  # noqa: E501
            waits=True, example="circusctl set web numprocesses 4 graceful_timeout 10",
        ),
        Command(
            "signal", Role.OPERATE, "Send a signal to processes.", THE_NAME,
            Argument("pid", "integer", "Only the process with this pid.", positional=True),
            Argument("signum", "signal", "The signal's name or number.", required=True, positional=True),
            Argument("childpid", "integer", "Only this child of the process."),
            Argument("children", "boolean", "Not the process, but its direct children.", default=False),
            Argument("recursive", "boolean", "The process and all its descendants.", default=False),
            example="circusctl signal web HUP",
        ),
        Command(
            "start", Role.OPERATE, "Start one, several or all watchers.", PATTERN, MATCH,
            help="Without a name, and where a pattern means several, only watchers with autostart start.",
            replies=_STARTED, waits=True,
        ),
        Command(
            "status", Role.VIEW, "Show the state of one or all watchers.", NAME,
            Argument("extended", "boolean", "Add details: processes, restarts, last error.", default=False),
            replies={"statuses": "states by watcher", "status": "with a name: its state, in place of `ok`",
                     "details": "with extended: an object per watcher"},
        ),
        Command("stop", Role.OPERATE, "Stop one, several or all watchers.", PATTERN, MATCH,
                help="When waiting, it answers only once no process is left, nor anything known to come from one.",
                replies={"info": "with waiting and one watcher: null"}, waits=True),
    )
}  # fmt: skip
