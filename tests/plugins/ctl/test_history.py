"""`circusctl history` for people: rows of bars as wide as the terminal, and figures beside them."""

from __future__ import annotations

import io
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circus_plugins.ctl.history import draw, squeezed
from circus_plugins.ctl.tables import Terminal

MB = 1 << 20


def line(cpu: list[float | None], rss: list[int | None], **more: Any) -> dict[str, Any]:
    return {"cpu": cpu, "rss": rss, **more}


def reply(**more: Any) -> dict[str, Any]:
    none: list[None] = [None, None]
    return {
        "begin": 1_800_000_000.0, "step": 30.0, "points": 6, "interval": 1.0, "since": 1_800_000_060.0, "left_out": 0,
        "shortened": None, "circusd": line([*none, 0.1, 0.1, 0.1, 0.1], [*none, 9 * MB, 9 * MB, 9 * MB, 9 * MB]),
        "watchers": {
            "web": line([*none, 20.0, None, 10.0, 30.0], [*none, 50 * MB, None, 100 * MB, 80 * MB],
                        cpu_max=[*none, 100.0, None, 10.0, 30.0], rss_max=[*none, 50 * MB, None, 120 * MB, 80 * MB]),
        },
        "processes": {"web": [
            {"pid": 42, "wid": 1, "running": True, **line([*none, None, None, 10.0, 30.0], [*none, None, None, 5, 7])},
            {"pid": 41, "wid": 1, "running": False, **line([*none, 20.0, *none, None], [*none, 5, *none, None])},
        ]},
        **more,
    }  # fmt: skip


def terminal(width: int) -> Terminal:
    made = Terminal(io.StringIO())
    made.width = width
    return made


def test_a_row_for_each_watcher_and_process() -> None:
    head, titles, circusd, web, one, two, note = draw(reply(), terminal(90))
    until = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(1_800_000_180))
    assert head == f"The last 2m 00s until {until}; a bar is 30s."
    assert titles.split() == ["WATCHER", "PID", "CPU", "%", "MAX", "RSS", "MAX"]
    assert circusd.split()[:3] == ["circusd", "0.1", "0.1"]
    # A mean of the time that somebody looked, the most there was, the latest memory; and a gap is a gap.
    assert web.split() == ["web", "20.0", "100.0", "▂", "▁▃", "80.0M", "120.0M", "▄", "▇▆"]
    assert one.split() == ["1", "42", "20.0", "30.0", "▃█", "7B", "7B", "▆█"]
    assert two.split() == ["1", "41", "20.0", "20.0", "█", "5B", "5B", "█"]
    assert note == "Nothing is kept of what was before."


@pytest.mark.parametrize("width", [60, 80, 120, 300])
def test_it_is_no_wider_than_the_terminal(width: int) -> None:
    assert all(len(row) <= width for row in draw(reply(points=6, left_out=0), terminal(width))[1:])


def test_what_is_missing_is_said() -> None:
    words = "history_memory (4.0M) is full: kept is of processes each look of the last 10m 00s"
    *_, one, two = draw(reply(left_out=7, shortened=words), terminal(90))
    assert (one, two) == ("7 more processes are left out.", f"{words}.")
    empty = reply(watchers={"web": line([None] * 6, [None] * 6)}, processes={}, since=None)
    del empty["circusd"]
    *_, row, note = draw(empty, terminal(90))
    assert (row.split(), note) == (["web", "-", "-", "-", "-"], "Nothing is kept yet.")
    assert draw(reply(watchers={}, processes={}), terminal(90)) == ["None."]


@given(st.lists(st.one_of(st.none(), st.floats(0, 100))), st.integers(1, 80))
def test_values_are_squeezed_into_the_width(values: list[float | None], width: int) -> None:
    found = squeezed(values, width)
    assert len(found) == min(len(values), width)
    there = [value for value in values if value is not None]
    assert all(min(there) - 1e-9 <= value <= max(there) + 1e-9 for value in found if value is not None)
    assert (found.count(None) == len(found)) is not bool(there)
