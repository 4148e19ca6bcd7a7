"""What settings mean in a document that nobody has checked yet, for plugins that imply sections by what it says."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from circus_core.expand import environment_variables, expand
from circus_core.kinds import BOOLEAN

if TYPE_CHECKING:
    from circus_core.document import Document
    from circus_core.options import Kind
    from circus_core.structure import Setting


def says_yes(setting: Setting | None, document: Document) -> bool:
    """Whether a setting says yes; one that says neither yes nor no is told of where it is checked."""
    return setting is not None and meaning(setting, BOOLEAN, document) is True


def meaning(setting: Setting, kind: Kind[Any], document: Document) -> Any:
    """What it means; None if it is a mistake, which is told of where it is checked."""
    env = document.find("env")
    texts = {name: str(each.value) for name, each in env.settings.items()} if env is not None else {}
    try:
        if isinstance(setting.value, str):
            return kind.parse(expand(setting.value, environment_variables({**os.environ, **texts})))
        return kind.check(setting.value)
    except ValueError:
        return None
