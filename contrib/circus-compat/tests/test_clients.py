"""Circus' clients, as programs use them, against a circusd of circus-bus."""

from __future__ import annotations

import asyncio
import json

import pytest

from circus.client import AsyncCircusClient, CallError, CircusClient, cast_message, make_json, make_message
from circus_core.testing import until

APP = "[watcher:app]\ncmd = sleep 1000\ncopy_env = True\ngraceful_timeout = 5\n"


@pytest.fixture
def daemon(circusd):
    return circusd(APP).up()


@pytest.fixture
def client(daemon):
    made = CircusClient(endpoint=daemon.endpoint, timeout=20)
    yield made
    made.stop()


def test_a_command_by_its_name(client):
    assert client.send_message("list")["watchers"] == ["app"]


def test_a_command_as_a_message(client):
    reply = client.call({"command": "incr", "properties": {"name": "app", "waiting": True}})
    assert reply["numprocesses"] == 2


def test_an_error_is_a_reply_and_no_exception(client):
    reply = client.call(make_message("status", name="nobody"))
    assert (reply["status"], reply["reason"], reply["errno"]) == ("error", "program nobody not found", 3)


def test_a_cast_is_not_answered(client):
    assert client.call(cast_message("incr", name="app")) == {}
    until(lambda: client.send_message("numprocesses", name="app")["numprocesses"] == 2)


def test_what_is_no_message_is_refused(client):
    with pytest.raises(DeprecationWarning, match="takes a mapping"):
        client.call('{"command": "list"}')
    with pytest.raises(CallError, match="no command"):
        client.call({})


def test_nobody_answers(tmp_path):
    client = CircusClient(endpoint=f"ipc://{tmp_path}/nobody", timeout=0.05)
    with pytest.raises(CallError, match=r"^Timed out\.$"):
        client.send_message("list")
    client.stop()


def test_the_default_endpoint_is_that_of_circus_bus(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    client = CircusClient()
    assert client.endpoint.startswith("ipc://")
    client.stop()


def test_the_asynchronous_client(daemon, tmp_path):
    async def use():
        client = AsyncCircusClient(endpoint=daemon.endpoint, timeout=20)
        replies = await asyncio.gather(client.send_message("list"), client.call(make_message("numwatchers")))
        assert await client.call(cast_message("incr", name="app")) == {}
        client.stop()
        nobody = AsyncCircusClient(endpoint=f"ipc://{tmp_path}/nobody", timeout=0.05)
        with pytest.raises(CallError, match=r"^Timed out\.$"):
            await nobody.send_message("list")
        nobody.stop()
        nobody.stop()
        return replies

    listed, counted = asyncio.run(use())
    assert listed["watchers"] == ["app"]
    assert counted["numwatchers"] == 1


def test_a_message_as_it_is_sent():
    assert json.loads(make_json("status", name="a")) == make_message("status", name="a")
