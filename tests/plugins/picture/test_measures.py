"""What the stats endpoint publishes, by ours and by Circus' own, as it comes into a picture."""

from __future__ import annotations

import json
from typing import Any

import pytest

from circus_plugins.picture import Picture
from circus_plugins.picture.measures import Measures, rss
from circus_plugins.picture.views import PAST, Figures
from circus_plugins.top.plain import summary

CIRCUS = {
    "pid": 41, "cmdline": "python3", "username": "web", "nice": 0, "mem_info1": "21.34M", "mem_info2": "30.00M",
    "cpu": 12.5, "mem": 0.1, "ctime": "0:01.00", "age": 3.5, "children": [], "subtopic": 41, "name": None,
}  # fmt: skip
OURS = {**CIRCUS, "watcher": "Web.1", "wid": 2, "rss": 22_380_544}
DETAILS = {
    "state": "active", "numprocesses": 1, "restarts": 0, "uptime": 5.0, "last_error": "",
    "processes": [{"wid": 2, "pid": 41, "state": "ready", "age": 5.0, "restarts": 0}],
}  # fmt: skip


def heard(measures: Measures, topic: str, told: dict[str, Any]) -> None:
    measures.arrived(topic, json.dumps(told).encode())


def test_figures_alone_tell_who_there_is() -> None:
    picture = Picture()
    measures = Measures(picture, timeout=1000)
    heard(measures, "stat.web.41", CIRCUS)
    heard(measures, "stat.web", {"pid": [41, 42], "cpu": 12.5, "mem": 0.2, "age": 3.5})
    web = picture.watchers["web"]
    process = web.processes[41]
    assert (process.figures.cpu, process.name) == (12.5, "python3")
    assert process.figures.memory == pytest.approx(21.34 * 1024**2, rel=1e-6)
    # Circus publishes the average.
    assert web.figures.cpu == 25.0
    assert web.figures.memory == process.figures.memory
    assert (web.state, web.mood, picture.measured) == ("", "good", True)
    measures.expire()
    assert list(picture.watchers) == ["web"]


def test_who_is_silent_is_gone_where_figures_alone_tell() -> None:
    picture = Picture()
    measures = Measures(picture, timeout=0)
    heard(measures, "stat.web.41", CIRCUS)
    measures.expire()
    assert picture.watchers == {}
    measures.known = True
    picture.take({"web": DETAILS})
    heard(measures, "stat.web.41", CIRCUS)
    measures.expire()
    assert list(picture.watchers["web"].processes) == [41]


def test_what_is_a_part_of_circusd_is_a_watcher_too_where_status_says_so() -> None:
    picture = Picture()
    measures = Measures(picture, timeout=1000)
    measures.known = True
    picture.take({"circusd-stats": DETAILS, "web": DETAILS})
    heard(measures, "stat.circus.41", {**CIRCUS, "name": "circusd-stats", "rss": 7})
    heard(measures, "stat.circus.7", {**CIRCUS, "pid": 7, "name": "circusd"})
    heard(measures, "stat.circus", {"pid": [7, 41], "cpu": 2.0, "cpu_sum": 25.0, "mem": 0.1, "age": 1, "rss": 5})
    own = picture.watchers["circusd-stats"]
    assert (own.figures.cpu, own.figures.memory, own.processes[41].name) == (12.5, 7, "python3")
    assert picture.watchers["web"].figures.cpu is None
    # It counts once.
    assert "cpu 0.0 %" in summary(picture)
    assert "circusd 25.0 %" in summary(picture)


def test_a_name_with_dots_is_known_by_what_ours_says_beside() -> None:
    picture = Picture()
    measures = Measures(picture, timeout=3)
    measures.known = True
    picture.take({"Web.1": DETAILS})
    heard(measures, "stat.web.1.41", OURS)
    heard(measures, "stat.web.1.99", {**OURS, "pid": 99})
    heard(measures, "stat.web.1", {"pid": [41], "cpu": 1.0, "cpu_sum": 12.5, "rss": 7, "watcher": "Web.1"})
    web = picture.watchers["web.1"]
    # `status` tells who is there; 99 is on its way out, or not told of yet.
    assert list(web.processes) == [41]
    assert web.processes[41].figures.memory == 22_380_544
    assert (web.figures.cpu, web.figures.memory) == (12.5, 7)


def test_circusd_and_sockets_are_told_apart_from_watchers() -> None:
    picture = Picture()
    measures = Measures(picture, timeout=3)
    heard(measures, "stat.circus.7", {**CIRCUS, "pid": 7, "name": "circusd"})
    heard(measures, "stat.circus", {"pid": [7], "cpu": 2.0, "mem": 0.1, "age": 1, "rss": 5})
    heard(measures, "stat.sockets.9", {"fd": 9, "subtopic": 9, "reads": 3, "address": "127.0.0.1:80"})
    heard(measures, "stat.sockets", {"addresses": ["127.0.0.1:80"], "reads": 3})
    heard(measures, "stat.circusd-stats", {"pid": [8], "cpu": 1.0})
    assert picture.watchers == {}
    assert (picture.circusd.cpu, picture.circusd.memory) == (2.0, 5)
    assert (picture.sockets[9].address, picture.sockets[9].waiting) == ("127.0.0.1:80", 3)


