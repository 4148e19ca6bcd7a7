"""Ways to reach people: each sends one message, once, or says why it could not. None waits and tries again."""

from __future__ import annotations

import asyncio
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import aiohttp
import aiosmtplib

from circus_notify.options import words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circus_notify.notice import Message
    from circus_notify.options import Options

AGAIN = frozenset({408, 425, 429})
"""Refusals by HTTP that are meant for now only (RFC 9110, RFC 6585), beside all from 500 on."""
LONGEST_WAIT = 3600.0
"""Seconds that a server can ask us to stay away at most."""


class DeliveryError(Exception):
    """It was not sent. `again`: it may be later, after `wait` seconds if the server said so."""

    def __init__(self, message: str, *, again: bool, wait: float | None = None) -> None:
        super().__init__(message)
        self.again = again
        self.wait = wait


class Channel(Protocol):
    """One way to reach somebody; `name` says which in the log, without any secret."""

    name: str

    async def send(self, message: Message) -> None:
        """Send it; raises DeliveryError."""
        ...


class Webhook:
    """Posts JSON to a URL."""

    def __init__(self, session: aiohttp.ClientSession, sort: str, url: str, headers: Mapping[str, str]) -> None:
        self.name = f"{sort} {urlsplit(url).hostname}"
        self._session = session
        self._url = url
        self._headers = headers

    def payload(self, message: Message) -> Mapping[str, Any]:
        """What is posted."""
        return message.payload

    async def send(self, message: Message) -> None:
        """As `Channel.send`."""
        try:
            async with self._session.post(
                self._url, json=self.payload(message), headers=self._headers, allow_redirects=False
            ) as answer:
                status, wait = answer.status, _seconds(answer.headers.get("Retry-After"))
        except TimeoutError:
            raise DeliveryError("no answer in time", again=True) from None
        except (aiohttp.ClientError, OSError) as error:
            said = str(error).replace(self._url, "its URL")
            raise DeliveryError(f"{type(error).__name__}: {said}", again=True) from None
        if not 200 <= status < 300:
            raise DeliveryError(f"it answered {status}", again=status >= 500 or status in AGAIN, wait=wait)


class Slack(Webhook):
    """Posts what Slack's incoming webhooks take, and Mattermost's, Rocket.Chat's and others'."""

    def payload(self, message: Message) -> Mapping[str, Any]:
        """As `Webhook.payload`."""
        text = f"*{_escaped(message.subject)}*\n{_escaped(message.body)}"
        return {"text": text.strip()}


class Mail:
    """Sends an e-mail to all recipients, over a connection of its own each time."""

    def __init__(self, options: Options) -> None:
        self.name = f"mail {options.smtp_host}"
        self._options = options
        self._context = ssl.create_default_context()

    async def send(self, message: Message) -> None:
        """As `Channel.send`."""
        try:
            refused = await asyncio.wait_for(self._send(message), self._options.timeout)
        except (aiosmtplib.SMTPException, OSError) as error:
            raise DeliveryError(_said(error), again=_is_passing(error)) from None
        if refused:
            raise DeliveryError(f"the server refused {', '.join(sorted(refused))}; others got it", again=False)

    async def _send(self, message: Message) -> Mapping[str, object]:
        options = self._options
        server = aiosmtplib.SMTP(
            hostname=options.smtp_host,
            port=options.port,
            use_tls=options.smtp_security == "tls",
            start_tls=options.smtp_security == "starttls",
            tls_context=None if options.smtp_security == "none" else self._context,
            timeout=options.timeout,
        )
        transport = None
        try:
            await server.connect()
            transport = server.transport
            if options.smtp_user:
                await server.login(options.smtp_user, options.smtp_password)
            refused, _answer = await server.send_message(self.letter(message))
            await server.quit()
            return refused
        finally:
            server.close()
            if isinstance(transport, asyncio.WriteTransport):
                # Else it stays until the server has answered the farewell of TLS, perhaps for longer than this loop.
                transport.abort()

    def letter(self, message: Message) -> EmailMessage:
        """The message as it is sent."""
        letter = EmailMessage()
        letter["From"] = self._options.mail_from
        letter["To"] = ", ".join(words(self._options.mail_to))
        letter["Subject"] = message.subject
        letter["Date"] = formatdate(localtime=True)
        letter["Message-ID"] = make_msgid(domain="circus.invalid")
        letter["Auto-Submitted"] = "auto-generated"
        letter.set_content(message.body)
        return letter


def _said(error: Exception) -> str:
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return "; ".join(_said(each) for each in error.recipients)
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"it answered {error.code} {error.message}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return f"{type(error).__name__}: {error}"


def _is_passing(error: Exception) -> bool:
    """Whether it may go better another time: after a code from 400 to 499 (RFC 5321), and where nobody answered."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return any(_is_passing(each) for each in error.recipients)
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return 400 <= error.code < 500
    return isinstance(error, OSError)


def _seconds(text: str | None) -> float | None:
    return min(float(text), LONGEST_WAIT) if text is not None and text.strip().isdecimal() else None


def _escaped(text: str) -> str:
    """Text without meaning for Slack."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
