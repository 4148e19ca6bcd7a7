"""The console as a whole in a real browser: transports, roles, keyboard, phones, what is gone and comes back."""

from __future__ import annotations

import gzip
import os
import re
import signal
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from circus_core.testing import until
from tests.contract.sources import ROOT
from tests.plugins.web.browser.conftest import PATIENCE, STATIC, Site, listen

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

expect.set_options(timeout=20_000)
AXE = ROOT / "circus_plugins" / "web" / "ui" / "node_modules" / "axe-core" / "axe.min.js"
PAGES = (
    "",
    "w/web",
    "w/broken",
    "w/web/edit",
    "new",
    "logs",
    "logs/talker",
    "events",
    "sockets",
    "plugins",
    "plugins/control",
)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
MOST = 150_000
"""Bytes of the first load, packed."""
NO_WEBSOCKET = """window.WebSocket = class {
    constructor() { setTimeout(() => this.onerror?.(new Event("error"))); }
    close() {}
};"""
CRAMPED = "[document.documentElement, document.querySelector('main')].some(each => each.scrollWidth > each.clientWidth)"


def test_the_first_load_is_light(chromium: Browser) -> None:
    files = [STATIC / "index.html", *(STATIC / "assets").iterdir()]
    assert sum(len(gzip.compress(file.read_bytes(), 9)) for file in files) < MOST


@pytest.mark.parametrize(("script", "words"), [("", "live"), (NO_WEBSOCKET, "live, by long polling")])
def test_it_works_by_both_transports(site: Site, script: str, words: str) -> None:
    with site.context() as context:
        page = context.new_page()
        if script:
            page.add_init_script(script)
        page.goto(site.home)
        expect(page.locator(".live")).to_have_text(words)
        row = page.locator("[data-name=parked]")
        expect(row).to_contain_text("stopped")
        site.circusd.call("start", name="parked", waiting=True)
        expect(row).to_contain_text("active")
        site.circusd.call("stop", name="parked", waiting=True)
        expect(row).to_contain_text("stopped")
        page.goto(f"{site.home}#/w/talker")
        expect(page.get_by_label("Options and their values")).to_contain_text("cmd")


def test_all_of_it_by_keyboard(page: Page) -> None:
    keys = page.keyboard
    keys.press("/")
    keys.type("e")
    keys.press("Escape")
    keys.press("j")
    expect(page.get_by_role("link", name="broken", exact=True)).to_be_focused()
    keys.press("j")
    keys.press("j")
    keys.press("k")
    expect(page.get_by_role("link", name="late", exact=True)).to_be_focused()
    keys.press("x")
    expect(page.get_by_label("Select late")).to_be_checked()
    keys.press("Enter")
    expect(page.get_by_role("heading", name="late", exact=True)).to_be_visible()
    page.get_by_role("button", name="Stop", exact=True).focus()
    keys.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    keys.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_focused()
    page.get_by_role("button", name="Send a signal").focus()
    keys.press("Enter")
    keys.press("ArrowDown")
    expect(page.get_by_role("menuitem", name="SIGUSR1")).to_be_focused()
    keys.press("Escape")
    expect(page.get_by_role("button", name="Send a signal")).to_be_focused()
    keys.press("g")
    keys.press("e")
    expect(page).to_have_url(re.compile("#/events$"))
    keys.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("search")
    keys.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    before = page.locator("html").get_attribute("data-theme")
    keys.press("t")
    expect(page.locator("html")).not_to_have_attribute("data-theme", before or "")


@pytest.mark.parametrize(
    ("theme", "width"), [("light", 1280), ("dark", 1280), ("light", 910), ("light", 360), ("dark", 360)]
)
def test_every_page_is_accessible_and_fits(site: Site, theme: str, width: int, complaints: list[str]) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not there: make console")
    found = []
    with site.context(viewport={"width": width, "height": 740}, color_scheme=theme) as context:
        page = context.new_page()
        listen(page, complaints)
        page.goto(site.home)
        page.locator("[data-name=web]").wait_for()
        # A debugger's evaluation is not the page's, so the policy of the page allows it.
        page.evaluate(AXE.read_text())
        for path in PAGES:
            page.goto(f"{site.home}#/{path}")
            page.locator("main h1").first.wait_for(state="attached")
            page.wait_for_load_state("networkidle") if not path else page.locator("main .card").first.wait_for()
            violations = page.evaluate(f"axe.run(document, {{runOnly: {RULES}}}).then(told => told.violations)")
            found += [f"{path}: {each['id']}: {each['nodes'][0]['html'][:200]}" for each in violations]
            if page.evaluate(CRAMPED):
                found.append(f"{path}: it is too wide")
    assert found == []
    assert complaints == []


def test_a_server_that_is_gone_is_told_and_the_graph_goes_on(site: Site) -> None:
    with site.context() as context:
        page = context.new_page()
        page.goto(f"{site.home}#/w/talker")
        expect(page.locator(".graph")).to_have_count(2)
        drawn = page.locator("strong").first
        expect(drawn).to_contain_text("%")
        os.kill(site.web_pid(), signal.SIGKILL)
        expect(page.get_by_role("alert")).to_contain_text("No connection to the server")
        expect(page.locator(".graph")).to_have_count(2)
        expect(page.get_by_role("alert")).to_have_count(0)
        expect(page.get_by_label("Processes").first).to_contain_text(
            str(site.circusd.call("list", name="talker")["pids"][0])
        )


def test_who_may_only_look_has_nothing_to_press(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    hasher = pytest.importorskip("argon2").PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    users = f"users.ada = view {hasher.hash('lovelace')}"
    with closing(Site(tmp_path_factory.mktemp("roles"), chromium, users)) as made, chromium.new_context() as context:
        made.circusd.up()
        page = context.new_page()
        until(lambda: "circushttpd" in made.circusd.output(), "the console")
        until(lambda: page.goto(made.home) is not None, "an answer")
        page.get_by_label("User").fill("ada")
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Log in").click(timeout=PATIENCE)
        expect(page.get_by_role("alert")).to_be_visible()
        page.get_by_label("Password").fill("lovelace")
        page.get_by_role("button", name="Log in").click(timeout=PATIENCE)
        expect(page.locator("[data-name=web]")).to_be_visible()
        expect(page.get_by_role("link", name="Add watcher")).to_have_count(0)
        page.get_by_role("link", name="web", exact=True).click()
        expect(page.get_by_role("heading", name="2 processes")).to_be_visible()
        expect(page.get_by_role("button", name="Stop", exact=True)).to_have_count(0)
        expect(page.get_by_role("link", name="Edit options")).to_have_count(0)
        page.get_by_role("button", name="ada, role view").click()
        page.get_by_role("menuitem", name="Log out").click()
        expect(page.get_by_label("Password")).to_be_visible()
