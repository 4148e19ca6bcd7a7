"""The folder of CURVE keys: the server's pair, and for each client its public key and role. It opens no socket.

FOLDER/server.key             circusd's own pair
FOLDER/clients/NAME.key       a client's public key and its role; removing it revokes the key
FOLDER/handover/NAME.key      a client's own pair and the server's public key: the file to give to that client

The files have the format of pyzmq's certificates. All are 0600 in 0700 folders.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from circus_core.errors import ConflictError, EndpointError, RequestError
from circus_core.requests import Role

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")
_ENTRY = re.compile(r'\s*([a-z-]+)\s*=\s*"([^"]*)"\s*')


class ClientKey(NamedTuple):
    """A client that may come in: its name, role and public key (Z85)."""

    name: str
    role: Role
    public: str


class Pair(NamedTuple):
    """What a client needs to come in: its own pair of keys and the server's public key (all Z85)."""

    public: bytes
    secret: bytes
    server: bytes


def default_folder() -> str:
    """Where the keys are unless `keys_dir` says otherwise: /etc/circus/keys for root, else in the user's own folder."""
    if os.geteuid() == 0:
        return "/etc/circus/keys"
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return os.path.join(base, "circus", "keys")


def new(folder: str, name: str, role: str | Role) -> str:
    """Make a key for a client, and the server's own if there is none; answers the path of the file to hand over.

    Raises RequestError for a bad name or role, ConflictError if the name has a key.
    """
    import zmq

    if not NAME.fullmatch(name):
        raise RequestError(f"{name!r} cannot be the name of a key", hint="letters, digits and _ . @ - are possible")
    role = _role(role)
    clients, handover = os.path.join(folder, "clients"), os.path.join(folder, "handover")
    for path in (folder, clients, handover):
        os.makedirs(path, mode=0o700, exist_ok=True)
        os.chmod(path, 0o700)
    server = os.path.join(folder, "server.key")
    if not os.path.exists(server):
        public, secret = zmq.curve_keypair()
        _write(server, "circusd's own keys: keep them secret", {}, public, secret)
    public, secret = zmq.curve_keypair()
    try:
        _write(os.path.join(clients, f"{name}.key"), f"may come in as {name}", {"role": role.name.lower()}, public)
    except FileExistsError:
        raise ConflictError(f"there is a key for {name} already", hint=f"circusctl keys revoke {name}") from None
    file = os.path.join(handover, f"{name}.key")
    told = {"role": role.name.lower(), "server-key": _read(server)["public-key"]}
    _unlink(file)
    _write(file, f"the keys of {name}: move this file to that client, keep it secret", told, public, secret)
    return file


def list_keys(folder: str) -> list[ClientKey]:
    """Every client that may come in, by name; files that cannot be read are left out."""
    return [key for key in (_client(entry.path) for entry in _entries(folder)) if key is not None]


def revoke(folder: str, name: str) -> None:
    """Take a client's key back; raises RequestError if it has none."""
    if not NAME.fullmatch(name) or not _unlink(os.path.join(folder, "clients", f"{name}.key")):
        raise RequestError(f"there is no key for {name}", hint="circusctl keys list")
    _unlink(os.path.join(folder, "handover", f"{name}.key"))


def load(file: str) -> Pair:
    """The keys in a file that `new` handed over; raises EndpointError if it cannot be used."""
    try:
        found = _read(file)
        return Pair(*(found[key].encode() for key in ("public-key", "secret-key", "server-key")))
    except OSError as error:
        raise EndpointError(f"the key file {file} cannot be read: {error.strerror}") from error
    except KeyError as error:
        raise EndpointError(
            f"the key file {file} has no {error}", hint="`circusctl keys new` says which file to hand over"
        ) from error


class Keyring:
    """The keys of one folder as they are now: a key made or revoked counts from the next question on.

    `guests` are public keys (Z85) that are in no folder: those of circusd's own processes, for as long as it runs.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.guests: dict[str, Role] = {}
        self._known: dict[str, tuple[str, int, int, Role]] = {}

    def server(self) -> tuple[bytes, bytes] | None:
        """The server's public and secret key, or None if no key was ever made here."""
        try:
            found = _read(os.path.join(self.folder, "server.key"))
            return found["public-key"].encode(), found["secret-key"].encode()
        except FileNotFoundError:
            return None
        except (OSError, KeyError) as error:
            raise EndpointError(f"the keys in {self.folder} cannot be read: {error}") from error

    def role(self, public: str) -> Role | None:
        """The role of a client's public key (Z85), or None if it may not come in."""
        if public in self.guests:
            return self.guests[public]
        known = self._known.get(public)
        if known is not None:
            path, inode, changed, role = known
            try:
                found = os.stat(path)
            except OSError:
                found = None
            if found is not None and (found.st_ino, found.st_mtime_ns) == (inode, changed):
                return role
            del self._known[public]
        for entry in _entries(self.folder):
            key = _client(entry.path)
            if key is not None and key.public == public:
                found = entry.stat()
                self._known[public] = (entry.path, found.st_ino, found.st_mtime_ns, key.role)
                return key.role
        return None

    def callback(self, domain: str, key: bytes) -> bool:
        """Whether a client with this public key may connect; pyzmq's authenticator asks."""
        return self.role(key.decode("ascii")) is not None


def _role(role: str | Role) -> Role:
    if isinstance(role, Role):
        return role
    try:
        return Role[role.upper()]
    except KeyError:
        raise RequestError(
            f"{role!r} is not a role", hint=f"roles are {', '.join(role.name.lower() for role in Role)}"
        ) from None


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(os.path.join(folder, "clients")) as entries:
            return sorted((entry for entry in entries if entry.name.endswith(".key")), key=lambda entry: entry.name)
    except FileNotFoundError:
        return []


def _client(path: str) -> ClientKey | None:
    try:
        found = _read(path)
        return ClientKey(os.path.basename(path).removesuffix(".key"), _role(found["role"]), found["public-key"])
    except (OSError, KeyError, ValueError, RequestError):
        return None


def _read(path: str) -> dict[str, str]:
    with open(path, encoding="utf-8") as file:
        matches = (_ENTRY.fullmatch(line) for line in file)
        return {match[1]: match[2] for match in matches if match is not None}


def _write(path: str, title: str, metadata: Mapping[str, str], public: bytes, secret: bytes | None = None) -> None:
    lines = [f"# circus-bus: {title}", "metadata"]
    lines += [f'    {key} = "{value}"' for key, value in metadata.items()]
    lines += ["curve", f'    public-key = "{public.decode()}"']
    if secret is not None:
        lines.append(f'    secret-key = "{secret.decode()}"')
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(fd, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def _unlink(path: str) -> bool:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True
