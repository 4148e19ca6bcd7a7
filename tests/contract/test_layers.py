"""The layers are what the code imports, and not what a page claims; nothing polls, and no failure is swallowed."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.contract import sources
from tests.contract.sources import CORE, PLUGINS, ROOT, imports

PAGE = ROOT / "docs" / "explanation" / "architecture.md"
# Used where they happen to be installed.
OPTIONAL = {"yaml", "setproctitle"}
# Not plugins, but what plugins and programs share; from the ground up, as in the core.
SHARED = (
    "phrases", "amounts", "sockdiag", "holders", "extras", "implying", "doors", "client", "statsd", "observing",
    "picture",
)  # fmt: skip
# The module of a distribution, where it has another name.
MODULES = {
    "pyzmq": "zmq",
    "inotify-simple": "inotify_simple",
    "argon2-cffi": "argon2",
    "python-socketio": "socketio",
}
# What `pip install circus-bus[EXTRA]` adds for those who use a plugin that needs it.
EXTRAS = ("http", "redis", "top", "web")
# All of these need an extra, so nothing else imports them before they are shown or served.
WHOLE = (Path("circus_plugins/top/screen"), Path("circus_plugins/web"))
# But for what circusd itself imports, to know a console's options; and its program, which runs without the extra.
LEAN = [
    ROOT / "circus_plugins" / "web" / name
    for name in ("__init__.py", "implied.py", "console.py", "main.py", "access/__init__.py", "access/people.py")
]
# A supervisor that forks has no threads, and one that waits is told.
THREADS = {"threading", "_thread", "concurrent", "multiprocessing"}
SLEEPS = re.compile(r"time\.sleep|asyncio\.to_thread|.*\.run_in_executor")
RUNNING = [path for path in CORE + PLUGINS if path != ROOT / "circus_core" / "testing.py"]


def place(path: Path) -> str:
    return str(path.relative_to(ROOT))


def order() -> list[str]:
    """The modules of the core as the architecture's table has them, from the ground up."""
    rows = re.findall(r"^\| (`.*?) \|", PAGE.read_text(), re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`(\w+)`", row)]


def project() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


def modules(requirements: list[str]) -> set[str]:
    """The modules of what is required."""
    names = {re.match(r"[\w-]+", line)[0] for line in requirements}  # type: ignore[index]
    return {MODULES.get(name, name) for name in names}


def requirements() -> set[str]:
    """What pip installs with circus-bus, by the name of the module."""
    return modules(project()["dependencies"])


def extras() -> set[str]:
    """What pip installs only if asked."""
    extra = project()["optional-dependencies"]
    return modules([line for name in EXTRAS for line in extra[name]])


def test_no_module_is_in_the_table_twice() -> None:
    assert len(order()) == len(set(order()))


@pytest.mark.parametrize("path", CORE, ids=place)
def test_a_module_of_the_core_imports_only_those_above_it(path: Path) -> None:
    above = order()
    if path.stem != "__init__":
        above = above[: above.index(path.stem)]
    known = {"circus_core", *(f"circus_core.{name}" for name in above)}
    wrong = [str(found) for found in imports(path) if found.top == "circus_core" and found.module not in known]
    assert not wrong, f"{PAGE.relative_to(ROOT)} has these at or below {path.stem}"


@pytest.mark.parametrize("path", CORE, ids=place)
def test_the_core_needs_only_attrs_and_pluggy(path: Path) -> None:
    allowed = {*sys.stdlib_module_names, "circus_core", "attrs", "pluggy"}
    wrong = []
    for found in imports(path):
        optional = found.top in OPTIONAL and found.lazy and found.optional
        testing = path.stem == "testing" and found.module in ("pytest", "circus_plugins.client")
        if not (found.top in allowed or optional or testing):
            wrong.append(str(found))
    assert not wrong


@pytest.mark.parametrize("path", PLUGINS, ids=place)
def test_a_plugin_imports_the_core_itself_and_what_all_share(path: Path) -> None:
    own = path.relative_to(ROOT / "circus_plugins").parts[0].removesuffix(".py")
    shared = SHARED[: SHARED.index(own)] if own in SHARED else SHARED
    known = {f"circus_plugins.{name}" for name in (own, *shared)}
    wrong = [
        str(found)
        for found in imports(path)
        if found.top == "circus_plugins" and ".".join(found.module.split(".")[:2]) not in known
    ]
    assert not wrong


def needs_an_extra(path: Path) -> bool:
    """Whether a file may import what only an extra brings."""
    return path not in LEAN and any(path.is_relative_to(ROOT / folder) for folder in WHOLE)


def home(module: str) -> Path:
    """The file of a module."""
    path = ROOT / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@pytest.mark.parametrize("path", PLUGINS, ids=place)
def test_a_plugin_needs_only_what_is_installed_with_it(path: Path) -> None:
    allowed = {*sys.stdlib_module_names, *requirements(), "circus_core", "circus_plugins"}
    optional = extras()
    wrong = [found for found in imports(path) if found.top not in allowed]
    whole = needs_an_extra(path)
    assert not [str(found) for found in wrong if not (found.top in optional and (found.lazy or whole))]
    if not whole:
        early = [found for found in imports(path) if not found.lazy and found.top == "circus_plugins"]
        assert not [str(found) for found in early if needs_an_extra(home(found.module))]


@pytest.mark.parametrize("path", RUNNING, ids=place)
def test_nothing_sleeps_and_nothing_has_threads(path: Path) -> None:
    imported = [str(found) for found in imports(path) if found.top in THREADS]
    used = [f"{place(path)}:{line} uses {name}" for line, name in sources.names_used(path) if SLEEPS.fullmatch(name)]
    assert not imported + used


@pytest.mark.parametrize("path", CORE + PLUGINS, ids=place)
def test_no_failure_is_swallowed_without_a_word(path: Path) -> None:
    lines = list(sources.silent_handlers(path))
    assert not lines, f"{place(path)}: every exception is swallowed in these lines"


SAMPLE = '''
import a.b
from time import sleep
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import never
else:
    import always
def lazy():
    try:
        import tried
    except (OSError, ImportError):
        import instead
    with suppress(ImportError):
        from circus_core import errors
    sleep(1)
    try:
        import_module("named")
    except Exception:
        """Nobody is told."""
    with contextlib.suppress(Exception):
        pass
'''


def test_what_these_tests_see(monkeypatch: pytest.MonkeyPatch) -> None:
    path = ROOT / "circus_core" / "sample.py"
    monkeypatch.setattr(sources, "tree", lambda path: ast.parse(SAMPLE))
    seen = {found.module: (found.lazy, found.optional) for found in imports(path)}
    assert seen == {
        "a.b": (False, False),
        "time": (False, False),
        "typing": (False, False),
        "always": (False, False),
        "tried": (True, True),
        "instead": (True, False),
        "circus_core.errors": (True, True),
        "named": (True, False),
    }
    assert "time.sleep" in {name for line, name in sources.names_used(path)}
    assert len(list(sources.silent_handlers(path))) == 2
