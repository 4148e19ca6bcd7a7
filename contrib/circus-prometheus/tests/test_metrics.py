"""What is counted, what circusd is asked for, and how it reads; each metric of the declarations gets a value here."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from circus_core import events
from circus_core.errors import CircusError, PluginError, UnknownCommandError
from circus_core.options import Section, shown_default
from circus_prometheus import Prometheus
from circus_prometheus.counts import Counts, status
from circus_prometheus.metrics import METRICS
from circus_prometheus.options import Options
from circus_prometheus.sample import in_bytes

README = (Path(__file__).parents[1] / "README.md").read_text()
DETAIL = {
    "state": "active", "numprocesses": 3, "restarts": 4, "uptime": 60.5,
    "processes": [{"wid": 1, "pid": 11, "state": "ready", "age": 5.5, "restarts": 4}],
    "waiting": [{"wid": 2, "in": 1.0, "failures": 3}],
    "gave_up": [{"wid": 3, "reason": "too often"}],
}  # fmt: skip
ORDER = ("event", "version", "watcher", "wid", "state", "status", "requested")
STATS = {
    "web": {
        "11": {"wid": 1, "mem_info1": "1.50K", "mem_info2": "2.00M", "cpu": 25.0},
        "12": "No such process (stopped?)",
        "13": {"wid": 2, "mem_info1": "N/A", "mem_info2": "N/A", "cpu": "N/A"},
    }
}


class Circusd:
    """Answers `status` and `stats`, as long as it is up."""

    def __init__(self, *names, stats=STATS):
        self.names = names
        self.stats = stats
        self.asked = []
        self.up = True

    async def call(self, command, **properties):
        self.asked.append(command)
        await asyncio.sleep(0)
        if not self.up:
            raise CircusError("no answer")
        if command == "status":
            return {"details": dict.fromkeys(self.names, DETAIL)}
        if self.stats is None:
            raise UnknownCommandError("unknown command: 'stats'")
        return {"infos": self.stats}


def exited(exit_code=7, watcher="web", *, requested=False):
    return events.ProcessExited(
        watcher=watcher, wid=1, pid=11, exit_code=exit_code, age=1.5, requested=requested, cpu=0.5
    )


# As a plugin that is loaded elsewhere declares it; a name of its own, so that nobody else's is touched.
Flapping = type("Flapping", (events.Event,), {"name": "process_flapping", "fields": lambda self: {"watcher": "web"}})

HAPPENED = (
    events.WatcherAdded(watcher="web"),
    events.ProcessSpawned(watcher="web", wid=1, pid=11),
    exited(7), exited(7), exited(-9), exited(0, requested=True),
    events.SpawnFailed(watcher="web", wid=1, reason="gone"),
    events.RestartDelayed(watcher="web", wid=1, delay=1.0, failures=2),
    events.WatcherGaveUp(watcher="web", wid=1, reason="too often", last=False),
    events.EventsLost(first=3, last=7),
    Flapping(),
)  # fmt: skip


def scrape(circusd, *happened, path="/metrics", accept="text/plain", times=1, **options):
    """What is served after these events, in each of so many scrapes."""

    async def run():
        plugin = Prometheus()
        plugin.equip("prometheus", circusd, Options(**{"port": 0, **options}), None)
        await plugin.circus_startup()
        try:
            for event in happened:
                plugin.circus_event(event)
            url = plugin.url.replace("/metrics", path)
            async with aiohttp.ClientSession(headers={"Accept": accept}) as session:

                async def get():
                    async with session.get(url) as answer:
                        answer.raise_for_status()
                        return await answer.text(), answer.headers["Content-Type"]

                return await asyncio.gather(*(get() for _ in range(times)))
        finally:
            await plugin.circus_shutdown()

    return asyncio.run(run())


def samples(text):
    return {
        (sample.name, *(sample.labels[label] for label in ORDER if label in sample.labels)): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture(scope="module")
def seen():
    return samples(scrape(Circusd("web"), *HAPPENED)[0][0])


@pytest.mark.parametrize(
    ("sample", "value"),
    [
        (("circus_up",), 1),
        (("circus_info", "0.1.0"), 1),
        (("circus_events_total", "process_exited"), 4),
        (("circus_events_lost_total",), 5),
        (("circus_watcher_state", "web", "active"), 1),
        (("circus_watcher_state", "web", "stopped"), 0),
        (("circus_watcher_processes_wanted", "web"), 3),
        (("circus_watcher_processes", "web"), 1),
        (("circus_watcher_processes_waiting", "web"), 1),
        (("circus_watcher_processes_given_up", "web"), 1),
        (("circus_watcher_uptime_seconds", "web"), 60.5),
        (("circus_watcher_restarts_total", "web"), 4),
        (("circus_process_spawns_total", "web"), 1),
        (("circus_process_exits_total", "web", "7", "false"), 2),
        (("circus_process_exits_total", "web", "SIGKILL", "false"), 1),
        (("circus_process_exits_total", "web", "0", "true"), 1),
        (("circus_process_spawn_failures_total", "web"), 1),
        (("circus_process_restart_delays_total", "web"), 1),
        (("circus_process_flaps_total", "web"), 1),
        (("circus_watcher_gave_up_total", "web"), 1),
        (("circus_process_exited_age_seconds_total", "web"), 6),
        (("circus_process_exited_cpu_seconds_total", "web"), 2),
        (("circus_process_age_seconds", "web", "1"), 5.5),
        (("circus_process_resident_memory_bytes", "web", "1"), 1536),
        (("circus_process_virtual_memory_bytes", "web", "1"), 2 * 1024**2),
        (("circus_process_cpu_ratio", "web", "1"), 0.25),
    ],
)
def test_each_metric(seen, sample, value):
    assert seen[sample] == value


def test_every_declared_metric_was_seen_and_no_other(seen):
    assert {name for name, *_ in seen} == {metric.exposed for metric in METRICS}


def test_names_follow_the_conventions_of_prometheus():
    for metric in METRICS:
        assert re.fullmatch(r"circus_[a-z]+(_[a-z]+)*", metric.name)
        assert metric.exposed.endswith("_total") == (metric.kind == "counter")
        assert not re.search(r"_(ms|mb|kb|percent|minutes)\b", metric.name)
        assert metric.help.endswith(".")


def test_the_readmes_table_is_that_of_the_declarations():
    rows = re.findall(r"^\| `(circus_\w+)` \| (\w+) \| (.*?) \| (\w+) \| (.*?) \|$", README, re.MULTILINE)
    labels = {metric: " ".join(f"`{label}`" for label in metric.labels) or "none" for metric in METRICS}
    assert rows == [(one.exposed, one.kind, labels[one], one.source, one.help) for one in METRICS]


def test_openmetrics_for_those_who_ask_for_it():
    text, kind = scrape(Circusd("web"), *HAPPENED, accept="application/openmetrics-text; version=1.0.0")[0]
    assert kind.startswith("application/openmetrics-text")
    families = list(openmetrics.text_string_to_metric_families(text))
    assert {family.name for family in families} == {metric.name for metric in METRICS}


def test_nothing_is_asked_until_somebody_scrapes():
    circusd = Circusd("web")
    scrape(circusd, *HAPPENED, path="/")
    assert circusd.asked == []


def test_those_who_scrape_at_the_same_time_share_a_sample():
    circusd = Circusd("web")
    scrape(circusd, times=5)
    assert circusd.asked.count("status") < 5


def test_a_circusd_without_stats_has_all_the_rest():
    seen = samples(scrape(Circusd("web", stats=None), *HAPPENED)[0][0])
    assert seen["circus_up",] == 1
    assert ("circus_process_age_seconds", "web", "1") in seen
    assert not any("memory" in name for name, *_ in seen)


def test_without_processes_nothing_is_said_of_each():
    circusd = Circusd("web")
    seen = samples(scrape(circusd, processes=False)[0][0])
    assert "stats" not in circusd.asked
    assert not any(name.startswith("circus_process_age") for name, *_ in seen)


def test_a_circusd_that_does_not_answer_is_down_and_counters_stay(caplog):
    circusd = Circusd("web")
    circusd.up = False
    seen = samples(scrape(circusd, *HAPPENED)[0][0])
    assert seen["circus_up",] == 0
    assert seen["circus_process_exits_total", "web", "7", "false"] == 2
    assert not any(name == "circus_watcher_state" for name, *_ in seen)
    assert "circusd does not answer" in caplog.text


def test_a_watcher_that_is_gone_vanishes():
    removal = events.WatcherRemoved(watcher="web"), exited(requested=True), events.WatcherStopped(watcher="web")
    # Circusd does not know it any more.
    assert not any("web" in key for key in samples(scrape(Circusd(), *HAPPENED)[0][0]))
    # Its removal is seen.
    counts = Counts()
    for event in (*HAPPENED, *removal):
        counts.take(event)
    assert not [labels for _metric, labels, _value in counts if "web" in labels]


def test_a_watcher_that_comes_while_circusd_answers_is_kept():
    class Late(Circusd):
        async def call(self, command, **properties):
            answer = await super().call(command, **properties)
            plugin.circus_event(exited(watcher="late"))
            return answer

    plugin = Prometheus()
    plugin.equip("prometheus", Late("web"), Options(), None)
    asyncio.run(plugin._sample())
    assert plugin._counts.watchers == {"late"}


def test_a_watcher_that_is_added_again_is_counted_on():
    counts = Counts()
    for event in (
        events.WatcherRemoved(watcher="web"), events.WatcherAdded(watcher="web"), exited(),
        events.WatcherStopped(watcher="web"),
    ):  # fmt: skip
        counts.take(event)
    assert any("web" in labels for _metric, labels, _value in counts)


def test_the_number_of_series_does_not_grow_with_watchers_that_come_and_go():
    counts = Counts()
    for number in range(100):
        for event in (
            events.WatcherAdded(watcher=f"w{number}"), exited(watcher=f"w{number}"),
            events.WatcherRemoved(watcher=f"w{number}"), events.WatcherStopped(watcher=f"w{number}"),
        ):  # fmt: skip
            counts.take(event)
    assert len(list(counts)) == 5


@pytest.mark.parametrize(
    ("code", "label"), [(0, "0"), (255, "255"), (-15, "SIGTERM"), (-99, "signal 99"), (None, "unknown")]
)
def test_the_end_of_a_process_as_a_label(code, label):
    assert status(code) == label


@pytest.mark.parametrize(
    ("text", "size"),
    [("999B", 999), ("1.50K", 1536), ("2.00G", 2 * 1024**3), ("N/A", None), ("B", None), ("xB", None), (None, None)],
)
def test_sizes(text, size):
    assert in_bytes(text) == size


def test_a_unix_socket(tmp_path):
    async def run():
        plugin = Prometheus()
        plugin.equip("prometheus", Circusd("web"), Options(socket=str(path), socket_mode=0o660), None)
        await plugin.circus_startup()
        assert path.stat().st_mode & 0o777 == 0o660
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session,
            session.get("http://circus/metrics") as answer,
        ):
            text = await answer.text()
        await plugin.circus_shutdown()
        return text

    path = tmp_path / "metrics.sock"
    assert samples(asyncio.run(run()))["circus_up",] == 1
    assert not path.exists()


def test_beyond_loopback_it_warns(caplog):
    scrape(Circusd(), path="/", address="0.0.0.0")
    assert "anybody who reaches 0.0.0.0 can read the metrics" in caplog.text


def test_ipv6():
    text, _kind = scrape(Circusd("web"), address="::1")[0]
    assert samples(text)["circus_up",] == 1


def test_a_place_that_is_taken(tmp_path):
    taken = tmp_path / "no" / "folder"
    plugin = Prometheus()
    plugin.equip("prometheus", Circusd(), Options(socket=str(taken)), None)
    with pytest.raises(PluginError, match=r"cannot listen at .*no/folder: .*(something else there)"):
        asyncio.run(start(plugin))


async def start(plugin):
    try:
        await plugin.circus_startup()
    finally:
        await plugin.circus_shutdown()


@pytest.mark.parametrize(
    ("values", "key"), [({"address": "localhost"}, "address"), ({"port": 70000}, "port"), ({}, None)]
)
def test_options_that_cannot_be_meant(values, key):
    assert [found[0] for found in Options(**values).contradictions()] == ([key] if key else [])


def test_the_readmes_options_are_those_of_the_declarations():
    rows = re.findall(r"^\| `(\w+)` \|([^|]*)\| (.*?) \|$", README.partition("## Metrics")[0], re.MULTILINE)
    entries = list(Section("plugin", Options))
    defaults = [f"`{shown_default(entry)}`" if shown_default(entry) != "" else "" for entry in entries]
    assert [(key, default.strip(), text) for key, default, text in rows] == [
        (entry.key, default, entry.help) for entry, default in zip(entries, defaults, strict=True)
    ]
