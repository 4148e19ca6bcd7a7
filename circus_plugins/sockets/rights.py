"""Whose the path of a unix socket is, and who may connect to it: `owner`, `group`, `mode`, `umask`. It opens no socket.

At no moment may more users connect than were asked for: a path is made without the rights that are still to be taken
away. It is changed by a descriptor of it, so that nobody who may write to its folder can have another file changed.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from typing import TYPE_CHECKING

from circus_core.errors import CircusError

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from circus_plugins.sockets.options import SocketOptions

ALL = 0o777
"""The mode that a bound socket has if no umask takes from it (unix(7))."""


def bind(made: socket.socket, options: SocketOptions, path: str) -> None:
    """Bind a socket to a path that has the right owner and mode from the beginning; raises OSError and CircusError."""
    owned = options.owner is not None or options.group is not None
    # Nobody may, until it is whose it shall be.
    mask = ALL if owned else options.umask if options.mode is None else ALL & ~options.mode
    if owned:
        _identity(options)
    before = os.umask(mask) if mask is not None else None
    try:
        made.bind(path)
    finally:
        if before is not None:
            os.umask(before)
    if owned:
        try:
            apply(options, path)
        except BaseException:
            os.unlink(path)
            raise


def apply(options: SocketOptions, path: str) -> None:
    """Give a path that is there the owner and the mode that it shall have; raises OSError and CircusError."""
    uid, gid = _identity(options)
    mode = options.mode
    if mode is None:
        mode = ALL & ~(options.umask if options.umask is not None else _umask())
    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        now = os.fstat(descriptor)
        if not stat.S_ISSOCK(now.st_mode):
            raise OSError(errno.ENOTSOCK, os.strerror(errno.ENOTSOCK))
        itself = f"/proc/self/fd/{descriptor}"
        _chmod(itself, stat.S_IMODE(now.st_mode), stat.S_IMODE(now.st_mode) & mode)
        if (now.st_uid, now.st_gid) != (uid, gid):
            os.chown(itself, uid, gid)
        _chmod(itself, stat.S_IMODE(now.st_mode) & mode, mode)
    finally:
        os.close(descriptor)


def lacking(options: SocketOptions) -> Iterator[tuple[str, str, str]]:
    """The accounts that this machine has not, as (option, what is wrong, what to do)."""
    for key, what, account in (("owner", "user", options.owner), ("group", "group", options.group)):
        try:
            _number(key, account)
        except KeyError:
            yield key, f"this machine has no {what} {account}", "add it, or name another"


def _identity(options: SocketOptions) -> tuple[int, int]:
    for key, message, hint in lacking(options):
        # The first is enough.
        raise CircusError(f"[socket:{options.name}] {key}: {message}", hint=hint)
    uid, gid = _number("owner", options.owner), _number("group", options.group)
    return os.geteuid() if uid is None else uid, os.getegid() if gid is None else gid


def _number(key: str, account: int | str | None) -> int | None:
    """The number of an account; raises KeyError for a name that this machine has not."""
    if not isinstance(account, str):
        return account
    return pwd.getpwnam(account).pw_uid if key == "owner" else grp.getgrnam(account).gr_gid


def _umask() -> int:
    # It cannot be read without being set.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _chmod(path: str, before: int, mode: int) -> None:
    if before != mode:
        os.chmod(path, mode)
