"""Who gets in, by what, for how long; and that nothing of it is in a log."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from argon2 import PasswordHasher

from circus_core.options import Section
from circus_core.structure import Setting, structure
from circus_plugins.web import main
from circus_plugins.web.access.attempts import Attempts, Pace
from circus_plugins.web.console import WebOptions
from tests.plugins.web.conftest import HASHES, Console, bearer

if TYPE_CHECKING:
    from collections.abc import Callable

    Served = Callable[..., Console]

PASSWORD = "correct horse"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Hashes that take no time, for what is not about them."""


def user(name: str, role: str) -> str:
    return f"users.{name} = {role} {QUICK.hash(PASSWORD)}"


def test_a_link_counts_once(served: Served) -> None:
    console = served()
    link = console.link
    token = link.partition("link=")[2]
    with console.client() as somebody, console.client() as other:
        # A preview of the link, by a program that looks at all links, uses nothing up.
        assert somebody.get(link).status_code == 200
        assert somebody.get("/api/v1/me").status_code == 401
        answer = somebody.post("/login", json={"link": token})
        assert answer.json() == {"status": "ok", "user": "owner", "role": "admin"}
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert somebody.get("/api/v1/me").json()["user"] == "owner"
        refused = other.post("/login", json={"link": token})
        assert refused.status_code == 401
        assert refused.json()["hint"] == "it counts once; `circushttpd --link` shows the one that does"
        assert other.get("/api/v1/me").status_code == 401
    console.audit("somebody from 127.0.0.1: login by a link failed")
    assert console.daemon.output().count(token) == 1
    assert cookie.partition(";")[0].partition("=")[2] not in console.daemon.output()


def test_the_plain_page_needs_no_script(served: Served) -> None:
    console = served()
    with console.client() as client:
        answer = client.post("/login", data={"link": console.link.partition("link=")[2]})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert client.get("/api/v1/me").json()["role"] == "admin"
        assert client.post("/login", data={"link": "<script>"}).status_code == 401


@pytest.mark.covers("web-option:users.", "error:login")
def test_users_and_their_roles(served: Served) -> None:
    console = served(user("alice", "operate"), user("bob", "view"))
    assert "login?link" not in console.daemon.output()
    with console.client() as alice, console.client() as bob, console.client() as nobody:
        told = alice.post("/login", json={"user": "Alice", "password": PASSWORD}).json()
        assert told == {"status": "ok", "user": "alice", "role": "operate"}
        assert bob.post("/login", json={"user": "bob", "password": PASSWORD}).json()["role"] == "view"
        for name, password in (("alice", "wrong"), ("carol", PASSWORD), ("alice", "x" * 5000)):
            refused = nobody.post("/login", json={"user": name, "password": password})
            assert refused.status_code == 401
            assert refused.json()["reason"] == "there is no user with this name and password"
        assert nobody.post("/login", json={"link": "any"}).status_code == 401
        assert nobody.post("/login", content=b"[").status_code == 401
        incr = "/api/v1/commands/incr"
        assert bob.post(incr, json={"name": "web"}).status_code == 403
        assert alice.post(incr, json={"name": "web", "waiting": True}).json()["numprocesses"] == 3
        assert alice.post("/api/v1/commands/rm", json={"name": "web"}).status_code == 403
    console.audit(r"bob \(view\) from 127.0.0.1: incr name=web refused: incr needs the role operate")
    console.audit(r"alice \(operate\) from 127.0.0.1: incr name=web waiting=True done")
    assert PASSWORD not in console.daemon.output()
    assert "$argon2" not in console.daemon.output()
    assert "$argon2" not in str(console.daemon.call("options", name="circushttpd"))


@pytest.mark.covers("error:too-many")
def test_who_fails_too_often_waits(served: Served) -> None:
    console = served(user("alice", "view"))
    with console.client() as client:
        for _ in range(5):
            assert client.post("/login", json={"user": "alice", "password": "wrong"}).status_code == 401
        # Also with the right one: otherwise guessing would go on.
        refused = client.post("/login", json={"user": "alice", "password": PASSWORD})
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.json()["code"] == "too-many"
    console.audit("login as 'alice' not tried, as too many failed")


def test_a_session_outlives_the_console_and_not_its_end(served: Served) -> None:
    console = served(user("alice", "view"))
    with console.client() as alice, console.client() as thief:
        alice.post("/login", json={"user": "alice", "password": PASSWORD}).raise_for_status()
        thief.cookies.update(alice.cookies)
        console.daemon.call("restart", name="circushttpd", waiting=True)
        console = console.next()
        for each in (alice, thief):
            each.base_url = console.address
        # Its port is another now, and so would its cookie be; what it says still counts.
        for each in (alice, thief):
            (value,) = each.cookies.values()
            each.cookies.clear()
            each.cookies.set(f"circus_console_{console.port}", value)
        assert alice.get("/api/v1/me").json()["user"] == "alice"
        assert alice.post("/logout").status_code == 200
        assert alice.get("/api/v1/me").status_code == 401
        assert thief.get("/api/v1/me").status_code == 401, "whoever copied the cookie is out, too"
        console.daemon.call("restart", name="circushttpd", waiting=True)
        console = console.next()
        thief.base_url = console.address
        (value,) = thief.cookies.values()
        thief.cookies.set(f"circus_console_{console.port}", value)
        assert thief.get("/api/v1/me").status_code == 401
    console.audit(r"alice \(view\) from 127.0.0.1: logged out")


