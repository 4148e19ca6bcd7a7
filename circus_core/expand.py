"""Variables in configured text: `$(circus.NAME)`, `$WID` and `$NAME`. It never looks twice at what it put in.

The forms are those of PROTOCOL.md 4.2. Names are looked up in lower case; an unknown name is left as written.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_FORM = r"\$\(circus\.(?P<dollar>[\w.-]+)\)|\(\(circus\.(?P<double>[\w.-]+)\)\)"
_CIRCUS = re.compile(_FORM, re.IGNORECASE)
_CIRCUS_OR_SHELL = re.compile(rf"(?i:{_FORM})|\$(?P<shell>[A-Z][A-Z0-9_]*)")
_WID = re.compile(r"\$WID(?![A-Za-z0-9_])")


def expand(text: str, variables: Mapping[str, object]) -> str:
    """`text` with the values of `variables`, whose keys are what follows `circus.`, in lower case: `env.home`, `wid`.

    None is put in as nothing.
    """
    if "$(" not in text and "((" not in text:
        return text
    return _CIRCUS.sub(lambda found: _value(found, variables), text)


def expand_environment_value(text: str, variables: Mapping[str, object], environ: Mapping[str, str]) -> str:
    """A value of an environment: as `expand`, and `$NAME` from `environ` too, where an unset NAME is empty text."""
    if "$" not in text and "((" not in text:
        return text

    def replacement(found: re.Match[str]) -> str:
        return environ.get(found["shell"], "") if found["shell"] else _value(found, variables)

    return _CIRCUS_OR_SHELL.sub(replacement, text)


def expand_wid(text: str, wid: str) -> str:
    """`text` with the slot's number for each `$WID`, the form of Circus 0.4 (O-26)."""
    return _WID.sub(lambda _found: wid, text) if "$WID" in text else text


def environment_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment as variables: HOME is found as `env.home`. Of names that differ only in case the last one wins."""
    return {f"env.{name.lower()}": value for name, value in environ.items()}


def _value(found: re.Match[str], variables: Mapping[str, object]) -> str:
    name = (found["dollar"] or found["double"]).lower()
    if name not in variables:
        return found[0]
    value = variables[name]
    return "" if value is None else str(value)
