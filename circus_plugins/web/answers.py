"""Answers in JSON, and refusals of whatever sort of connection asked. It decides nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

# Plain ASCII: what processes say may have bytes that are no text, which JSON has as lone surrogates.
encode = json.JSONEncoder(default=str, separators=(",", ":")).encode


class Answer(Response):
    """A JSON object."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """As bytes."""
        return encode(content).encode()


def error(status: int, reason: str, hint: str = "", headers: Mapping[str, str] | None = None, **more: Any) -> Answer:
    """Why not, as an object {status, reason, hint, errno}."""
    told = {"status": "error", "reason": reason, "hint": hint, "errno": 5, **more}
    return Answer(told, status, headers=dict(headers) if headers else None)


async def refusal(scope: Any, receive: Any, send: Any, status: int, reason: str, hint: str = "") -> None:
    """Refuse a request, or a WebSocket before it was opened."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": reason[:100]})
        return
    await error(status, reason, hint)(scope, receive, send)
