"""Makes the pictures of the documentation anew: `pytest tests/plugins/web/browser/pictures.py`. No other run does."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.contract.sources import ROOT
from tests.plugins.web.browser.conftest import Site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

expect.set_options(timeout=20_000)
FOLDER = ROOT / "docs" / "howto" / "console"
LARGEST = 120_000
WAIT = 15_000
"""Milliseconds until a graph has something to show."""
BUSY = """
import random, sys, time
mean, what = float(sys.argv[1]), sys.argv[2]
while True:
    until = time.process_time() + random.random() * mean * 0.2
    while time.process_time() < until:
        pass
    print(f"{what} in {random.randint(2, 90)} ms", flush=True)
    time.sleep(0.1)
"""
CONFIGURATION = """
    [socket:web]
    host = 127.0.0.1
    port = 0

    [plugin:circushttpd]
    use = web
    port = {port}
    interval = 0.25

    [watcher:web]
    cmd = {python} busy.py 0.2 "GET /orders 200"
    numprocesses = 3
    use_sockets = True

    [watcher:worker]
    cmd = {python} busy.py 0.3 "thumbnail made"
    numprocesses = 2

    [watcher:mailer]
    cmd = {python} busy.py 0.05 "mail sent"

    [watcher:scheduler]
    cmd = {python} busy.py 0.02 "nothing due"

    [watcher:importer]
    cmd = /srv/importer/bin/run
    max_retry = -1
    restart_delay = 100
    restart_delay_max = 1000

    [watcher:payments]
    cmd = sh -c 'echo "KeyError: DATABASE_URL" >&2; exit 3'
    restart_burst = 0
    restart_delay = 0.01
    max_retry = 1

    [watcher:backup]
    cmd = sleep 1000
    autostart = False

    [env]
    PYTHONUNBUFFERED = 1
"""
STREAMED = (
    "copy_env = True\n    stdout_stream.class = FileStream\n    stdout_stream.filename = out.log\n    "
    "stderr_stream.class = FileStream\n    stderr_stream.filename = err.log\n    cmd"
)
PICTURES = [
    ("overview-light", "", "light", 1000, 660),
    ("overview-dark", "", "dark", 1000, 660),
    ("watcher-light", "w/web", "light", 1000, 660),
    ("down-dark", "w/payments", "dark", 1000, 440),
    ("phone-dark", "", "dark", 360, 660),
]


@pytest.fixture(scope="module")
def demo(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("demo")
    (folder / "busy.py").write_text(BUSY)
    configuration = CONFIGURATION.replace("    cmd", f"    {STREAMED}")
    with closing(Site(folder, chromium, configuration=configuration)) as made:
        made.circusd.up()
        yield made


def test_pictures(demo: Site) -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, path, theme, width, height in PICTURES:
        with demo.context(viewport={"width": width, "height": height}, color_scheme=theme) as context:
            page = context.new_page()
            page.goto(f"{demo.home}#/{path}")
            expect(page.locator("main .card").first).to_be_visible()
            page.wait_for_timeout(WAIT)
            page.locator(".brand span").evaluate("span => { span.textContent = 'app.example.org'; }")
            file = FOLDER / f"{name}.png"
            file.write_bytes(page.screenshot())
            assert file.stat().st_size < LARGEST
