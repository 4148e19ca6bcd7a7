"""Which files a watcher's command runs, what can be seen of a file, and where on the way to it something may change.

It watches nothing and remembers nothing.
"""

from __future__ import annotations

import os
import shlex
import shutil
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

SCRIPTS = frozenset(
    ".py .pyc .pyz .sh .bash .rb .js .mjs .cjs .ts .pl .php .lua .jar .tcl .r .jl .exs".split()  # noqa: SIM905
)
"""How the names of programs end that others run. Another file is one if it is executable or begins with `#!`."""
LINKS = 40
"""So many symbolic links on the way to a file the kernel follows (path_resolution(7))."""


class Seen(NamedTuple):
    """What tells one state of a file from another. Two different files are different by `path` or `inode`."""

    path: str
    device: int
    inode: int
    size: int
    modified: int


class Step(NamedTuple):
    """A name in a folder that a path goes through; the folder's own path has no symbolic links."""

    folder: str
    name: str


def look(path: str) -> Seen | None:
    """The state of a file now; None if it is not there."""
    try:
        real = os.path.realpath(path)
        found = os.stat(real)
    except OSError:
        return None
    return Seen(real, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def way(path: str) -> list[os.stat_result]:
    """What there is on the way to a file, and itself: folders, symbolic links, the file."""
    found = []
    for folder, name in steps(path):
        with suppress(OSError):
            found.append(os.lstat(os.path.join(folder, name)))
    return found


def folders(path: str) -> list[int]:
    """The inodes of the folders on the way to a file."""
    return [each.st_ino for each in way(path) if stat.S_ISDIR(each.st_mode)]


def touched(path: str, known: Container[int]) -> float:
    """The latest change of a file, wall-clock seconds (ctime, inode(7)): of itself, a link to it, a folder on the way.

    Folders that were `known` do not count, since theirs is the latest change of anything in them.
    """
    counting = [each for each in way(path) if not stat.S_ISDIR(each.st_mode) or each.st_ino not in known]
    return max((each.st_ctime for each in counting), default=0.0)


def steps(path: str) -> list[Step]:
    """Every name by which `path` leads to its file, those in the targets of symbolic links too, as far as it leads."""
    found: list[Step] = []
    folder, left, links = "/", path.split("/"), 0
    while left:
        name = left.pop(0)
        if name in ("", "."):
            continue
        if name == "..":
            folder = os.path.dirname(folder)
            continue
        found.append(Step(folder, name))
        there = os.path.join(folder, name)
        try:
            mode = os.lstat(there).st_mode
            target = os.readlink(there) if stat.S_ISLNK(mode) else None
        except OSError:
            break
        if target is None:
            folder = there
            continue
        links += 1
        if links > LINKS:
            break
        folder = "/" if target.startswith("/") else folder
        left = target.split("/") + left
    return found


def programs(options: Mapping[str, Any]) -> tuple[str, ...]:
    """The paths of what a watcher runs: its program, and the first further word that names a program.

    `options` are as the command `options` answers them.
    """
    folder = os.path.abspath(options.get("working_dir") or os.getcwd())
    words = _words(options)
    first = options.get("executable") or (words[0] if words and not options.get("shell") else None)
    found = [_program(first, folder, options)] if first else []
    rest = words if options.get("shell") else words[1:]
    scripts = (os.path.join(folder, word) for word in rest)
    found.append(next((path for path in scripts if _is_script(path)), None))
    return tuple(dict.fromkeys(path for path in found if path))


def _words(options: Mapping[str, Any]) -> list[str]:
    words: list[str] = []
    for key in ("cmd", "args"):
        value = options.get(key) or ""
        words += shlex.split(value) if isinstance(value, str) else [str(word) for word in value]
    return words


def _program(word: str, folder: str, options: Mapping[str, Any]) -> str | None:
    """The path of a program; None if it is nowhere in PATH."""
    if "/" in word:
        return os.path.join(folder, word)
    found = shutil.which(word, path=os.pathsep.join(_search(options)))
    return os.path.join(folder, found) if found else None


def _search(options: Mapping[str, Any]) -> Iterator[str]:
    """The folders where a watcher's program is looked for."""
    if options.get("virtualenv"):
        yield os.path.join(str(options["virtualenv"]), "bin")
    inherited = os.environ.get("PATH") if options.get("copy_env") else None
    yield (options.get("env") or {}).get("PATH") or inherited or os.defpath


def _is_script(path: str) -> bool:
    """Whether a word is the path of a program. One that is not there is, if its name says so: it may come back."""
    named = os.path.splitext(path)[1].lower() in SCRIPTS
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return named
    if not stat.S_ISREG(found.st_mode):
        return False
    return named or os.access(path, os.X_OK) or _begins(path, b"#!")


def _begins(path: str, beginning: bytes) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(beginning)) == beginning
    except OSError:
        return False
