"""What a whole circusd looks like from outside, kept up to date: for programs that show it, such as circus-top.

It learns by events and the topics of the stats endpoint, and asks only for what they say has changed.
"""

from circus_plugins.picture.live import Live
from circus_plugins.picture.views import OWN, Picture, ProcessView, SocketView, WatcherView

__all__ = ["OWN", "Live", "Picture", "ProcessView", "SocketView", "WatcherView"]
