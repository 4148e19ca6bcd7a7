"""Small files that only this user can read, in the runtime folder: written whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress

from circus_core.errors import EndpointError
from circus_plugins.doors.address import make_private, runtime_dir


def path(name: str) -> str:
    """Where such a file is; raises EndpointError if the folder is not ours alone."""
    folder = runtime_dir()
    make_private(folder)
    return os.path.join(folder, name)


def write(name: str, content: bytes, *, keep: bool = False) -> None:
    """Put it in place of what was there, or with `keep` only where nothing was."""
    target = path(name)
    made = f"{target}.{secrets.token_hex(6)}"
    fd = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
        if keep:
            with suppress(FileExistsError):
                os.link(made, target)
        else:
            os.replace(made, target)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(made)


def read(name: str) -> bytes | None:
    """What is in it, None if it is not there; raises EndpointError if others can read it, or made it."""
    target = path(name)
    try:
        fd = os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(fd, "rb") as file:
        found = os.fstat(fd)
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise EndpointError(f"{target} is not this user's alone", hint="remove it; it is made anew")
        return file.read()


def remove(name: str) -> None:
    """Have it no more."""
    with suppress(FileNotFoundError):
        os.unlink(path(name))
