"""A real browser in front of the console of a real circusd. One of each serves the tests of a module: they take seconds
to start. Without Chromium these tests are skipped.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import sys
import tempfile
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from circus_core.testing import Circusd, until
from tests.contract.sources import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page

STATIC = ROOT / "circus_plugins" / "web" / "static"
PATIENCE = 20_000
"""Milliseconds for what a browser waits for; on a busy machine it may take a while."""
TALK = r"""
import sys, time
print("plain <b>words</b> & more")
print("\033[31mred\033[0m bell\a and \u202e", flush=True)
print("x" * 1000000, flush=True)
print("this went wrong", file=sys.stderr, flush=True)
number = 0
while True:
    print(f"tick {number}", flush=True)
    number += 1
    time.sleep(0.2)
"""
ACME = """
from circus_core.kinds import TEXT
from circus_core.plugin import CircusPlugin

class Acme(CircusPlugin):
    name = "acme"

    def circus_register_options(self, registry):
        registry.option("watcher", "acme.colour", TEXT, help="The colour of its lamp.")
"""
CONFIGURATION = """
    [plugin:acme]
    use = acme.py:Acme
    host = core

    [socket:front]
    host = 127.0.0.1
    port = 0

    [plugin:circushttpd]
    use = web
    port = {port}
    interval = 0.2
    {users}

    [watcher:web]
    cmd = sleep 1000
    numprocesses = 2
    use_sockets = True
    copy_env = True
    graceful_timeout = 5

    [env:web]
    DATABASE_PASSWORD = seldom-told

    [watcher:talker]
    cmd = {python} talk.py
    recent_output = 3M
    copy_env = True
    stdout_stream.class = FileStream
    stdout_stream.filename = out.log
    stderr_stream.class = FileStream
    stderr_stream.filename = err.log

    [watcher:broken]
    cmd = sh -c 'echo "no <i>database</i>" >&2; exit 3'
    restart_burst = 0
    restart_delay = 0.01
    max_retry = 1
    stderr_stream.class = FileStream
    stderr_stream.filename = broken.log

    [watcher:late]
    cmd = /nowhere/to/be/found
    max_retry = -1
    restart_delay = 100
    restart_delay_max = 1000

    [watcher:parked]
    cmd = sleep 1000
    autostart = False
"""


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Site:
    """A circusd with a web console, and a browser that is logged in there."""

    def __init__(
        self, folder: Path, browser: Browser, users: str = "", configuration: str = CONFIGURATION, *, below: str = ""
    ) -> None:
        self.port = free_port()
        self.home = f"http://localhost:{self.port}/{below}"
        self.browser = browser
        self.run = tempfile.TemporaryDirectory(prefix="circus-")
        (folder / "talk.py").write_text(TALK)
        (folder / "acme.py").write_text(ACME)
        text = configuration.format(port=self.port, users=users, python=sys.executable)
        self.circusd = Circusd(folder, text, env={"XDG_RUNTIME_DIR": self.run.name})
        self._state: Any = None

    def link(self) -> str:
        """The newest link to log in by."""
        found: list[str] = until(
            lambda: re.findall(rf"{self.home}login\?link=\S+", self.circusd.output()), "a link to log in by"
        )
        return found[-1]

    def context(self, **given: Any) -> BrowserContext:
        """A window of its own, logged in."""
        if self._state is None:
            with self.browser.new_context() as context:
                page = context.new_page()
                page.goto(self.link())
                page.get_by_role("button", name="Log in").click(timeout=PATIENCE)
                page.wait_for_url(self.home, timeout=PATIENCE)
                self._state = context.storage_state()
        context = self.browser.new_context(storage_state=self._state, **given)
        context.set_default_timeout(PATIENCE)
        return context

    def web_pid(self) -> int:
        """The process that serves the console."""
        plugins = self.circusd.call("plugins")["plugins"]
        pid: int = next(each["pid"] for each in plugins if each["name"] == "circushttpd")
        return pid

    def close(self) -> None:
        self.circusd.close()
        self.run.cleanup()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's chromium, driven by Playwright."""
    pytest.importorskip("circus_plugins.web.console", reason="there is no server of the console yet")
    api = pytest.importorskip("playwright.sync_api")
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("there is no chromium: apt-get install chromium")
    if not (STATIC / "index.html").exists():
        pytest.skip("the console is not built: make console")
    with api.sync_playwright() as playwright:
        # As root it has no sandbox of its own.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"] if os.getuid() == 0 else [])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A circusd whose console a browser is logged in to."""
    with closing(Site(tmp_path_factory.mktemp("site"), chromium)) as made:
        made.circusd.up()
        yield made


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complains of, such as a script that its policy forbids."""
    return []


@pytest.fixture
def page(site: Site, complaints: list[str]) -> Iterator[Page]:
    """The overview, in a window of its own; the browser must not complain of anything."""
    with site.context(viewport={"width": 1280, "height": 800}) as context:
        made = context.new_page()
        listen(made, complaints)
        made.goto(site.home)
        made.locator("[data-name=web]").wait_for()
        yield made
    assert complaints == []


def listen(page: Page, complaints: list[str]) -> None:
    """Note what the browser complains of."""
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)


def order(page: Page, name: str, *, sure: bool = False) -> None:
    """Press a button, say yes to the question if there is one, and wait until it is done."""
    page.get_by_role("button", name=name, exact=True).first.click()
    if sure:
        page.get_by_role("dialog").get_by_role("button").last.click()
    page.get_by_role("status").get_by_text("done").first.wait_for()
