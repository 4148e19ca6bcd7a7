"""circus-compat beside Circus 0.19.0 itself: one plugin runs in both and sees the same; functions answer the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from circus_core.testing import PATIENCE, until
from tests.plugins import circus019

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
CODE = ROOT / "contrib" / "circus-compat" / "tests" / "written_for_circus.py"
CONFIGURATION = """
[circus]
endpoint = ipc://{sockets}/control
pubsub_endpoint = ipc://{sockets}/events
check_delay = 0.2
[watcher:App One]
cmd = sleep 1000
numprocesses = 2
copy_env = True
graceful_timeout = 5
[watcher:first]
cmd = sleep 1000
copy_env = True
[plugin:journal]
use = written_for_circus.Journal
filename = {folder}/journal
copy_env = True
"""
ORDERS = (
    ("incr", "app one", "--waiting"),
    ("restart", "app one", "--waiting"),
    ("reload", "app one", "--sequential", "--waiting"),
    ("reload", "app one", "--waiting"),
    ("add", "other", "sleep 1000"),
    ("set", "other", "copy_env", "True"),
    ("start", "other", "--waiting"),
    ("stop", "app one", "--waiting"),
    ("rm", "app one"),
    ("set", "other", "graceful_timeout", "3"),
)
"""What circusctl is told, and what there is an event of. The last one is the mark at the end."""

FUNCTIONS = """
import json
from circus import client, util

def answer(function, *arguments):
    try:
        return repr(function(*arguments))
    except (ValueError, AttributeError) as error:
        return "refused"

cases = [
    (util.bytes2human, [0, 1, 999, 1023, 1024, 1025, 1536, 10**6, 10**9, 3 * 2**40]),
    (util.human2bytes, ["12.34M", "1K", "5G", "1B", "17", "1.5k", "999B", "2T", "x", "12 M"]),
    (util.to_bool, [True, False, "Yes", "ON", "0", "no", "x", "", " true ", None]),
    (util.to_signum, ["TERM", "sigterm", "15", 15, "SIGRTMIN+1", "x"]),
    (util.to_str, [b"a\\xff", 3, "x"]),
    (util.to_bytes, ["\\u00e9", b"x", 3]),
    (util.parse_env_str, ["A=1, B=2"]),
    (util.parse_env_dict, [{"A": "$HOME", "b": "x"}]),
    (util.env_to_str, [{"b": "2", "A": "1"}]),
    (client.make_message, ["x"]),
    (client.cast_message, ["x"]),
    (client.make_json, ["x"]),
]
constants = [name for name in dir(util) if name.startswith(("DEFAULT_ENDPOINT", "LOG_", "TRUTHY", "FALSY", "IS_"))]
seen = {f"{function.__name__}({value!r})": answer(function, value) for function, values in cases for value in values}
seen.update({name: getattr(util, name) for name in constants if name not in ("LOG_DATE_SYSLOG_FMT",)})
print(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def circus() -> Path:
    try:
        return circus019.install()
    except circus019.NoIndexError as error:
        pytest.skip(f"{circus019.REQUIREMENT} is not installed here and no package index can be reached: {error}")


@pytest.fixture
def sockets() -> Iterator[str]:
    """Where unix sockets are: a short path."""
    with tempfile.TemporaryDirectory(prefix="circus-") as folder:
        yield folder


def run(circusd: list[str], ctl: list[str], folder: Path, sockets: str) -> list[list[Any]]:
    """What the plugin's journal has of the orders, of the watchers they were about."""
    folder.mkdir()
    Path(sockets).mkdir(exist_ok=True)
    (folder / "written_for_circus.py").write_text(CODE.read_text())
    (folder / "circus.ini").write_text(CONFIGURATION.format(sockets=sockets, folder=folder))
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONWARNINGS": "ignore"}

    def order(*words: str) -> None:
        # Circus refuses commands while it is at something else.
        until(
            lambda: (
                subprocess.run(
                    [*ctl, "--endpoint", f"ipc://{sockets}/control", "--timeout", "20", *words],
                    env=environment,
                    capture_output=True,
                ).returncode
                == 0
            ),
            f"circusctl {' '.join(words)}",
        )

    def journal() -> list[list[Any]]:
        file = folder / "journal"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    log = (folder / "log").open("wb")
    daemon = subprocess.Popen([*circusd, "circus.ini"], cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        # A plugin of Circus misses what is before its subscription: it counts from the first that it has seen. That is
        # of a watcher of its own, as the order may have been given again before that event has arrived.
        until(lambda: order("set", "first", "graceful_timeout", "4") or journal(), "the first event")
        before = len(journal())
        for words in ORDERS:
            order(*words)
        until(lambda: [line[:2] for line in journal()[before:]].count(["other", "updated"]) >= 2, "the last event")
        return [line for line in journal()[before:] if line[0] in ("app_one", "other")]
    finally:
        daemon.terminate()
        daemon.wait(PATIENCE)
        log.close()


@pytest.mark.timeout(180)
def test_a_plugin_sees_the_same_topics_and_payload_keys_in_both(circus: Path, tmp_path: Path, sockets: str) -> None:
    theirs = run(
        [str(circus / "python"), str(circus / "circusd")],
        [str(circus / "python"), str(circus / "circusctl")],
        tmp_path / "theirs",
        f"{sockets}/a",
    )
    ours = run(
        [sys.executable, "-m", "circus_core.main"],
        [str(circus / "python"), str(circus / "circusctl")],
        tmp_path / "ours",
        f"{sockets}/b",
    )
    assert {(watcher, action) for watcher, action, _ in ours} == {(watcher, action) for watcher, action, _ in theirs}
    for watcher, action, payload in theirs:
        same = [found for name, act, found in ours if (name, act) == (watcher, action)]
        for found in same:
            assert payload.keys() <= found.keys(), (action, found)
            assert type(found["time"]) is float


def test_functions_and_constants_are_the_same(circus: Path, tmp_path: Path) -> None:
    def seen(python: str) -> dict[str, object]:
        done = subprocess.run(
            [python, "-W", "ignore", "-c", FUNCTIONS], capture_output=True, text=True, check=True, cwd=tmp_path
        )
        answer: dict[str, object] = json.loads(done.stdout)
        return answer

    assert seen(sys.executable) == seen(str(circus / "python"))