def test_a_watcher_without_processes_uses_nothing_after_its_last_words() -> None:
    picture = Picture()
    measures = Measures(picture, timeout=1000)
    measures.known = True
    picture.take({"web": {**DETAILS, "processes": []}, "later": {**DETAILS, "processes": []}})
    web, later = picture.watchers["web"].figures, picture.watchers["later"].figures
    own = {"pid": [7], "cpu": 0.5, "rss": 9}
    heard(measures, "stat.web", {"pid": [], "cpu": 0.0, "cpu_sum": 40.0, "rss": 0, "exited": 1})
    heard(measures, "stat.circus", own)
    # What the process used that ended in this round is told.
    assert (web.cpu, picture.rounds) == (40.0, 1)
    heard(measures, "stat.circus", own)
    assert (web.cpu, list(web.cpus), later.cpu, picture.rounds) == (0.0, [40.0, 0.0], None, 2)


def test_a_process_without_figures_is_no_process_with_none_used() -> None:
    picture = Picture()
    measures = Measures(picture, timeout=3)
    heard(measures, "stat.web.41", {**CIRCUS, "cpu": "N/A", "mem_info1": "N/A"})
    heard(measures, "stat.web", {"pid": [], "cpu": "N/A", "mem": "N/A", "age": "N/A"})
    assert not picture.measured


def test_the_answer_of_stats_is_taken_as_well() -> None:
    picture = Picture()
    measures = Measures(picture, timeout=3)
    measures.known = True
    picture.take({"web": DETAILS})
    for _ in range(PAST + 5):
        measures.answered({"web": {"41": OURS, "42": "No such process (stopped?)"}, "gone": {}})
    web = picture.watchers["web"]
    assert (web.figures.cpu, web.figures.memory) == (12.5, 22_380_544)
    assert len(web.figures.cpus) == PAST


@pytest.mark.parametrize(
    ("words", "size"), [("512B", 512), ("1.00K", 1024), ("2.50G", 2_684_354_560), ("N/A", 0), ("", 0), (None, 0)]
)
def test_memory_in_words(words: str | None, size: int) -> None:
    assert rss({"mem_info1": words}) == size


def test_the_past_is_taken_by_who_is_known() -> None:
    picture = Picture()
    measures = Measures(picture, timeout=3)
    measures.known = True
    picture.take({"web": DETAILS, "quiet": {**DETAILS, "processes": []}})
    heard(measures, "stat.web.41", {**OURS, "watcher": "web"})
    heard(measures, "stat.quiet", {"pid": [], "cpu": 0.0, "cpu_sum": 3.0, "rss": 9, "watcher": "quiet"})
    one = {"cpu": [None, 1.0, 2.0], "rss": [None, 10, 20], "pid": 41, "running": True}
    web = picture.watchers["web"]
    web.figures.measured(9.0, 90)
    now = web.figures.times[-1]
    web.figures.times[-1], web.processes[41].figures.times[-1] = now - 10, now + 1
    measures.recalled(
        {
            "begin": now - 6, "step": 2.0, "points": 3,
            "circusd": {"cpu": [0.5, None, 0.25], "rss": [7, None, 7]},
            "watchers": {
                "Web": {"cpu": [None, 1.0, 2.0], "rss": [None, 10, 20]},
                "gone": {"cpu": [1.0, 1.0, 1.0], "rss": [1, 1, 1]},
                "quiet": {"cpu": [None, None, None], "rss": [None, None, None]},
                "circusd-stats": {"cpu": [0.5, 1.0, 0.25], "rss": [3, 3, 3]},
            },
            "processes": {"Web": [one, {**one, "running": False, "cpu": [9.0, 9.0, 9.0]}, {**one, "pid": 40}]},
        }
    )  # fmt: skip

    def past(figures: Figures) -> list[tuple[float, float, float]]:
        return list(zip([at - now for at in figures.times], figures.cpus, figures.memories, strict=True))

    # What was before stays, and so does what came after; the last look was measured here, too.
    assert past(web.figures) == [(-10, 9.0, 90), (-2, 1.0, 10), (0, 2.0, 20)]
    assert past(web.processes[41].figures) == [(-2, 1.0, 10), (0, 2.0, 20)]
    assert web.processes[41].figures.cpu == 12.5, "what is now is measured"
    # The streamer is told of as a part of circusd, as it is published.
    assert past(picture.circusd) == [(-4, 1.0, 10), (-2, 1.0, 3), (0, 0.5, 10)]
    assert [each[1] for each in past(picture.watchers["quiet"].figures)] == [3.0]
    assert picture.watchers.keys() == {"web", "quiet"}
