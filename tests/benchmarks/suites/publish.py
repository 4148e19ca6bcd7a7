"""publish: what an event costs inside circusd, from its making until the last in-process plugin has seen it."""

import timeit
from collections.abc import Callable

import pluggy
from bench import Bench, say
from report import OURS, Column, Report

NAMES = ("publish",)
SUBSCRIBERS = (0, 1, 5)
NUMBER = 20_000


def run(bench: Bench, wanted: set[str]) -> list[Report]:
    """Ours beside pluggy's own call, which neither isolates, numbers nor dates what it calls."""
    columns = [Column(f"us_{count}", f"{count} plugins: us" if count == 0 else f"{count}", 2) for count in SUBSCRIBERS]
    report = Report("publish", "one event made and published to in-process plugins", columns)
    try:
        from circus_core.events import WatcherReloaded
    except ImportError as error:
        report.absent[OURS] = f"not here: {error}"
        return [report]
    for _ in range(bench.rounds * 3):
        for count in SUBSCRIBERS:
            for who, publish in ((OURS, _bus(count)), ("pluggy", _pluggy(count))):
                took = timeit.timeit(lambda: publish(WatcherReloaded(watcher="web")), number=NUMBER)  # noqa: B023
                report.add(who, **{f"us_{count}": took / NUMBER * 1e6})
        took = timeit.timeit(lambda: WatcherReloaded(watcher="web"), number=NUMBER)
        report.add("making it", **{f"us_{SUBSCRIBERS[0]}": took / NUMBER * 1e6})
    say("publish: done")
    return [report]


class _Subscriber:
    def circus_watcher_reloaded(self, event: object) -> None: ...


def _bus(count: int) -> Callable[[object], object]:
    from circus_core.bus import Bus

    bus = Bus()
    for number in range(count):
        bus.connect(bus.load(f"plugin{number}", _Subscriber()))
    return bus.publish  # type: ignore[return-value]


def _pluggy(count: int) -> Callable[[object], object]:
    class Spec:
        @pluggy.HookspecMarker("bench")
        def circus_watcher_reloaded(self, event: object) -> None: ...

    class Plugin:
        @pluggy.HookimplMarker("bench")
        def circus_watcher_reloaded(self, event: object) -> None: ...

    manager = pluggy.PluginManager("bench")
    manager.add_hookspecs(Spec)
    for _ in range(count):
        manager.register(Plugin())
    return lambda event: manager.hook.circus_watcher_reloaded(event=event)
