"""The plugin in a real circusd, in a process of its own and inside circusd."""

from __future__ import annotations

import pytest

from circus_core.testing import until

WEB = "[watcher:web]\ncmd = sh -c 'exit 7'\nmax_retry = 2\nrestart_delay = 0.01\ncopy_env = True\n"


@pytest.mark.parametrize("host", ["", "host = core\n"], ids=["process", "core"])
def test_a_watcher_that_gives_up_is_told(circusd, receiver, host):
    daemon = circusd(f"{WEB}[plugin:notify]\nuse = notify\n{host}webhook = {receiver.url}/s3cret\n")
    said = [receiver.next()[2] for _ in range(3)]
    assert "process_exited" in [each["event"] for each in said]
    until(lambda: daemon.call("status", name="web")["status"] == "stopped")
    while said[-1]["event"] != "watcher_gave_up":
        said.append(receiver.next()[2])
    assert "web/1 is given up" in said[-1]["summary"]
    daemon.call("quit", waiting=True)
    daemon.wait()
    assert "0 were lost" in daemon.output()
    assert "s3cret" not in daemon.output()


@pytest.mark.parametrize("host", ["", "host = core\n"], ids=["process", "core"])
def test_mistakes_are_told_with_their_line_and_without_secrets(circusd, host):
    daemon = circusd(f"[plugin:notify]\nuse = notify\n{host}webhook = hooks/s3cret\nretries = some\nevent = x\n")
    assert daemon.wait() == 2
    said = daemon.output()
    assert "retries: 'some' isn't an integer" in said
    assert "did you mean events?" in said
    assert "circus.ini:" in said
    assert "s3cret" not in said


def test_a_bad_url_is_told_with_its_line_and_not_shown(circusd):
    daemon = circusd("[plugin:notify]\nuse = notify\nwebhook = hooks/s3cret\n")
    assert daemon.wait() == 2
    assert "webhook: is not a URL" in daemon.output()
    assert "s3cret" not in daemon.output()


def test_its_secrets_are_masked_where_options_are_shown(circusd, receiver):
    daemon = circusd(
        f"[plugin:notify]\nuse = notify\nwebhook = {receiver.url}/s3cret\nwebhook_header.Authorization = s3cret\n"
        "mail_to = a@example.org\nmail_from = b@example.org\nsmtp_user = me\nsmtp_password = s3cret\n"
    ).up()
    shown = str(daemon.call("options", name="plugin:notify")["options"]["plugins"])
    assert "mail_from = b@example.org" in shown
    assert "s3cret" not in shown
