"""Wrong configurations: every mistake at once, each with its file and line, and never a traceback."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from circus_core.config import load
from circus_core.errors import ConfigError
from circus_core.kinds import TEXT
from circus_core.model import sections
from circus_core.nearest import LONG
from circus_core.options import Option
from tests.core.configurations import errors, found, made, warnings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.core.configurations import Write


def test_all_mistakes_at_once(write: Write) -> None:
    write("[watcher.b]\ncmd = 3\nmax_retry = -2\n", "b.toml")
    path = write(
        "[circus]\ninclude = b.toml\numsk = 022\nsomething = else\n"
        "[watcher:web]\nnumprocesses = many\nstop_signal = SIGNOPE\nrlimit_nofil = 3\nenv = A\n"
        "[watcher:Web]\ncmd = prog\n[watcher:]\ncmd = prog\n[watcher:empty]\n"
        "[watcher:one]\ncmd = prog\nsingleton = yes\nnumprocesses = 2\n"
        "[wacher:x]\ncmd = prog\n[Watcher:y]\ncmd = prog\n[watcher.z]\ncmd = prog\n[unknown]\nx = 1\n"
        "[circus:x]\ny = 1\n[plugin:p]\nus = p\n[env:zz]\nA = 1\n"
        "[plugin:q]\nuse = q\n[watcher:plugin:q]\ncmd = x\n"
    )
    assert errors(path) == [
        "app.ini:3: [circus] umsk: is not an option (did you mean umask?)",
        "app.ini:5: [watcher:web] cmd: is missing (it should be shell words)",
        "app.ini:6: [watcher:web] numprocesses: 'many' isn't an integer (expected a whole number, such as 3)",
        "app.ini:7: [watcher:web] stop_signal: 'SIGNOPE' isn't a signal "
        "(there is no such signal; `kill -l` lists them)",
        "app.ini:8: [watcher:web] rlimit_nofil: 'rlimit_nofil' isn't a valid rlimit setting "
        "(did you mean rlimit_nofile?)",
        "app.ini:9: [watcher:web] env: 'A' isn't a valid object "
        "('A' has no '='; expected A=1,B=2 (quote values that have commas))",
        "app.ini:10: [watcher:Web]: has the name of [watcher:web] at app.ini:5, but for case "
        "(commands take names in any case; rename one of them)",
        "app.ini:12: [watcher]: has no name (it should be [watcher:NAME], or [watcher.NAME] in TOML)",
        "app.ini:18: [watcher:one] numprocesses: is 2 for a singleton (set it to 1, or drop singleton)",
        "app.ini:19: [wacher:x]: is not a section (did you mean [watcher:x]?)",
        "app.ini:21: [Watcher:y]: is not a section (did you mean [watcher:y]?)",
        "app.ini:23: [watcher.z]: is not a section (did you mean [watcher:z]? "
        "In TOML it is as here, in a file named .toml)",
        "app.ini:27: [circus:x]: has a name, but there is only one such section (write [circus])",
        "app.ini:29: [plugin:p] use: is missing (it should be a dotted path, `FILE.py:Class` or the name of a plugin)",
        "app.ini:33: [plugin:q]: the name is that of [watcher:plugin:q] already (rename the watcher)",
        "b.toml:2: [watcher:b] cmd: 'cmd' isn't a command line (expected a text in quotes, or a list of such)",
        "b.toml:3: [watcher:b] max_retry: 'max_retry' is -2 (the least possible is -1)",
    ]
    assert warnings(path) == [
        "app.ini:4: [circus] something: is not an option of circus or of a loaded plugin (kept as a free-form option)",
        "app.ini:14: [watcher:empty]: has no options and is skipped",
        "app.ini:25: [unknown]: is not a section of circus or of a loaded plugin (it is ignored)",
        "app.ini:31: [env:zz]: 'zz' matches no watcher",
    ]


def test_strict_refuses_what_nobody_knows(write: Write) -> None:
    path = write("[circus]\nsomething = else\n[unknown]\nx = 1\n[plugin:p]\nuse = p\nfree = 1\n")
    assert made(path).supervisor.extra == {"something": "else"}
    assert errors(path, strict=True) == [
        "app.ini:2: [circus] something: is not an option of circus or of a loaded plugin "
        "(strict mode refuses unknown options)",
        "app.ini:3: [unknown]: is not a section (strict mode refuses unknown sections)",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[env]\nA = 1", "app.toml:2: [env] A: 'A' isn't a string (put it in quotes)"),
        ("[env.web]\n'A=' = '1'", "app.toml:2: [env:web] A=: 'A=' cannot be the name of an environment variable"),
        (
            "[watcher.web]\ncmd = 'a'\nenv = {A = 1}",
            "app.toml:3: [watcher:web] env: 'env' isn't a valid object ('A' isn't a s",
        ),
        (
            "[watcher.web]\ncmd = 'a'\nenv = 'A=1'",
            "app.toml:3: [watcher:web] env: 'env' isn't a valid object (expected an",
        ),
        (
            "[watcher]\ncmd = 'a'",
            "app.toml:1: [watcher]: has no name (it should be [watcher:NAME], or [watcher.NAME] in",
        ),
        (
            "[watcher.'']\ncmd = 'a'",
            "app.toml:1: [watcher]: has no name (it should be [watcher:NAME], or [watcher.NAME] in",
        ),
    ],
)
def test_mistakes_in_toml(write: Write, text: str, message: str) -> None:
    (only,) = errors(write(text, "app.toml"))
    assert only.startswith(message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "app.ini: cannot be read: No such file or directory (the current directory is "),
        (b"[circus]\nx = a\nx = \xe9\n", "app.ini:3: byte 5 of the line, 0xe9, is not UTF-8 (save the file in UTF-8)"),
        (
            b"[circus]\nx = a\0\n",
            "app.ini:2: [circus]: the line has a NUL byte (the file is damaged, or not a text file)",
        ),
        (b"x", "app.ini:1: 'x' is not understood (it should be key = value)"),
    ],
)
def test_files_that_cannot_be_read(write: Write, content: bytes | None, message: str) -> None:
    if content is not None:
        write(content)
    with pytest.raises(ConfigError) as caught:
        load("app.ini")
    assert str(caught.value).startswith(message)
    assert len(caught.value.problems) == 1


def test_a_path_that_no_file_can_have() -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load("a\0b")


CIRCUS = """
    endpoint endpoint_owner pubsub_endpoint statsd stats_endpoint multicast_endpoint check_delay warmup_delay httpd
    httpd_host httpd_port debug debug_gc pidfile loglevel logoutput loggerconfig umask fqdn_prefix statsd_close_outputs
    httpd_close_outputs stream_backend ssh_server
