"""`circusctl plugins new`: writes the distribution of a new plugin, tested and ready to install; it overwrites nothing.

Its files are in the folder `template`, with `$name` and the like where the name of the plugin goes.
"""

from __future__ import annotations

import keyword
import os
import re
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Any

from circus_core.errors import CircusError
from circus_plugins.ctl import report
from circus_plugins.ctl.mistakes import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")
FILES = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    ".gitignore": "gitignore",
    "{package}/__init__.py": "init.py",
    "{package}/plugin.py": "plugin.py",
    "{package}/py.typed": "",
    "tests/test_plugin.py": "test_plugin.py",
}
"""What is written, and from which template; nothing from none."""


def run(properties: Mapping[str, Any]) -> int:
    """Write it; raises UsageError for a name that cannot be one, and CircusError where it cannot be written."""
    words = words_of(properties["name"])
    folder = properties.get("folder") or words["distribution"]
    written = write(folder, words)
    print(f"{len(written)} files are in {folder}. To try it:")
    print(f"  cd {folder}")
    print("  pip install --editable '.[test]' && python -m pytest")
    print(f"and in the configuration: [plugin:{words['name']}] with use = {words['name']}")
    return report.DONE


def words_of(name: str) -> dict[str, str]:
    """What stands in the templates for a plugin of this name; raises UsageError."""
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        hint = "lower-case letters, digits, and - or _ between them, such as night-watch"
        raise UsageError(f"{name!r} cannot be the name of a plugin", hint=hint)
    parts = re.split("[_-]", name)
    if parts[0] == "circus" and len(parts) > 1:
        parts = parts[1:]
    cls = "".join(part.capitalize() for part in parts)
    return {
        "name": "_".join(parts),
        "distribution": "-".join(["circus", *parts]),
        "package": "_".join(["circus", *parts]),
        "cls": cls,
        "event": re.sub(r"(?<!^)(?=[A-Z])", "_", f"{cls}Counted").lower(),
    }


def write(folder: str, words: Mapping[str, str]) -> list[str]:
    """Write every file into a folder that is new or empty; answers their paths, and raises CircusError."""
    written = []
    try:
        if os.path.lexists(folder) and (not os.path.isdir(folder) or os.listdir(folder)):
            raise CircusError(f"{folder} is there already", hint="nothing was written; choose another --folder")
        for path, template in FILES.items():
            whole = os.path.join(folder, path.format_map(words))
            os.makedirs(os.path.dirname(whole), exist_ok=True)
            with open(whole, "x", encoding="utf-8") as file:
                file.write(_filled(template, words) if template else "")
            written.append(whole)
    except OSError as error:
        raise CircusError(f"{error.filename or folder} cannot be written: {error.strerror}") from None
    return written


def _filled(template: str, words: Mapping[str, str]) -> str:
    return Template((files(__package__) / "template" / f"{template}.tmpl").read_text("utf-8")).substitute(words)
