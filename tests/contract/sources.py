"""What the source files say by their syntax trees: imports, calls, handlers, marks. It imports none of them."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
CORE = sorted((ROOT / "circus_core").rglob("*.py"))
PLUGINS = sorted((ROOT / "circus_plugins").rglob("*.py"))
EVERYTHING = {"Exception", "BaseException"}
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@frozen
class Import:
    """One module that a file imports at run time. `lazy`: inside a function; `optional`: ImportError is handled."""

    path: Path
    line: int
    module: str
    lazy: bool = False
    optional: bool = False

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} imports {self.module}"


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def dotted(node: ast.AST) -> str:
    """`a.b.c` of names and attributes; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := dotted(node.value)):
        return f"{before}.{node.attr}"
    return ""


def imports(path: Path) -> Iterator[Import]:
    """What `path` imports at run time, in functions and by `import_module("...")` too."""
    yield from _imports(path, tree(path), lazy=False, optional=False)


def _imports(path: Path, node: ast.AST, *, lazy: bool, optional: bool) -> Iterator[Import]:
    if isinstance(node, ast.If) and dotted(node.test).endswith("TYPE_CHECKING"):
        for step in node.orelse:
            yield from _imports(path, step, lazy=lazy, optional=optional)
        return
    for module in _modules(path, node):
        yield Import(path, node.lineno, module, lazy, optional)  # type: ignore[attr-defined]
    lazy = lazy or isinstance(node, FUNCTIONS)
    for child in ast.iter_child_nodes(node):
        # Only the body of a `try` is looked after by its handlers.
        handled = isinstance(node, ast.Try) and child in node.body and _handles(node)
        suppressed = isinstance(node, ast.With) and _suppresses(node)
        yield from _imports(path, child, lazy=lazy, optional=optional or handled or suppressed)


def _modules(path: Path, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        home = node.module or ""
        if node.level:
            package = path.relative_to(ROOT).parent.parts
            home = ".".join([*package[: len(package) - node.level + 1], *filter(None, [home])])
        # `from package import module` is an import of the module.
        yield from (f"{home}.{name.name}" if _is_module(f"{home}.{name.name}") else home for name in node.names)
    elif isinstance(node, ast.Call) and dotted(node.func).endswith(("import_module", "__import__")):
        first = node.args[0] if node.args else None
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value


def _is_module(name: str) -> bool:
    place = ROOT / name.replace(".", "/")
    return place.with_suffix(".py").exists() or (place / "__init__.py").exists()


def _handles(node: ast.Try) -> bool:
    caught = [handler.type for handler in node.handlers if handler.type]
    names = [dotted(part) for kind in caught for part in (kind.elts if isinstance(kind, ast.Tuple) else [kind])]
    return bool({"ImportError", "ModuleNotFoundError"} & set(names))


def _suppresses(node: ast.With) -> bool:
    calls = [item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)]
    return any(
        dotted(call.func).endswith("suppress") and "ImportError" in [dotted(argument) for argument in call.args]
        for call in calls
    )


def names_used(path: Path) -> Iterator[tuple[int, str]]:
    """Every dotted name that is read at run time, with its line, as the import made it: `from time import sleep` and
    `sleep` is `time.sleep`."""
    origin = {}
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and not node.level:
            origin.update({(alias.asname or alias.name): f"{node.module}.{alias.name}" for alias in node.names})
        elif isinstance(node, ast.Import):
            origin.update({alias.asname: alias.name for alias in node.names if alias.asname})
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Name | ast.Attribute) and (name := dotted(node)):
            first, dot, rest = name.partition(".")
            yield node.lineno, origin.get(first, first) + dot + rest


def silent_handlers(path: Path) -> Iterator[int]:
    """The lines where every exception is swallowed without a word, by a handler or by `suppress`."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ExceptHandler):
            kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            everything = any(kind is None or dotted(kind) in EVERYTHING for kind in kinds)
            if everything and all(isinstance(step, ast.Pass | ast.Continue) or _is_text(step) for step in node.body):
                yield node.lineno
        elif isinstance(node, ast.Call) and dotted(node.func).endswith("suppress"):
            yield from [node.lineno] if EVERYTHING & {dotted(argument) for argument in node.args} else []


def _is_text(step: ast.stmt) -> bool:
    return isinstance(step, ast.Expr) and isinstance(step.value, ast.Constant)


def marks(path: Path) -> Iterator[tuple[int, str]]:
    """What the tests in `path` say they cover: the texts in `pytest.mark.covers(...)`, each with its line."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and dotted(node.func).endswith("mark.covers"):
            for argument in node.args:
                # A mark that is computed would be invisible to whoever searches for it.
                name = argument.value if isinstance(argument, ast.Constant) else ast.unparse(argument)
                yield argument.lineno, str(name)
