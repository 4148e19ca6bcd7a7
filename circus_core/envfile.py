"""Environment files: NAME=VALUE lines, as docker, systemd and a shell's `source` take them; it expands nothing.

`export ` in front is allowed. `#` begins a comment at the start of a line, and behind a value after a blank.
'Single' quotes keep everything; in "double" ones a backslash escapes n, $, a backslash, a quote, a backtick and the
end of the line. Both may run over lines.
"""

from __future__ import annotations

import re

from circus_core.document import read_text
from circus_core.errors import ConfigError
from circus_core.structure import Place, Problem

_NOTHING = re.compile(r"[ \t]*+(?:#[^\n]*+)?(?:\n|\Z)")
_HEAD = re.compile(r"[ \t]*+(?:export[ \t]++)?([^\n=]*+)=")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_COMMENT = re.compile(r"[ \t]#")
_QUOTED = re.compile(r"""[ \t]*+(?:'(?P<single>[^']*+)'|"(?P<double>(?:[^"\\]|\\.)*+)")""", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", '"': '"', "\\": "\\", "$": "$", "`": "`", "\n": ""}


def read_env_file(path: str) -> dict[str, str]:
    """The variables in a file, the last of a name winning; raises ConfigError with every mistake in it."""
    text, problems = read_text(path)
    if not problems:
        variables, problems = parse(text, path)
    if problems:
        raise ConfigError(problems)
    return variables


def parse(text: str, file: str) -> tuple[dict[str, str], list[Problem]]:
    """The variables in `text`, and a problem for each line that is none."""
    text = text.replace("\r\n", "\n")
    variables: dict[str, str] = {}
    problems = []
    position, line = 0, 1
    while position < len(text):
        start = position
        try:
            position, entry = _entry(text, start)
            variables.update(entry)
        except ValueError as error:
            position = _end_of_line(text, start) + 1
            problems.append(Problem("", "", str(error), "", Place(file, line)))
        line += text.count("\n", start, position)
    return variables, problems


def _entry(text: str, start: int) -> tuple[int, dict[str, str]]:
    """Where the next entry begins, and this one, which is empty for a comment; raises ValueError if it is neither."""
    if nothing := _NOTHING.match(text, start):
        return nothing.end(), {}
    head = _HEAD.match(text, start)
    if head is None:
        raise ValueError("the line is not NAME=VALUE")
    name = head[1].rstrip()
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot be the name of a variable: it should have letters, digits and _ only")
    value, end = _value(text, head.end(), name)
    if "\0" in value:
        raise ValueError(f"the value of {name} has a NUL byte, which no program can be given")
    return end, {name: value}


def _value(text: str, start: int, name: str) -> tuple[str, int]:
    bare = text[start : _end_of_line(text, start)]
    quoted = _QUOTED.match(text, start)
    if quoted is None:
        value = _COMMENT.split(bare, maxsplit=1)[0].strip()
        if value[:1] in ("'", '"'):
            raise ValueError(f"the value of {name} begins with {value[0]} and no {value[0]} ends it")
        return value, start + len(bare) + 1
    rest = _NOTHING.match(text, quoted.end())
    if rest is None:
        raise ValueError(f"the value of {name} goes on behind its closing quote; quote all of it")
    if quoted["single"] is not None:
        return quoted["single"], rest.end()
    return _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[0]), quoted["double"]), rest.end()


def _end_of_line(text: str, start: int) -> int:
    found = text.find("\n", start)
    return len(text) if found < 0 else found
