"""Every option that shapes a process does so, at the start and by `set`; what a real child got is read in /proc."""

from __future__ import annotations

import os
import pwd
import signal
import sys

import pytest

from circus_core.errors import CircusError, SpawnError
from circus_core.kinship import MARK
from circus_core.launch import Recipe
from circus_core.model import WatcherOptions
from circus_core.testing import python, until, watcher
from tests.core.proc import cmdline, descriptor, environ, is_file, limit, status
from tests.core.script import script

ROOT = os.geteuid() == 0
NOBODY = pwd.getpwnam("nobody")
MAY_RAISE = ROOT and int(status(os.getpid())["CapEff"], 16) & 1 << 24
needs_root = pytest.mark.skipif(not ROOT, reason="only root may change to another user")


async def first(run, name="w"):
    """The pid of the only process, which has to be there."""
    (pid,) = run.pids(name)
    return pid


async def after(run, name="w", **options):
    """The pid of the only process after a `set`."""
    await run.call("set", name=name, options=options, waiting=True)
    return await first(run, name)


def made(**options):
    options = WatcherOptions(**{"name": "w", "cmd": "sleep 1000", **options})
    return Recipe(options, {"HOME": "/root"}, {"x": 3}).launch(7, "mark")


@pytest.mark.covers("option:cmd", "option:args")
async def test_cmd_and_args(supervise):
    async with supervise(watcher("w", "sh -c 'sleep 1000; :'", args="name 'a b'")) as run:
        assert cmdline(await first(run)) == ["sh", "-c", "sleep 1000; :", "name", "a b"]
        assert cmdline(await after(run, args="c")) == ["sh", "-c", "sleep 1000; :", "c"]
        assert cmdline(await after(run, cmd="sleep 2000", args="")) == ["sleep", "2000"]
        assert cmdline(await after(run, cmd=["sleep", "3000"])) == ["sleep", "3000"]


@pytest.mark.covers("option:shell", "option:shell_args")
async def test_shell_and_shell_args(supervise, tmp_path):
    """O-30: what the shell gives a meaning has it."""
    out = tmp_path / "out"
    cmd = f"echo $0 $1 | tr a-z A-Z > {out}; exec sleep 1000"
    async with supervise(watcher("w", cmd, shell=True, shell_args="me 'you all'")) as run:
        until(lambda: out.exists() and out.read_text() == "ME YOU ALL\n")
        out.unlink()
        await after(run, shell_args="them")
        until(lambda: out.exists() and out.read_text() == "THEM\n")
        with pytest.raises(CircusError, match="shell"):
            await run.call("set", name="w", options={"shell": "perhaps"})
        pid = await after(run, shell=False, shell_args="", cmd="sleep 1000")
        assert cmdline(pid) == ["sleep", "1000"]


@pytest.mark.covers("option:executable")
async def test_executable(supervise):
    async with supervise(watcher("w", "its-name 1000", executable="/bin/sleep")) as run:
        pid = await first(run)
        assert cmdline(pid) == ["its-name", "1000"]
        assert is_file(pid, "exe", "/bin/sleep")
        pid = await after(run, executable=sys.executable, args="-c 'import signal; signal.pause()'", cmd="other")
        assert cmdline(pid)[0] == "other"
        assert is_file(pid, "exe", sys.executable)


@pytest.mark.covers("option:working_dir")
async def test_working_dir(supervise, tmp_path):
    async with supervise(watcher("w", working_dir=str(tmp_path))) as run:
        assert is_file(await first(run), "cwd", tmp_path)
        assert os.readlink(f"/proc/{await after(run, working_dir='/')}/cwd") == "/"


@needs_root
@pytest.mark.covers("option:uid", "option:gid")
@pytest.mark.parametrize("uid", ["nobody", NOBODY.pw_uid])
async def test_uid_brings_its_group_and_supplementary_groups(supervise, uid):
    async with supervise(watcher("w", uid=uid, working_dir="/")) as run:
        lines = status(await first(run))
        assert lines["Uid"].split() == [str(NOBODY.pw_uid)] * 4
        assert lines["Gid"].split() == [str(NOBODY.pw_gid)] * 4
        assert set(map(int, lines["Groups"].split())) == set(os.getgrouplist("nobody", NOBODY.pw_gid))
        lines = status(await after(run, gid=7))
        assert lines["Uid"].split() == [str(NOBODY.pw_uid)] * 4
        assert lines["Gid"].split() == ["7"] * 4
        lines = status(await after(run, uid=54321))
        assert lines["Uid"].split() == ["54321"] * 4


@needs_root
async def test_a_user_without_an_account_has_none_of_root_s_groups(supervise):
    before = os.getgroups()
    os.setgroups([0, 1])
    try:
        async with supervise(watcher("w", uid=54321, gid=54321, working_dir="/")) as run:
            assert status(await first(run))["Groups"] == ""
    finally:
        os.setgroups(before)


