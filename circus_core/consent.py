"""What plugins have against something that is about to happen, or just has; every objection is published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

from circus_core.errors import VetoedError
from circus_core.events import ActionVetoed
from circus_core.model import Postpone, Refuse

if TYPE_CHECKING:
    from circus_core.bus import Bus
    from circus_core.model import GiveUp, RetryLater


@frozen
class Objection:
    """A plugin's answer, and its reason in words, with what to do about it."""

    plugin: str
    reason: str
    verdict: Refuse | RetryLater | GiveUp | Postpone

    @property
    def postpones(self) -> bool:
        """Whether it is no objection to the start itself, but to its time."""
        return isinstance(self.verdict, Postpone)

    def error(self, outcome: str, what: str) -> VetoedError:
        """`outcome` says in words what became of it, and `what` names that which the plugin refused."""
        if isinstance(self.verdict, Refuse) and self.verdict.hint:
            return VetoedError(f"{outcome}: {self.verdict.reason}", hint=self.verdict.hint)
        return VetoedError(f"{outcome}: {self.reason}", hint=f"plugin {self.plugin} refused {what}")


def objection(bus: Bus, hook: str, intent: str, name: str, /, **given: Any) -> Objection | None:
    """The first answer to an intervention that may refuse; `intent` is start, spawn or signal, `name` a watcher's."""
    answer = bus.first(hook, **given)
    if answer is None:
        return None
    plugin, verdict = answer
    reason = verdict.reason or f"plugin {plugin} said so"
    if isinstance(verdict, Refuse) and verdict.hint:
        reason += f" ({verdict.hint})"
    found = Objection(plugin, reason, verdict)
    if not found.postpones:
        bus.publish(ActionVetoed(watcher=name, intent=intent, reason=reason, plugin=plugin))
    return found
