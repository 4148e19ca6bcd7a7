"""Which plugins circusd has without being asked; it imports none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_PLUGINS: Mapping[str, str] = {
    "publisher": "circus_plugins.publisher:Publisher",
    "control": "circus_plugins.control:Control",
    "statistics": "circus_plugins.stats:Statistics",
    "httpd": "circus_plugins.web:Httpd",
    "virtualenv": "circus_plugins.virtualenv:Virtualenv",
    "sockets": "circus_plugins.sockets:Sockets",
    "streams": "circus_plugins.streams:Streams",
    "ready": "circus_plugins.ready:Ready",
    "hooks": "circus_plugins.hooks:Hooks",
    "host": "circus_plugins.host:Host",
}
"""What circusd loads without being asked, by dotted path; nothing else runs unless the configuration names it."""
