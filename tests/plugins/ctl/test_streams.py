"""circusctl with streams that are closed, full, or cannot show every letter: no traceback, and the right status."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.plugins.ctl.running import COMMAND, PATIENCE, environment

if TYPE_CHECKING:
    from tests.plugins.ctl.stub import Stub

COMMANDS = ("status", "options one", "--help", "status --help", "--version", "status --json", "completion bash")


def shell(line: str, endpoint: str, **changes: str) -> tuple[int, str, str]:
    """What /bin/sh makes of a line in which `circusctl` is ours: the status, and what came out on both streams."""
    ctl = " ".join(f"'{word}'" for word in COMMAND)
    done = subprocess.run(
        ["/bin/sh", "-c", line.replace("circusctl", ctl)],
        env=environment(CIRCUSCTL_ENDPOINT=endpoint, PYTHONUNBUFFERED="", **changes),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def endpoint(stub: Stub) -> str:
    stub.answers["status"] = {"statuses": {"ü": "active"}}
    stub.answers["options"] = {"options": {"cmd": "x" * 100_000}}
    return stub.endpoint


@pytest.mark.parametrize("command", COMMANDS)
def test_output_that_nobody_wants_is_no_mistake(endpoint: str, command: str) -> None:
    assert shell(f"circusctl {command} >&-", endpoint) == (0, "", "")
    assert shell(f"circusctl {command} <&- >&- 2>&-", endpoint) == (0, "", "")
    assert shell(f"{{ circusctl {command}; echo $? >&2; }} | true", endpoint) == (0, "", "0\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_output_that_cannot_be_written_is_told(endpoint: str, command: str) -> None:
    said = "error: the output cannot be written: No space left on device\n"
    assert shell(f"circusctl {command} >/dev/full", endpoint) == (1, "", said)
    assert shell(f"circusctl {command} >/dev/full 2>&1", endpoint) == (1, "", "")


def test_a_mistake_keeps_its_status_whoever_hears_of_it(endpoint: str, stub: Stub) -> None:
    stub.answers["start"] = {"status": "error", "reason": "no", "errno": 3}
    for command, status in {"nosuch": 2, "start ü": 3}.items():
        for streams in (">&- 2>&-", "2>&-", "2>/dev/full", ">/dev/full 2>&1"):
            assert shell(f"circusctl {command} {streams}", endpoint)[0] == status, (command, streams)
    assert shell("{ circusctl nosuch; echo $? >&2; } 2>&1 | true", endpoint)[0] == 0


def test_letters_that_cannot_be_shown_are_written_in_another_way(endpoint: str) -> None:
    assert shell("circusctl status", endpoint, PYTHONIOENCODING="ascii") == (0, "\\xfc: active\n", "")
    assert shell("circusctl status", endpoint, PYTHONIOENCODING="utf-8") == (0, "ü: active\n", "")


def test_lines_that_are_no_text_are_commands_like_others(endpoint: str, stub: Stub) -> None:
    assert shell("printf 'status\\nnos\\377ch\\nstatus \\377\\n' | circusctl", endpoint)[0] == 2
    assert stub.of("status") == [{}, {"name": "\udcff"}]


def test_a_folder_that_cannot_be_used_is_told(endpoint: str) -> None:
    status, _, said = shell("circusctl keys new ann --dir /dev/null/keys", endpoint)
    assert (status, said) == (3, "error: /dev/null/keys: Not a directory\n")
