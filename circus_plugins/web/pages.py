"""The console's files, read once and kept: what was built of `ui/`, or a plain page where nothing was. No threads."""

from __future__ import annotations

import gzip
import mimetypes
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen
from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.requests import Request

STATIC = Path(__file__).with_name("static")
FOR_EVER = "public, max-age=31536000, immutable"
SMALL = 1000
"""Bytes below which nothing is won by packing."""


@frozen
class Page:
    """One file: as it is, packed, its type, and how long browsers may keep it."""

    plain: bytes
    packed: bytes | None
    kind: str
    caching: str

    def answer(self, request: Request) -> Response:
        """It, packed if the browser takes that."""
        headers = {"cache-control": self.caching, "vary": "accept-encoding"}
        if self.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
            return Response(self.packed, media_type=self.kind, headers={**headers, "content-encoding": "gzip"})
        return Response(self.plain, media_type=self.kind, headers=headers)


def read(folder: Path = STATIC) -> dict[str, Page]:
    """All of them, by their path below the folder; those in `assets` have names that change with what is in them."""
    found = {}
    for file in sorted(folder.rglob("*")):
        path = file.relative_to(folder)
        if not file.is_file() or any(part.startswith(".") for part in path.parts):
            continue
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        caching = FOR_EVER if path.parts[0] == "assets" else "no-cache"
        found[path.as_posix()] = _page(file.read_bytes(), kind, caching)
    return found


def _page(content: bytes, kind: str, caching: str) -> Page:
    text = kind.startswith("text/") or "javascript" in kind or "svg" in kind or "json" in kind
    packed = gzip.compress(content, 9, mtime=0) if text and len(content) >= SMALL else None
    return Page(content, packed, kind, caching)


def unbuilt() -> Page:
    """In place of the console where it was not built."""
    return _plain(
        "The console was not built",
        "<p>This circus-bus was installed from its sources, without the pages of the web console. In its folder,"
        " <code>make console</code> builds them; then start circushttpd again. The"
        ' <a href="api/v1/openapi.json">REST API</a> works without.</p>',
    )


def login(*, link: str | None, by_link: bool, wrong: str = "") -> Page:
    """A plain page to log in by, which needs no script."""
    said = f'<p role="alert">{escape(wrong)}</p>' if wrong else ""
    if link is not None:
        form = f'<input type="hidden" name="link" value="{escape(link)}"><button autofocus>Log in</button>'
    elif by_link:
        return _plain(
            "Log in", f"{said}<p>Open the link in the log, or the one that <code>circushttpd --link</code> shows.</p>"
        )
    else:
        form = (
            '<p><label>Name <input name="user" autocomplete="username" required autofocus></label></p>'
            '<p><label>Password <input name="password" type="password" autocomplete="current-password" required>'
            "</label></p><button>Log in</button>"
        )
    return _plain("Log in", f'{said}<form method="post" action="login">{form}</form>')


def _plain(title: str, body: str) -> Page:
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f'<meta name="color-scheme" content="light dark"><title>circus: {title}</title></head>'
        f"<body><main><h1>{title}</h1>{body}</main></body></html>"
    )
    return Page(text.encode(), None, "text/html", "no-store")