"""
WATCHER = """
    args shell shell_args executable working_dir uid gid numprocesses warmup_delay copy_env copy_path autostart respawn
    singleton use_sockets on_demand stdin_socket close_child_stdin close_child_stdout close_child_stderr send_hup
    stop_signal stop_children graceful_timeout max_retry max_age max_age_variance priority rlimit_nofile
    hooks.before_start stdout_stream.class stdout_stream.filename stderr_stream.time_format stdout_stream.refresh_time
    virtualenv virtualenv_py_ver check_flapping flapping.attempts flapping.window flapping.retry_in flapping.max_retry
    retry_in prereload_fn
"""


@pytest.mark.parametrize(("kind", "keys"), [("circus", CIRCUS), ("watcher", WATCHER)])
def test_no_option_of_circus_is_taken_for_a_misspelt_one(kind: str, keys: str) -> None:
    section = sections()[kind]
    assert [key for key in keys.split() if not section.find(key) and section.nearest(key)] == []


pieces = st.sampled_from(
    ["[watcher:a]", "[circus]", "[env]", "[env:*]", "[plugin:p]", "[DEFAULT]", "[watcher.a]", "\n", "\n ", " = ", "cmd",
     "env", "A=1", "include", "*", "numprocesses", "$(circus.env.HOME)", "$HOME", "1", "'", '"', "rlimit_core", "umask",
     "\0", "\xe9", "use", "["]
)  # fmt: skip


@given(text=st.lists(pieces, max_size=30).map("".join), name=st.sampled_from(["junk.ini", "junk.toml"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_junk_raises_nothing_but_config_error(tmp_path: Path, text: str, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(text.encode("latin-1"))
    with contextlib.suppress(ConfigError):
        load(str(path))
    assert all(problem.place and problem.place.file == str(path) for problem in found(str(path)))


def dropped(word: str) -> set[str]:
    return {word[:at] + word[at + 1 :] for at in range(len(word))}


def doubled(word: str) -> set[str]:
    return {word[:at] + word[at] + word[at:] for at in range(len(word))}


def swapped(word: str) -> set[str]:
    return {word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in range(len(word) - 1)}


@pytest.mark.parametrize("slips", [dropped, doubled, swapped])
@pytest.mark.parametrize("kind", ["circus", "watcher"])
def test_one_and_two_slips_of_the_finger_are_told(kind: str, slips: Callable[[str], set[str]]) -> None:
    section = sections()[kind]
    for key in (entry.key for entry in section if not entry.prefix):
        typos = slips(key)
        if len(key.replace("_", "")) >= LONG:
            # Of a shorter word two slips leave what may be anything.
            typos |= {typo for once in typos for typo in slips(once)}
        assert [typo for typo in typos if not section.find(typo) and section.nearest(typo) is None] == [], key


OTHER_WORDS = """
    timeout host port name restart retries backoff owner role team description notes
    interval schedule depends after before healthcheck path color workers threads memory cpu count size mode type
    class token secret nice cgroup region stage tier version limit max min delay startsecs redirect redis_port
    http_port app_name service_name settings exit_codes max_memory max_cpu hook_timeout metadata label broker queue
