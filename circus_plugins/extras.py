"""Says what to install for a plugin that needs more than circus-bus does. It imports none of it."""

from __future__ import annotations

import importlib.util

from circus_core.errors import PluginError


def require(module: str, extra: str, plugin: str) -> None:
    """Raise PluginError, with what to install, unless a module is there. It is not imported."""
    if importlib.util.find_spec(module) is None:
        raise PluginError(
            f"the plugin {plugin} needs {module}, which is not installed", hint=f"pip install 'circus-bus[{extra}]'"
        )
