"""Environment sections, precedence, variables and defaults: what a value is when its option sees it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from tests.core.configurations import errors, made

if TYPE_CHECKING:
    from tests.core.configurations import Write


def test_environments_in_order_of_precedence(write: Write) -> None:
    config = made(
        write(
            """
            [env]
            A = env
            B = env
            C = env
            D = env
            [env:w*,other]
            B = pattern
            C = pattern
            D = pattern
            [env:WEB]
            A = another case
            [env: x , web ]
            C = later pattern
            D = later pattern
            [watcher:web]
            cmd = prog
            env = D=own
            [watcher:api]
            cmd = prog
            """.replace("    ", "")
        )
    )
    assert config.watchers["web"].env == {"A": "env", "B": "pattern", "C": "later pattern", "D": "own"}
    assert config.watchers["api"].env == dict.fromkeys("ABCD", "env")


def test_values_of_an_environment_are_expanded(write: Write) -> None:
    config = made(
        write(
            "[env]\nPATH = /x:$PATH\nB = $(circus.env.path)\nC = $NOPE-\n"
            "[env:web]\nD = $(circus.env.path) $PATH\nPATH = /y\n"
            "[watcher:web]\ncmd = prog\nenv = E=$(circus.env.PATH)\n"
        )
    )
    assert config.watchers["web"].env == {
        "PATH": "/y",
        "B": "/bin",
        "C": "-",
        "D": "/x:/bin /bin",
        "E": "/y",
    }


def test_every_option_sees_the_environment_of_its_watcher(write: Write) -> None:
    config = made(
        write(
            "[circus]\ncheck_delay = $(circus.env.N)\npidfile = ((circus.env.home))/$(circus.env.A)\n"
            "[env]\nA = a\n[env:web]\nN = 2\nSIG = INT\n"
            "[watcher:web]\ncmd = prog $(circus.env.own) $(circus.env.nope) $(circus.wid)\n"
            "numprocesses = $(circus.env.n)\nstop_signal = $(circus.env.sig)\nrlimit_core = $(circus.env.N)\n"
            "free = $(circus.env.A)\nenv = OWN=1\n"
            "[plugin:p]\nuse = p\nfree = $(circus.env.N)$(circus.env.A)\n"
        )
    )
    assert (config.supervisor.check_delay, config.supervisor.pidfile) == (4, "/home/me/a")
    web = config.watchers["web"]
    assert web.cmd == "prog 1 $(circus.env.nope) $(circus.wid)"
    assert (web.numprocesses, web.stop_signal, web.rlimits) == (2, signal.SIGINT, {"core": 2})
    assert web.extra == {"free": "a"}
    assert config.raw_plugins["p"]["free"].value == "4a"


def test_expanded_text_of_toml_is_parsed(write: Write) -> None:
    text = '[watcher.web]\ncmd = ["prog", "$(circus.env.HOME)"]\nnumprocesses = "$(circus.env.N)"\n'
    web = made(write(text, "app.toml")).watchers["web"]
    assert (web.words, web.numprocesses) == (["prog", "/home/me"], 4)
    (message,) = errors(write('[watcher.web]\ncmd = "prog"\nnumprocesses = "4"\n', "app.toml"))
    assert (
        message == "app.toml:3: [watcher:web] numprocesses: 'numprocesses' isn't an integer (expected a whole number)"
    )


def test_defaults_appear_in_every_section_that_knows_them(write: Write) -> None:
    config = made(
        write(
            "[DEFAULT]\nwarmup_delay = 1\nnumprocesses = 2\nfree = x\n[circus]\ncheck_delay = 1\n"
            "[watcher:a]\ncmd = a\n[watcher:b]\ncmd = b\nnumprocesses = 3\n[plugin:p]\nuse = p\n"
        )
    )
    assert (config.supervisor.warmup_delay, config.supervisor.extra) == (1, {})
    assert [(watcher.numprocesses, watcher.warmup_delay) for watcher in config.watchers.values()] == [(2, 1), (3, 1)]
    assert set(config.raw_plugins["p"]) == {"warmup_delay", "numprocesses", "free"}


def test_a_mistake_in_the_defaults_is_told_once(write: Write) -> None:
    path = write("[DEFAULT]\nnumproceses = 2\nnumprocesses = x\n[watcher:a]\ncmd = a\n[watcher:b]\ncmd = b\n")
    assert errors(path) == [
        "app.ini:2: [DEFAULT] numproceses: is not an option (did you mean numprocesses?)",
        "app.ini:3: [DEFAULT] numprocesses: 'x' isn't an integer (expected a whole number, such as 3)",
    ]
