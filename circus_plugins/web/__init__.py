"""The plugin `httpd`: takes Circus' options for the web console, and has a console where they want one.

The console is the plugin `web` in `circus_plugins.web.console`, which has a process of its own. This module serves no
page, and imports nothing that does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from circus_core.kinds import BOOLEAN, INTEGER, TEXT
from circus_core.plugin import CircusPlugin

if TYPE_CHECKING:
    from circus_core.document import Document, RawSection
    from circus_core.plugin import Registry

HOST, PORT = "localhost", 8080


class Httpd(CircusPlugin):
    """Has a web console where `[circus]` says so."""

    name = "httpd"

    def circus_register_options(self, registry: Registry) -> None:
        """The options of `[circus]` by which Circus has a web console."""
        registry.option(
            "circus", "httpd", BOOLEAN, False,
            help="Have a web console, in a process of its own: as if there were a section [plugin:circushttpd]. It"
            " needs `pip install 'circus-bus[web]'`.",
        )  # fmt: skip
        registry.option("circus", "httpd_host", TEXT, HOST, help="The name or address that the web console listens at.")
        registry.option(
            "circus", "httpd_port", INTEGER, PORT, minimum=0, help="The web console's port; 0 is any that is free."
        )
        registry.option(
            "circus", "httpd_close_outputs", BOOLEAN, False,
            help="What the web console writes goes to /dev/null: its log, and with it the link to log in by.",
        )  # fmt: skip

    def circus_imply_sections(self, document: Document) -> list[RawSection]:
        """`[plugin:circushttpd]`, where a console is wanted, with what `[circus]` says of it."""
        from circus_plugins.web.implied import implied

        return implied(document)
