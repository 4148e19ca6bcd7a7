"""circusd's table of commands as an OpenAPI 3.1 document: a pure function of what the command `commands` told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

KINDS: Mapping[str, Mapping[str, Any]] = {
    # No program can be given a text with a NUL.
    "text": {"type": "string", "pattern": "^[^\\u0000]*$"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "signal": {"type": ["integer", "string"]},
    "words": {"type": ["string", "array"], "items": {"type": "string"}},
    "object": {"type": "object"},
    "list": {"type": "array", "items": {"type": "string"}},
    "any": {},
}
ERROR = {"$ref": "#/components/schemas/Error"}
REFUSALS = {
    400: "the arguments make no sense",
    401: "nobody is logged in, and there is no token",
    403: "the role is too small, or the request comes from a page of somebody else's",
    404: "no such watcher or command",
    405: "this address has no such method",
    409: "circusd refuses",
    413: "too much",
    429: "too often",
    502: "circusd does not answer",
}


def document(commands: Iterable[Mapping[str, Any]], version: str, server: str) -> dict[str, Any]:
    """The document; `server` is the path that the API is at."""
    paths: dict[str, Any] = {
        "/me": {"get": _operation("whoIAm", "Who I am, and what I may do.", {"user": "my name", "role": "my role"})},
        "/schema": {"get": _operation("schemaOfOptions", "The JSON schema of every section of the configuration.", {})},
        "/commands": {"get": _operation("listCommands", "Every command of circusd.", {"commands": "all of them"})},
    }
    for command in sorted(commands, key=lambda command: str(command["name"])):
        paths[f"/commands/{command['name']}"] = _path(command)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "circusd",
            "version": version,
            "summary": "Every command of circusd, for programs.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": server}],
        "security": [{"token": []}, {"session": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "circus_console"},
            },
            "schemas": {
                "Error": {
                    "type": "object",
                    "required": ["status", "reason", "hint", "errno"],
                    "properties": {
                        "status": {"const": "error"},
                        "reason": {"type": "string", "description": "what is wrong"},
                        "hint": {"type": "string", "description": "what to do about it; may be empty"},
                        "errno": {"type": "integer", "description": "the number Circus uses"},
                        "code": {"type": "string", "description": "the same in every version"},
                    },
                }
            },
        },
    }


def _path(command: Mapping[str, Any]) -> dict[str, Any]:
    arguments = command["arguments"]
    told = dict(command["replies"])
    text = " ".join(filter(None, [command["help"], f"Role: {command['role']}."]))
    common = {"description": text, "tags": [command["role"]]}
    posted = {**_operation(f"{command['name']}", command["summary"], told), **common}
    posted["requestBody"] = {
        "required": any(argument["required"] for argument in arguments),
        "content": {"application/json": {"schema": _body(arguments)}},
    }
    if command["role"] != "view":
        return {"post": posted}
    got = {**_operation(f"get_{command['name']}", command["summary"], told), **common}
    got["parameters"] = [
        {
            "name": argument["name"],
            "in": "query",
            "required": argument["required"],
            "description": argument["help"],
            "schema": schema(argument, nullable=False),
        }
        for argument in arguments
    ]
    return {"get": got, "post": posted}


def _body(arguments: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    given = list(arguments)
    return {
        "type": "object",
        "properties": {argument["name"]: schema(argument) for argument in given},
        "required": [argument["name"] for argument in given if argument["required"]],
        "additionalProperties": False,
    }


def schema(argument: Mapping[str, Any], *, nullable: bool = True) -> dict[str, Any]:
    """What an argument may be; in an address nothing can be null."""
    made = {**KINDS.get(argument["kind"], {}), "description": argument["help"]}
    if argument["choices"]:
        made["enum"] = list(argument["choices"])
    if not argument["required"] and "type" in made and nullable:
        # Null is as if it were left out.
        kinds = made["type"] if isinstance(made["type"], list) else [made["type"]]
        made["type"] = [*kinds, "null"]
        if "enum" in made:
            made["enum"] = [*made["enum"], None]
    if argument["default"] is not None:
        made["default"] = argument["default"]
    return made


def _operation(name: str, summary: str, replies: Mapping[str, str]) -> dict[str, Any]:
    properties = {key: {"description": text} for key, text in replies.items()}
    # Of `status`, the command of that name has another: the state of the watcher.
    shape = {"type": "object", "properties": {"status": {"type": "string"}, **properties}}
    return {
        "operationId": name,
        "summary": summary,
        "responses": {
            "200": {"description": "circusd's reply", "content": {"application/json": {"schema": shape}}},
            **{
                str(status): {"description": words, "content": {"application/json": {"schema": ERROR}}}
                for status, words in REFUSALS.items()
            },
        },
    }
