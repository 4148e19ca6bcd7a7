"""What a changed configuration comes to: values in, a plan out, and nothing is started."""

from __future__ import annotations

import pytest
from attrs import evolve

from circus_core.kinds import TEXT
from circus_core.model import Config, PluginOptions, SupervisorOptions, WatcherOptions, sections
from circus_core.options import Effect, Option
from circus_core.plan import MASK, first_plan, in_start_order, masked, plan
from circus_core.structure import Setting
from circus_core.testing import watcher


def config(*watchers: WatcherOptions, **others: object) -> Config:
    return Config(watchers={options.name.lower(): options for options in watchers}, **others)


def planned(old: Config, new: Config) -> list[tuple[str, str]]:
    return [(action.what, action.target) for action in plan(sections(), old, new)]


def words(old: Config, new: Config) -> list[str]:
    return [str(action) for action in plan(sections(), old, new)]


def changed(**options: object) -> tuple[str, str]:
    """What the one action is, and why, if these options of a watcher become others."""
    before, after = {key: pair[0] for key, pair in options.items()}, {key: pair[1] for key, pair in options.items()}
    (action,) = plan(sections(), config(watcher("w", **before)), config(watcher("w", **after)))
    assert action.target == "w"
    return action.what, action.why


def test_the_same_is_nothing_to_do():
    both = config(watcher("a"), watcher("b", env={"A": "1"}, extra={"mine": "1"}))
    assert planned(both, evolve(both)) == []


def test_the_start_order_is_by_priority_then_by_name():
    watchers = [watcher("b"), watcher("a"), watcher("last", priority=-1), watcher("first", priority=2)]
    assert [options.name for options in in_start_order(config(*watchers).watchers)] == ["first", "a", "b", "last"]


def test_removals_come_first_then_what_is_new_by_priority():
    old = config(watcher("Gone"), watcher("stays"))
    new = config(watcher("stays"), watcher("new"), watcher("sooner", priority=1), watcher("idle", autostart=False))
    assert words(old, new) == [
        "remove Gone: its section is gone",
        "start sooner: its section is new",
        "add idle: its section is new; autostart is off",
        "start new: its section is new",
    ]


@pytest.mark.parametrize(
    ("what", "key", "old", "new", "why"),
    [
        ("reload", "cmd", "a", "b", "cmd 'a' -> 'b'"),
        ("reload", "working_dir", None, "/", "working_dir unset -> '/'"),
        ("adjust", "numprocesses", 1, 3, "numprocesses 1 -> 3"),
        ("update", "priority", 0, 5, "priority 0 -> 5"),
        ("update", "graceful_timeout", 5.0, 7.0, "graceful_timeout 5.0 -> 7.0"),
        ("update", "max_retry", None, 3, "max_retry unset -> 3"),
    ],
)
def test_a_changed_option_is_done_by_what_it_needs(what, key, old, new, why):
    assert changed(**{key: (old, new)}) == (what, why)


def test_the_heaviest_of_several_changes_counts():
    assert changed(priority=(0, 1), numprocesses=(1, 2))[0] == "adjust"
    assert changed(priority=(0, 1), numprocesses=(1, 2), cmd=("a", "b"))[0] == "reload"


def test_a_name_in_another_case_is_the_same_watcher():
    old = config(watcher("Web"))
    assert planned(old, config(watcher("Web", priority=1))) == [("update", "Web")]


def test_added_and_removed_keys_are_changes():
    """PROTOCOL.md O-50: Circus compares only the keys that both have."""
    assert changed(env=({}, {"A": "1"})) == ("reload", "env {} -> {'A': '1'}")
    assert changed(env=({"A": "1"}, {})) == ("reload", "env {'A': '1'} -> {}")
    assert changed(rlimits=({}, {"nofile": 9})) == ("reload", "rlimit_nofile unset -> 9")
    assert changed(rlimits=({"core": 1, "nofile": 9}, {"core": 1})) == ("reload", "rlimit_nofile 9 -> unset")
    assert changed(extra=({}, {"mine": "1"})) == ("update", "mine unset -> '1'")
    assert changed(extra=({"mine": "1"}, {})) == ("update", "mine '1' -> unset")


