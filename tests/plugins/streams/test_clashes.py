"""Two sinks for one file: told with file and line where one exchanges it, and no trouble where they are alike."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from circus_plugins.streams import Streams
from tests.plugins.streams.test_streams import comes, streamed

if TYPE_CHECKING:
    from pathlib import Path

TOLD = "with other options: one exchanges the file while the other goes on writing to the earlier one"


def warnings(circusd: Any, one: str, two: str, common: str = "") -> list[str]:
    """What --check says of two watchers with options of streams; the second's filename is in line 9 or later."""
    text = f"{common}[watcher:one]\ncmd = sleep 1\n{one}\n[watcher:two]\ncmd = sleep 1\n{two}\n"
    daemon = circusd(text, "--check")
    assert daemon.wait() == 0
    return [line for line in daemon.output().splitlines() if "[watcher:" in line]


@pytest.mark.parametrize(
    "two",
    [
        "max_bytes = 20",
        "time_format = %H",
        "class = TimedRotatingFileStream",
        "class = JsonStream",
    ],
)
def test_another_who_rotates_the_same_file_is_told(circusd: Any, two: str) -> None:
    name = "stdout_stream.filename = ./same.log"
    (told,) = warnings(circusd, "stdout_stream.filename = same.log\nstdout_stream.max_bytes = 10",
                       f"{name}\nstdout_stream.{two}")  # fmt: skip
    assert "circus.ini:10: [watcher:two] stdout_stream.filename: ./same.log is where the stdout of one goes too" in told
    assert TOLD in told


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("filename = a.log\nstdout_stream.max_bytes = 10", "filename = b.log\nstdout_stream.max_bytes = 20"),
        (
            "filename = a.log\nstdout_stream.max_bytes = 10",
            "filename = ./a.log\nstdout_stream.max_bytes = 10\nstdout_stream.class = circus.stream.FileStream",
        ),
        ("filename = a.log\nstdout_stream.time_format = %H", "filename = a.log"),
        ("filename = a-$(circus.name).log\nstdout_stream.max_bytes = 10", "filename = a-$(circus.name).log"),
        (
            "filename = a.log\nstdout_stream.max_bytes = 10",
            "filename = b.log\nredirect_stderr = True\nstderr_stream.filename = a.log",
        ),
    ],
)
def test_what_does_no_harm_is_not_told(circusd: Any, one: str, two: str) -> None:
    assert warnings(circusd, f"stdout_stream.{one}", f"stdout_stream.{two}") == []


def test_the_two_channels_of_a_watcher_are_told_as_well(circusd: Any) -> None:
    one = "stdout_stream.filename = a.log\nstdout_stream.max_bytes = 10\nstderr_stream.filename = a.log"
    (told,) = warnings(circusd, one, "")
    assert "[watcher:one] stderr_stream.filename: a.log is where the stdout of one goes too" in told


def test_circusds_own_log_is_told(circusd: Any, tmp_path: Path) -> None:
    log = tmp_path / "circusd.log"
    daemon = circusd(
        f"[circus]\nlogoutput = {log}\n[watcher:one]\ncmd = sleep 1\nstdout_stream.filename = {log}\n"
        "stdout_stream.max_bytes = 1M\n",
        "--check",
    )
    assert daemon.wait() == 0
    assert f"[watcher:one] stdout_stream.filename: {log} is circusd's own log too (logoutput)" in daemon.output()


def relative(path: Path) -> str:
    return os.path.relpath(path)


async def test_one_file_is_one_sink_however_it_is_written(supervise: Any, tmp_path: Path) -> None:
    streams = Streams()
    given = {"stdout__max_bytes": 1000, "stdout__backup_count": 3}
    cmd = "sh -c 'echo up; exec sleep 1000'"
    one = streamed("one", cmd, stdout__filename=str(tmp_path / "a.log"), **given)
    two = streamed(
        "two", cmd, stdout__filename=relative(tmp_path / "a.log"), stdout__class="circus.stream.FileStream", **given
    )
    async with supervise(one, two, plugins={"streams": streams}):
        await comes(lambda: (tmp_path / "a.log").read_text() == "up\nup\n")
        assert streams.sinks("one") == streams.sinks("two")
