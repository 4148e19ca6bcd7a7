"""Writes the reference pages from the project's own declarations, before Sphinx reads the pages; it knows no names.

Options, hooks, events, commands and errors are taken from the tables that the programs themselves use, with what the
bundled plugins add. The pages go to `docs/reference/generated/`, which is not kept in git.
"""

from __future__ import annotations

import importlib
import inspect
import io
import os
import pkgutil
import re
from contextlib import redirect_stdout, suppress
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import attrs

import circus_core
import circus_plugins
from circus_core import main as circusd
from circus_core.assembly import Assembly
from circus_core.errors import ERRORS
from circus_core.events import EVENTS, Event
from circus_core.hookspecs import Interventions, Lifecycle, event_hooks
from circus_core.options import Section, declared, describe
from circus_plugins.ctl import main as circusctl
from circus_plugins.ctl.catalogue import OWN
from circus_plugins.host import main as plugin_host
from circus_plugins.stats import main as streamer
from circus_plugins.streams import BUNDLED
from circus_plugins.streams.choice import find
from circus_plugins.top import main as top
from circus_plugins.web import main as console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sphinx.application import Sphinx

    from circus_core.requests import Argument, Command

FOLDER = Path("reference", "generated")
MADE = "<!-- Written by docs/_ext/reference.py from the declarations in the code; edit those. -->"


def pages() -> dict[str, str]:
    """Every generated page: its name and its text in MyST."""
    import_everything()
    known = assembly()
    return {
        "options": options_page(known),
        "hooks": hooks_page(),
        "events": events_page(),
        "commands": commands_page({name: command for name, (command, _) in known.commands.items()}),
        "errors": errors_page(),
        "programs": programs_page(),
    }


def import_everything() -> None:
    """Events and errors enter their tables when their module is imported, and some modules are only when needed."""
    for package in (circus_core, circus_plugins):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)


def assembly() -> Assembly:
    """What a circusd knows that has loaded every plugin that comes with circus-bus."""
    made = Assembly()
    found = distribution("circus-bus").entry_points.select(group="circus.plugins")
    for entry in sorted(found, key=lambda entry: entry.name):
        made.load(entry.name, entry.load())
    return made


def options_page(known: Assembly) -> str:
    lines = [
        MADE,
        "# Options",
        "[How they are written](../configuration.md), in ini and in TOML. A duration is in seconds and may have a"
        " fraction; a size is in bytes. *Takes effect* says what a running circusd does when `set` or `reloadconfig`"
        " changes it.",
    ]
    for section in known.sections.values():
        name = f"[{section.name}:NAME]" if section.named else f"[{section.name}]"
        lines += [f"(options-{section.name})=", f"## `{name}`", prose(section.help)]
        lines += _options(section)
    for name, loaded in known.bus.loaded.items():
        cls = getattr(loaded.plugin, "Options", None)
        if cls is not None and declared(cls):
            lines += [f"(options-plugin-{name})=", f"## `[plugin:NAME]` with `use = {name}`"]
            lines.append(prose(first_line(type(loaded.plugin))))
            lines += _options(Section(f"plugin-{name}", cls))
    lines += sinks()
    return "\n\n".join(lines) + "\n"


def sinks() -> Iterator[str]:
    """The classes that `stdout_stream.class` may name, and their options."""
    for word in BUNDLED:
        cls = find(word)
        yield f"(options-{slug(word)})="
        yield f"## `stdout_stream.*` and `stderr_stream.*` with `class = {word}`"
        yield prose(first_line(cls))
        yield from _options(Section(slug(word), cls.Options), told=False)


def _options(section: Section, *, told: bool = True) -> Iterator[str]:
    for row in describe(section):
        unit = f" ({row['unit']})" if row["unit"] else ""
        default = "must be given" if row["required"] else f"default {shown(row['default'])}"
        effect = f"Takes effect: {row['effect']}." if row["settable"] else "Cannot be changed by `set`."
        plugin = f" Of the plugin `{row['plugin']}`." if row["plugin"] else ""
        yield f"(option-{section.name}-{slug(str(row['key']))})="
        yield f"### `{row['key']}`"
        yield f"*{row['type']}*{unit}, {default}"
        yield prose(str(row["help"]))
        if told:
            yield f"{effect}{plugin}"


