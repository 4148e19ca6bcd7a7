"""The REST API: every command at an address of its own, refusals by their status, and a document that says so."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from circus_core.commands import table
from circus_plugins.web import openapi
from circus_plugins.web.orders import clean, said
from tests.plugins.web.conftest import bearer

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.plugins.web.conftest import Console


@pytest.fixture
def program(console: Console) -> Iterator[httpx.Client]:
    """A program with the role operate."""
    with console.client(**bearer("operate")) as client:
        yield client


def test_commands_by_get_and_post(program: httpx.Client) -> None:
    one = program.get("/api/v1/commands/status", params={"name": "web"}).json()
    assert one["status"] == "active"
    assert program.post("/api/v1/commands/status", json={"name": "web"}).json()["status"] == "active"
    got = program.get("/api/v1/commands/get", params={"name": "web", "keys": ["numprocesses", "copy_env"]}).json()
    assert got["options"] == {"numprocesses": 2, "copy_env": True}
    extended = program.get("/api/v1/commands/status", params={"name": "web", "extended": "true"}).json()
    assert extended["details"]["web"]["numprocesses"] == 2
    begun = program.post("/api/v1/commands/start", json={"name": "later", "waiting": True}).json()
    assert begun["status"] == "ok"
    assert "id" not in begun
    assert program.post("/api/v1/commands/STOP", json={"name": "later", "waiting": True}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("POST", "commands/sing", "{}", 404, "unknown command"),
        ("GET", "commands/sing", "", 404, "unknown command"),
        ("POST", "commands/incr", '{"name": "nobody"}', 404, "program nobody not found"),
        ("POST", "commands/incr", "{}", 400, "'name' is missing"),
        ("POST", "commands/incr", '{"name": "web", "nb": "many"}', 400, "'nb' isn't an integer"),
        ("POST", "commands/incr", '{"name": "web", "by": 2}', 400, "incr has no argument 'by'"),
        ("POST", "commands/incr", "[1]", 400, "not a JSON object"),
        ("POST", "commands/incr", "{" * 100_000, 400, "not a JSON object"),
        ("POST", "commands/incr", "\xff", 400, "not a JSON object"),
        ("GET", "commands/incr?name=web", "", 405, "takes a POST"),
        ("GET", "commands/status?nme=web", "", 400, "no argument 'nme'"),
        ("POST", "commands/quit", "{}", 403, "needs the role admin"),
        ("PUT", "commands/status", "{}", 405, "no such method"),
        ("GET", "nothing", "", 404, "nothing at this address"),
        ("POST", "commands/status", '{"x": "' + "y" * 1_000_001 + '"}', 413, "more than 1000000 bytes"),
    ],
)  # fmt: skip
def test_refusals(program: httpx.Client, method: str, path: str, body: str, status: int, words: str) -> None:
    answer = program.request(method, f"/api/v1/{path}", content=body.encode("latin-1"))
    told = answer.json()
    assert (answer.status_code, told["status"]) == (status, "error"), told
    assert words in told["reason"]
    assert {"reason", "hint", "errno"} <= told.keys()


def test_what_circusd_refuses(console: Console) -> None:
    with console.client(**bearer("admin")) as admin:
        answer = admin.post("/api/v1/commands/add", json={"name": "web", "cmd": "sleep 1"})
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


def test_nobody(console: Console) -> None:
    with console.client() as client:
        for path in ("me", "commands", "schema", "openapi.json", "commands/status", "nothing"):
            answer = client.get(f"/api/v1/{path}")
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Bearer")


def test_circusd_does_not_answer(console: Console, program: httpx.Client) -> None:
    import signal

    program.get("/api/v1/commands/status").raise_for_status()
    console.daemon.signal(signal.SIGSTOP)
    try:
        answer = program.get("/api/v1/commands/status")
    finally:
        console.daemon.signal(signal.SIGCONT)
    assert (answer.status_code, answer.json()["code"]) == (502, "no-answer")


def test_the_document_has_every_command(program: httpx.Client) -> None:
    document = program.get("/api/v1/openapi.json").json()
    commands = {command["name"]: command for command in program.get("/api/v1/commands").json()["commands"]}
    assert {f"/commands/{name}" for name in commands} < document["paths"].keys()
    for name, command in commands.items():
        operations = document["paths"][f"/commands/{name}"]
        assert ("get" in operations) is (command["role"] == "view")
        body = operations["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert body["properties"].keys() == {argument["name"] for argument in command["arguments"]}
        assert {"200", "400", "401", "403", "404", "409", "429", "502"} <= operations["post"]["responses"].keys()
    names = [each["operationId"] for path in document["paths"].values() for each in path.values()]
    assert len(names) == len(set(names))


def test_what_arguments_may_be() -> None:
    commands = [command.schema() for command, _handler in table().values()]
    kinds = {argument["kind"] for command in commands for argument in command["arguments"]}
    assert kinds <= openapi.KINDS.keys()
    document = openapi.document(json.loads(json.dumps(commands)), "1", "/circus/api/v1")
    assert document["servers"] == [{"url": "/circus/api/v1"}]
    incr = document["paths"]["/commands/incr"]["post"]["requestBody"]
    assert incr["required"] is True
    schema: dict[str, Any] = incr["content"]["application/json"]["schema"]
    assert schema["required"] == ["name"]
    nb = {"type": ["integer", "null"], "default": 1, "description": "By how many."}
    assert schema["properties"]["nb"] == nb


@pytest.mark.timeout(300)
def test_schemathesis_finds_nothing(console: Console) -> None:
    program = shutil.which("schemathesis")
    if program is None:
        pytest.skip("schemathesis is not installed")
    token = bearer("view")["Authorization"]
    # Not whether each valid request is accepted: that there is no such option is no mistake of the document.
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    ran = subprocess.run(
        [
            program, "run", f"{console.address}/api/v1/openapi.json", "-H", f"Authorization: {token}",
            "--checks", f"{checks},negative_data_rejection,unsupported_method", "--max-examples", "5",
            "--phases", "coverage,fuzzing", "--exclude-path-regex", "history",
        ],
        capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-5000:]
    assert "Traceback" not in console.daemon.output()


def test_audit_lines_have_no_secrets_and_are_one_line() -> None:
    given = {
        "name": "web\n2026-01-01 circus.audit[1] [INFO] forged",
        "options": {"env": {"DB_PASSWORD": "hunter2", "LANG": "C"}, "numprocesses": 2},
        "token": "abc",
    }
    line = said("set", given)
    assert "\n" not in line
    assert "hunter2" not in line
    assert "abc" not in line
    assert "LANG: C" in line
    assert "numprocesses: 2" in line
    assert len(clean("x" * 10_000)) < 600


def test_secrets_are_masked(console: Console) -> None:
    with console.client(**bearer("admin")) as admin:
        options = {"env": {"API_TOKEN": "hunter2", "LANG": "C"}}
        answer = admin.post("/api/v1/commands/set", json={"name": "later", "options": options, "waiting": True})
        assert answer.status_code == 200, answer.text
        assert "hunter2" not in admin.get("/api/v1/commands/options", params={"name": "later"}).text
    console.audit(r"admin \(admin\) from 127.0.0.1: set name=later options=.*API_TOKEN: \*+.* done")
    assert "hunter2" not in console.daemon.output()
