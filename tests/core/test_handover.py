"""Processes that find descriptors from 3 on: which ones, whatever numbers these had, and what is said if that fails."""

from __future__ import annotations

import json
import os
import resource
import sys

import pytest

from circus_core import tree
from circus_core.errors import SpawnError
from circus_core.model import Launch
from circus_core.spawn import spawn
from tests.core.proc import descriptors
from tests.core.script import script

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may change to another user")

TELL = """\
import json, os, resource, sys
fds = {int(fd): None for fd in os.listdir("/proc/self/fd")}
for fd in list(fds):
    try:
        fds[fd] = os.readlink(f"/proc/self/fd/{fd}")
    except FileNotFoundError:
        del fds[fd]
told = dict(fds=fds, pid=os.getpid(), uid=os.getuid(), cwd=os.getcwd(), env=dict(os.environ),
            nofile=resource.getrlimit(resource.RLIMIT_NOFILE), argv=sys.argv[1:], sid=os.getsid(0))
with open(sys.argv[1], "w") as file:
    json.dump(told, file)
"""


@pytest.fixture
def told(tmp_path):
    """Runs a program with what is given, and answers what it found."""
    out, program = tmp_path / "out", tmp_path / "tell.py"
    program.write_text(TELL)

    def run(**given):
        out.unlink(missing_ok=True)
        pid = spawn(launch(sys.executable, "-I", str(program), str(out), **given))
        assert os.waitpid(pid, 0)[1] == 0
        found = json.loads(out.read_text())
        assert found["pid"] == found["sid"] == pid
        assert found["env"]["LISTEN_PID"] == str(pid)
        return {**found, "fds": {int(fd): name for fd, name in found["fds"].items()}}

    return run


