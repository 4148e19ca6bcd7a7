"""circusd leaves asyncio's TLS out of memory, and gives it back to plugins that somebody adds inside it."""

from __future__ import annotations

from circus_core.testing import until

PLUGIN = """
import asyncio.sslproto

from circus_core.plugin import CircusPlugin


class Looks(CircusPlugin):
    def circus_startup(self):
        import ssl
        assert asyncio.sslproto.ssl is ssl
        assert ssl.SSLWantReadError in asyncio.sslproto.SSLAgainErrors
        self.log.warning("TLS is there")
"""


def test_a_plugin_inside_circusd_may_use_tls(circusd, tmp_path):
    (tmp_path / "looks.py").write_text(PLUGIN)
    running = circusd(f"""
        [plugin:looks]
        use = {tmp_path}/looks.py:Looks
        host = core
    """)
    until(lambda: "TLS is there" in running.output(), "the plugin's line")


def test_without_such_a_plugin_no_tls_is_loaded(circusd):
    running = circusd("""
        [watcher:a]
        cmd = sleep 1000
        copy_env = True
    """)
    until(lambda: "circusd is up" in running.output(), "the start")
    with open(f"/proc/{running.pid}/maps", encoding="utf-8") as maps:
        assert "_ssl." not in maps.read()
