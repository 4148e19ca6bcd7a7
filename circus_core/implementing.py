"""Which hooks a plugin implements, checked against the contract; it loads nothing and calls no hook."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pluggy

from circus_core.errors import PluginError
from circus_core.hookspecs import EARLY, PREFIX, PROJECT, Interventions, Lifecycle, event_hooks
from circus_core.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

INSIDE = {
    **{hook: "an intervention, asked inside circusd" for hook in vars(Interventions) if hook.startswith(PREFIX)},
    "circus_register_commands": "answered inside circusd",
    "circus_follow_config": "for options of [circus], which are circusd's",
    "circus_add_hookspecs": "for hooks that are called inside circusd",
}
"""Hooks that only work inside circusd, and why."""


class HookManager(pluggy.PluginManager):
    """pluggy's manager with the whole contract, for which a method is a hook by its name alone."""

    def __init__(self) -> None:
        super().__init__(PROJECT)
        # By hook, whose it is: of the contract, or the name of the plugin that added it.
        self._owners: dict[str, str] = {}
        for specs in (Lifecycle, Interventions):
            self._add(specs, "")
        self._add(event_hooks(), "")

    def learn(self, name: str, plugin: object) -> None:
        """Take in the hooks that a plugin adds, and those of events declared since; raises PluginError."""
        self._add(event_hooks(self._owners), "")
        if (add := getattr(plugin, "circus_add_hookspecs", None)) is None:
            return
        try:
            specs = add()
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
            raise PluginError(f"plugin {name}: circus_add_hookspecs failed: {problem}") from error
        hooks = self._specified(specs)
        if not hooks:
            hint = "answer a class whose functions are marked with `hookspec`"
            raise PluginError(f"plugin {name}: circus_add_hookspecs adds no hook", hint=hint)
        for hook in hooks:
            if hook in self._owners:
                owner = self._owners[hook]
                whose = f"plugin {owner}" if owner else "circus-bus"
                raise PluginError(f"plugin {name}: the hook {hook} is {whose}'s already", hint="choose another name")
            if not hook.startswith(PREFIX):
                raise PluginError(f"plugin {name}: the hook {hook} does not begin with {PREFIX}")
        self._add(specs, name)

    def waits(self, hook: str) -> bool:
        """Whether a plugin is called by this hook only once its `circus_startup` is done."""
        return self._owners.get(hook) == "" and hook not in EARLY

    def forget(self, name: str) -> None:
        """Drop the hooks that a plugin added."""
        for hook in [hook for hook, owner in self._owners.items() if owner == name]:
            del self._owners[hook]
            delattr(self.hook, hook)

    def _add(self, specs: Any, owner: str) -> None:
        found = self._specified(specs)
        self._owners.update(dict.fromkeys(found, owner))
        if found:
            self.add_hookspecs(specs)

    def _specified(self, specs: Any) -> list[str]:
        return [name for name in dir(specs) if self.parse_hookspec_opts(specs, name) is not None]

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
        if opts.get("optionalhook") and (caller is None or caller.spec is None):
            continue  # of a plugin that is not there
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
