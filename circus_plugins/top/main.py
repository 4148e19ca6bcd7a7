"""circus-top's entry point: its command line, and which of its three faces it shows: a screen, text or JSON."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from typing import TYPE_CHECKING

from circus_core import __version__
from circus_core.errors import CircusError, EndpointError
from circus_plugins.picture import OWN, Live, Picture
from circus_plugins.top import plain
from circus_plugins.top.columns import SORTS
from circus_plugins.top.rows import Order

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DONE, NO_ANSWER, WRONG_USAGE, REFUSED, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit statuses, as circusctl has them."""
PATIENCE = 5.0
"""Seconds that --once waits for circusd, and for its first figures."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="circus-top",
        description="Show what circusd's processes do and use, live. On a terminal keys order it about; ? shows them.",
        epilog="Without a terminal, and with --json, it prints a table or a line of JSON at each interval.",
    )
    add = made.add_argument
    add("--endpoint", help="circusd's control endpoint, or, as in Circus, its stats endpoint, where one only looks;"
        " $CIRCUSCTL_ENDPOINT or this user's own if not given")  # fmt: skip
    add("--key", metavar="FILE", help="the key file for a TCP endpoint; $CIRCUSCTL_KEY if not given")
    add("--ssh", metavar="[USER@]HOST[:PORT]", help="reach circusd on another host through ssh")
    add("--ssh-keyfile", "--ssh_keyfile", metavar="FILE", help="the private key for ssh")
    add("--interval", type=_positive, default=1.0, metavar="SECONDS", help="the time between two looks (default: 1)")
    add("--process-timeout", type=_positive, default=3.0, metavar="SECONDS",
        help="at a stats endpoint: who is silent for so long is gone (default: 3)")  # fmt: skip
    add("--sort", choices=SORTS, default="name", help="the column to sort by (default: name)")
    add("--reverse", action="store_true", help="the other way round")
    add("--filter", default="", metavar="TEXT", help="only what has this in its name")
    add("--all", action="store_true", help="show the processes of every watcher at once")
    add("--once", action="store_true", help="print one table, or with --json one line, and end")
    add("--json", action="store_true", help="print JSON, a line at each interval")
    add("--version", action="version", version=f"circus-top {__version__}")
    return made


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds") from None
    if not 0.05 <= value <= 86_400:
        raise argparse.ArgumentTypeError(f"{text} is not from 0.05 to 86400")
    return value


def main(argv: Sequence[str] | None = None) -> int:
    """Run circus-top with these words, or those of the process; the exit status."""
    given = parser().parse_args(argv)
    picture = Picture()
    order = Order(sort=given.sort, reverse=given.reverse, filter=given.filter, all_open=given.all)

    def source(changed: Callable[[], object]) -> Live:
        return Live(
            picture, changed, endpoint=given.endpoint or os.environ.get("CIRCUSCTL_ENDPOINT") or None,
            key=given.key or os.environ.get("CIRCUSCTL_KEY") or None, ssh=given.ssh, ssh_keyfile=given.ssh_keyfile,
            interval=given.interval, timeout=given.process_timeout,
        )  # fmt: skip

    try:
        if given.once or given.json or not (sys.stdout.isatty() and sys.stdin.isatty()):
            order.all_open = True
            show = plain.document if given.json else plain.text
            return asyncio.run(_print(picture, source, lambda: show(picture, order), once=given.once))
        return _screen(picture, source, order)
    except CircusError as error:
        print(f"circus-top: {error}", file=sys.stderr)
        return WRONG_USAGE if isinstance(error, EndpointError) else REFUSED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read it has gone; there is nobody to be told, and nothing to be flushed at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE


def _screen(picture: Picture, source: Callable[[Callable[[], object]], Live], order: Order) -> int:
    try:
        from circus_plugins.top.screen.app import Top
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("textual", "rich"):
            raise
        print("circus-top: the screen needs Textual: pip install 'circus-bus[top]'; or use --once", file=sys.stderr)
        return WRONG_USAGE
    # Textual makes the loop that the connection lives in.
    return Top(picture, source, order).run() or DONE


async def _print(
    picture: Picture, source: Callable[[Callable[[], object]], Live], show: Callable[[], str], *, once: bool
) -> int:
    changed = asyncio.Event()
    live = source(changed.set)
    following = asyncio.create_task(live.run())
    try:
        await _first(picture, live, following, changed)
        if picture.problem:
            print(f"circus-top: {picture.problem}", file=sys.stderr)
            return NO_ANSWER
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            live.tidy()
            print(show().rstrip("\n"), flush=True)
            if once:
                return DONE
            due = max(due + live.interval, loop.time())
            await _until(due, following)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def _first(picture: Picture, live: Live, following: asyncio.Task[None], changed: asyncio.Event) -> None:
    """Wait until there is something to show, figures included if they come soon."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE + live.interval
    while picture.problem or not _whole(picture, alone=live.client is None):
        changed.clear()
        waiting = asyncio.create_task(changed.wait())
        await asyncio.wait({waiting, following}, timeout=deadline - loop.time(), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if following.done():
            following.result()
        if loop.time() >= deadline:
            return


def _whole(picture: Picture, *, alone: bool) -> bool:
    """Whether everybody's figures are there. The first that are heard may come from the middle of a round, and where
    only figures tell who there is nobody would miss the others."""
    if picture.rounds > 1:
        return True
    processes = [
        process
        for name, watcher in picture.watchers.items()
        if name not in OWN
        for process in watcher.processes.values()
    ]
    return not alone and all(process.figures.cpu is not None for process in processes)


async def _until(due: float, following: asyncio.Task[None]) -> None:
    loop = asyncio.get_running_loop()
    await asyncio.wait({following}, timeout=max(due - loop.time(), 0))
    if following.done():
        following.result()


if __name__ == "__main__":
    sys.exit(main())
