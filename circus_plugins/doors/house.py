"""Opens the endpoints of one supervisor, each only to those who may come in; it reads and writes nothing on them."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import stat
from typing import TYPE_CHECKING, Any, ClassVar

import zmq
from attrs import define, field

from circus_core.errors import EndpointError
from circus_plugins.doors import address as addresses
from circus_plugins.doors import holder, terms
from circus_plugins.doors.crowd import Crowd
from circus_plugins.doors.door import Door
from circus_plugins.doors.lock import PathLock
from circus_plugins.doors.monitor import Monitor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circus_plugins.doors.address import Address
    from circus_plugins.doors.gatekeeper import Gatekeeper
    from circus_plugins.doors.keys import Keyring

log = logging.getLogger("circus.doors")

MESSAGE_LIMIT = 4 * 1024 * 1024
"""Bytes of the largest message taken; libzmq disconnects who sends a larger one."""


@define(eq=False)
class House:
    """The ZMQ context, locks and keys that a supervisor's plugins share; `enter` and `leave` count who uses it."""

    _houses: ClassVar[dict[int, House]] = {}

    supervisor: Any
    context: zmq.Context[zmq.Socket[bytes]] = field(factory=lambda: zmq.Context(io_threads=1))
    doors: dict[str, Door] = field(factory=dict)
    _users: int = 0
    _all: list[Door] = field(factory=list)
    _locks: dict[str, PathLock] = field(factory=dict)
    _gatekeeper: Gatekeeper | None = None

    @classmethod
    def enter(cls, supervisor: Any) -> House:
        """The house of this supervisor, made if its first user asks."""
        house = cls._houses.get(id(supervisor))
        if house is None:
            house = cls._houses[id(supervisor)] = cls(supervisor)
        house._users += 1
        return house

    def leave(self) -> None:
        """The last user out closes the house; this returns once all doors are shut, after their linger at most."""
        self._users -= 1
        if self._users:
            return
        del self._houses[id(self.supervisor)]
        if self._gatekeeper is not None:
            self._gatekeeper.close()
        for door in self._all:
            door.forget()
        self.context.destroy()
        for lock in self._locks.values():
            lock.release()

    async def open(
        self,
        kind: int,
        option: str,
        endpoint: str | None,
        *,
        default: str,
        keys_dir: str | None = None,
        owner: str | None = None,
        sockopts: Mapping[int, int] | None = None,
    ) -> Door:
        """Bind `endpoint`, or the default socket if there is none; raises EndpointError with what to do about it.

        `owner` is a user who may use a unix socket, too.
        """
        if not endpoint:
            endpoint = addresses.default_endpoint(default)
            addresses.make_private(os.path.dirname(endpoint.removeprefix("ipc://")))
        address = addresses.parse(endpoint, option)
        uid = terms.uid(owner) if owner and not address.tcp else None
        keyring = terms.keyring(address, option, keys_dir)
        socket = self.context.socket(kind)
        try:
            socket.linger = 0
            socket.setsockopt(zmq.MAXMSGSIZE, MESSAGE_LIMIT)
            for name, value in (sockopts or {}).items():
                socket.setsockopt(name, value)
            if keyring is not None:
                self._ask_for_keys(socket, option, keyring)
            monitor = Monitor(socket)
            try:
                await self._bind(socket, address, option, uid)
            except BaseException:
                monitor.close()
                raise
        except BaseException:
            socket.close(0)
            raise
        text = address.text
        if address.tcp:
            text = os.fsdecode(socket.getsockopt(zmq.LAST_ENDPOINT)).rstrip("\0")  # type: ignore[arg-type]
        port = int(text.rpartition(":")[2]) if address.tcp else 0
        file = os.lstat(address.path) if address.path else None
        door = Door(option, text, socket, monitor, address.path, keyring, uid, port, self._vacated, file)
        self.doors[option] = door
        Crowd(monitor, option, door.address)
        self._all = [known for known in self._all if not known.gone] + [door]
        return door

    def _vacated(self, door: Door) -> None:
        """Let others have a path that we have left, now that libzmq will not touch the file there any more."""
        if door.path in self._locks and all(other.gone or other.path != door.path for other in self._all):
            self._locks.pop(door.path).release()

    def _ask_for_keys(self, socket: zmq.Socket[bytes], option: str, keyring: Keyring) -> None:
        from circus_plugins.doors.gatekeeper import Gatekeeper

        pair = keyring.server()
        if pair is None:
            raise EndpointError(f"{option}: the keys in {keyring.folder} have gone")
        if self._gatekeeper is None:
            self._gatekeeper = Gatekeeper(self.context)
        self._gatekeeper.admit(option, keyring)
        socket.curve_publickey, socket.curve_secretkey = pair
        socket.curve_server = True
        socket.setsockopt(zmq.ZAP_DOMAIN, option.encode())
        # Without this libzmq lets everybody in when nobody answers its question.
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)

    async def _bind(self, socket: zmq.Socket[bytes], address: Address, option: str, owner: int | None) -> None:
        if address.path:
            self._bind_path(socket, address, option, owner)
            return
        if address.abstract:
            _admit(socket, address, option, owner)
        if ":" in address.host:
            socket.setsockopt(zmq.IPV6, 1)
        if address.tcp:
            socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
            socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, 60)
        try:
            socket.bind(address.text)
            return
        except zmq.ZMQError as error:
            former = self._former(address, option) if error.errno == errno.EADDRINUSE else None
            if former is None:
                raise _refused(option, address, error) from error
        await asyncio.wait([former.let_go().over])
        try:
            socket.bind(address.text)
        except zmq.ZMQError as error:
            former.take_again()
            raise _refused(option, address, error) from error

    def _former(self, address: Address, option: str) -> Door | None:
        """The door at an address that is closing, or that the new one for `option` replaces."""
        return next(
            (
                door
                for door in self._all
                if (door.port == address.port if address.tcp else door.text == address.text)
                and not door.gone
                and (door.socket.closed or door.option == option)
            ),
            None,
        )

    def _bind_path(self, socket: zmq.Socket[bytes], address: Address, option: str, owner: int | None) -> None:
        path = address.path
        new = path not in self._locks
        if new:
            self._locks[path] = PathLock(path, option)
        mask = os.umask(0o177)
        try:
            socket.bind(address.text)
            os.chmod(path, stat.S_IRUSR | stat.S_IWUSR)
            if owner is not None:
                os.chown(path, owner, -1, follow_symlinks=False)
        except (zmq.ZMQError, OSError) as error:
            if new:
                self._locks.pop(path).release()
            raise _refused(option, address, error) from error
        finally:
            os.umask(mask)


