"""What a changed configuration comes to: values in, a plan out, and nothing is started."""

from __future__ import annotations

import pytest
from attrs import evolve

from circus_core.kinds import TEXT
from circus_core.model import Config, PluginOptions, SupervisorOptions, WatcherOptions, sections
from circus_core.options import Effect, Option, Section
from circus_core.plan import MASK, Action, Live, first_plan, in_start_order, masked, merged, plan
from circus_core.structure import Setting
from circus_core.testing import watcher


def config(*watchers: WatcherOptions, **others: object) -> Config:
    return Config(watchers={options.name.lower(): options for options in watchers}, **others)


def steps(old: Config, new: Config, known: dict[str, Section] | None = None) -> tuple[Action, ...]:
    """The plan where what runs is what the old files say."""
    live = {key: Live(options, True) for key, options in old.watchers.items()}
    return plan(known or sections(), old, new, live, old.plugins)


def planned(old: Config, new: Config) -> list[tuple[str, str]]:
    return [(action.what, action.target) for action in steps(old, new)]


def words(old: Config, new: Config) -> list[str]:
    return [str(action) for action in steps(old, new)]


def changed(**options: object) -> tuple[str, str]:
    """What the one action is, and why, if these options of a watcher become others."""
    before, after = {key: pair[0] for key, pair in options.items()}, {key: pair[1] for key, pair in options.items()}
    (action,) = steps(config(watcher("w", **before)), config(watcher("w", **after)))
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
    assert [str(action) for action in steps(old, new, known)] == ["reload w: colour 'red' -> 'blue'"]


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
    assert [str(action) for action in plan(sections(), outside, old, {}, ())] == ["plugin-load p: its section is new"]


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
    (action,) = steps(old, new)
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


def against(old: Config, new: Config, *live: Live, loaded: tuple[str, ...] = ()) -> list[str]:
    """The plan where something else runs than the old files say."""
    found = plan(sections(), old, new, {each.options.name.lower(): each for each in live}, loaded)
    return [str(action) for action in found]


def test_a_watcher_that_a_command_removed_is_there_again_changed_or_not():
    old = config(watcher("a"), watcher("b", autostart=False))
    assert against(old, old) == [
        "start a: a command had removed it",
        "add b: a command had removed it; autostart is off",
    ]
    assert against(old, config(watcher("a", priority=3))) == ["start a: a command had removed it"]
    assert against(old, config()) == []


def test_a_watcher_that_a_command_added_stays_until_it_has_a_section():
    own = Live(watcher("Own", numprocesses=3), True)
    assert against(config(), config(), own) == []
    assert against(config(), config(watcher("own")), own) == ["adjust Own: numprocesses 3 -> 1"]
    assert against(config(), config(watcher("own", numprocesses=3)), own) == []


def test_what_commands_set_counts_and_not_what_the_old_file_said():
    old, new = config(watcher("w", numprocesses=1)), config(watcher("w", numprocesses=4, priority=1))
    assert against(old, new, Live(watcher("w", numprocesses=4), True)) == ["update w: priority 0 -> 1"]
    assert against(old, new, Live(watcher("w", numprocesses=2, max_age=9), True)) == [
        "adjust w: numprocesses 2 -> 4, priority 0 -> 1"
    ]
    assert against(old, old, Live(watcher("w", "sleep 9", numprocesses=2), True)) == []


@pytest.mark.parametrize(
    ("before", "after"), [({"uid": "ann"}, {"uid": "bob"}), ({"uid": "ann"}, {}), ({}, {"gid": "staff"})]
)
def test_what_was_set_for_one_account_is_not_run_by_another(before: dict[str, str], after: dict[str, str]) -> None:
    section = sections()["watcher"]
    now = watcher("w", "sleep 9", env={"A": "1"}, uid="ann", numprocesses=2)
    made = merged(section, now, watcher("w", **before), watcher("w", **after))
    assert made == watcher("w", **after, numprocesses=2)


def test_a_stopped_watcher_is_told_to_stay_so():
    old, new = config(watcher("w")), config(watcher("w", "sleep 9"))
    assert against(old, new, Live(watcher("w"), False)) == ["update w: cmd 'sleep 1000' -> 'sleep 9'; it stays stopped"]


def test_what_a_command_set_gives_way_where_it_contradicts_the_section():
    old, new = config(watcher("w")), config(watcher("w", singleton=True))
    assert against(old, new, Live(watcher("w", numprocesses=3, priority=2), True)) == [
        "adjust w: numprocesses 3 -> 1, singleton False -> True, priority 2 -> 0"
    ]


def test_a_plugin_that_could_not_be_loaded_is_tried_again():
    both = plugins(p="a:A")
    assert against(both, both) == ["plugin-load p: it could not be loaded before"]
    assert against(both, both, loaded=("p",)) == against(both, plugins()) == []


def test_the_first_plan_shows_the_arguments_too() -> None:
    (step,) = first_plan(config(watcher("a", "sleep", args="1000")))
    assert str(step) == "start a: 1 process of sleep 1000 (priority 0)"
