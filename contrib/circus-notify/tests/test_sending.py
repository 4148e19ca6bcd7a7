"""Notices reach real servers; those that refuse are asked again, and what is lost is said."""

from __future__ import annotations

import asyncio
import logging
import socket

import pytest

from circus_core import events
from circus_notify import Notify
from circus_notify.options import Options

CRASH = {"watcher": "web", "wid": 1, "pid": 7, "age": 0.5, "requested": False}


@pytest.fixture
def told(caplog):
    """The log, and no secret in it."""
    caplog.set_level(logging.INFO)
    yield caplog
    assert "s3cret" not in caplog.text


def notify(*happened, until=None, **options):
    """Run a plugin with these options, and let these events happen; answers the plugin."""

    async def run():
        plugin = Notify()
        values = {"hostname": "box", "retry_delay": 0.001, **options}
        plugin.equip("notify", None, Options(**values), None)
        try:
            await plugin.circus_startup()
            for event in happened:
                plugin.circus_event(event)
            if until is not None:
                await asyncio.to_thread(until)
        finally:
            await plugin.circus_shutdown()
        return plugin

    return asyncio.run(run())


def crash(exit_code=7, **fields):
    return events.ProcessExited(exit_code=exit_code, **{**CRASH, **fields})


def counts(plugin):
    return [(delivery.sent, delivery.lost) for delivery in plugin.deliveries]


def test_a_webhook_gets_json(receiver, told):
    plugin = notify(
        crash(seq=5, at=1.5), webhook=f"{receiver.url}/s3cret", webhook_headers={"Authorization": "Bearer s3cret"}
    )
    path, headers, said = receiver.next()
    assert path == "/s3cret"
    assert headers["Authorization"] == "Bearer s3cret"
    assert headers["Content-Type"] == "application/json"
    assert said["summary"] == "web/1 (pid 7) ended with code 7 after 0.5 s"
    assert (said["event"], said["watcher"], said["hostname"], said["seq"], said["at"]) == (
        "process_exited", "web", "box", 5, 1.5,
    )  # fmt: skip
    assert said["last_error"] == "ended with code 7"
    assert counts(plugin) == [(1, 0)]
    assert "webhook 127.0.0.1: told: [box] web/1" in told.text
    assert "1 notices were sent, 0 were lost" in told.text


def test_slack_gets_its_text(receiver, told):
    notify(
        events.SpawnFailed(watcher="web", wid=1, reason="<a> & b"), slack_webhook=f"{receiver.url}/s3cret", body="$wid"
    )
    assert receiver.next()[2] == {"text": "*[box] web/1 cannot be started: &lt;a&gt; &amp; b*\n1"}


@pytest.mark.parametrize(
    ("mailbox", "security", "login"),
    [("starttls", "starttls", True), ("tls", "tls", True), ("none", "none", False)],
    indirect=["mailbox"],
)
def test_mail(mailbox, security, login, told):
    user = {"smtp_user": "me", "smtp_password": "right"} if login else {}
    plugin = notify(
        events.WatcherGaveUp(watcher="wéb", wid=1, reason="too\noften", last=True),
        mail_to="a@example.org, b@example.org", mail_from="circus@example.org",
        smtp_host="127.0.0.1", smtp_port=mailbox.port, smtp_security=security, **user,
    )  # fmt: skip
    recipients, letter = mailbox.next()
    assert recipients == ["a@example.org", "b@example.org"]
    assert letter["Subject"] == "[box] wéb/1 is given up: too often"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert "too\noften" in letter.get_content().replace("\r\n", "\n")
    assert mailbox.logins == ([("me", "right")] if login else [])
    assert counts(plugin) == [(1, 0)]


def mail(mailbox, **options):
    return notify(
        crash(), mail_to="a@example.org", mail_from="circus@example.org", smtp_host="127.0.0.1",
        smtp_port=mailbox.port, **options,
    )  # fmt: skip


def test_a_mail_server_that_is_busy_is_asked_again(mailbox, told):
    mailbox.answers = ["451 later"]
    assert counts(mail(mailbox)) == [(1, 0)]
    assert "it answered 451 later; is tried again" in told.text


def test_a_mail_server_that_refuses_is_not_asked_again(mailbox, told):
    mailbox.answers = ["554 spam"]
    assert counts(mail(mailbox)) == [(0, 1)]
    assert "it answered 554 spam; is lost: [box] web/1" in told.text


def test_a_recipient_that_is_refused(mailbox, told):
    mailbox.refused = {"a@example.org"}
    assert counts(mail(mailbox)) == [(0, 1)]
    assert "it answered 550 nobody of this name" in told.text


def test_one_of_several_recipients_is_refused(mailbox, told):
    mailbox.refused = {"b@example.org"}
    notify(
        crash(), mail_to="a@example.org, b@example.org", mail_from="circus@example.org",
        smtp_host="127.0.0.1", smtp_port=mailbox.port,
    )  # fmt: skip
    assert mailbox.next()[0] == ["a@example.org"]
    assert "the server refused b@example.org; others got it" in told.text


def test_a_wrong_password(mailbox, told):
    assert counts(mail(mailbox, smtp_user="me", smtp_password="s3cret")) == [(0, 1)]
    assert "it answered 535" in told.text


