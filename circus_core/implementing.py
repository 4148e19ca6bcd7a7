"""Which hooks a plugin implements, checked against the contract; it loads nothing and calls no hook."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pluggy

from circus_core.errors import PluginError
from circus_core.hookspecs import PREFIX, PROJECT, Interventions, Lifecycle, event_hooks
from circus_core.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

INSIDE = {
    **{hook: "an intervention, asked inside circusd" for hook in vars(Interventions) if hook.startswith(PREFIX)},
    "circus_register_commands": "answered inside circusd",
}
"""Hooks that only work inside circusd, and why."""


class HookManager(pluggy.PluginManager):
    """pluggy's manager with the whole contract, for which a method is a hook by its name alone."""

    def __init__(self) -> None:
        super().__init__(PROJECT)
        for specs in (Lifecycle, Interventions, event_hooks()):
            self.add_hookspecs(specs)

    def parse_hookimpl_opts(self, plugin: object, name: str) -> pluggy.HookimplOpts | None:
        """As in pluggy; and a routine with a hook's prefix needs no mark."""
        opts = super().parse_hookimpl_opts(plugin, name)
        if opts is None and name.startswith(PREFIX) and inspect.isroutine(getattr(plugin, name)):
            return pluggy.HookimplOpts(
                wrapper=False, hookwrapper=False, optionalhook=False, tryfirst=False, trylast=False, specname=None
            )
        return opts


def implemented(manager: HookManager, name: str, plugin: object) -> tuple[str, ...]:
    """The hooks that `plugin` implements; raises PluginError for one that does not exist or takes odd arguments."""
    hooks = []
    for attribute in dir(plugin):
        opts = manager.parse_hookimpl_opts(plugin, attribute)
        if opts is None:
            continue
        hook = opts.get("specname") or attribute
        caller = getattr(manager.hook, hook, None)
        if caller is None or caller.spec is None:
            known = [known for known in dir(manager.hook) if known.startswith(PREFIX)]
            hint = did_you_mean(hook, known, "the reference lists the hooks")
            raise PluginError(f"plugin {name}: there is no hook {hook}", hint=hint)
        if opts.get("wrapper") or opts.get("hookwrapper"):
            raise PluginError(f"plugin {name}: {hook} cannot be a wrapper", hint="answer the hook itself")
        unknown = set(_arguments(getattr(plugin, attribute))) - set(caller.spec.argnames)
        if unknown:
            raise PluginError(
                f"plugin {name}: {hook} has no argument {', '.join(sorted(unknown))}",
                hint=f"it has: {', '.join(caller.spec.argnames) or 'none'}",
            )
        hooks.append(hook)
    return tuple(hooks)


def refuse_outside(name: str, plugin: object, hooks: Iterable[str]) -> None:
    """Raise PluginError if a plugin cannot work in a process of its own."""
    hint = f"set `host = core` in [plugin:{name}]"
    for hook in hooks:
        if hook in INSIDE:
            raise PluginError(f"plugin {name}: {hook} is {INSIDE[hook]}, not in a process of its own", hint=hint)
    startup = getattr(plugin, "circus_startup", None)
    if startup is not None and "supervisor" in _arguments(startup):
        raise PluginError(f"plugin {name}: circus_startup takes `supervisor`, which is inside circusd", hint=hint)


def _arguments(function: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    )