def hooks_page() -> str:
    lines = [
        MADE,
        "# Hooks",
        "A plugin is a class with methods of these names. A method takes the arguments it needs, by name, and may leave"
        " out the others. [How the bus calls them](../../explanation/architecture.md#the-bus) is explained with the"
        " architecture.",
    ]
    groups = {"Lifecycle": hooks(Lifecycle), "Interventions": hooks(Interventions), "Of bundled plugins": added_hooks()}
    groups["Events"] = hooks(event_hooks())
    told = {"Lifecycle": inspect.getdoc(Lifecycle), "Interventions": inspect.getdoc(Interventions)}
    told |= {"Of bundled plugins": ADDED_HOOKS, "Events": EVENT_HOOKS}
    for title, group in groups.items():
        lines += [f"## {title}", prose(told[title])]
        for name, function in group.items():
            lines += [f"(hook-{slug(name)})=", f"### `{name}`"]
            lines += [f"```python\n{signature(name, function)}\n```", prose(inspect.getdoc(function))]
    return "\n\n".join(lines) + "\n"


ADDED_HOOKS = (
    "Declared by a plugin of circus-bus, and only there where it is loaded. A plugin that does without it marks its"
    " implementation with `hookimpl(optionalhook=True)`."
)
EVENT_HOOKS = (
    "Told after something happened, in the order it happened; there is nothing to answer. `event` is an instance of the"
    " class in [events](events.md)."
)


def hooks(group: type) -> dict[str, Any]:
    """The hook specifications of one group, by name, in the order they were written."""
    return {name: getattr(group, name) for name in vars(group) if name.startswith("circus_")}


def added_hooks() -> dict[str, Any]:
    """The hooks that bundled plugins declare (`circus_add_hookspecs`)."""
    found: dict[str, Any] = {}
    for loaded in assembly().bus.loaded.values():
        add = getattr(loaded.plugin, "circus_add_hookspecs", None)
        if add is not None:
            found |= hooks(add())
    return found


def signature(name: str, function: Any) -> str:
    """A hook as somebody who implements it would write its first line."""
    given = inspect.signature(function)
    arguments = ["self"] + [
        f"{argument.name}: {annotation(argument.annotation)}"
        for argument in given.parameters.values()
        if argument.name != "self"
    ]
    return f"def {name}({', '.join(arguments)}) -> {annotation(given.return_annotation)}: ..."


def events_page() -> str:
    lines = [
        MADE,
        "# Events",
        "Each event is an instance of a class in `circus_core.events`. On the wire it is a JSON object: `event` is the"
        " name below, the fields are its keys, and Circus' own keys (`time`, `process_pid`) stand beside them. Every"
        " event has `seq`, a number that goes up by one with each event of a circusd, and `at`, seconds since 1970.",
    ]
    for name, event in EVENTS.items():
        topic = f"watcher.WATCHER.{event.action}" if event.action else f"event.{name}"
        if not event.action and "watcher" in attrs.fields_dict(event):
            topic += ".WATCHER"
        lines += [f"(event-{slug(name)})=", f"## `{name}`", prose(inspect.getdoc(event))]
        lines += [f"Class `{event.__name__}`, hook [`circus_{name}`](#hook-circus-{slug(name)}), topic `{topic}`."]
        fields = [field for field in attrs.fields(event) if field.name not in attrs.fields_dict(Event)]
        rows = [f"| `{field.name}` | {cell(annotation(field.type))} | {_default(field)} |" for field in fields]
        if rows:
            lines.append("\n".join(["| field | type | default |", "|---|---|---|", *rows]))
    return "\n\n".join(lines) + "\n"


def _default(field: attrs.Attribute[Any]) -> str:
    return "" if field.default is attrs.NOTHING else cell(repr(field.default))


def commands_page(commands: dict[str, Command]) -> str:
    lines = [
        MADE,
        "# Commands",
        "## Of circusd",
        "Each is a command of `circusctl` and a request on the control endpoint, where the arguments are `properties`."
        " The *role* is the least that a client's key needs where the endpoint asks for keys. A command that *waits*"
        " answers `ok` as soon as it has begun, or with `waiting` when it is done.",
    ]
    for name, command in sorted(commands.items()):
        lines += [f"(command-{slug(name)})=", f"### `{name}`", prose(command.summary)]
        if name in OWN:
            lines.append(f"In a shell, circusctl has [its own](#circusctl-{slug(name)}).")
        else:
            lines.append(f"```text\n{usage(command)}\n```")
        plugin = f" Of the plugin `{command.plugin}`." if command.plugin else ""
        lines.append(f"Role: {command.role.name.lower()}.{' Waits.' if command.waits else ''}{plugin}")
        lines += _explanation(command)
    lines += ["## Of circusctl itself", "These are no requests, or more than one."]
    for name, command in sorted(OWN.items()):
        lines += [f"(circusctl-{slug(name)})=", f"### `circusctl {name}`", prose(command.summary)]
        lines += [f"```text\n{usage(command)}\n```", *_explanation(command)]
    return "\n\n".join(lines) + "\n"


