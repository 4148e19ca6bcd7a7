"""Paths of unix sockets: whose they are and who may connect, from the first moment on, and when that is changed."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any

import pytest

from circus_core.errors import CircusError
from circus_core.testing import until
from circus_plugins.sockets import rights
from circus_plugins.sockets.binding import adapt, opened
from tests.plugins.sockets.serving import call, checked, listed, made

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from circus_core.testing import Circusd

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
NOBODY, GROUP = 65534, 12345


def seen(path: Path) -> tuple[int, int, int]:
    """User, group and mode."""
    found = path.stat()
    return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A path, while the umask takes something from a mode."""
    before = os.umask(0o022)
    yield tmp_path / "web.sock"
    os.umask(before)


@pytest.mark.covers("socket-option:owner", "socket-option:group", "socket-option:mode")
@pytest.mark.parametrize(
    ("given", "owner", "group", "mode"),
    [
        ({}, None, None, 0o755),
        ({"mode": 0o660}, None, None, 0o660),
        ({"mode": 0o777}, None, None, 0o777),
        ({"mode": 0}, None, None, 0),
        pytest.param({"owner": NOBODY}, NOBODY, None, 0o755, marks=needs_root),
        pytest.param({"owner": "nobody", "mode": 0o600}, NOBODY, None, 0o600, marks=needs_root),
        pytest.param({"group": GROUP, "mode": 0o660}, None, GROUP, 0o660, marks=needs_root),
        pytest.param({"owner": NOBODY, "group": GROUP, "umask": 0o007}, NOBODY, GROUP, 0o770, marks=needs_root),
    ],
)
def test_they_are_as_asked(path: Path, given: dict[str, Any], owner: int | None, group: int | None, mode: int) -> None:
    with opened(made(path=str(path), **given)):
        expected = (os.geteuid() if owner is None else owner, os.getegid() if group is None else group, mode)
        assert seen(path) == expected
        assert os.umask(0o022) == 0o022, "it is put back"


@needs_root
@pytest.mark.parametrize("given", [{"owner": NOBODY}, {"group": GROUP}, {}])
def test_no_moment_has_wider_rights(tmp_path: Path, given: dict[str, Any]) -> None:
    """The calls that the kernel sees: made without rights, given away, and only then opened for those it is for."""
    path = tmp_path / "web.sock"
    code = (
        "from circus_plugins.sockets.binding import opened\n"
        "from circus_plugins.sockets.options import SocketOptions\n"
        f"opened(SocketOptions(name='web', path={str(path)!r}, mode=0o660, **{given!r}))\n"
    )
    calls = tmp_path / "calls"
    words = ["strace", "-o", str(calls), "-e", "trace=umask,bind,listen,/.*chmod.*,/.*chown.*"]
    try:
        done = subprocess.run([*words, sys.executable, "-c", code], timeout=40, capture_output=True)
    except FileNotFoundError:
        pytest.skip("strace is not installed")
    if b"ptrace" in done.stderr:
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, done.stderr
    text = calls.read_text()
    # Where there is no chown(2) it is fchownat(2).
    names = re.findall(r"^f?(bind|chown|chmod|listen)", text, re.MULTILINE)
    mask = "umask(0777)" if given else "umask(0117)"
    assert text.index(mask) < text.index("bind(")
    assert names == (["bind", "chown", "chmod", "listen"] if given else ["bind", "listen"])


@needs_root
def test_changed_while_it_is_open(path: Path) -> None:
    first = made(path=str(path), owner=NOBODY, group=GROUP, mode=0o660)
    with opened(first) as one:
        for given, expected in (
            ({"mode": 0o600}, (0, 0, 0o600)),
            ({"owner": NOBODY}, (NOBODY, 0, 0o755)),
            ({}, (0, 0, 0o755)),
        ):
            second = made(path=str(path), **given)
            assert second.place == first.place
            adapt(one, second, first)
            assert seen(path) == expected
            first = second
        os.chown(path, NOBODY, GROUP)
        adapt(one, made(path=str(path), backlog=3), first)
        assert seen(path)[:2] == (NOBODY, GROUP), "what these options are not about stays"


