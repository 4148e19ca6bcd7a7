"""Everything that can be ordered in the console, in a real browser."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from circus_core.testing import until
from tests.plugins.web.browser.conftest import order

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.plugins.web.browser.conftest import Site

expect.set_options(timeout=20_000)


def pids(site: Site, name: str) -> list[int]:
    found: list[int] = site.circusd.call("list", name=name)["pids"]
    return found


def at(page: Page, site: Site, name: str) -> None:
    page.goto(f"{site.home}#/w/{name}")
    page.get_by_role("heading", name=name, exact=True).wait_for()


def test_start_and_stop_and_a_question_before_what_hurts(page: Page, site: Site) -> None:
    at(page, site, "parked")
    order(page, "Start")
    assert site.circusd.call("status", name="parked")["status"] == "active"
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert site.circusd.call("status", name="parked")["status"] == "active"
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Stop").click()
    until(lambda: site.circusd.call("status", name="parked")["status"] == "stopped", "stopped")
    expect(page.locator(".badge").first).to_have_text("stopped")


def test_restart_replaces_every_process_and_a_reload_too(page: Page, site: Site) -> None:
    at(page, site, "web")
    before = pids(site, "web")
    order(page, "Restart", sure=True)
    between = pids(site, "web")
    assert not set(before) & set(between)
    page.get_by_role("button", name="Dismiss").first.click()
    order(page, "Reload")
    assert not set(between) & set(pids(site, "web"))


def test_more_and_fewer_processes(page: Page, site: Site) -> None:
    at(page, site, "web")
    order(page, "One more")
    assert len(pids(site, "web")) == 3
    expect(page.get_by_role("heading", name="3 processes")).to_be_visible()
    page.get_by_role("button", name="Dismiss").first.click()
    order(page, "One fewer", sure=True)
    expect(page.get_by_role("heading", name="2 processes")).to_be_visible()


def test_a_signal_to_all_and_the_end_of_one(page: Page, site: Site) -> None:
    at(page, site, "web")
    one, other = pids(site, "web")
    page.get_by_role("button", name=f"Actions for process {one}").click()
    page.get_by_role("menuitem", name="End this process").click()
    page.get_by_role("dialog").get_by_role("button", name="End process").click()
    until(lambda: one not in pids(site, "web") and len(pids(site, "web")) == 2, "another process in its place")
    assert other in pids(site, "web")
    page.get_by_role("button", name="Send a signal").click()
    page.get_by_role("menuitem", name="SIGKILL").click()
    page.get_by_role("dialog").get_by_role("button", name="SIGKILL").click()
    until(lambda: other not in pids(site, "web") and len(pids(site, "web")) == 2, "all others too")
    events = page.get_by_label("Events of web")
    expect(events).to_contain_text(f"killed by {signal.Signals.SIGKILL.name}")


def test_many_at_once(page: Page, site: Site) -> None:
    for name in ("web", "parked"):
        page.get_by_label(f"Select {name}").check()
    expect(page.get_by_text("2 watchers selected")).to_be_visible()
    bulk = page.get_by_role("toolbar")
    bulk.get_by_role("button", name="Stop").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop").click()
    page.get_by_role("status").get_by_text("done").wait_for()
    assert site.circusd.call("status", name="web")["status"] == "stopped"
    bulk.get_by_role("button", name="Start", exact=True).click()
    expect(page.locator("[data-name=web]")).to_contain_text("2/2")
    expect(page.locator("[data-name=parked]")).to_contain_text("active")
    site.circusd.call("stop", name="parked", waiting=True)
    bulk.get_by_role("button", name="Clear").click()
    expect(bulk).to_have_count(0)


def test_a_watcher_is_added_changed_and_removed_and_mistakes_stand_at_their_fields(page: Page, site: Site) -> None:
    page.get_by_role("link", name="Add watcher").click()
    page.get_by_label("name", exact=True).fill("fresh")
    page.get_by_label("cmd", exact=True).fill("sleep 1000")
    page.get_by_label("numprocesses", exact=True).fill("many")
    page.get_by_role("button", name="Add and start").click()
    field = page.locator(".field[data-wrong]")
    expect(field).to_contain_text("many")
    expect(field.get_by_label("numprocesses")).to_be_focused()
    field.get_by_label("numprocesses").fill("2")
    page.get_by_role("button", name="Add and start").click()
    expect(page.get_by_role("heading", name="2 processes")).to_be_visible()
    page.get_by_role("link", name="Edit options").click()
    page.get_by_label("numprocesses", exact=True).fill("1")
    page.get_by_label("Another option").fill("rlimit_nofile")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_label("rlimit_nofile", exact=True).fill("512")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="1 process", exact=True)).to_be_visible()
    options = site.circusd.call("options", name="fresh")["options"]
    assert (options["numprocesses"], options["rlimit_nofile"]) == (1, 512)
    page.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.locator("[data-name=web]")).to_be_visible()
    expect(page.locator("[data-name=fresh]")).to_have_count(0)


def test_options_of_any_plugin_have_fields_and_secrets_stay_what_they_are(page: Page, site: Site) -> None:
    # By its address, as from a bookmark.
    page.goto("about:blank")
    page.goto(f"{site.home}#/w/web/edit")
    field = page.locator(".field", has=page.get_by_label("acme.colour", exact=True)).first
    expect(field).to_contain_text("The colour of its lamp.")
    page.get_by_label("acme.colour", exact=True).fill("red")
    page.get_by_label("env", exact=True).press("Control+End")
    page.get_by_label("env", exact=True).press_sequentially("\nGREETING=hello")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="2 processes")).to_be_visible()
    assert site.circusd.call("get", name="web", keys=["acme.colour"])["options"] == {"acme.colour": "red"}
    environment = Path(f"/proc/{pids(site, 'web')[0]}/environ").read_bytes().split(b"\0")
    assert {b"GREETING=hello", b"DATABASE_PASSWORD=seldom-told"} <= set(environment)


def test_the_configuration_is_reloaded_after_its_plan_was_seen(page: Page, site: Site) -> None:
    text = site.circusd.path.read_text()
    site.circusd.path.write_text(f"{text}\n[watcher:added]\ncmd = sleep 1000\n")
    page.get_by_role("button", name="More for circusd").click()
    page.get_by_role("menuitem", name="Reload the configuration").click()
    plan = page.get_by_role("dialog")
    expect(plan.get_by_role("listitem")).to_contain_text("added")
    assert "added" not in site.circusd.call("list")["watchers"]
    plan.get_by_role("button", name="Do this").click()
    expect(page.locator("[data-name=added]")).to_contain_text("active")
    site.circusd.path.write_text(text)
    site.circusd.call("reloadconfig", waiting=True)
    expect(page.locator("[data-name=added]")).to_have_count(0)


def test_what_is_refused_is_told(page: Page, site: Site) -> None:
    at(page, site, "late")
    page.get_by_role("button", name="Start", exact=True).click()
    failed = page.get_by_role("status").locator(".toast.bad")
    expect(failed).to_contain_text("Start late failed")
    expect(failed).to_contain_text("/nowhere/to/be/found")
