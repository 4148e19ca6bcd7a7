"""The kinds of values whose meaning depends on the file they are written in; it asks for no file."""

from __future__ import annotations

import os

from circus_core.kinds import TEXT
from circus_core.options import Kind


def _path(path: str, folder: str) -> str:
    """A path of a file in this folder; absolute, but where it is empty."""
    found = os.path.join(folder, path)
    return found if os.path.isabs(found) or not path else os.path.join(os.getcwd(), found)


def _plugin(use: str, folder: str) -> str:
    return _path(use.removeprefix("./"), folder) if use.partition(":")[0].endswith(".py") else use


PATH: Kind[str] = Kind(
    "path", "a path, relative to the folder of the file it is written in", "isn't a string", TEXT.check, TEXT.check,
    schema={"type": "string"}, beside=_path,
)  # fmt: skip
PLUGIN: Kind[str] = Kind(
    "plugin", "a dotted path, `FILE.py:Class` or the name of a plugin", "isn't a string", TEXT.check, TEXT.check,
    schema={"type": "string"}, beside=_plugin,
)  # fmt: skip