"""


def test_other_words_are_left_alone() -> None:
    section = sections()["watcher"]
    assert {word: section.nearest(word) for word in OTHER_WORDS.split() if section.nearest(word)} == {}


def test_other_programs_words_are_kept_and_what_they_mean_here_is_told(write: Write) -> None:
    section = sections()["watcher"]
    words = {word: entry.key for entry in section for word in entry.also}
    assert {word: section.nearest(word) for word in words} == words
    path = write("[watcher:w]\ncmd = a\nuser = nobody\n")
    assert made(path).watchers["w"].extra == {"user": "nobody"}
    text = "app.ini:3: [watcher:w] user: is not an option of circus or of a loaded plugin"
    assert warnings(path) == [f"{text} (kept as a free-form option; did you mean uid?)"]
    assert errors(path, strict=True) == [f"{text} (strict mode refuses unknown options; did you mean uid?)"]


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("numprocces", "numprocesses"),
        ("max_retries", "max_retry"),
        ("rlimits_nofile", "rlimit_nofile"),
        ("rlimits.nofile", "rlimit_nofile"),
        ("rlimt_core", "rlimit_core"),
        ("rlimitnofile", "rlimit_nofile"),
        ("stdout_strem.class", "stdout_stream.class"),
        ("stdout_streams.filename", "stdout_stream.filename"),
    ],
)
def test_what_was_meant(key: str, meant: str) -> None:
    section = sections()["watcher"]
    section.add(Option("stdout_stream.", TEXT, None, "Of the tests.", prefix=True, plugin="streams"))
    assert section.nearest(key) == meant


def test_a_toml_table_that_is_no_family(write: Write) -> None:
    (said,) = errors(write('[watcher.w]\ncmd = "true"\n[watcher.w.rlimits]\nnofile = 100\n', "a.toml"))
    assert said == "a.toml:4: [watcher:w] rlimits.nofile: is not an option (did you mean rlimit_nofile?)"


def test_a_name_with_a_line_break(write: Write) -> None:
    (said,) = errors(write('[watcher."a\\nb"]\ncmd = "true"\n', "a.toml"))
    assert r"has the name 'a\nb', with a control character" in said


def test_more_processes_than_any_machine_can_bear(write: Write) -> None:
    (said,) = errors(write(f"[watcher:w]\ncmd = true\nnumprocesses = {10**30}\n"))
    assert said == f"app.ini:3: [watcher:w] numprocesses: 'numprocesses' is {10**30} (the most possible is 100000)"