def _explanation(command: Command) -> Iterator[str]:
    """Help, arguments, reply and example of a command, as far as there are any."""
    if command.help:
        yield prose(command.help)
    if command.arguments:
        yield "\n".join(_argument(argument) for argument in command.arguments)
    if command.replies:
        rows = [f"| `{field}` | {cell(text)} |" for field, text in command.replies.items()]
        yield "\n".join(["| reply | is |", "|---|---|", *rows])
    if command.example:
        yield f"```sh\n{command.example}\n```"


def _argument(argument: Argument) -> str:
    kind = f"one of {', '.join(argument.choices)}" if argument.choices else argument.kind
    default = "" if argument.default is None or argument.default is False else f", default {shown(argument.default)}"
    required = ", must be given" if argument.required else ""
    return f"- `{argument.name}` (*{kind}*{default}{required}): {prose(argument.help)}"


def usage(command: Command) -> str:
    """The command as it is typed in a shell."""
    words = ["circusctl", command.name]
    for argument in command.arguments:
        word = argument.name.upper() + (" ..." if argument.rest else "")
        if not argument.positional:
            word = argument.flag if argument.kind == "boolean" else f"{argument.flag} {word}"
        words.append(word if argument.required else f"[{word}]")
    return " ".join(words)


def programs_page() -> str:
    lines = [MADE, "# Programs", "What the programs say to `--help`."]
    programs = {
        "circusd": circusd.main, "circusctl": circusctl.main, "circus-plugin": plugin_host.main,
        "circusd-stats": streamer.main, "circus-top": top.main, "circushttpd": console.main,
    }  # fmt: skip
    for name, main in programs.items():
        lines += [f"## `{name}`", f"```text\n{help_of(main)}\n```"]
    return "\n\n".join(lines) + "\n"


def help_of(main: Callable[[list[str]], int | None]) -> str:
    """What a program prints on `--help`, 100 columns wide."""
    printed = io.StringIO()
    with redirect_stdout(printed), suppress(SystemExit), mock.patch.dict(os.environ, {"COLUMNS": "100"}):
        main(["--help"])
    return printed.getvalue().strip()


def errors_page() -> str:
    lines = [
        MADE,
        "# Errors",
        "What a refused request answers, and what `circusd` and `circusctl` print. A reply with an error has"
        " `status: error`, the message as `reason`, and the number Circus uses as `errno`; `code` never changes between"
        " versions. Where there is something to do about it, the message ends with a hint.",
    ]
    for code, error in ERRORS.items():
        lines += [f"(error-{slug(code)})=", f"## `{code}`", prose(inspect.getdoc(error))]
        lines.append(f"Class `{error.__name__}`, errno {error.errno}.")
    return "\n\n".join(lines) + "\n"


def first_line(described: object) -> str:
    """The first paragraph of a docstring."""
    return (inspect.getdoc(described) or "").partition("\n\n")[0]


def annotation(written: object) -> str:
    """A type as it was written in the source, without the quotes of forward references."""
    name = written if isinstance(written, str) else getattr(written, "__name__", str(written))
    return name.strip("'\"")


def shown(value: object) -> str:
    """A default value as code; nothing is called that."""
    if value is None or value in ("", {}):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def slug(name: str) -> str:
    """The name as part of a link's target."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def prose(text: str | None) -> str:
    """Text of a docstring or a help line as MyST: what is not in backticks is only words."""
    parts = re.split(r"(`[^`]*`)", text or "")
    return "".join(part if part.startswith("`") else re.sub(r"([*_<\[\]\\$])", r"\\\1", part) for part in parts)


def cell(text: str) -> str:
    """Text for a cell of a table."""
    return prose(text).replace("|", "\\|").replace("\n", " ")


def write(app: Sphinx) -> None:
    """Write the pages that changed, so that Sphinx reads only those again."""
    folder = Path(app.srcdir) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        page = folder / f"{name}.md"
        if not page.exists() or page.read_text() != text:
            page.write_text(text)


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
