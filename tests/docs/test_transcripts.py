"""Every shell transcript of the documentation is run; and the runner itself is tried on small pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.docs.pages import PAGES, ROOT, blocks
from tests.docs.transcripts import Session, TranscriptError, matches, on_screen, steps

if TYPE_CHECKING:
    from pathlib import Path


def pages_with_transcripts() -> list[object]:
    return [
        pytest.param(page, id=str(page.relative_to(ROOT)))
        for page in PAGES
        if any(block.language == "console" and "no-run" not in block.marks for block in blocks(page))
    ]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("page", pages_with_transcripts())
def test_transcripts_of_a_page(page: Path, tmp_path: Path) -> None:
    with Session(tmp_path / "page") as session:
        session.follow(blocks(page))


@pytest.fixture
def follow(tmp_path: Path):
    """Write a page and follow it, with little patience."""

    def follow(text: str, patience: float = 5.0) -> Path:
        page = tmp_path / "page.md"
        page.write_text(text)
        directory = tmp_path / "session"
        with Session(directory, patience=patience) as session:
            session.follow(blocks(page))
        return directory

    return follow


def test_a_named_block_becomes_a_file_and_a_command_sees_it(follow) -> None:
    directory = follow("```sh\n# greet.sh\necho hello\n```\n\n```console\n$ sh greet.sh\nhello\n```\n")
    assert (directory / "greet.sh").read_text() == "# greet.sh\necho hello\n"


def test_wrong_output_is_an_error_that_shows_both(follow) -> None:
    with pytest.raises(TranscriptError, match=r"page.md:1: \$ echo no\nexpected\n    yes\ngot\n    no"):
        follow("```console\n$ echo no\nyes\n```\n")


def test_a_status_that_was_not_announced_is_an_error(follow) -> None:
    follow("```console {exit=3}\n$ true\n$ exit 3\n```\n")


def test_an_announced_status_is_required(follow) -> None:
    with pytest.raises(TranscriptError, match="should have ended with 0, not 3"):
        follow("```console\n$ exit 3\n```\n")


def test_two_pages_may_have_the_same_port_at_once(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ python3 -u -m http.server --bind 127.0.0.1 18555 &\nServing HTTP on ...\n```\n")
    with Session(tmp_path / "one") as one, Session(tmp_path / "two") as two:
        if not (one.network.words and two.network.words):
            pytest.skip("only root can make networks, and not on every machine")
        one.follow(blocks(page))
        two.follow(blocks(page))


def test_a_background_command_is_waited_for_and_stopped(follow) -> None:
    directory = follow(
        "```console\n"
        "$ trap 'echo over > end; exit' TERM; touch there; echo up; while :; do read -t 9 <> <(:); done &\n"
        "up\n"
        "$ ls there\n"
        "there\n"
        "```\n"
    )
    assert (directory / "end").exists()


def test_a_background_command_may_print_anything_where_nothing_is_expected(follow) -> None:
    follow("```console\n$ echo starting; read -t 9 <> <(:) &\n$ echo next\nnext\n```\n")


def test_a_background_command_that_ends_without_the_output_is_an_error(follow) -> None:
    with pytest.raises(TranscriptError, match="should have gone on, and ended with 4"):
        follow("```console\n$ echo other; exit 4 &\nup\n```\n")


def test_a_command_that_looks_is_repeated_until_it_matches(follow) -> None:
    follow(
        '```console {repeat="counts to three"}\n'
        "$ echo x >> log; wc -l < log\n"
        "3\n"
        "```\n"
    )  # fmt: skip


def test_a_block_with_a_reason_not_to_run_is_not_run(follow) -> None:
    directory = follow('```console {no-run="would fill the disk"}\n$ touch there\n```\n')
    assert not (directory / "there").exists()


def test_commands_over_several_lines() -> None:
    (step,) = steps("$ echo a \\\n> b\na b\n")
    assert (step.command, step.expected) == ("echo a \\\nb", "a b")


def test_output_before_a_command_is_refused() -> None:
    with pytest.raises(ValueError, match="begins with a command"):
        steps("hello\n$ echo\n")


@pytest.mark.parametrize(
    ("expected", "shown"),
    [
        ("pid ... ended", "pid 12 ended  \n"),
        ("first\n...\nlast", "first\nb\nc\nlast\n"),
        ("", "\n"),
        ("a (b) [c]", "a (b) [c]"),
        ("name  state", "name      state"),
    ],
)
def test_outputs_that_match(expected: str, shown: str) -> None:
    assert matches(expected, shown)


@pytest.mark.parametrize(("expected", "shown"), [("a", "a\nb"), ("a\nb", "a"), ("", "a"), ("...a", "b"), ("ab", "a b")])
def test_outputs_that_do_not(expected: str, shown: str) -> None:
    assert not matches(expected, shown)


def test_output_so_far_is_whole_lines() -> None:
    assert matches("a ...", "a b\nc\n", so_far=True)
    assert not matches("abc", "abcd", so_far=True)


def test_what_stays_on_a_screen() -> None:
    assert on_screen(b"\x1b[1mstopping 1/3\r\x1b[Kstopping 3/3\r\n\x1b[0mok\r\n") == "stopping 3/3\nok\n"