def test_what_is_no_socket_is_left_alone(path: Path, tmp_path: Path) -> None:
    """Whoever may write to the folder may put a link to another file in its place."""
    precious = tmp_path / "precious"
    precious.write_text("")
    precious.chmod(0o600)
    options = made(path=str(path), mode=0o666)
    with opened(options) as one:
        path.unlink()
        for put in (lambda: path.symlink_to(precious), lambda: path.hardlink_to(precious)):
            put()
            with pytest.raises(CircusError, match=r"web\.sock cannot be changed: Socket operation on non-socket"):
                adapt(one, made(path=str(path), mode=0o777), options)
            path.unlink()
    assert stat.S_IMODE(precious.stat().st_mode) == 0o600


def test_accounts_that_are_not_there(path: Path) -> None:
    for key, what in (("owner", "user"), ("group", "group")):
        with pytest.raises(CircusError, match=rf"\[socket:web\] {key}: this machine has no {what} no-such"):
            opened(made(path=str(path), **{key: "no-such"}))
        assert not path.exists()


def test_who_may_not_give_it_away() -> None:
    """As nobody, in a process of its own, and in a folder where it may write."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        code = (
            "import os\n"
            "from circus_core.errors import CircusError\n"
            "from circus_plugins.sockets.binding import opened\n"
            "from circus_plugins.sockets.options import SocketOptions\n"
            "if os.geteuid() == 0:\n"
            f"    os.setgroups([]), os.setgid({GROUP}), os.setuid({GROUP})\n"
            "try:\n"
            f"    opened(SocketOptions(name='web', path='{folder}/web.sock', owner=0))\n"
            "except CircusError as error:\n"
            "    print(error)\n"
        )
        done = subprocess.run([sys.executable, "-c", code], timeout=40, capture_output=True, text=True)
        assert "web.sock cannot be opened: Operation not permitted (only root may give a path to" in done.stdout, done
        assert os.listdir(folder) == []


@needs_root
def test_a_reload_changes_the_path_and_keeps_the_socket(circusd: Callable[..., Circusd], tmp_path: Path) -> None:
    def configuration(rest: str) -> str:
        return f"[socket:web]\npath = {tmp_path}/web.sock\n{rest}\n[watcher:web]\ncmd = sleep 1000\nuse_sockets = yes\n"

    run = circusd(configuration("mode = 600"))
    until(lambda: "circusd is up" in run.output())
    path, before = tmp_path / "web.sock", listed(run)
    pids = call(run, "list", name="web")["pids"]
    inode = path.stat().st_ino
    assert seen(path) == (0, 0, 0o600)
    run.configure(configuration(f"mode = 660\nowner = nobody\ngroup = {GROUP}"))
    call(run, "reloadconfig", waiting=True)
    assert (seen(path), path.stat().st_ino) == ((NOBODY, GROUP, 0o660), inode)
    assert (listed(run), call(run, "list", name="web")["pids"]) == (before, pids)
    run.configure(configuration("mode = 660\nowner = no-such"))
    with pytest.raises(CircusError, match="owner: this machine has no user no-such"):
        call(run, "reloadconfig", waiting=True)
    assert seen(path) == (NOBODY, GROUP, 0o660)


def test_mistakes_have_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "wrong.ini"
    file.write_text("""\
[socket:Web]
path = /run/web.sock
owner = no-such-user
group = no-such-group
[socket:db]
mode = 600
[socket:abstract]
path = @web
owner = 0
""")
    done = checked(file)
    assert done.returncode == 0
    for said in (
        "wrong.ini:3: [socket:web] owner: this machine has no user no-such-user (add it, or name another)",
        "wrong.ini:4: [socket:web] group: this machine has no group no-such-group (add it, or name another)",
        "wrong.ini:6: [socket:db] mode: means nothing without a path (drop it)",
        "wrong.ini:9: [socket:abstract] owner: means nothing for an abstract name (drop it)",
    ):
        assert f"warning: {tmp_path}/{said}" in done.stderr, done.stderr
    file.write_text("[socket:web]\npath = /run/web.sock\nmode = 600\numask = 077\n[socket:x]\npath = /x\nmode = 888\n")
    done = checked(file)
    assert done.returncode == 2
    assert "wrong.ini:4: [socket:web] umask: is for a path without mode (drop one of them)" in done.stderr
    assert "wrong.ini:7: [socket:x] mode: '888' isn't an octal mode" in done.stderr


def test_lacking_says_nothing_of_what_is_there() -> None:
    assert list(rights.lacking(made(path="/x", owner="root", group="root"))) == []
    assert list(rights.lacking(made(path="/x", owner=54321))) == [], "numbers need no account"
