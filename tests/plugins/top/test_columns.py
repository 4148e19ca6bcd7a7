"""The columns of circus-top fit a terminal of any width, whatever is in them, and rows are in order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcswidth

from circus_plugins.phrases import BARS, sparkline
from circus_plugins.picture import Picture, ProcessView, SocketView
from circus_plugins.top import plain
from circus_plugins.top.columns import COLUMNS, INDENT, SORTS, fit, shown
from circus_plugins.top.rows import Order


@given(st.text(), st.integers(0, 60), st.booleans())
def test_a_text_takes_just_the_columns_it_is_given(text: str, width: int, right: bool) -> None:
    cell = fit(text, width, right=right)
    assert wcswidth(cell) == width
    assert cell.isprintable()


@given(st.integers(60, 400))
def test_a_line_is_never_wider_than_the_terminal(columns: int) -> None:
    chosen = shown(columns)
    assert sum(width + 1 for _column, width in chosen) <= columns + 1
    assert chosen[0][1] >= COLUMNS[0].width or columns < 80
    assert all(width >= 0 for _column, width in chosen)


def test_more_room_shows_more() -> None:
    assert len(shown(60)) < len(shown(80)) < len(shown(100)) < len(shown(160)) == len(COLUMNS)


@pytest.mark.parametrize(
    ("width", "told"),
    [(19, "web  127.0.0.1:8080"), (18, "web  …7.0.0.1:8080"), (14, "web  …0.1:8080"), (9, "web  127.0.0.1:8080")],
)
def test_of_an_address_the_end_is_seen(width: int, told: str) -> None:
    assert COLUMNS[0].text(SocketView(7, "web", "127.0.0.1:8080"), width + INDENT) == told


def test_a_sparkline() -> None:
    assert sparkline([1, None, 1], 4, 1) == f" {BARS[7]} {BARS[7]}"
    assert sparkline([], 4, 100) == "    "
    assert sparkline([0, 50, 100], 4, 100) == f" {BARS[0]}{BARS[4]}{BARS[7]}"
    assert sparkline(range(1000), 3, 999) == BARS[7] * 3
    assert sparkline([0, 0], 2, 0) == BARS[0] * 2


def picture() -> Picture:
    made = Picture(problem="", measured=True)
    for name, cpu, memory, restarts in (("b", 10.0, 5, 0), ("A", 30.0, 1, 2), ("c", 20.0, 9, 1)):
        watcher = made.watcher(name)
        watcher.state, watcher.wanted, watcher.restarts = "active", 2, restarts
        watcher.figures.measured(cpu, memory)
        for pid in (1, 2):
            process = watcher.processes[pid] = ProcessView(pid, wid=pid, state="ready")
            process.figures.measured(cpu * pid, memory)
    made.sockets[7] = SocketView(7, "web", "127.0.0.1:80", 3, 128, ("b",))
    return made


def names(order: Order) -> list[str]:
    return [row.key[0] if not row.key[1] else f"{row.key[0]}/{row.key[1]}" for row in order.rows(picture())]


@pytest.mark.parametrize(
    ("sort", "first"), [("name", "abc"), ("cpu", "acb"), ("mem", "cba"), ("restarts", "acb"), ("state", "abc")]
)
def test_sorted_by_any_column_and_the_other_way_round(sort: str, first: str) -> None:
    assert sort in SORTS
    assert "".join(names(Order(sort=sort))[:3]) == first
    turned = names(Order(sort=sort, reverse=True))[:3]
    # Of equals the name decides, in either direction.
    assert "".join(turned) == ("abc" if sort == "state" else first[::-1])


def test_open_watchers_show_their_processes_sorted_as_well() -> None:
    order = Order(sort="cpu")
    order.toggle("c")
    assert names(order) == ["a", "c", "c/2", "c/1", "b", "", "/7"]
    order.toggle("c")
    assert names(order) == ["a", "c", "b", "", "/7"]
    order.all_open = True
    assert len(names(order)) == 3 * 3 + 2


def test_a_filter() -> None:
    assert names(Order(filter="B")) == ["b", "", "/7"]
    assert names(Order(filter="nothing")) == []


def test_as_text_and_as_json() -> None:
    import json

    order = Order(all_open=True)
    lines = plain.text(picture(), order).splitlines()
    assert lines[0] == "3 watchers, 6 processes, cpu 60.0 %, mem 15B"
    assert lines[1].split() == ["NAME", "STATE", "UP/PID", "CPU", "%", "MEM", "AGE", "RESTARTS"]
    assert lines[2].split() == ["A", "active", "2/2", "30.0", "1B", "-", "2"]
    assert lines[-1].split() == ["web", "127.0.0.1:80", "3/128", "b"]
    told = json.loads(plain.document(picture(), order))
    assert [each["name"] for each in told["watchers"]] == ["A", "b", "c"]
    assert told["watchers"][1]["processes"][1]["cpu"] == 20.0
    assert told["sockets"][0]["waiting"] == 3
