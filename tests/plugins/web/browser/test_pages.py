"""Every page of the console in a real browser: what it shows, and that it goes on by itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from circus_core.testing import until

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.plugins.web.browser.conftest import Site

expect.set_options(timeout=20_000)
DRAWN = """canvas => {
    const blank = Object.assign(document.createElement('canvas'), {width: canvas.width, height: canvas.height});
    return canvas.toDataURL() !== blank.toDataURL();
}"""


def names(page: Page) -> list[str]:
    return [str(row.get_attribute("data-name")) for row in page.locator("[data-name]").all()]


def drawn(canvas: Locator) -> None:
    """Something is on the canvas."""
    until(lambda: canvas.evaluate(DRAWN), "a line on the canvas")


def test_the_overview_has_those_that_fare_badly_first_and_says_why(page: Page) -> None:
    assert names(page) == ["broken", "late", "talker", "web", "parked"]
    row = page.locator("[data-name=broken]")
    expect(row).to_contain_text("gave up")
    expect(row.locator(".trouble")).to_contain_text("exited with status 3")
    expect(page.locator("[data-name=web]")).to_contain_text("2/2")
    expect(page.locator("[data-name=parked]")).to_contain_text("stopped")
    expect(page.get_by_label("Host and circusd")).to_contain_text("circusd 0.1")
    drawn(page.locator("[data-name=talker] canvas").first)


def test_the_overview_can_be_searched_filtered_and_sorted(page: Page) -> None:
    search = page.get_by_label("Search watchers")
    search.fill("nowhere found")
    assert names(page) == ["late"]
    search.fill("")
    page.get_by_role("button", name="1 off").click()
    assert names(page) == ["parked"]
    page.get_by_role("button", name="1 off").click()
    page.get_by_role("columnheader", name="Watcher").get_by_role("button").click()
    assert names(page) == ["broken", "late", "parked", "talker", "web"]
    page.get_by_role("columnheader", name="Watcher").get_by_role("button").click()
    assert names(page) == ["web", "talker", "parked", "late", "broken"]
    search.fill("there is none like that")
    expect(page.get_by_text("No watcher is like that")).to_be_visible()


def test_the_page_of_a_watcher_shows_processes_graphs_events_and_options(page: Page, site: Site) -> None:
    page.get_by_role("link", name="web", exact=True).click()
    for pid in site.circusd.call("list", name="web")["pids"]:
        expect(page.get_by_label("Processes").first).to_contain_text(str(pid))
    for graph in page.locator(".graph canvas").all():
        drawn(graph)
    expect(page.get_by_role("heading", name="Waiting at front")).to_be_visible()
    expect(page.get_by_label("Events of web")).to_contain_text("process spawned")
    options = page.get_by_label("Options and their values")
    expect(options).to_contain_text("use_sockets")
    page.get_by_label("Search options").fill("env")
    expect(options).to_contain_text("DATABASE_PASSWORD=********")
    expect(options).not_to_contain_text("numprocesses")


def test_it_says_why_a_watcher_is_down(page: Page, site: Site) -> None:
    page.goto(f"{site.home}#/w/broken")
    why = page.get_by_label("Why is it down?")
    expect(why).to_contain_text("Process 1 was given up")
    expect(why).to_contain_text("exit status 3")
    expect(why.get_by_role("log")).to_have_text("no <i>database</i>")
    page.goto(f"{site.home}#/w/late")
    expect(why).to_contain_text("cannot run /nowhere/to/be/found")
    expect(why).to_contain_text(re.compile(r"next try in \d"))
    left = why.get_by_text("next try")
    before = left.text_content()
    until(lambda: left.text_content() != before, "the countdown goes on")


def test_output_is_text_whatever_it_says(page: Page, site: Site) -> None:
    page.goto(f"{site.home}#/logs/talker")
    lines = page.get_by_role("log")
    expect(lines).to_contain_text("tick")
    page.get_by_label("Search lines").fill("words")
    expect(lines).to_contain_text("plain <b>words</b> & more")
    expect(lines.locator("mark")).to_have_text("words")
    page.get_by_label("Search lines").fill("bell")
    expect(lines.locator(".ansi-red")).to_have_text("red")
    expect(lines).to_contain_text("bell\u2407 and <202e>")
    page.get_by_label("Search lines").fill("xxx")
    expect(lines).to_contain_text("KB more")
    assert len(lines.inner_text()) < 10_000


def test_output_is_followed_paused_chosen_and_downloaded(page: Page, site: Site) -> None:
    page.goto(f"{site.home}#/logs/talker")
    lines = page.get_by_role("log")
    expect(lines).to_contain_text("tick")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("since the pause")).to_contain_text(re.compile("[1-9]"))
    page.get_by_role("button", name="Go on").click()
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Download").click()
    assert "plain <b>words</b> & more\n" in downloading.value.path().read_text()
    assert downloading.value.suggested_filename == "talker.log"
    page.get_by_label("Channel").select_option("stderr")
    expect(lines).to_contain_text("this went wrong")
    expect(lines).not_to_contain_text("tick")
    page.get_by_label("Channel").select_option("")
    page.get_by_label("Watcher").select_option("")
    expect(lines).to_contain_text("talker/1")


def test_events_are_live_and_can_be_chosen(page: Page, site: Site) -> None:
    page.goto(f"{site.home}#/events")
    events = page.get_by_role("log")
    expect(events).to_contain_text("gave up")
    page.get_by_label("Search events").fill("parked")
    site.circusd.call("start", name="parked", waiting=True)
    expect(events).to_contain_text("process spawned")
    site.circusd.call("stop", name="parked", waiting=True)
    expect(events).to_contain_text("watcher stopped")
    page.get_by_label("Kind of event").select_option("process_exited")
    expect(events).not_to_contain_text("spawned")
    expect(events).to_contain_text("as ordered")
    drawn(page.locator("canvas.density"))


def test_sockets_and_who_uses_them(page: Page, site: Site) -> None:
    page.goto(f"{site.home}#/sockets")
    row = page.get_by_role("row").filter(has_text="front")
    expect(row).to_contain_text("127.0.0.1")
    expect(row).to_contain_text("/2048")
    row.get_by_role("link", name="web").last.click()
    expect(page.get_by_role("heading", name="web", exact=True)).to_be_visible()


def test_plugins_with_their_health_and_options(page: Page, site: Site) -> None:
    page.goto(f"{site.home}#/plugins")
    expect(page.get_by_role("listitem").filter(has_text="control")).to_contain_text("well")
    page.get_by_role("link", name="circushttpd").click()
    expect(page.get_by_role("heading", name="circushttpd")).to_be_visible()
    expect(page.get_by_text("interval", exact=True)).to_be_visible()
    expect(page.get_by_text("in process")).to_be_visible()


def test_a_page_that_is_not_there_leads_back(page: Page, site: Site) -> None:
    page.goto(f"{site.home}#/nowhere")
    page.get_by_role("link", name="All watchers").click()
    expect(page.locator("[data-name=web]")).to_be_visible()
    page.goto(f"{site.home}#/w/nobody")
    expect(page.get_by_text("There is no watcher of this name")).to_be_visible()


def test_nothing_is_asked_of_another_host(page: Page, site: Site) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    page.locator("[data-name=web]").wait_for()
    page.goto(f"{site.home}#/w/web")
    page.locator(".graph canvas").first.wait_for()
    assert asked
    assert [url for url in asked if not url.startswith((site.home, site.home.replace("http", "ws")))] == []


def test_the_overview_counts_down_to_the_next_try(page: Page) -> None:
    trouble = page.locator("[data-name=late] .trouble")
    expect(trouble).to_contain_text(re.compile(r"next try in .*: cannot run /nowhere/to/be/found"))
    before = trouble.text_content()
    until(lambda: trouble.text_content() != before, "the countdown goes on")
