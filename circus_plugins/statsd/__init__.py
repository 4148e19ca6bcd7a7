"""What plugins that send numbers to a statsd server share: their options, and a client that never blocks."""

from circus_plugins.statsd.sending import Metrics, StatsdOptions, StatsdPlugin
from circus_plugins.statsd.tagging import bucket

__all__ = ["Metrics", "StatsdOptions", "StatsdPlugin", "bucket"]
