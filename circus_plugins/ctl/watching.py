"""Values of a watcher's options, from texts, by the options' declarations; it sets nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from circus_core.errors import OptionError
from circus_core.kinds import ENVIRONMENT
from circus_core.model import sections
from circus_plugins.ctl import report
from circus_plugins.ctl.mistakes import UsageError

if TYPE_CHECKING:
    from circus_core.options import Option
    from circus_plugins.ctl.session import Session


def typed(texts: dict[str, str], session: Session) -> dict[str, object]:
    """JSON values of texts by key; raises UsageError. circusd's schema tells about options of plugins.

    A key that nobody declares is sent as the text it is: circusd knows whether it takes it.
    """
    section = sections()["watcher"]
    schema: dict[str, Any] | None = None
    values: dict[str, object] = {}
    for key, text in texts.items():
        entry = section.find(key)
        if entry is not None:
            values[key] = _value(entry, key, text)
            continue
        if schema is None:
            schema = _schema(session)
        values[key] = _by_schema(_property(schema, key), key, text)
    return values


def _value(entry: Option, key: str, text: str) -> object:
    if entry.kind is ENVIRONMENT:
        text = os.path.expandvars(text)
    try:
        return entry.shown(entry.value(text, text=True, key=key))
    except OptionError as error:
        raise UsageError(error.message, hint=error.hint) from None


def _schema(session: Session) -> dict[str, Any]:
    answer = session.ask("schema", {})
    return {} if report.is_error(answer) else answer.get("sections", {}).get("watcher", {})


def _property(schema: dict[str, Any], key: str) -> dict[str, Any]:
    found: dict[str, Any] | None = schema.get("properties", {}).get(key)
    if found is not None:
        return found
    families = schema.get("patternProperties", {})
    return next((entry for pattern, entry in families.items() if key.startswith(pattern.lstrip("^"))), {})


def _by_schema(entry: dict[str, Any], key: str, text: str) -> object:
    wanted = entry.get("type", "string")
    if not text and wanted != "string":
        return None
    try:
        match wanted:
            case "integer":
                return int(text)
            case "number":
                return float(text)
            case "boolean":
                return {"yes": True, "true": True, "on": True, "1": True,
                        "no": False, "false": False, "off": False, "0": False}[text.lower()]  # fmt: skip
            case "array":
                return text.split(",")
            case "object":
                return dict(_split(item) for item in text.split(","))
    except (ValueError, KeyError):
        raise UsageError(f"{key} = {text}: expected {wanted}", hint=str(entry.get("description", ""))) from None
    return text


def _split(item: str) -> tuple[str, str]:
    name, separator, value = item.partition("=" if "=" in item else ":")
    if not separator:
        raise ValueError(item)
    return name, value
