"""circushttpd: the web console by hand, with Circus' own command line (PROTOCOL.md 3.3). It becomes circus-plugin.

It also shows the link to log in by, and makes the lines of users and tokens.
"""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from typing import TYPE_CHECKING

from circus_core import __version__, logs
from circus_core.errors import CircusError
from circus_core.kinds import LEVELS
from circus_plugins.extras import require
from circus_plugins.web import HOST, PORT
from circus_plugins.web.access.people import ROLES

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM = ("-m", "circus_plugins.host.main", "web")
PASSED_ON = ("endpoint", "pubsub", "log_level", "log_output", "key", "ssh")
"""Options that circus-plugin has too."""
OWN = ("host", "port", "fd", "allowed_hosts", "root_path", "certificate", "certificate_key")
"""Options that `[plugin:circushttpd]` has too."""
DONE, NOTHING, WRONG_USAGE = 0, 1, 2
SHORTEST = 8


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="circushttpd",
        description="Serve a web console for a circusd. Where `[circus]` has httpd = True, circusd runs it itself.",
    )
    add = made.add_argument
    add("--endpoint", help="where circusd takes orders; its default socket if not given")
    add("--pubsub", help="where circusd publishes events; circusd is asked if not given")
    add("--host", help=f"the name or address to listen at; {HOST} if not given")
    add("--port", type=int, help=f"the port; {PORT} if not given, and 0 is any")
    add("--fd", type=int, help="a socket to listen at that is inherited under this number")
    add("--allowed-hosts", metavar="NAMES", help="further names under which browsers reach it, parted by blanks")
    add("--root-path", metavar="PATH", help="the path that it has at a proxy")
    add("--certificate", metavar="FILE", help="serve with TLS by this certificate")
    add("--certificate-key", metavar="FILE", help="the certificate's private key, if that is in another file")
    add("--unencrypted", action="store_true", help="serve other machines without TLS")
    add("--read-only", action="store_true", help="let nobody change anything")
    add("--key", metavar="FILE", help="where circusd asks for keys: the file that `circusctl keys new` made")
    add("--log-level", help=f"{', '.join(LEVELS)}; {logs.DEFAULT_LEVEL} if not given")
    add("--log-output", help="a file, - for standard error, or syslog://...")
    add("--ssh", metavar="[USER@]HOST[:PORT]", help="reach circusd on another host through ssh")
    add("--version", action="version", version=f"circushttpd {__version__}")
    instead = made.add_argument_group("instead of serving")
    add = instead.add_argument
    add("--link", action="store_true", help="show the link to log in by, of the console that runs at --port")
    add("--hash-password", action="store_true", help="ask for a password, or read a line, and show a user's line")
    add("--new-token", action="store_true", help="make a token, and show it and its line")
    add("--role", choices=ROLES, default=ROLES[0], help="the role in that line (default: %(default)s)")
    return made


def arguments(given: argparse.Namespace) -> list[str]:
    """What circus-plugin is to be started with."""
    told = vars(given)
    found = list(PROGRAM)
    for name in PASSED_ON:
        if told[name] is not None:
            found += [f"--{name.replace('_', '-')}", told[name]]
    own = [f"{name}:{told[name]}" for name in OWN if told[name] is not None]
    own += [f"{name}:True" for name in ("unencrypted", "read_only") if told[name]]
    return [*found, "--config", ":::".join(own)] if own else found


def main(argv: Sequence[str] | None = None) -> int:
    """Run circushttpd with these arguments, or those of the process; it returns only where it does not serve."""
    given = parser().parse_args(argv)
    try:
        if given.link:
            return _show_link(PORT if given.port is None else given.port)
        if given.hash_password:
            return _hash_password(given.role)
        if given.new_token:
            return _new_token(given.role)
    except CircusError as error:
        print(f"circushttpd: {error}", file=sys.stderr)
        return WRONG_USAGE
    os.execv(sys.executable, [sys.executable, *arguments(given)])


def _show_link(port: int) -> int:
    from circus_plugins.web.access.links import known

    link = known(port)
    if link is None:
        print(f"circushttpd: this user has no web console at port {port} where one logs in by a link", file=sys.stderr)
        return NOTHING
    print(link)
    return DONE


def _hash_password(role: str) -> int:
    require("argon2", "web", "web")
    from circus_plugins.web.access.users import hash_password

    if sys.stdin.isatty():
        password = getpass.getpass("Password: ")
        if getpass.getpass("Once more: ") != password:
            print("circushttpd: these are two passwords", file=sys.stderr)
            return WRONG_USAGE
    else:
        password = sys.stdin.readline().rstrip("\n")
    if len(password) < SHORTEST:
        print(f"circushttpd: a password has {SHORTEST} letters or more", file=sys.stderr)
        return WRONG_USAGE
    print(f"{role} {hash_password(password)}")
    return DONE


def _new_token(role: str) -> int:
    require("argon2", "web", "web")
    from circus_plugins.web.access.users import hashed, new_token

    token = new_token()
    print(f"token: {token}\nline:  {role} {hashed(token)}")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
