"""The architecture page lists the modules that there are."""

from __future__ import annotations

import re

from tests.docs.pages import ROOT


def test_every_module_of_the_core_is_in_the_table_and_nothing_else() -> None:
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text()
    rows = re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)
    listed = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert listed == {path.stem for path in (ROOT / "circus_core").glob("*.py")} - {"__init__"}
