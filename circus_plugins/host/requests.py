"""The commands that change the plugins of a running circusd: names, arguments, roles, help. They run nothing here."""

from __future__ import annotations

from circus_core.requests import Argument, Command, Role

NAME = Argument("name", "text", "The plugin's name, as in [plugin:NAME].", required=True, positional=True)

ADD = Command(
    "plugins_add", Role.ADMIN, "Add a plugin that is installed.", NAME,
    Argument("use", "text", "Under which name it is installed.", required=True),
    Argument("options", "object", "Options, as in a [plugin:NAME] section.", positional=True, rest=True),
    help="It lives until `plugins rm` or the end of circusd; write it into the configuration to keep it. Only what is registered in the entry point group circus.plugins can be added: no command names code to import.",  # noqa: E501
    waits=True, example="circusctl plugins add guard --use watchdog port=1664",
)  # fmt: skip
RM = Command(
    "plugins_rm", Role.ADMIN, "Shut a plugin down and forget it.", NAME,
    help="If the configuration has a section for it, it is there again after `reloadconfig`.",
    waits=True,
)  # fmt: skip
SET = Command(
    "plugins_set", Role.ADMIN, "Change options of a plugin, and restart it with them.", NAME,
    Argument("options", "object", "Values by option.", required=True, positional=True, rest=True),
    help="Null or, in a shell, \"\" takes an option out. It stays so until the plugin's section in the files changes.",
    waits=True, example="circusctl plugins set guard max_count=5",
)  # fmt: skip
RESTART = Command(
    "plugins_restart", Role.OPERATE, "Shut a plugin down and start it again.", NAME,
    help="In a process of its own, the process is restarted, with all plugins in it.", waits=True,
)  # fmt: skip
SHOW = Command(
    "plugins_show", Role.VIEW, "Tell everything about one plugin.", NAME,
    help="Values of options whose names look secret are masked.",
    replies={
        "plugin": "an object: what `plugins` has, and installed (a text), options, adds_commands, adds_options, "
        "adds_sections",
    },
    example="circusctl plugins show guard",
)  # fmt: skip
