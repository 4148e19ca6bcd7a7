"""`--ssh`: what is asked of ssh, that requests go through, and that nothing of it is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from circus_core.errors import EndpointError
from circus_plugins.client.tunnel import Tunnel
from tests.plugins.ctl.running import circusctl

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plugins.ctl.stub import Stub


def test_requests_go_through(stub: Stub, told: Path, tmp_path: Path) -> None:
    done = circusctl("list", "--endpoint", stub.endpoint, "--ssh", "me@there:2222", "--ssh_keyfile", "/my/key")
    assert (done.returncode, done.stdout, done.stderr) == (0, "api,web\n", "")
    path = stub.endpoint.removeprefix("ipc://")
    assert f"/near:{path} -p 2222 -i /my/key -- me@there " in told.read_text()
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_far_endpoint_is_that_of_circus_unless_given(told: Path) -> None:
    done = circusctl("list", "--ssh", "there", "--timeout", "0.2")
    assert done.returncode == 1
    assert "No answer from tcp://127.0.0.1:5555 through there within 0.2 seconds.\n" in done.stderr
    assert "/near:127.0.0.1:5555 -- there " in told.read_text()


def test_no_way_through(told: Path, tmp_path: Path) -> None:
    done = circusctl("list", "--ssh", "nobody@nowhere")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-2:] == [
        "error: no tunnel through nobody@nowhere: ssh ended with status 255",
        "try: ssh nobody@nowhere true",
    ]
    assert "Could not resolve hostname" in done.stderr
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("server", ["-oProxyCommand=touch x", "a b", "there:port", "", "[::1]:22:33"])
def test_what_is_no_server_is_never_given_to_ssh(server: str, told: Path) -> None:
    with pytest.raises(EndpointError, match="is no ssh server"):
        Tunnel("tcp://127.0.0.1:5555", server)
    assert not told.exists()
    with pytest.raises(EndpointError, match="cannot be reached through ssh"):
        Tunnel("inproc://x", "there")
