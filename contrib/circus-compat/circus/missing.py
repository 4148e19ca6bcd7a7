"""What Circus has and this module has not, with what to use instead; importing it says so."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

EMBED = "embed circus_core.supervisor.Supervisor, as the documentation of circus-bus shows"
INSTEAD = {
    "circus.ArbiterHandler": EMBED,
    "circus.arbiter": EMBED,
    "circus.circusd": "run the program circusd of circus-bus",
    "circus.circusctl": "run the program circusctl of circus-bus",
    "circus.commands.base": "add commands with circus_register_commands of a plugin of circus-bus",
    "circus.commands.get_commands": "ask circusd: its commands are in the answer to `commands`",
    "circus.commands.util": "circusd checks what it is sent",
    "circus.config": "let circusd read the file; `circusd --check FILE` says what is wrong with one",
    "circus.consumer": "follow events with circus_plugins.client.Client.events",
    "circus.controller": "circusd opens the endpoint of `[circus]`",
    "circus.green": "there is no gevent in circus-bus; " + EMBED,
    "circus.pidfile": "circusd writes the file that `pidfile` in [circus] names",
    "circus.plugins.get_plugin_cmd": "run the program circus-plugin of circus-bus",
    "circus.plugins.main": "run the program circus-plugin of circus-bus",
    "circus.process": EMBED,
    "circus.sighandler": "circusd handles its signals itself",
    "circus.sockets": "write a [socket:NAME] section",
    "circus.stats": "read statistics with the command `stats`",
    "circus.stream": "write stdout_stream and stderr_stream options",
    "circus.watcher": EMBED,
}
"""By the full name; a name that is not here was not found in use by anybody."""


def complain(name: str, error: Exception | None = None) -> NoReturn:
    """Raise ImportError for a name that is only in Circus; it reaches whoever wrote `from circus... import NAME`."""
    raise ImportError(f"{name} is not in circus-compat: {INSTEAD[name]}", name=name) from error


def absent(module: str, name: str) -> NoReturn:
    """What a module's `__getattr__` does for `name`; raises ImportError or AttributeError."""
    if f"{module}.{name}" in INSTEAD:
        complain(f"{module}.{name}")
    raise AttributeError(f"module {module!r} has no attribute {name!r}; circus-compat has what plugins and clients use")


class Finder(MetaPathFinder):
    """Asked after all others, it only has the modules that are missing."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Never answers a module; raises ImportError for one that is only in Circus."""
        if fullname in INSTEAD:
            complain(fullname)
        return None


def tell() -> None:
    """From now on, say what to use instead of a missing module."""
    sys.meta_path.append(Finder())
