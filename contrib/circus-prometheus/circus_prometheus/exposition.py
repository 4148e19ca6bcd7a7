"""From values to the families that prometheus_client writes; it asks for nothing and counts nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from circus_prometheus.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client import Metric as Family

    from circus_prometheus.metrics import Metric


class Exposition(Collector):
    """The values of one scrape."""

    def __init__(self, values: Iterable[tuple[Metric, tuple[str, ...], float]]) -> None:
        self._values = values

    def collect(self) -> Iterator[Family]:
        """Each metric that has a value, in the order of their declarations."""
        families = {metric: _family(metric) for metric in METRICS}
        for metric, labels, value in self._values:
            families[metric].add_metric(labels, value)
        return (family for family in families.values() if family.samples)


def _family(metric: Metric) -> CounterMetricFamily | GaugeMetricFamily:
    cls = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    return cls(metric.name, metric.help, labels=metric.labels)
