"""What a spawn that fails says: which program, why, and what would help. The failures are real ones."""

from __future__ import annotations

import os
import subprocess

import pytest

from circus_core import tree
from circus_core.errors import SpawnError
from circus_core.model import Launch
from circus_core.spawn import spawn
from tests.core.proc import descriptors
from tests.core.script import script

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may change to another user")


def launch(*argv, **more):
    return Launch(watcher="w", wid=1, argv=argv, env={"PATH": "/usr/bin:/bin"}, **more)


def reason(*argv, **more):
    with pytest.raises(SpawnError) as raised:
        spawn(launch(*argv, **more))
    assert raised.value.code == "spawn-failed"
    assert raised.value.errno == 4
    return str(raised.value)


@pytest.mark.covers("error:spawn-failed", "error:os-error")
def test_a_missing_program():
    """Its error, spawn-failed, is an os-error to clients."""
    assert reason("/no/such") == (
        "cannot run /no/such: No such file or directory (there is no file /no/such; install it, or name another)"
    )
    assert reason("no-such-program") == (
        "cannot run no-such-program: No such file or directory "
        "(it is not on its PATH, /usr/bin:/bin; install it, or write its path)"
    )


def test_a_program_that_may_not_be_run(tmp_path):
    file = tmp_path / "program"
    file.write_text("#!/bin/sh\n")
    assert f": Permission denied ({file} is not executable for user" in reason(str(file))
    assert f"{tmp_path} is a folder" in reason(str(tmp_path))


def test_a_file_that_is_no_program(tmp_path):
    file = tmp_path / "program"
    file.write_text("just text\n")
    file.chmod(0o755)
    assert ": Exec format error (" in reason(str(file))
    assert "has no #! line" in reason(str(file))


def test_an_interpreter_that_is_missing(tmp_path):
    file = tmp_path / "program"
    file.write_text("#!/no/such/interpreter\n")
    file.chmod(0o755)
    assert "exists, but the interpreter in its first line" in reason(str(file))


def test_a_missing_working_dir(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    assert reason("true", cwd=str(tmp_path / "no")) == (
        f"cannot enter working_dir {tmp_path}/no: No such file or directory (make it, or name another)"
    )
    assert reason("true", cwd=str(file)) == (
        f"cannot enter working_dir {file}: Not a directory (make it, or name another)"
    )


def test_arguments_that_are_too_large():
    assert "too large for execve" in reason("true", "x" * 10_000_000)


def test_a_nul_in_the_words():
    assert "cannot run a" in reason("a", "b\0c")


def test_no_failure_leaves_a_descriptor_or_a_zombie():
    before = descriptors(), tree.children(os.getpid())
    for _ in range(20):
        reason("/no/such")
    assert (descriptors(), tree.children(os.getpid())) == before


@needs_root
def test_a_user_that_may_not_be_changed_to():
    """As nobody, so in a process of its own; with a working_dir, which is not what is wrong."""
    said = script(
        """
        from circus_core.errors import SpawnError
        from circus_core.model import Launch
        from circus_core.spawn import spawn
        os.setgroups([]), os.setgid(12345), os.setuid(12345)
        try:
            spawn(Launch(watcher="w", wid=1, argv=("true",), env={}, uid=0, cwd="/"))
        except SpawnError as error:
            return str(error)
        """
    )
    assert "cannot run true: Operation not permitted" in said
    assert "it must run as root for that" in said


def test_a_limit_that_may_not_be_raised():
    said = script(
        """
        from circus_core.errors import SpawnError
        from circus_core.model import Launch
        from circus_core.spawn import spawn
        resource.setrlimit(resource.RLIMIT_NOFILE, (50, 50))
        if os.geteuid() == 0:
            os.setgid(12345), os.setuid(12345)
        said = []
        for value in (60, resource.RLIM_INFINITY):
            try:
                limits = {"nofile": value}
                os.waitpid(spawn(Launch(watcher="w", wid=1, argv=("/bin/true",), env={}, rlimits=limits)), 0)
            except SpawnError as error:
                said.append(str(error))
        return said
        """
    )
    assert said[0].startswith("rlimit_nofile cannot be set to 60 (circusd's own hard limit is 50")
    assert len(said) == 1, "unlimited descriptors are as many as there may be"


def test_too_many_open_files_are_waited_for():
    """EMFILE: the watcher says so, tries again, and comes up once there are descriptors."""
    answer = script(
        """
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        async with supervised(watcher("w", autostart=False, max_retry=-1, restart_delay=0.05)) as run:
            held = []
            while True:
                try:
                    held.append(os.open("/dev/null", os.O_RDONLY))
                except OSError:
                    break
            run.client.cast("start", name="w")
            failed = await run.events.wait_for("spawn_failed", watcher="w")
            for each in held:
                os.close(each)
            await run.events.wait_for("watcher_started", watcher="w")
            return failed.reason
        """
    )
    assert ": Too many open files (circusd has too many files open" in answer


@needs_root
def test_no_process_left_is_waited_for():
    """EAGAIN, as a user who may have few processes."""
    answer = script(
        """
        os.setgroups([]), os.setgid(23456), os.setuid(23456)
        resource.setrlimit(resource.RLIMIT_NPROC, (3, 3))
        async with supervised(watcher("w", numprocesses=4, max_retry=-1, restart_delay=0.05)) as run:
            failed = await run.events.wait_for("spawn_failed", watcher="w")
            resource.setrlimit(resource.RLIMIT_NPROC, (3, 3))
            (await run.call("set", name="w", options={"numprocesses": 2}, waiting=True))
            await run.events.wait_for("watcher_started", watcher="w")
            return failed.reason, len(run.pids("w"))
        """
    )
    assert ": Resource temporarily unavailable" in answer[0]
    assert "no process left" in answer[0]
    assert answer[1] == 2


def test_the_child_is_not_waited_for_by_the_module_subprocess():
    """It keeps a list of children that it polls; ours must not be in it."""
    pid = spawn(launch("true"))
    subprocess._cleanup()
    assert os.waitpid(pid, 0)[0] == pid


def test_the_environment_is_the_launch_s_and_nothing_else(tmp_path):
    out = tmp_path / "out"
    pid = spawn(launch("sh", "-c", f"env > {out}"))
    os.waitpid(pid, 0)
    names = {line.partition("=")[0] for line in out.read_text().splitlines()}
    assert names <= {"PATH", "PWD", "SHLVL", "_"}


def test_limits_that_cannot_be_set():
    """In the child they fail without a reason; more descriptors than the kernel allows are refused even to root."""
    if os.geteuid() != 0:
        pytest.skip("only root may try to")
    assert reason("true", rlimits={"nofile": 2**40}) == (
        "cannot run true: circusd may not set its limits (rlimit_nofile = 1099511627776) or change to its user "
        "(lower the limits, or run circusd with the rights for both)"
    )
