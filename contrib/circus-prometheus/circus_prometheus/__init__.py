"""The plugin `prometheus`: serves metrics. It keeps no history and decides nothing."""

from circus_prometheus.plugin import Prometheus

__all__ = ["Prometheus"]
