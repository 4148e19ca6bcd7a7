"""circus-plugin: runs plugins in this process, by hand with Circus' own command line, or for circusd.

Exit status: 0 after a signal to end or without a plugin, 2 for bad options of the plugin, 1 for whatever else went
wrong.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import TYPE_CHECKING

from circus_core import __version__, logs
from circus_core.declarations import PluginOptions
from circus_core.errors import CircusError, ConfigError, OptionError, PluginError
from circus_core.kinds import LEVELS
from circus_core.options import declared
from circus_plugins.host import orders as told
from circus_plugins.host.running import Running

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from circus_plugins.host.orders import Orders

log = logging.getLogger("circus.plugin.host")

HOSTED = "--hosted"
"""How circusd starts it: the descriptor of the orders follows, and names, which only `ps` reads."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run circus-plugin with these arguments, or those of the process; answers the exit status."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    try:
        orders = _inherited(arguments) if arguments[:1] == [HOSTED] else _by_hand(arguments)
        if orders is None:
            return 0
        logs.configure(orders.log_level, orders.log_output)
    except CircusError as error:
        print(f"circus-plugin: {error}", file=sys.stderr)
        return _status(error)
    try:
        return asyncio.run(_run(orders))
    except CircusError as error:
        # Where the plugin's own code raised, its author wants to know where.
        log.critical("%s", error, exc_info=error.__cause__)
        return _status(error)


async def _run(orders: Orders) -> int:
    return await Running(orders).run()


def _status(error: CircusError) -> int:
    return 2 if isinstance(error, ConfigError | OptionError) else 1


def _inherited(arguments: list[str]) -> Orders:
    try:
        return told.inherited(int(arguments[1]))
    except (IndexError, ValueError, OSError):
        raise CircusError(f"{HOSTED} is for circusd only", hint="give the plugin's class instead") from None


def _by_hand(arguments: list[str]) -> Orders | None:
    from circus_plugins.doors.address import default_endpoint

    parser = _parser()
    given = parser.parse_args(arguments)
    if given.plugin is None:
        parser.print_usage()
        return None
    name = given.plugin.replace(":", ".").rpartition(".")[2]
    settings = told.settings(given.config or "")
    for item in told.ignored(given.config or ""):
        print(f"circus-plugin: --config: {item!r} is ignored, as it is not KEY:VALUE", file=sys.stderr)
    active = settings.pop("active", None)
    if active and not declared(PluginOptions)["active"].value(active.value, text=True):
        raise PluginError(f"{given.plugin} is not run: --config has active:{active.value}", hint="leave that out")
    return told.Orders(
        plugins=(told.PluginOrders(name.lower(), given.plugin, settings=settings),),
        endpoint=given.endpoint or ("" if given.ssh else default_endpoint()),
        pubsub_endpoint=given.pubsub or "",
        check_delay=given.check_delay,
        log_level=given.log_level,
        log_output=given.log_output,
        ssh=given.ssh,
        keys=given.key,
    )


def _parser() -> argparse.ArgumentParser:
    import argparse

    parser = argparse.ArgumentParser(prog="circus-plugin", description="Run a plugin beside a circusd that runs.")
    add = parser.add_argument
    add("plugin", nargs="?", help="its class: package.module.Class, file.py:Class, or the name of an installed plugin")
    add("--endpoint", help="where circusd takes orders; its default socket if not given")
    add("--pubsub", help="where circusd publishes events; circusd is asked if not given")
    add("--config", help="the plugin's options, as KEY:VALUE:::KEY:VALUE")
    add("--version", action="version", version=f"circus-plugin {__version__}")
    add("--check-delay", type=float, default=5.0, help="seconds, for plugins that ask; 5 if not given")
    add("--log-level", default=logs.DEFAULT_LEVEL, help=f"{', '.join(LEVELS)}; {logs.DEFAULT_LEVEL} if not given")
    add("--log-output", default=logs.DEFAULT_OUTPUT, help="a file, - for standard error, or syslog://...")
    add("--key", metavar="FILE", help="where circusd asks for keys: the file that `circusctl keys new` made")
    add("--ssh", metavar="[USER@]HOST[:PORT]", help="go through this host")
    return parser


if __name__ == "__main__":
    sys.exit(main())
