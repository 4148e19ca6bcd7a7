"""The names that others import: those that are there, and what is said about those that are not."""

from __future__ import annotations

import importlib
import logging
import subprocess
import sys

import pytest
import zmq

import circus
from circus import conflict, exc, missing, util
from circus.commands import errors


def test_the_logger_is_that_of_circusd():
    assert circus.logger is logging.getLogger("circus")
    assert circus.__version__ == "0.19.0"


def test_exceptions():
    assert all(issubclass(getattr(exc, name), Exception) for name in exc.__all__)


def test_error_numbers():
    assert (errors.INVALID_JSON, errors.MESSAGE_ERROR, errors.COMMAND_ERROR) == (1, 3, 5)


@pytest.mark.parametrize("name", sorted(missing.INSTEAD))
def test_what_is_missing_says_what_to_use_instead(name):
    module, _dot, attribute = name.rpartition(".")
    said = f"{name} is not in circus-compat: "
    with pytest.raises(ImportError, match=said):
        importlib.import_module(name)
    with pytest.raises(ImportError, match=said):
        getattr(importlib.import_module(module), attribute)


def test_from_circus_import_what_is_missing():
    with pytest.raises(ImportError, match=r"embed circus_core\.supervisor\.Supervisor"):
        from circus.arbiter import Arbiter  # noqa: F401
    with pytest.raises(ImportError, match=r"write a \[socket:NAME\] section"):
        from circus import sockets  # noqa: F401


@pytest.mark.parametrize("module", [circus, util, importlib.import_module("circus.plugins")])
def test_an_unknown_name_is_an_ordinary_mistake(module):
    assert not hasattr(module, "nonsense")


def test_circus_beside_it_is_refused(tmp_path):
    folder = tmp_path / "circus-0.19.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: circus\nVersion: 0.19.0\n")
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.append({str(tmp_path)!r}); import circus"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "circus 0.19.0 and circus-compat are both installed" in done.stderr
    assert conflict.refuse_both() is None


def test_resolve_name():
    assert util.resolve_name("os.path.join") is util.resolve_name("os.path:join")
    assert util.resolve_name("no.such", silent=True) is None
    with pytest.raises(util.ImportStringError, match=r"no\.such"):
        util.resolve_name("no.such")


def test_debuglog(caplog):
    caplog.set_level(logging.DEBUG, "circus")
    assert util.debuglog(lambda a: a + 1)(2) == 3
    assert "is called" in caplog.text


def test_get_connection(tmp_path):
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        util.get_connection(socket, f"ipc://{tmp_path}/s")
        assert socket.getsockopt(zmq.LAST_ENDPOINT) == f"ipc://{tmp_path}/s".encode()
