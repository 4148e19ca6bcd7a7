"""Start one process from a `Launch`; it decides nothing and keeps nothing.

`subprocess.Popen` uses vfork where it can: without `preexec_fn`, and without a change of user. It costs 0.05 ms more
than posix_spawn(3) and reports what failed in the child, so we use it and let go of the object at once.
"""

from __future__ import annotations

import errno
import os
import resource
import subprocess
from typing import TYPE_CHECKING, Any

from circus_core import open_files
from circus_core.errors import SpawnError
from circus_core.handover import Handover
from circus_core.kinds import RLIMITS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from circus_core.model import Launch

DEVNULL = subprocess.DEVNULL
_NULL = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)


def spawn(launch: Launch) -> int:
    """Start the process in a session and process group of its own, and answer its pid; raises SpawnError."""
    more = _user_and_limits(launch)
    handover = Handover(launch, more.get("preexec_fn")) if launch.listen_fds else None
    if handover is not None:
        more["preexec_fn"] = handover.run
    try:
        child = subprocess.Popen(
            launch.argv,
            executable=launch.executable,
            env=launch.env,
            cwd=launch.cwd,
            stdin=_standard(launch.stdin),
            stdout=_standard(launch.stdout),
            stderr=_standard(launch.stderr),
            pass_fds=launch.pass_fds,
            start_new_session=True,
            umask=-1 if launch.umask is None else launch.umask,
            **more,
        )
        if handover is not None:
            handover.settle(child)
    except OSError as error:
        raise _refused(error, launch) from error
    except subprocess.SubprocessError as error:
        limits = ", ".join(f"rlimit_{name} = {value}" for name, value in launch.rlimits.items())
        raise SpawnError(
            f"cannot run {launch.argv[0]}: circusd may not set its limits ({limits}) or change to its user",
            hint="lower the limits, or run circusd with the rights for both",
        ) from error
    except (ValueError, TypeError) as error:
        raise SpawnError(f"cannot run {launch.argv[0]}: {error}") from error
    finally:
        if handover is not None:
            handover.close()
    # The reaper waits for the child by its pid; this object must not, and says nothing when it is dropped.
    child.returncode = 0
    return child.pid


def _standard(descriptor: int | None) -> int | None:
    """A kept descriptor of /dev/null saves Popen from opening one for every child."""
    return _NULL if descriptor == DEVNULL else descriptor


def _user_and_limits(launch: Launch) -> dict[str, Any]:
    """Popen's arguments for these. Limits come first, since root may raise them; Popen would change the user first."""
    files = None if "nofile" in launch.rlimits else open_files.for_children()
    if not launch.rlimits and files is None:
        return {"user": launch.uid, "group": launch.gid, "extra_groups": launch.groups}
    limit = _limiter(launch.rlimits, files)

    def prepare() -> None:
        limit()
        if launch.groups is not None:
            os.setgroups(launch.groups)
        if launch.gid is not None:
            os.setregid(launch.gid, launch.gid)
        if launch.uid is not None:
            os.setreuid(launch.uid, launch.uid)

    return {"preexec_fn": prepare}


def _limiter(limits: Mapping[str, int], files: tuple[int, int] | None) -> Callable[[], None]:
    """A function that sets the limits in the child; raises SpawnError here for those that cannot be set."""
    wanted = [] if files is None else [(resource.RLIMIT_NOFILE, files)]
    for name, value in limits.items():
        number = RLIMITS[name]
        hard = resource.getrlimit(number)[1]
        unlimited = resource.RLIM_INFINITY
        if value == unlimited and name == "nofile":
            value = hard
        raised = hard != unlimited and (value == unlimited or value > hard)
        if raised and os.geteuid() != 0:
            raise SpawnError(
                f"rlimit_{name} cannot be set to {'unlimited' if value == unlimited else value}",
                hint=f"circusd's own hard limit is {hard} and only root may raise it",
            )
        wanted.append((number, (value, value)))

    def limit() -> None:
        for number, pair in wanted:
            resource.setrlimit(number, pair)

    return limit


def _refused(error: OSError, launch: Launch) -> SpawnError:
    """What could not be done, why, and what to do."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    program = launch.executable or launch.argv[0]
    name = os.fsdecode(error.filename) if error.filename else program
    # Popen names working_dir for a change of user that failed, too.
    if launch.cwd is not None and name == launch.cwd and program != launch.cwd and error.errno != errno.EPERM:
        return SpawnError(f"cannot enter working_dir {launch.cwd}: {reason}", hint="make it, or name another")
    return SpawnError(f"cannot run {launch.argv[0]}: {reason}", hint=_hint(error, program, launch))


def _hint(error: OSError, program: str, launch: Launch) -> str:
    """What the machine lacks, as far as the error number and a look at the files can tell, and what to do."""
    match error.errno:
        case errno.ENOENT if "/" not in program:
            path = launch.env.get("PATH") or os.defpath
            return f"it is not on its PATH, {path}; install it, or write its path"
        case errno.ENOENT if os.path.exists(program):
            return f"{program} exists, but the interpreter in its first line or its loader does not; install that"
        case errno.ENOENT | errno.ENOTDIR:
            return f"there is no file {program}; install it, or name another"
        case errno.EACCES if os.path.isdir(program):
            return f"{program} is a folder; name a program"
        case errno.EACCES:
            user = os.geteuid() if launch.uid is None else launch.uid
            return f"{program} is not executable for user {user}; make it so, or name another"
        case errno.ENOEXEC:
            return f"{program} is no program for this machine and has no #! line; write one, or install another"
        case errno.EPERM:
            return "circusd may not change to that user or group; it must run as root for that"
        case errno.EAGAIN:
            return "the machine or the user has no process left: see `ulimit -u` and the cgroup's pids.max"
        case errno.EMFILE:
            return f"circusd has too many files open: raise its `ulimit -n`, now {_soft_nofile()}"
        case errno.ENFILE:
            return "the machine has too many files open: see /proc/sys/fs/file-max"
        case errno.ENOMEM:
            return "the machine or the cgroup is out of memory"
        case errno.E2BIG:
            return "the arguments and the environment are too large for execve(2)"
    return ""


def _soft_nofile() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
