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
    from collections.abc import Callable

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


def test_a_circusd_that_does_not_answer_is_told_and_what_was_is_still_there(site: Site) -> None:
    with site.context() as context:
        page = context.new_page()
        page.goto(site.home)
        expect(page.locator("[data-name=web]")).to_be_visible()
        os.kill(site.circusd.pid, signal.SIGSTOP)
        try:
            expect(page.get_by_role("alert")).to_contain_text("circusd does not answer")
            expect(page.locator("[data-name=web]")).to_contain_text("active")
        finally:
            os.kill(site.circusd.pid, signal.SIGCONT)
        expect(page.get_by_role("alert")).to_have_count(0)
        site.circusd.call("start", name="parked", waiting=True)
        expect(page.locator("[data-name=parked]")).to_contain_text("active")
        site.circusd.call("stop", name="parked", waiting=True)


CROWD = """
    [plugin:circushttpd]
    use = web
    port = {port}
    {users}
"""
MANY = 1000
# Between the event and the next frame that is drawn.
TAKES = """async act => {
    const frame = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    await frame();
    const begun = performance.now();
    document.querySelector(act).click();
    await frame();
    return performance.now() - begun;
}"""


def test_of_a_thousand_watchers_only_those_in_sight_are_drawn(
    chromium: Browser, tmp_path_factory: pytest.TempPathFactory, record_property: Callable[[str, object], None]
) -> None:
    watchers = "".join(f"\n    [watcher:tenant-{n}]\n    cmd = sleep 1\n    autostart = False\n" for n in range(MANY))
    with closing(Site(tmp_path_factory.mktemp("crowd"), chromium, configuration=CROWD + watchers)) as made:
        made.circusd.up()
        with made.context(viewport={"width": 1280, "height": 800}) as context:
            page = context.new_page()
            page.goto(made.home)
            rows = page.locator("[data-name]")
            expect(rows.first).to_be_visible()
            expect(page.get_by_role("button", name=f"{MANY} off")).to_be_visible()
            assert rows.count() < 60
            page.locator("main").evaluate("main => { main.scrollTop = main.scrollHeight; }")
            expect(page.locator(f"[data-name=tenant-{MANY - 1}]")).to_be_visible()
            assert rows.count() < 60
            page.get_by_label("Search watchers").fill("tenant-77")
            expect(page.get_by_role("table")).to_have_attribute("aria-rowcount", "12")
            record_property("select_all_ms", page.evaluate(TAKES, ".head input"))
            expect(page.get_by_text("11 watchers selected")).to_be_visible()


def test_below_the_path_of_a_proxy(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("below")
    with closing(Site(folder, chromium, "root_path = /ops/circus", CROWD, below="ops/circus/")) as made:
        made.circusd.up()
        with made.context() as context:
            page = context.new_page()
            page.goto(made.home)
            expect(page.locator(".live")).to_have_text("live")
            expect(page.get_by_text("There is no watcher yet")).to_be_visible()
            page.get_by_role("link", name="Plugins").click()
            expect(page.get_by_role("link", name="circushttpd")).to_be_visible()
            page.get_by_role("button", name="owner, role admin").click()
            page.get_by_role("menuitem", name="Log out").click()
            expect(page).to_have_url(re.compile("/ops/circus/(login)?"))
            expect(page.get_by_role("button", name="Log in")).to_be_visible()


def test_who_may_only_look_has_nothing_to_press(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    hasher = pytest.importorskip("argon2").PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    users = f"users.ada = view {hasher.hash('lovelace')}"
    with closing(Site(tmp_path_factory.mktemp("roles"), chromium, users)) as made, chromium.new_context() as context:
        made.circusd.up()
        page = context.new_page()
        until(lambda: "web console at" in made.circusd.output(), "the console")
        page.goto(made.home)
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
