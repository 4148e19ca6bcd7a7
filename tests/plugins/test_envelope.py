"""The envelope: any bytes are answered, and what is answered is JSON with the keys clients read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circus_core.errors import ConflictError, RequestError
from circus_plugins.control import envelope as envelopes

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.binary())
def test_any_bytes_are_read_without_raising(raw: bytes) -> None:
    assert isinstance(envelopes.read(raw), envelopes.Envelope)


@given(JSON)
def test_any_json_is_a_request_or_a_problem(message: Any) -> None:
    request = envelopes.read(json.dumps(message).encode())
    assert request.problem is not None or isinstance(message, dict)


@given(JSON, st.dictionaries(st.text(), JSON))
def test_the_id_comes_back_as_it_was_sent(number: Any, fields: dict[str, Any]) -> None:
    request = envelopes.read(json.dumps({"command": "x", "id": number}).encode())
    assert json.loads(envelopes.success(request, fields))["id"] == number
    assert json.loads(envelopes.failure(request, RequestError("no")))["id"] == number


@pytest.mark.covers("error:invalid-json")
@pytest.mark.parametrize(
    ("raw", "errno", "reason"),
    [
        (b"", 3, "the message is blank"),
        (b"  \n", 3, "the message is blank"),
        (b"[]", 3, "the message should be an object"),
        (b'"x"', 3, "the message should be an object"),
        (b"{}", 3, "message invalid 'command' is missing"),
        (b'{"command": 3}', 3, "'command' should be a string"),
        (b'{"command": "list", "properties": []}', 3, "'properties' should be an object"),
        (b"{", 1, "json invalid"),
        (b"\xff\xfe\xfd", 1, "json invalid"),
        (b"[" * 100_000, 1, "json invalid"),
        (b"9" * 10_000, 1, "json invalid"),
    ],
)
def test_what_is_no_request_is_answered_with_the_reason(raw: bytes, errno: int, reason: str) -> None:
    problem = envelopes.read(raw).problem
    assert problem is not None
    assert (problem.errno, problem.message) == (errno, reason)
    assert problem.code in ("invalid-json", "bad-request")


def test_blanks_around_a_request_do_not_matter() -> None:
    request = envelopes.read(b'\n  {"command": "LIST", "id": 1} \n')
    assert (request.problem, request.command, request.properties) == (None, "LIST", {})


def test_fields_of_a_command_replace_the_status() -> None:
    reply = json.loads(envelopes.success(envelopes.read(b'{"command": "status"}'), {"status": "active"}))
    assert reply.keys() == {"status", "time", "id"}
    assert (reply["status"], reply["id"]) == ("active", None)


@pytest.mark.parametrize(
    ("error", "errno", "code", "reason"),
    [
        (ConflictError("taken", hint="take another"), 5, "conflict", "taken"),
        (OSError(22, "Invalid argument"), 4, "os-error", "[Errno 22] Invalid argument"),
        (KeyError("boom"), 5, "failed", "x failed: KeyError: 'boom'"),
    ],
)
def test_errors_have_the_keys_of_circus_and_code_and_hint(error: Exception, errno: int, code: str, reason: str) -> None:
    reply = json.loads(envelopes.failure(envelopes.read(b'{"command": "x", "id": "7"}'), error))
    assert reply.keys() == {"status", "reason", "tb", "time", "errno", "id", "code", "hint"}
    assert (reply["status"], reply["tb"], reply["id"]) == ("error", None, "7")
    assert (reply["errno"], reply["code"], reply["reason"]) == (errno, code, reason)


def test_an_unforeseen_failure_of_a_waiting_request_has_errno_6() -> None:
    request = envelopes.read(b'{"command": "x", "properties": {"waiting": true}}')
    assert json.loads(envelopes.failure(request, KeyError("boom")))["errno"] == 6
    assert json.loads(envelopes.failure(request, RequestError("no")))["errno"] == 3
