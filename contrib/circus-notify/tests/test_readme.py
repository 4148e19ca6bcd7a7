"""The README's table has every option, with its default and its words."""

from __future__ import annotations

import re
from pathlib import Path

from circus_core.options import Section, describe, shown_default
from circus_notify.options import BODY, Options

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_the_table_has_every_option_and_its_default():
    rows = dict(re.findall(r"^\| `([\w.]+)` \|([^|]*)\|", README, re.MULTILINE))
    declared = {row["key"]: row["default"] for row in describe(Section("plugin", Options))}
    assert list(rows) == list(declared)
    for key, default in declared.items():
        shown = {BODY: "summary, host, time, event and last error", None: "", "": ""}.get(default, f"`{default}`")
        assert rows[key].strip() == shown.replace(".0`", "`"), key


def test_every_option_is_explained():
    assert all(entry.help.endswith(".") for entry in Section("plugin", Options))
    assert all(shown_default(entry) is not None or entry.prefix for entry in Section("plugin", Options))
