"""Writes the reference pages from the project's own declarations, before Sphinx reads the pages; it knows no names.

Options, hooks, events, commands and errors are taken from the tables that the programs themselves use, with what the
bundled plugins add. The pages go to `docs/reference/generated/`, which is not kept in git.
"""

from __future__ import annotations

import inspect
import re
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from circus_core import model
from circus_core.errors import ERRORS
from circus_core.events import EVENTS, Event
from circus_core.hookspecs import Interventions, Lifecycle, event_hooks
from circus_core.options import Section, declared, describe
from circus_core.plugin import Registry
from circus_core.requests import COMMANDS, Argument, Command, Handler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx

FOLDER = Path("reference", "generated")
MADE = "<!-- Written by docs/_ext/reference.py from the declarations in the code; edit those. -->"


def pages() -> dict[str, str]:
    """Every generated page: its name and its text in MyST."""
    sections, commands = sections_with_plugins()
    return {
        "options": options_page(sections, bundled()),
        "hooks": hooks_page(),
        "events": events_page(),
        "commands": commands_page(commands),
        "errors": errors_page(),
    }


def sections_with_plugins() -> tuple[dict[str, Section], dict[str, Command]]:
    """The sections and commands of a circusd that has loaded every bundled plugin."""
    sections = model.sections()
    added: dict[str, tuple[Command, Handler]] = {}
    for name, plugin in bundled().items():
        for hook in ("circus_register_options", "circus_register_commands"):
            if hasattr(plugin, hook):
                getattr(plugin(), hook)(Registry(name, sections, added))
    return sections, COMMANDS | {name: command for name, (command, _) in added.items()}


def bundled() -> dict[str, type]:
    """The plugins that come with circus-bus, by name. Importing them also declares their events and errors."""
    found = distribution("circus-bus").entry_points.select(group="circus.plugins")
    return {entry.name: entry.load() for entry in sorted(found, key=lambda entry: entry.name)}


def options_page(sections: dict[str, Section], plugins: dict[str, type]) -> str:
    lines = [
        MADE,
        "# Options",
        "The same options in ini files and in TOML. A duration is in seconds and may have a fraction; a size is in"
        " bytes. *Takes effect* says what a running circusd does when `set` or `reloadconfig` changes it.",
    ]
    for section in sections.values():
        name = f"[{section.name}:NAME]" if section.named else f"[{section.name}]"
        lines += [f"(options-{section.name})=", f"## `{name}`", prose(section.help)]
        lines += _options(section)
    for name, plugin in plugins.items():
        if getattr(plugin, "Options", None) is None or not declared(plugin.Options):
            continue
        lines += [f"(options-plugin-{name})=", f"## `[plugin:...]` with `use = {name}`", prose(first_line(plugin))]
        lines += _options(Section(f"plugin-{name}", plugin.Options))
    return "\n\n".join(lines) + "\n"


def _options(section: Section) -> Iterator[str]:
    for row in describe(section):
        unit = f" ({row['unit']})" if row["unit"] else ""
        default = "must be given" if row["required"] else f"default {shown(row['default'])}"
        effect = f"Takes effect: {row['effect']}." if row["settable"] else "Cannot be changed by `set`."
        plugin = f" Of the plugin `{row['plugin']}`." if row["plugin"] else ""
        yield f"(option-{section.name}-{slug(str(row['key']))})="
        yield f"### `{row['key']}`"
        yield f"*{row['type']}*{unit}, {default}"
        yield prose(str(row["help"]))
        yield f"{effect}{plugin}"


def hooks_page() -> str:
    lines = [
        MADE,
        "# Hooks",
        "A plugin is a class with methods of these names. A method takes the arguments it needs, by name, and may leave"
        " out the others. [How the bus calls them](../../explanation/architecture.md#the-bus) is explained with the"
        " architecture.",
    ]
    groups = {"Lifecycle": Lifecycle, "Interventions": Interventions, "Events": event_hooks()}
    for title, group in groups.items():
        lines += [f"## {title}", prose(inspect.getdoc(group) or EVENT_HOOKS)]
        for name, function in hooks(group).items():
            lines += [f"(hook-{slug(name)})=", f"### `{name}`"]
            lines += [f"```python\n{signature(name, function)}\n```", prose(inspect.getdoc(function))]
    return "\n\n".join(lines) + "\n"


EVENT_HOOKS = (
    "Told after something happened, in the order it happened; there is nothing to answer. `event` is an instance of the"
    " class in [events](events.md)."
)


def hooks(group: type) -> dict[str, Any]:
    """The hook specifications of one group, by name, in the order they were written."""
    return {name: getattr(group, name) for name in vars(group) if name.startswith("circus_")}


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
        "Each is a command of `circusctl` and a request on the control endpoint, where the arguments are `properties`."
        " The *role* is the least that a client's key needs where the endpoint asks for keys. A command that *waits*"
        " answers `ok` as soon as it has begun, or with `waiting` when it is done.",
    ]
    for name, command in sorted(commands.items()):
        waits = " Waits." if command.waits else ""
        lines += [f"(command-{slug(name)})=", f"## `{name}`", prose(command.summary)]
        lines += [f"```text\n{usage(command)}\n```", f"Role: {command.role.name.lower()}.{waits}"]
        if command.help:
            lines.append(prose(command.help))
        if command.arguments:
            lines.append("\n".join(_argument(argument) for argument in command.arguments))
        if command.replies:
            rows = [f"| `{field}` | {cell(text)} |" for field, text in command.replies.items()]
            lines.append("\n".join(["| reply | is |", "|---|---|", *rows]))
        if command.example:
            lines.append(f"```sh\n{command.example}\n```")
    return "\n\n".join(lines) + "\n"


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
