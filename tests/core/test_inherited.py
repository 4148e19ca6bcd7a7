"""What a service manager hands to circusd, as its environment says: taken, or left to whom it is for, and then gone."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

import pytest

from circus_core import inherited
from circus_core.inherited import Inherited, take
from tests.core.proc import descriptors

if TYPE_CHECKING:
    from collections.abc import Iterator

OWN = str(os.getpid())


@pytest.fixture
def handed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Two descriptors that stand for 3 and 4, which are this process' own."""
    first = 400
    pair = []
    for number in (first, first + 1):
        made = os.open("/dev/null", os.O_RDONLY)
        os.dup2(made, number)
        os.close(made)
        pair.append(number)
    monkeypatch.setattr(inherited, "FIRST", first)
    yield pair
    for number in pair:
        try:
            os.close(number)
        except OSError:
            assert number not in descriptors()


def test_without_a_manager_there_is_nothing() -> None:
    environ = {"PATH": "/bin"}
    assert take(environ) == Inherited()
    assert environ == {"PATH": "/bin"}


def test_all_is_taken_and_gone(handed: list[int]) -> None:
    environ = {
        "LISTEN_FDS": "2", "LISTEN_PID": OWN, "LISTEN_FDNAMES": "web:admin", "LISTEN_PIDFDID": "7",
        "NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": OWN, "PATH": "/bin",
    }  # fmt: skip
    found = take(environ)
    assert found.descriptors == {handed[0]: "web", handed[1]: "admin"}
    assert (found.notify_socket, found.watchdog) == ("@x", 3.0)
    assert environ == {"PATH": "/bin"}
    assert all(fcntl.fcntl(number, fcntl.F_GETFD) & fcntl.FD_CLOEXEC for number in handed)


def test_names_may_be_missing(handed: list[int]) -> None:
    for names in ({}, {"LISTEN_FDNAMES": ""}):
        found = take({"LISTEN_FDS": "2", "LISTEN_PID": OWN, **names})
        assert list(found.descriptors.values()) == ["unknown", "unknown"]
    assert take({"LISTEN_FDS": "2", "LISTEN_PID": OWN, "LISTEN_FDNAMES": "a"}).descriptors[handed[1]] == "unknown"


def test_what_is_for_another_process_is_left_alone(handed: list[int], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    for pid in ({}, {"LISTEN_PID": "1"}, {"LISTEN_PID": "x"}):
        environ = {"LISTEN_FDS": "2", **pid}
        assert take(environ) == Inherited()
        assert environ == {}
    assert "LISTEN_FDS is for pid 1 and not for circusd" in caplog.text
    assert os.get_inheritable(handed[0])
    assert take({"WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"}).watchdog is None
    assert take({"WATCHDOG_USEC": "1"}).watchdog == 1e-6, "without a pid it is for whoever finds it"


def test_nonsense_is_told_of(handed: list[int], caplog: pytest.LogCaptureFixture) -> None:
    assert take({"LISTEN_FDS": "two", "LISTEN_PID": OWN, "WATCHDOG_USEC": "-1"}) == Inherited()
    assert "LISTEN_FDS is 'two' in the environment, and no number" in caplog.text
    assert "WATCHDOG_USEC is '-1' in the environment, and no number" in caplog.text
    assert list(take({"LISTEN_FDS": "99", "LISTEN_PID": OWN}).descriptors) == handed
    assert "LISTEN_FDS is 99, but descriptor 402: Bad file descriptor" in caplog.text


def test_what_nobody_takes_is_closed_and_said(handed: list[int], caplog: pytest.LogCaptureFixture) -> None:
    found = take({"LISTEN_FDS": "2", "LISTEN_PID": OWN, "LISTEN_FDNAMES": "web:admin"})
    del found.descriptors[handed[0]]
    found.close()
    os.fstat(handed[0])
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(handed[1])
    assert "circusd was handed descriptor 401 (admin), and nobody wants it: closed" in caplog.text
