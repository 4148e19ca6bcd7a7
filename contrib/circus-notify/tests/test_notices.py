"""What is told of an event, how often, and which options can be meant."""

from __future__ import annotations

import pytest

from circus_core import events
from circus_notify.limit import Limiter
from circus_notify.notice import Notice, Writer, ending, error_of, notice_of
from circus_notify.options import BODY, SUBJECT, Options, matches, words


def exited(exit_code, *, requested=False):
    return events.ProcessExited(
        watcher="web", wid=1, pid=7, exit_code=exit_code, age=1.25, requested=requested, seq=3, at=0.0
    )


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (exited(7), "web/1 (pid 7) ended with code 7 after 1.2 s"),
        (exited(-9), "web/1 (pid 7) ended with SIGKILL after 1.2 s"),
        (events.WatcherGaveUp(watcher="web", wid=2, reason="too often", last=True), "web/2 is given up: too often"),
        (events.SpawnFailed(watcher="web", wid=1, reason="no such file"), "web/1 cannot be started: no such file"),
        (events.EventsLost(first=3, last=9), "events 3 to 9 were missed: what happened then is not known"),
        (events.WatcherStopped(watcher="web"), "web: watcher_stopped"),
        (events.SupervisorStopping(reason="asked"), "circusd: supervisor_stopping (reason asked)"),
    ],
)
def test_each_event_in_a_sentence(event, sentence):
    assert notice_of(event, "").summary == sentence


@pytest.mark.parametrize(
    ("code", "words"), [(0, "code 0"), (None, "an unknown code"), (-15, "SIGTERM"), (-99, "signal 99")]
)
def test_how_a_process_ended(code, words):
    assert ending(code) == words


def test_the_error_that_an_event_tells_of():
    assert error_of(exited(7)) == "ended with code 7"
    assert error_of(exited(0)) == error_of(exited(7, requested=True)) == ""
    assert error_of(events.SpawnFailed(watcher="web", wid=1, reason="gone")) == "gone"


def test_templates():
    writer = Writer("box", "$hostname: $watcher/$wid\n$$5 $nonsense", "$summary, $last_error, $more")
    message = writer.write(notice_of(exited(7), "gone"))
    assert message.subject == "box: web/1 $5 $nonsense"
    assert message.body == "web/1 (pid 7) ended with code 7 after 1.2 s, gone, 0"
    assert message.payload["time"] == "1970-01-01T00:00:00Z"
    assert message.payload["fields"]["exit_code"] == 7


def test_the_default_templates():
    message = Writer("box", SUBJECT, BODY).write(notice_of(exited(7), ""))
    assert message.subject == "[box] web/1 (pid 7) ended with code 7 after 1.2 s"
    assert "last error: none" in message.body


def test_patterns():
    assert words(" a, b c ,,") == ("a", "b c")
    assert matches("Web-1", ["web*"])
    assert not matches("web", ["db", "we"])


def notice(number):
    return Notice("process_exited", "web", number, 0.0)


def test_so_many_in_a_period_then_one_summary():
    limiter, key = Limiter(2, 10.0), ("process_exited", "web")
    answers = [limiter.admit(key, notice(number), float(number)) for number in range(5)]
    assert answers == [(True, None), (True, None), (False, 8.0), (False, None), (False, None)]
    assert limiter.held() == [key]
    summary = limiter.summary(key)
    assert (summary.more, summary.seq) == (3, 4)
    assert summary.summary == "web: 3 more process_exited"
    assert limiter.admit(key, notice(5), 10.0) == (True, None)


def test_a_quiet_period_starts_anew_and_others_are_counted_apart():
    limiter = Limiter(1, 10.0)
    assert limiter.admit(("a", "web"), notice(1), 0.0) == (True, None)
    assert limiter.admit(("a", "db"), notice(1), 1.0) == (True, None)
    assert limiter.admit(("a", "web"), notice(1), 10.0) == (True, None)
    assert limiter.summary(("a", "web")) is None
    assert limiter.summary(("none", "web")) is None


def test_a_watcher_that_is_gone_is_forgotten_but_for_what_is_to_be_told():
    limiter = Limiter(1, 10.0)
    limiter.admit(("a", "web"), notice(1), 0.0)
    limiter.admit(("b", "web"), notice(1), 0.0)
    limiter.admit(("b", "web"), notice(2), 0.0)
    limiter.forget("web")
    assert limiter.held() == [("b", "web")]
    assert limiter.admit(("a", "web"), notice(3), 1.0) == (True, None)


@pytest.mark.parametrize(
    ("values", "key", "message"),
    [
        ({}, "webhook", "is missing, as are slack_webhook and mail_to"),
        ({"webhook": "hooks.example.org/x"}, "webhook", "is not a URL"),
        ({"slack_webhook": "ftp://x/"}, "slack_webhook", "is not a URL"),
        ({"webhook": "http://[x/"}, "webhook", "is not a URL"),
        ({"mail_to": "a@b"}, "mail_to", "is set without mail_from"),
        ({"smtp_user": "me", "webhook": "http://x"}, "smtp_user", "and smtp_password need each other"),
        (
            {"smtp_user": "me", "smtp_password": "x", "smtp_security": "none", "webhook": "http://x"},
            "smtp_security",
            "is none",
        ),
        ({"subject": "$", "webhook": "http://x"}, "subject", "is not a template"),
    ],
)
def test_options_that_cannot_be_meant(values, key, message):
    assert (key, message) in [(found[0], found[1]) for found in Options(**values).contradictions()]


def test_a_template_with_a_name_that_no_event_has_is_doubted():
    assert Options(webhook="http://x", body="$watcher $reason $ending").doubts()[0][1] == "has $ending"
    assert not Options(webhook="http://x").doubts()


@pytest.mark.parametrize(("security", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_ports_of_mail_servers(security, port):
    assert Options(smtp_security=security).port == port
    assert Options(smtp_security=security, smtp_port=99).port == 99
