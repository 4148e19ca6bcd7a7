"""circusctl without a command: a prompt with history and completion, or lines of standard input; it parses nothing."""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING

from circus_core import __version__
from circus_plugins.ctl import report
from circus_plugins.ctl.catalogue import local
from circus_plugins.ctl.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import CompleteEvent, Completion
    from prompt_toolkit.document import Document
    from prompt_toolkit.key_binding import KeyPressEvent

    from circus_plugins.ctl.program import Program

MARK = "(circusctl) "
LEAVE = frozenset({"exit", "EOF"})


def interact(program: Program) -> int:
    """Run every line of standard input; the status is that of the first line that failed, at a prompt always 0."""
    try:
        if not sys.stdin.isatty():
            return _script(program)
        _prompt(program)
        return report.DONE
    finally:
        program.close()


def _script(program: Program) -> int:
    status = report.DONE
    for line in sys.stdin:
        found = _line(program, line)
        sys.stdout.flush()
        status = status or found
    return status


def _line(program: Program, line: str) -> int:
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        report.mistake(f"the line cannot be read: {error}", "words with blanks need quotes on both sides")
        return report.WRONG_USAGE
    return program.run(words) if words else report.DONE


def _prompt(program: Program) -> None:
    print(f"circusctl {__version__}")
    program.run(["status"])
    session = _session(program)
    while True:
        try:
            line = session.prompt(MARK)
            if line.strip() in LEAVE:
                return
            if line.split()[:1] != ["quit"] or _sure(session):
                _line(program, line)
        except KeyboardInterrupt:
            continue
        except EOFError:
            print()
            return


def _sure(session: PromptSession[str]) -> bool:
    from prompt_toolkit.shortcuts import prompt

    answer = prompt("quit ends circusd and every process it keeps (Ctrl-D leaves this prompt). Really? [y/N] ")
    return answer.strip().lower() in ("y", "yes")


def _session(program: Program) -> PromptSession[str]:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import Completer
    from prompt_toolkit.enums import DEFAULT_BUFFER
    from prompt_toolkit.filters import has_focus
    from prompt_toolkit.history import FileHistory, InMemoryHistory
    from prompt_toolkit.key_binding import KeyBindings

    from circus_plugins.ctl import completion

    settings = Settings(program.given)
    names = completion.Names(settings, program.session(settings))
    finder = completion.Finder([*local().values(), *names.commands()], names)

    class Lines(Completer):
        def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
            from prompt_toolkit.completion import Completion

            text = document.text_before_cursor
            for word, meaning in finder.next_words(text):
                typed = finder.typed(text)
                yield Completion(word, start_position=-len(typed), display=word.strip(), display_meta=meaning)

    file = history_file()
    history = FileHistory(file) if file else InMemoryHistory()
    keys = KeyBindings()
    keys.add("tab", filter=has_focus(DEFAULT_BUFFER))(_complete)
    return PromptSession(history=history, completer=Lines(), complete_while_typing=False, key_bindings=keys)


def _complete(event: KeyPressEvent) -> None:
    """Complete the word before the next key is read; the library's own way is a task, which such a key overtakes."""
    from prompt_toolkit.buffer import CompletionState
    from prompt_toolkit.completion import CompleteEvent, get_common_complete_suffix

    buffer = event.current_buffer
    if buffer.complete_state is not None:
        buffer.complete_next()
        return
    found = list(buffer.completer.get_completions(buffer.document, CompleteEvent(completion_requested=True)))
    common = get_common_complete_suffix(buffer.document, found)
    if len(found) == 1:
        buffer.apply_completion(found[0])
    elif common:
        buffer.insert_text(common)
    elif found:
        buffer.complete_state = CompletionState(buffer.document, found)
        buffer.on_completions_changed.fire()


def history_file() -> str:
    """Where the prompt's lines are kept, for this user only; nothing if there is no place to keep them."""
    base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    folder = os.path.join(base, "circus")
    file = os.path.join(folder, "circusctl_history")
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError:
        return ""
    return file