@pytest.mark.parametrize("mailbox", ["none"], indirect=True)
def test_a_mail_server_without_encryption_gets_nothing_unless_it_is_wanted(mailbox, told):
    assert counts(mail(mailbox)) == [(0, 1)]
    assert "STARTTLS extension not supported by server.; is lost" in told.text


def test_a_certificate_that_nobody_vouches_for(mailbox, told, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    assert counts(mail(mailbox, retries=1)) == [(0, 1)]
    assert "certificate verify failed" in told.text.lower()


def test_a_server_that_cannot_do_it_now_is_asked_again(receiver, told):
    receiver.answers = [(500, {}), (429, {"Retry-After": "0"}), (503, {})]
    assert counts(notify(crash(), webhook=f"{receiver.url}/s3cret")) == [(1, 0)]
    assert told.text.count("is tried again") == 3


@pytest.mark.parametrize("status", [302, 400, 404])
def test_a_server_that_refuses_is_not_asked_again(receiver, told, status):
    receiver.answers = [(status, {"Location": receiver.url})]
    assert counts(notify(crash(), webhook=f"{receiver.url}/s3cret")) == [(0, 1)]
    assert f"webhook 127.0.0.1: it answered {status}; is lost: [box] web/1" in told.text


def test_nobody_listens(told):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/s3cret"
        assert counts(notify(crash(), webhook=url, retries=2)) == [(0, 1)]
    assert told.text.count("is tried again") == 2
    assert "is lost" in told.text


def test_nobody_answers(told):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/s3cret"
        assert counts(notify(crash(), webhook=url, retries=0, timeout=0.05)) == [(0, 1)]
    assert "no answer in time; is lost" in told.text


def test_what_no_channel_foresaw_is_logged_and_the_next_is_sent(receiver, told):
    first = events.SpawnFailed(watcher="web", wid=1, reason=object())
    assert counts(notify(first, crash(), webhook=receiver.url)) == [(1, 1)]
    assert "not JSON serializable" in told.text


def test_a_full_queue_is_said_and_counted(receiver, told):
    many = [crash(watcher=f"w{number}") for number in range(5)]
    plugin = notify(*many, webhook=receiver.url, queue_size=2)
    assert counts(plugin) == [(2, 3)]
    assert "2 notices wait, new ones are lost" in told.text
    assert "there is room again; 3 notices were lost" in told.text


def test_what_is_not_sent_at_the_end_is_said_and_counted(receiver, told, monkeypatch):
    monkeypatch.setattr("circus_notify.plugin.LAST_WORDS", 0.05)
    receiver.answers = [(503, {"Retry-After": "3000"})]
    assert counts(notify(crash(), crash(watcher="db"), webhook=receiver.url)) == [(0, 2)]
    assert "not sent before the end: [box] db/1" in told.text


def test_one_recipient_does_not_wait_for_another(receiver, told, monkeypatch):
    monkeypatch.setattr("circus_notify.plugin.LAST_WORDS", 0.05)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        plugin = notify(
            crash(), webhook=f"http://127.0.0.1:{silent.getsockname()[1]}/", slack_webhook=receiver.url,
            until=receiver.next,
        )  # fmt: skip
    assert counts(plugin) == [(0, 1), (1, 0)]


def test_too_many_of_one_sort_end_in_a_summary(receiver, told):
    def all_of_it():
        for _ in range(4):
            seen.append(receiver.next()[2]["summary"])

    seen = []
    many = [crash() for _ in range(9)]
    notify(*many, crash(watcher="db"), webhook=receiver.url, rate_limit=2, rate_period=0.3, until=all_of_it)
    assert seen[-1] == "web: 7 more process_exited"
    assert len([said for said in seen if said.startswith("web/1")]) == 2


def test_a_summary_is_told_at_the_end_at_the_latest(receiver, told):
    notify(*[crash() for _ in range(3)], webhook=receiver.url, rate_limit=1)
    assert [receiver.next()[2]["more"] for _ in range(2)] == [0, 2]


@pytest.mark.parametrize(
    ("event", "options", "is_told"),
    [
        (crash(0), {}, False),
        (crash(0), {"exits": "unrequested"}, True),
        (crash(7, requested=True), {}, False),
        (crash(7, requested=True), {"exits": "all"}, True),
        (crash(None), {}, True),
        (events.WatcherStopped(watcher="web"), {}, False),
        (events.WatcherStopped(watcher="web"), {"events": "watcher_st*"}, True),
        (crash(), {"watchers": "db, we?"}, True),
        (crash(), {"watchers": "db"}, False),
        (crash(), {"ignore": "W*"}, False),
        (events.EventsLost(first=1, last=2), {"watchers": "db"}, True),
    ],
)
def test_what_is_told(receiver, told, event, options, is_told):
    assert counts(notify(event, webhook=receiver.url, **options)) == [(int(is_told), 0)]


def test_the_last_error_is_that_of_the_watcher_until_it_is_gone(receiver, told):
    notify(
        events.SpawnFailed(watcher="web", wid=1, reason="no such file"),
        events.WatcherStopped(watcher="web"),
        events.WatcherRemoved(watcher="web"),
        events.WatcherStopped(watcher="web"),
        webhook=receiver.url,
        events="watcher_stopped",
    )
    assert [receiver.next()[2]["last_error"] for _ in range(2)] == ["no such file", None]


def test_it_can_end_before_it_began():
    asyncio.run(Notify().circus_shutdown())