def test_the_option_of_a_plugin_has_the_effect_that_the_plugin_declares():
    known = sections()
    known["watcher"].add(Option("colour", TEXT, None, "Its colour.", Effect.RELOAD, plugin="paint"))
    old, new = config(watcher("w", extra={"colour": "red"})), config(watcher("w", extra={"colour": "blue"}))
    assert [str(action) for action in plan(known, old, new)] == ["reload w: colour 'red' -> 'blue'"]


def test_circus_changes_are_in_force_at_once_or_after_a_restart():
    old = config(supervisor=SupervisorOptions())
    new = config(supervisor=SupervisorOptions(warmup_delay=2.0, pidfile="/run/c.pid", debug=True))
    assert words(old, new) == [
        "update circus: warmup_delay 0.0 -> 2.0",
        "restart-circusd circus: pidfile unset -> '/run/c.pid', debug False -> True: "
        "in force after a restart of circusd",
    ]
    assert planned(old, config(watcher("w"), supervisor=SupervisorOptions(debug=True))) == [
        ("restart-circusd", "circus"), ("start", "w"),
    ]  # fmt: skip


def plugins(**uses: str | None) -> Config:
    """A configuration with plugins inside circusd; what is after a blank in `use` is an option of the plugin."""
    chosen = {name: PluginOptions(name, use.split()[0], host="core") for name, use in uses.items() if use}
    raw = {name: {"level": Setting(use.partition(" ")[2], None)} for name, use in uses.items() if use}
    return Config(plugins=chosen, raw_plugins=raw)


def test_plugins_inside_are_unloaded_reloaded_and_loaded():
    old, new = plugins(gone="a:A", same="s:S 1", other="o:O", tuned="t:T 1"), None
    new = plugins(same="s:S 1", other="o:P", tuned="t:T 2", new="n:N")
    assert words(old, new) == [
        "plugin-unload gone: its section is gone",
        "plugin-reload other: its section changed",
        "plugin-reload tuned: its section changed",
        "plugin-load new: its section is new",
    ]


def test_a_plugin_that_moves_out_of_circusd_is_unloaded():
    old = plugins(p="a:A")
    outside = evolve(old, plugins={"p": PluginOptions("p", "a:A")})
    idle = evolve(old, plugins={"p": PluginOptions("p", "a:A", host="core", active=False)})
    assert planned(old, outside) == planned(old, idle) == [("plugin-unload", "p")]
    assert planned(outside, old) == [("plugin-load", "p")]


def test_the_first_plan_loads_then_starts_by_priority():
    new = evolve(
        config(
            watcher("b", "sleep 1", numprocesses=2),
            watcher("a", "sleep 2", priority=3),
            watcher("idle", autostart=False),
        ),
        plugins=plugins(p="a:A").plugins,
    )
    assert [str(action) for action in first_plan(new)] == [
        "load plugin:p: a:A",
        "start a: 1 process of sleep 2 (priority 3)",
        "start b: 2 processes of sleep 1 (priority 0)",
        "add idle: 1 process of sleep 1000, not started: autostart is off",
    ]


def test_secrets_are_masked_in_what_the_plan_says():
    old = config(watcher("w", env={"DB_PASSWORD": "old", "A": "1"}, extra={"api_token": "old"}))
    new = config(watcher("w", env={"DB_PASSWORD": "new", "A": "2"}, extra={"api_token": "new"}))
    (action,) = plan(sections(), old, new)
    assert action.why == (
        f"env {{'DB_PASSWORD': '{MASK}', 'A': '1'}} -> {{'DB_PASSWORD': '{MASK}', 'A': '2'}}, "
        f"api_token {MASK} -> {MASK}"
    )
    assert action.to_wire() == {"action": "reload", "target": "w", "why": action.why}
    assert changed(extra=({}, {"api_token": "new"}))[1] == f"api_token unset -> {MASK}"


@pytest.mark.parametrize(
    "name", ["PASSWORD", "db_passwd", "Secret", "API_TOKEN", "AWS_SECRET_ACCESS_KEY", "SENTRY_DSN", "COOKIE", "AUTH"]
)
def test_a_variable_named_like_a_secret_is_masked(name):
    assert masked({name: "x", "HOME": "/"}) == {name: MASK, "HOME": "/"}
