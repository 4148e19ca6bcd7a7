"""The core of circus-bus: it spawns processes and emits events, and refuses to do anything else.

Control endpoints, sockets, log files, statistics and consoles are plugins on its hook bus; see `circus_core.hookspecs`.
"""

__version__ = "0.1.0"