@pytest.mark.covers("web-option:tokens.")
def test_a_token(served: Served) -> None:
    console = served(f"tokens.ci = operate {HASHES['operate']}")
    with console.client(**bearer("operate")) as program, console.client(**bearer("view")) as other:
        assert program.get("/api/v1/me").json() == {"status": "ok", "user": "ci", "role": "operate", "way": "token"}
        assert program.post("/api/v1/commands/stop", json={"name": "web"}).status_code == 200
        assert other.get("/api/v1/me").status_code == 401
    console.audit(r"ci \(operate\) from 127.0.0.1: stop name=web begun")
    assert "sha256:" not in str(console.daemon.call("options", name="circushttpd"))


@pytest.mark.covers("web-option:read_only")
def test_read_only(served: Served) -> None:
    console = served("read_only = True")
    with console.owner() as owner:
        assert owner.get("/api/v1/me").json()["role"] == "view"
        assert owner.post("/api/v1/commands/stop", json={"name": "web"}).status_code == 403


@pytest.mark.covers("web-option:session_time")
def test_a_session_ends_by_itself() -> None:
    from circus_plugins.web.access.sessions import Sessions

    ended: dict[str, float] = {}
    short, long = (Sessions(b"s" * 32, seconds, {}, ended.update) for seconds in (-1.0, 60.0))
    assert short.find(short.begin("alice", "password", "mark")) is None
    cookie = long.begin("alice", "password", "mark")
    session = long.find(cookie)
    assert session is not None
    assert (session.name, session.way, session.mark) == ("alice", "password", "mark")
    assert Sessions(b"t" * 32, 60.0, {}, ended.update).find(cookie) is None, "another installation"
    assert long.find(cookie[:-2] + ("xx" if cookie[-2:] != "xx" else "yy")) is None
    long.end(session.id, session.until)
    assert long.find(cookie) is None
    assert list(ended) == [session.id]
    assert Sessions(b"s" * 32, 60.0, ended, ended.update).find(cookie) is None


def test_attempts_are_counted_by_address_and_in_all() -> None:
    now = [0.0]
    attempts = Attempts(each=2, all_=4, window=60, clock=lambda: now[0])
    attempts.failed("a")
    assert attempts.wait("a") == 0
    now[0] = 10
    attempts.failed("a")
    assert attempts.wait("a") == 50
    assert attempts.wait("b") == 0
    attempts.proved("a")
    assert attempts.wait("a") == 0
    attempts.failed("b")
    attempts.failed("c")
    assert attempts.wait("somebody else") == 50
    now[0] = 60
    assert attempts.wait("somebody else") == 0


def test_a_pace_saves_up_a_burst() -> None:
    now = [0.0]
    pace = Pace(rate=1, burst=3, clock=lambda: now[0])
    assert [pace.allowed() for _ in range(4)] == [True, True, True, False]
    now[0] = 1
    assert [pace.allowed() for _ in range(2)] == [True, False]


def test_lines_of_users_and_tokens(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import io
    import sys

    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{PASSWORD}\n"))
    assert main.main(["--hash-password", "--role", "operate"]) == 0
    line = capsys.readouterr().out.strip()
    assert main.main(["--new-token"]) == 0
    token = re.search(r"^line: +(.*)$", capsys.readouterr().out, re.MULTILINE)
    assert token is not None
    settings = {"users.alice": Setting(line), "tokens.ci": Setting(token[1])}
    made, problems = structure(Section("web", WebOptions), settings, title="plugin:web", strict=True)
    assert problems == []
    assert made is not None
    assert made.users["alice"].startswith("operate $argon2id$")
    monkeypatch.setattr(sys, "stdin", io.StringIO("short\n"))
    assert main.main(["--hash-password"]) == 2


@pytest.mark.parametrize("line", ["secret", "view secret", "boss $argon2id$v=19$m=8,t=1,p=1$YWJj$YWJj", ""])
def test_what_is_no_user_is_refused_without_being_shown_a_password(line: str) -> None:
    made, problems = structure(Section("web", WebOptions), {"users.alice": Setting(line)}, title="w", strict=True)
    assert made is None
    assert "users.alice" in str(problems[0])


def test_another_password_ends_sessions(served: Served) -> None:
    first, second = user("alice", "view"), user("alice", "view")
    console = served(first)
    with console.client() as alice:
        alice.post("/login", json={"user": "alice", "password": PASSWORD}).raise_for_status()
        assert alice.get("/api/v1/me").status_code == 200
        path = console.daemon.path
        path.write_text(path.read_text().replace(first, second))
        console.daemon.call("reloadconfig", waiting=True)
        console = console.next()
        (value,) = alice.cookies.values()
        alice.base_url = console.address
        alice.cookies.set(f"circus_console_{console.port}", value)
        assert alice.get("/api/v1/me").status_code == 401
