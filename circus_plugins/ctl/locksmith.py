"""`circusctl keys`: makes, lists and revokes client keys in a folder of this machine; it asks no circusd."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from circus_plugins.ctl import report
from circus_plugins.ctl.mistakes import UsageError
from circus_plugins.doors import keys

if TYPE_CHECKING:
    from circus_plugins.ctl.settings import Settings


def run(properties: dict[str, Any], settings: Settings) -> int:
    """Do what `action` says; raises UsageError, and CircusError where the folder or the name is refused."""
    action, name = properties["action"], properties.get("name")
    folder = properties.get("dir") or keys.default_folder()
    if action == "list":
        return _list(folder, settings)
    if name is None:
        raise UsageError(f"keys {action}: NAME missing", usage=f"usage: circusctl keys {action} NAME")
    if action == "revoke":
        keys.revoke(folder, name)
        return _say(
            settings,
            {"revoked": name},
            f"{name} can ask for nothing and gets no events any more. What was asked for before goes on.",
        )
    role = properties.get("role", "operate")
    file = keys.new(folder, name, role)
    return _say(
        settings,
        {"name": name, "role": role, "file": file},
        f"Made a key for {name}, with the role {role}: {file}\n"
        f"Move that file to {name}'s machine (it is secret: scp or a password safe, mode 600), and there use\n"
        f"  circusctl --key {name}.key --endpoint tcp://THIS-MACHINE:5555 status      (or set CIRCUSCTL_KEY)\n"
        f"circusd lets {name} in at once if its [circus] section has `keys_dir = {folder}`; no restart is needed.",
    )


def _list(folder: str, settings: Settings) -> int:
    found = keys.list_keys(folder)
    if settings.json:
        print(report.as_json([{"name": key.name, "role": key.role.name.lower()} for key in found], settings))
    elif not found:
        report.say(f"No keys in {folder}.")
    elif report.for_people(settings):
        from circus_plugins.ctl.tables import Terminal

        for line in Terminal(sys.stdout).table(["NAME", "ROLE"], [[key.name, key.role.name.lower()] for key in found]):
            print(line)
    else:
        for key in found:
            print(f"{key.name}: {key.role.name.lower()}")
    return report.DONE


def _say(settings: Settings, values: dict[str, str], text: str) -> int:
    print(report.as_json(values, settings) if settings.json else text)
    return report.DONE