@needs_root
async def test_limits_go_with_another_user(supervise):
    async with supervise(watcher("w", uid="nobody", rlimits={"core": 0}, working_dir="/")) as run:
        assert limit(await first(run), "Max core file size") == ("0", "0")
        lines = status(run.pids("w")[0])
        assert lines["Uid"].split() == [str(NOBODY.pw_uid)] * 4
        assert lines["Gid"].split() == [str(NOBODY.pw_gid)] * 4
        assert set(map(int, lines["Groups"].split())) == set(os.getgrouplist("nobody", NOBODY.pw_gid))


@pytest.mark.skipif(not MAY_RAISE, reason="only with CAP_SYS_RESOURCE may a limit be raised")
def test_limits_may_be_raised_for_a_user_who_may_not_raise_them():
    """Limits are set before the user changes, as in Circus."""
    assert script("""
        from tests.core.proc import limit
        resource.setrlimit(resource.RLIMIT_CORE, (0, 100))
        async with supervised(watcher("w", uid="nobody", rlimits={"core": 5000}, working_dir="/")) as run:
            return limit(run.pids("w")[0], "Max core file size")
    """) == ["5000", "5000"]


@pytest.mark.covers("option:rlimit_")
async def test_limits(supervise):
    async with supervise(watcher("w", rlimits={"nofile": 77, "core": 0})) as run:
        pid = await first(run)
        assert limit(pid, "Max open files") == ("77", "77")
        assert limit(pid, "Max core file size") == ("0", "0")
        assert limit(await after(run, rlimit_nofile=66), "Max open files") == ("66", "66")
        pid = await after(run, rlimit_fsize=None, rlimit_nofile=None)
        assert limit(pid, "Max file size") == ("unlimited", "unlimited")
        soft, hard = limit(pid, "Max open files")
        assert soft == hard == limit(os.getpid(), "Max open files")[1]
        with pytest.raises(CircusError, match="rlimit_nofiles"):
            await run.call("set", name="w", options={"rlimit_nofiles": 3})


@pytest.mark.covers("option:umask")
async def test_umask(supervise):
    async with supervise(watcher("w", umask=0o027)) as run:
        assert status(await first(run))["Umask"] == "0027"
        assert status(await after(run, umask="077"))["Umask"] == "0077"


@pytest.mark.covers("option:env", "option:copy_env")
async def test_env_and_copy_env(supervise, monkeypatch):
    monkeypatch.setenv("FROM_CIRCUSD", "yes")
    async with supervise(watcher("w", env={"A": "1"}, copy_env=False)) as run:
        found = environ(await first(run))
        assert found.pop(MARK)
        assert found == {"A": "1"}
        found = environ(await after(run, copy_env=True))
        assert (found["A"], found["FROM_CIRCUSD"]) == ("1", "yes")
        found = environ(await after(run, env={"B": "2"}))
        assert "A" not in found
        assert found["B"] == "2"


@pytest.mark.covers("option:copy_path")
async def test_copy_path(supervise):
    async with supervise(watcher("w", copy_path=True)) as run:
        assert environ(await first(run))["PYTHONPATH"].split(os.pathsep) == [path for path in sys.path if path]
        assert environ(await after(run, copy_path=False)).get("PYTHONPATH") == os.environ.get("PYTHONPATH")


@pytest.mark.covers("option:env_file")
async def test_env_file_is_read_at_each_start_and_env_wins_over_it(supervise, tmp_path):
    file = tmp_path / "env"
    file.write_text("A=file\nB='two words'\n")
    async with supervise(watcher("w", env={"A": "env"}, env_file=str(file))) as run:
        found = environ(await first(run))
        assert (found["A"], found["B"]) == ("env", "two words")
        file.write_text("B=new\n")
        await run.call("restart", name="w", waiting=True)
        assert environ(await first(run))["B"] == "new"
        other = tmp_path / "other"
        other.write_text("B=other\n")
        assert environ(await after(run, env_file=str(other)))["B"] == "other"


@pytest.mark.covers("option:close_child_stdin", "option:close_child_stdout", "option:close_child_stderr")
@pytest.mark.parametrize(
    ("number", "key", "default"),
    [(0, "close_child_stdin", True), (1, "close_child_stdout", False), (2, "close_child_stderr", False)],
)
async def test_close_child(supervise, number, key, default):
    async with supervise(watcher("w")) as run:
        assert (descriptor(await first(run), number) == "/dev/null") is (
            default or descriptor(os.getpid(), number) == "/dev/null"
        )
        assert descriptor(await after(run, **{key: True}), number) == "/dev/null"
        assert descriptor(await after(run, **{key: False}), number) == descriptor(os.getpid(), number)


