"""What is kept of output, and the lines that a follower makes of it: whole, each once, and what is missing is said."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from circus_plugins.client.output import Output
from circus_plugins.streams.recent import Recent, message

SLOT = "web", 1
CHUNKS = st.lists(
    st.tuples(
        st.sampled_from([b"a", b"\n", b"long " * 9, b"one\ntwo\n", "ä".encode(), b"\xc3", b"\xff\r\n", b"x" * 300]),
        st.sampled_from([10, 11]),
        st.sampled_from(["stdout", "stderr"]),
    ),
    max_size=40,
)


def reply(ring: Recent, *, lines: int | None = None) -> dict[str, Any]:
    found = ring.whole() if lines is None else ring.last(lines)
    return {"output": [message(SLOT, ring, said) for said in found], "next": None}


def live(ring: Recent, since: int, size: int) -> list[bytes]:
    """What was said since, in pieces, as a follower is sent it."""
    sent = []
    for said in ring.after(since):
        for begin in range(0, len(said.text), size):
            part = said._replace(start=said.start + begin, text=said.text[begin : begin + size])
            sent.append(json.dumps(message(SLOT, ring, part)).encode())
    return sent


def expected(chunks: list[tuple[bytes, int, str]]) -> dict[tuple[int, str], list[bytes]]:
    """The lines of each process and channel that have come to their ends, or would if no more came."""
    texts: dict[tuple[int, str], bytes] = {}
    for data, pid, channel in chunks:
        texts[pid, channel] = texts.get((pid, channel), b"") + data
    return {
        who: [line.removesuffix(b"\r") for line in text.removesuffix(b"\n").split(b"\n")] for who, text in texts.items()
    }


def by_process(lines: list[dict[str, Any]]) -> dict[tuple[int, str], list[bytes]]:
    found: dict[tuple[int, str], list[bytes]] = {}
    for line in lines:
        found.setdefault((line["pid"], line["channel"]), []).append(line["line"].encode("utf-8", "surrogateescape"))
    return found


@given(CHUNKS, CHUNKS, st.integers(0, 30), st.integers(1, 40))
def test_a_follower_has_each_line_once_whatever_came_when(
    before: list[tuple[bytes, int, str]], later: list[tuple[bytes, int, str]], overlap: int, size: int
) -> None:
    # One process after the other, as in a slot.
    before, later = (
        [(data, 10, channel) for data, _, channel in before],
        [(data, 11, channel) for data, _, channel in later],
    )
    ring = Recent(1 << 20)
    for chunk in before:
        ring.add(*chunk)
    subscribed = max(ring.end - overlap, 0)
    output = Output()
    assert output.question() == {"names": []}
    output.replayed(reply(ring))
    assert output.question() is None
    lines = output.latest()
    for chunk in later:
        ring.add(*chunk)
    for payload in live(ring, subscribed, size):
        new, ask = output.arrived(payload)
        assert not ask or not before
        lines += new
    if not before and later:
        # A ring whose beginning was heard needs nothing else.
        assert not output.question() or subscribed
    lines += output.latest(end=True)
    assert not [line for line in lines if "skipped" in line]
    assert by_process(lines) == expected(before + later)


@given(CHUNKS, st.integers(0, 12))
def test_the_last_lines_are_the_last_lines(chunks: list[tuple[bytes, int, str]], number: int) -> None:
    chunks = [(data, 10, "stdout") for data, _, _ in chunks]
    ring = Recent(1 << 20)
    for chunk in chunks:
        ring.add(*chunk)
    output = Output(lines=number)
    question = output.question()
    assert question is not None
    output.replayed(reply(ring, lines=question["lines"]))
    wanted = expected(chunks).get((10, "stdout"), [])
    assert by_process(output.latest(end=True)).get((10, "stdout"), []) == wanted[max(len(wanted) - number, 0) :]


@given(st.integers(200, 3000), CHUNKS)
def test_a_full_ring_has_whole_lines_of_the_end(limit: int, chunks: list[tuple[bytes, int, str]]) -> None:
    chunks = [(data, 10, "stdout") for data, _, _ in chunks]
    ring = Recent(limit)
    for chunk in chunks:
        ring.add(*chunk)
    assert sum(len(said.text) for said in ring) <= limit
    output = Output()
    output.replayed(reply(ring))
    found = by_process(output.latest(end=True)).get((10, "stdout"), [])
    wanted = expected(chunks).get((10, "stdout"), [])
    kept = wanted[len(wanted) - len(found) :]
    # Of a line that is longer than all that is kept, the end is there.
    assert found[1:] == kept[1:]
    assert not kept or kept[0].endswith(found[0])


def test_a_line_after_one_that_is_longer_than_all_that_is_kept_is_there() -> None:
    for piece in (500, 5000):
        ring = Recent(1000)
        said = b"x" * 5000 + b" end\nshort\n"
        for begin in range(0, len(said), piece):
            ring.add(said[begin : begin + piece], 10, "stdout")
        for question in (None, 1, 10):
            output = Output(lines=question)
            output.question()
            output.replayed(reply(ring, lines=question))
            assert [line["line"] for line in output.latest()] == ["short"], (piece, question)


def test_of_a_line_that_is_longer_than_all_that_is_kept_the_end_is_shown() -> None:
    ring = Recent(1000)
    ring.add(b"x" * 5000 + b" end\n", 10, "stdout")
    output = Output()
    output.replayed(reply(ring))
    (line,) = output.latest()
    assert line["line"].endswith("x end")


def test_what_came_too_fast_is_said_and_the_lines_after_it_are_whole() -> None:
    ring = Recent(1000)
    output = Output()
    ring.add(b"first\nbeg", 10, "stdout")
    output.replayed(reply(ring))
    told = ring.end
    assert [line["line"] for line in output.latest()] == ["first"]
    for number in range(100):
        ring.add(b"line %d\n" % number * 20, 10, "stdout")
    lines = [line for payload in live(ring, told, 50) for line in output.arrived(payload)[0]]
    assert lines[0]["skipped"] > 1000
    assert {line["line"] for line in lines[1:]} <= {f"line {number}" for number in range(100)}
    assert lines[-1]["line"] == "line 99"


def test_a_ring_that_is_not_known_is_asked_for() -> None:
    ring, other = Recent(1000), Recent(1000)
    output = Output(["WEB/1"], lines=1)
    ring.add(b"one\ntwo\n", 10, "stdout")
    output.replayed(reply(ring))
    assert [line["line"] for line in output.latest()] == ["two"]
    other.add(b"three\n", 11, "stdout")
    told = other.end
    other.add(b"four\n", 11, "stdout")
    assert output.arrived(live(other, told, 100)[0]) == ([], True)
    assert output.question() == {"names": ["WEB/1"]}
    output.replayed(reply(other))
    assert [line["line"] for line in output.latest()] == ["three", "four"]


def test_only_what_the_names_mean_is_followed() -> None:
    assert Output().topics[0] == b"output."
    assert Output(["Two words", "w*", "api/2"]).topics[:-1] == (
        b"output.two_words.", b"output.w", b"output.api.2.", b"output.api/2."
    )  # fmt: skip
    ring = Recent(1000)
    ring.add(b"hello\n", 10, "stderr")
    payload = live(ring, 0, 100)[0]
    for names, heard in ((["web"], 1), (["w?b"], 1), (["web/2"], 0), (["web/1", "x"], 1), (["api"], 0)):
        assert len(Output(names).arrived(payload)[0]) == heard, names


def test_only_lines_that_are_wanted_count() -> None:
    ring = Recent(1000)
    ring.add(b"yes 1\nno\nyes 2\nno\n", 10, "stdout")
    output = Output(lines=1, wanted=lambda line: "yes" in line["line"])
    assert output.question() == {"names": []}
    output.replayed(reply(ring))
    assert [line["line"] for line in output.latest()] == ["yes 2"]