def _admit(socket: zmq.Socket[bytes], address: Address, option: str, owner: int | None) -> None:
    """Have libzmq ask the kernel who connects, and take only whom the file of a socket would let in."""
    try:
        for uid in {0, os.geteuid()} | ({owner} if owner is not None else set()):
            # A uid_t, handed over as the int of the same bits.
            socket.setsockopt(zmq.IPC_FILTER_UID, uid - 2**32 if uid >= 2**31 else uid)
    except zmq.ZMQError as error:
        raise EndpointError(
            f"{option} = {address.text}: this libzmq ({zmq.zmq_version()}) cannot tell who connects, so that everybody"
            " could",
            hint="use an ipc:// endpoint with a path",
        ) from error


def keyrings(supervisor: Any) -> list[Keyring]:
    """The keys of those open endpoints of a supervisor that ask for some."""
    house = House._houses.get(id(supervisor))
    return [door.keyring for door in house.doors.values() if door.keyring is not None] if house is not None else []


def _refused(option: str, address: Address, error: OSError | zmq.ZMQError) -> EndpointError:
    """Why an address could not be bound, in words."""
    pid = None
    if error.errno == errno.EADDRINUSE:
        named = addresses.unix_name(address.text)
        pid = holder.of_port(address.port) if address.port else None if address.tcp else holder.of_path(named)
    reason = os.strerror(error.errno) if error.errno else str(error)
    hints = {
        errno.EACCES: "ports below 1024 need CAP_NET_BIND_SERVICE, paths a writable folder",
        errno.EPERM: "only root can give a socket to another user",
        errno.EADDRNOTAVAIL: "this machine has no such address; `ip address` lists those it has",
        errno.ENODEV: "this machine has no such address or interface; `ip address` lists those it has",
        errno.EADDRINUSE: f"stop that program, or choose another {'port' if address.tcp else 'name'}",
    }
    who = f" by {holder.describe(pid)}" if pid else ""
    return EndpointError(
        f"{option} = {address.text} cannot be opened: {reason}{who}", hint=hints.get(error.errno or 0, "")
    )
