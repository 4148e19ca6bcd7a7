"""The plugins that are installed on this machine, as the metadata of their distributions has them; it imports none.

A name that two distributions give to different code means neither: which code runs must not hang on the order of
folders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circus_core.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from importlib.metadata import EntryPoint, EntryPoints

PLUGINS = "circus.plugins"
ALIASES = "circus.aliases"
"""Entry points that are named like dotted paths: what `use` says in configurations written for Circus."""
OURS = "circus-bus"


def entries(group: str) -> EntryPoints:
    """What is registered in a group of entry points now, be it by a distribution that came since circusd started."""
    # Imported when somebody asks: circusd should not carry it for good.
    from importlib.metadata import entry_points

    return entry_points(group=group)


def registered(name: str, group: str = PLUGINS) -> EntryPoint | None:
    """What a name stands for; None if nothing is registered by it. Raises PluginError if it has several meanings."""
    claims = sorted(entries(group).select(name=name), key=_source)
    if len({claim.value for claim in claims}) > 1:
        told = " and by ".join(f"{' '.join(_source(claim))} ({claim.value})" for claim in claims)
        hint = "uninstall all but one of them, or write the path of what is meant, as `use = module:Class`"
        raise PluginError(f"the name {name} is claimed by {told}", hint=hint)
    return claims[0] if claims else None


def rows(plugins: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every registered plugin, by name; `plugins` are the rows of those that circusd has, wherever they run."""
    claims = sorted(entries(PLUGINS), key=lambda claim: (claim.name, _source(claim)))
    paths = {entry.name: _dotted(entry.value) for entry in (*entries(ALIASES), *claims)}
    running: dict[str, list[dict[str, Any]]] = {}
    for plugin in plugins:
        path = paths.get(plugin["use"]) or _dotted(plugin["use"])
        running.setdefault(path, []).append({"name": plugin["name"], "host": plugin["host"]})
    return [
        {
            "name": claim.name,
            "path": claim.value,
            "distribution": _source(claim)[0],
            "version": _source(claim)[1],
            "bundled": _source(claim)[0] == OURS,
            "loaded": running.get(_dotted(claim.value), []),
            "problem": _problem(claim, [other for other in claims if other.name == claim.name]),
        }
        for claim in claims
    ]


def _problem(claim: EntryPoint, claims: Sequence[EntryPoint]) -> str:
    others = [other for other in claims if other is not claim]
    if not others:
        return ""
    also = f"{' and '.join(' '.join(_source(other)) for other in others)} too"
    if {other.value for other in others} == {claim.value}:
        return f"registered by {also}"
    return f"claimed by {also}, for other code: `use = {claim.name}` is refused"


def _dotted(path: str) -> str:
    """One way to write the path of a class, of two."""
    return path.replace(":", ".")


def _source(claim: EntryPoint) -> tuple[str, str]:
    """The name and version of the distribution that registered it; its metadata may be damaged."""
    about = claim.dist.metadata if claim.dist else None
    name, version = (about[key] if about and key in about else "?" for key in ("Name", "Version"))
    return name, version