@pytest.fixture
def files(tmp_path):
    """Opens files by name, so that they can be told apart, under numbers that may be chosen."""
    opened = []

    def make(name, number=None):
        fd = os.open(tmp_path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        if number is not None:
            os.dup2(fd, number, inheritable=False)
            os.close(fd)
            fd = number
        opened.append(fd)
        return fd

    yield make
    for fd in opened:
        os.close(fd)


def launch(*argv, **more):
    return Launch(watcher="w", wid=1, argv=argv, **{"env": {"PATH": "/usr/bin:/bin"}, **more})


def names(found):
    """The base names of what is open beyond the standard streams."""
    return {fd: os.path.basename(name) for fd, name in found["fds"].items() if fd > 2}


def test_they_are_found_from_3_on_in_order_and_nothing_else(told, files):
    fds = (files("one"), files("two"), files("three"))
    stray = files("stray")
    os.set_inheritable(stray, True)
    found = told(listen_fds=(fds[2], fds[0], fds[1]), env={"PATH": "/usr/bin", "A": "1", "LISTEN_FDNAMES": "c:a:b"})
    assert names(found) == {3: "three", 4: "one", 5: "two"}
    env = found["env"]
    assert (env["LISTEN_FDS"], env["LISTEN_FDNAMES"], env["A"]) == ("3", "c:a:b", "1")
    assert all(os.get_inheritable(fd) is False for fd in fds), "here nothing changed"


def test_numbers_that_overlap(tmp_path):
    """The descriptors to move have the very numbers that they are moved to, in another order, in a process of its own.

    So the pipes, of the module subprocess and of ours, get numbers in between too.
    """
    out, program = tmp_path / "out", tmp_path / "tell.py"
    program.write_text(TELL)
    said = script(
        f"""
        from circus_core.model import Launch
        from circus_core.spawn import spawn
        names = "abcdef"
        opened = [os.open("{tmp_path}/" + name, os.O_RDWR | os.O_CREAT) for name in names]
        highest = max(opened) + 1
        answers = []
        for order in ((3, 4, 5), (5, 4, 3), (4, 5, 3), (7, 3, 3), (3,), (4, 6, 8)):
            pid = os.fork()
            if pid == 0:
                above = [os.dup2(fd, 50 + number) for number, fd in enumerate(opened)]
                os.closerange(3, 50)
                for number, fd in enumerate(above):
                    os.dup2(fd, 3 + number, inheritable=False)
                os.closerange(50, 60)
                spawned = spawn(Launch(watcher="w", wid=1, argv=(sys.executable, "-I", "{program}", "{out}"), env={{}},
                                       listen_fds=order))
                os._exit(os.waitpid(spawned, 0)[1] >> 8)
            status = os.waitpid(pid, 0)[1]
            with open("{out}") as file:
                fds = json.load(file)["fds"]
            answers.append((status, order, {{n: os.path.basename(f) for n, f in fds.items() if int(n) > 2}}))
        return answers
        """
    )
    letters = dict(enumerate("abcdef", 3))
    for status, order, fds in said:
        assert status == 0
        assert fds == {str(number): letters[fd] for number, fd in enumerate(order, 3)}
    assert len(said) == 6


def test_others_keep_their_numbers_or_are_told_of(told, files):
    one, other = files("one"), files("other", 200)
    found = told(listen_fds=(one,), pass_fds=(other,))
    assert names(found) == {3: "one", 200: "other"}
    before = descriptors()
    with pytest.raises(SpawnError) as raised:
        spawn(launch("true", listen_fds=(one, one), pass_fds=(4, 200)))
    assert "is to find sockets as descriptors 3 to 4, and something else as 4" in raised.value.message
    assert "without socket_activation" in raised.value.hint
    assert descriptors() == before


def test_streams_folder_mask_and_limits(told, files, tmp_path):
    one, stdin = files("one"), files("stdin")
    soft = 40
    found = told(listen_fds=(one,), stdin=stdin, cwd=str(tmp_path), rlimits={"nofile": soft})
    assert names(found) == {3: "one"}
    assert os.path.basename(found["fds"][0]) == "stdin"
    assert (found["cwd"], found["nofile"]) == (str(tmp_path), [soft, soft])


def test_a_limit_of_fewer_files_than_the_numbers_here(told, files):
    """The descriptors are moved before the limit is set, since the moving takes numbers above it."""
    fds = tuple(files(f"f{number}") for number in range(20))
    assert names(told(listen_fds=fds, rlimits={"nofile": 30})).keys() == set(range(3, 23))


@needs_root
def test_another_user(files):
    """With a shell, since not everybody may run this Python."""
    one = files("one")
    for more in ({}, {"rlimits": {"core": 0}}):
        reader, writer = os.pipe()
        code = "id -u; echo $LISTEN_PID; ls /proc/$$/fd; readlink /proc/$$/fd/3"
        pid = spawn(launch("sh", "-c", code, listen_fds=(one,), stdout=writer, uid=65534, gid=65534, groups=(), **more))
        os.close(writer)
        with open(reader) as pipe:
            lines = pipe.read().split()
        assert os.waitpid(pid, 0)[1] == 0
        assert lines[:2] == ["65534", str(pid)]
        assert lines[2:] == ["0", "1", "2", "3", os.readlink(f"/proc/self/fd/{one}")]


def test_the_path_is_the_child_s_own(tmp_path, files):
    """The first that may be run: a file that is none is passed over, as execvp(3) does."""
    one = files("one")
    for folder, mode, text in (("a", 0o644, "#!/bin/sh\nexit 3\n"), ("b", 0o755, "#!/bin/sh\nexit 4\n")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "prog").write_text(text)
        (tmp_path / folder / "prog").chmod(mode)
    env = {"PATH": f"/no/such:a:{tmp_path}/b"}
    pid = spawn(launch("prog", listen_fds=(one,), env=env, cwd=str(tmp_path)))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 4


def failures(tmp_path):
    """Launches that fail, by what is wrong."""
    plain, broken, folder = tmp_path / "plain", tmp_path / "broken", tmp_path / "folder"
    plain.write_text("#!/bin/sh\n")
    broken.write_text("#!/no/such/interpreter\n")
    broken.chmod(0o755)
    text = tmp_path / "text"
    text.write_text("just text\n")
    text.chmod(0o755)
    folder.mkdir()
    return {
        "missing": launch("/no/such"),
        "not on PATH": launch("no-such-program"),
        "executable": launch("a", executable="/no/such"),
        "not executable": launch(str(plain)),
        "a folder": launch(str(folder)),
        "interpreter": launch(str(broken)),
        "no program": launch(str(text)),
        "too large": launch("true", "x" * 10_000_000),
        "NUL": launch("a", "b\0c"),
        "working_dir": launch("true", cwd=str(tmp_path / "no")),
        "working_dir is a file": launch("true", cwd=str(plain)),
        "limit": launch("true", rlimits={"nofile": 2**40}),
    }


def said_of(given):
    with pytest.raises(SpawnError) as raised:
        spawn(given)
    return str(raised.value)


def test_a_failure_is_told_in_the_words_of_every_other_spawn(tmp_path, files):
    import attrs

    one, two = files("one"), files("two")
    before = descriptors(), tree.children(os.getpid())
    for what, given in failures(tmp_path).items():
        if what == "limit" and os.geteuid() != 0:
            continue
        assert said_of(attrs.evolve(given, listen_fds=(one, two))) == said_of(given), what
    assert (descriptors(), tree.children(os.getpid())) == before


@needs_root
def test_a_user_that_may_not_be_changed_to(tmp_path):
    """As nobody, and with sockets that take the numbers of whatever would tell of it."""
    said = script(
        """
        from circus_core.errors import SpawnError
        from circus_core.model import Launch
        from circus_core.spawn import spawn
        fds = [os.open("/dev/null", os.O_RDONLY) for _ in range(30)]
        os.setgroups([]), os.setgid(12345), os.setuid(12345)
        said = []
        for limits in ({}, {"core": 0}):
            for listen in ((), fds):
                try:
                    spawn(Launch(watcher="w", wid=1, argv=("true",), env={}, uid=0, cwd="/", rlimits=limits,
                                 listen_fds=tuple(listen)))
                except SpawnError as error:
                    said.append(str(error))
        return said
        """
    )
    assert len(said) == 4
    assert said[0] == said[1]
    assert "Operation not permitted" in said[0]
    assert said[2] == said[3]
    assert "rlimit_core = 0" in said[2]


def test_no_number_left_to_move_them_to(files):
    """EMFILE in the child; here the limit of files of this process leaves no number above those."""
    one = files("one")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir("/proc/self/fd"))) + 4
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))
    try:
        said = said_of(launch("true", listen_fds=(one,) * (highest - 5)))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "too many files open" in said
