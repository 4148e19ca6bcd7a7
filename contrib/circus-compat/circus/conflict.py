"""Says so where the distribution `circus`, which owns this module too, is installed beside this one; mends nothing."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution


def refuse_both() -> None:
    """Raise ImportError if Circus itself is installed: whose files are imported would depend on who came last."""
    try:
        other = distribution("circus")
    except PackageNotFoundError:
        return
    raise ImportError(
        f"circus {other.version} and circus-compat are both installed, and both are the module `circus`. Keep one of "
        "them: `pip uninstall circus circus-compat`, then `pip install circus-compat` (for plugins and clients of "
        "circus-bus) or `pip install circus`"
    )