async def test_nothing_else_is_inherited(supervise, tmp_path):
    with (tmp_path / "file").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        async with supervise(watcher("w")) as run:
            descriptors = f"/proc/{await first(run)}/fd"
            # A program that just began may still have the file of a library open.
            until(lambda: set(os.listdir(descriptors)) == {"0", "1", "2"}, "nothing but the standard three")


@pytest.mark.parametrize("form", ["$(circus.wid)", "((circus.wid))", "$(CIRCUS.WID)", "$WID"])
async def test_the_slot_s_number_is_put_in(supervise, form):
    """O-26 for $WID."""
    async with supervise(watcher("w", f"sh -c 'sleep 1000; :' no-{form}", numprocesses=2)) as run:
        assert [cmdline(pid)[3] for pid in run.pids("w")] == ["no-1", "no-2"]


def test_what_may_be_put_into_the_words():
    names = ("env.home", "env.own", "priority", "name", "x", "no")
    cmd = " ".join(f"$(circus.{name})" for name in names)
    assert made(cmd=cmd, copy_env=True, env={"OWN": "o o"}).argv == ("/root", "o", "o", "0", "w", "3", "$(circus.no)")


def test_words_that_are_none_once_expanded_are_an_error_of_the_launch():
    with pytest.raises(SpawnError, match="no shell words"):
        made(cmd="a $(circus.env.home)", env={"HOME": "it's"})
    with pytest.raises(SpawnError, match="cmd is empty once expanded"):
        made(cmd="$(circus.env.nothing)", env={"NOTHING": ""})


def test_one_recipe_serves_every_slot_and_reads_an_env_file_for_each(tmp_path):
    file = tmp_path / "env"
    cmd = "$(circus.wid) '$WID b' $(circus.env.own)"
    options = WatcherOptions(name="w", cmd=cmd, executable="/x/$(circus.wid)", env_file=str(file))
    recipe = Recipe(options, {}, {})
    for wid, text in ((1, "before"), (12, "after")):
        file.write_text(f"OWN={text}")
        launch = recipe.launch(wid, f"mark/{wid}")
        assert launch.argv == (str(wid), f"{wid} b", text)
        assert launch.executable == f"/x/{wid}"
        assert launch.env == {"OWN": text, MARK: f"mark/{wid}"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"uid": "no-such-user"}, "there is no user no-such-user"),
        ({"gid": "no-such-group"}, "there is no group no-such-group"),
        (
            {"env_file": "/no/such/file"},
            "env_file: /no/such/file: cannot be read: No such file or directory (there is no folder /no/such)",
        ),
    ],
)
async def test_what_the_machine_lacks_is_said_and_stays_the_watcher_s_own_misfortune(supervise, options, message):
    bad = watcher("bad", priority=1, max_retry=1, **options)
    async with supervise(bad, watcher("good")) as run:
        failed = run.events.named("spawn_failed", watcher="bad")[0]
        assert message in failed.reason
        assert run.pids("good")
        status = await run.call("status", name="bad", extended=True)
        assert message in status["details"]["bad"]["last_error"]


async def test_an_env_file_with_mistakes_says_where(supervise, tmp_path):
    file = tmp_path / "env"
    file.write_text("A=1\nnonsense\n1=2\n")
    async with supervise(watcher("bad", max_retry=1, env_file=str(file))) as run:
        assert run.events.named("spawn_failed")[0].reason == (
            f"env_file: {file}:2: the line is not NAME=VALUE; "
            f"{file}:3: '1' cannot be the name of a variable: it should have letters, digits and _ only"
        )


@pytest.mark.covers("hook:circus_adjust_launch")
async def test_a_plugin_may_change_a_launch(supervise, tmp_path):
    import attrs

    reading, writing = os.pipe()

    class Adjusts:
        def circus_adjust_launch(self, launch, watcher):
            assert (launch.watcher, launch.wid, watcher.name) == ("w", 1, "w")
            return attrs.evolve(launch, env={**launch.env, "ADDED": "1"}, stdout=writing, pass_fds=(reading,))

    try:
        async with supervise(watcher("w", "sh -c 'echo $ADDED; exec sleep 1000'"), plugins={"it": Adjusts()}) as run:
            pid = await first(run)
            assert os.read(reading, 100) == b"1\n"
            assert descriptor(pid, reading) == descriptor(pid, 1)
            assert environ(pid)[MARK]
    finally:
        os.close(reading)
        os.close(writing)


async def test_the_children_of_python_programs_can_use_signals_as_ever(supervise, tmp_path):
    out = tmp_path / "out"
    code = python(f"""
        import signal
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        open({str(out)!r}, "w").write(str(signal.getsignal(signal.SIGCHLD)) + str(mask))
        signal.pause()
    """)
    async with supervise(watcher("w", code)):
        text = until(lambda: out.exists() and out.read_text())
        assert text == str(signal.Handlers.SIG_DFL) + "set()"
