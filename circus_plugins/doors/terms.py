"""On what terms an endpoint may be opened: how it is written, whether clients need keys, and who else may use it.

It opens none: what is wrong with a configuration is known from the texts and from the files of keys and users.
"""

from __future__ import annotations

import pwd
from typing import TYPE_CHECKING

from circus_core.errors import EndpointError
from circus_core.kinds import TEXT
from circus_core.options import Kind
from circus_core.structure import Problem
from circus_plugins.doors import address as addresses
from circus_plugins.doors import keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from circus_core.model import Config
    from circus_plugins.doors.address import Address
    from circus_plugins.doors.keys import Keyring

EVERYWHERE = ("*", "0.0.0.0", "::")
"""Hosts that stand for every address of this machine."""


def _endpoint(value: object) -> str:
    text = TEXT.check(value)
    try:
        addresses.parse(text, "endpoint")
    except EndpointError as error:
        raise ValueError(error.hint) from None
    return text


ENDPOINT: Kind[str] = Kind(
    "endpoint", "ipc:///PATH or tcp://HOST:PORT", "isn't an endpoint", _endpoint, _endpoint, schema={"type": "string"}
)


def mistakes(config: Config, option: str, other: str = "") -> Iterator[Problem]:
    """What would keep the endpoint called `option` from being opened, `other` being an endpoint it must differ from."""
    extra = config.supervisor.extra
    endpoint, keys_dir, owner = (extra.get(key) for key in (option, "keys_dir", "endpoint_owner"))
    if not endpoint:
        return
    address = addresses.parse(str(endpoint), option)
    try:
        keyring(address, option, str(keys_dir) if keys_dir else None)
    except EndpointError as error:
        yield _problem(error, "keys_dir" if keys_dir else option)
    if owner and not address.tcp:
        try:
            uid(str(owner))
        except EndpointError as error:
            yield _problem(error, "endpoint_owner")
    if other and extra.get(other) and _meet(address, addresses.parse(str(extra[other]), other)):
        yield Problem("circus", option, f"is where {other} is", "each needs an address of its own", others=(other,))


def _problem(error: EndpointError, otherwise: str) -> Problem:
    """The mistake in an option; an error that names one begins with `KEY = `."""
    key, named, message = error.message.partition(" = ")
    return Problem("circus", key if named else otherwise, message if named else error.message, error.hint)


def _meet(one: Address, other: Address) -> bool:
    if not (one.tcp and other.tcp):
        return one.text == other.text or bool(one.path and one.path == other.path)
    same = one.host == other.host or one.host in EVERYWHERE or other.host in EVERYWHERE
    return bool(one.port and one.port == other.port and same)


def keyring(address: Address, option: str, keys_dir: str | None) -> Keyring | None:
    """The keys clients need here: none for unix sockets, on loopback only if `keys_dir` is set, else always.

    Raises EndpointError if there are none.
    """
    if not address.tcp or not (address.wide or keys_dir):
        return None
    folder = keys_dir or keys.default_folder()
    found = keys.Keyring(folder)
    if found.server() is not None:
        return found
    make = "circusctl keys new NAME --role admin" + (f" --dir {folder}" if keys_dir else "")
    if not address.wide:
        raise EndpointError(f"keys_dir = {folder} has no keys yet", hint=f"make one with `{make}`")
    raise EndpointError(
        f"{option} = {address.text} can be reached from other machines, and nobody there needs a key",
        hint=f"make keys with `{make}`, or use tcp://127.0.0.1:{address.port or '*'} or an ipc:// path",
    )


def uid(owner: str) -> int:
    """The uid of who may use an endpoint instead of us; raises EndpointError if there is no such user."""
    found = account(owner)
    if found is None:
        raise EndpointError(f"endpoint_owner = {owner}: there is no such user")
    return found


def account(name: object) -> int | None:
    """The uid of a user, by name or number; None if there is no such user."""
    if isinstance(name, int):
        return name
    text = str(name)
    try:
        return int(text) if text.isdigit() else pwd.getpwnam(text).pw_uid
    except (KeyError, ValueError):
        return None
