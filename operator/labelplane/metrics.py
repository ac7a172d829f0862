"""What /metrics shows. Indicators of resources are read from the cache at each scrape, so a deleted resource leaves no series.

Labels are bounded: kinds, reasons and codes come from closed sets; namespace and name appear once for each LabelJob that exists,
namespaces alone for each in which pods of ours have ended.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, get_args

from prometheus_client import CollectorRegistry, Counter, Histogram, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE
from prometheus_client.registry import Collector

from labeljob.contract.drift import DriftKind
from labelplane.api.groups import KINDS, LABEL_JOB, Key

Resources = Callable[[], Iterable[tuple[Key, Mapping[str, Any]]]]

__all__ = ["CONTENT_TYPE", "Metrics"]

_INDICATORS = (
    ("labelplane_labeljob_rows", "rows", "Rows in the output of the last run"),
    ("labelplane_labeljob_coverage_ratio", "coverage", "Share of rows with at least one vote (M1)"),
    ("labelplane_labeljob_conflict_ratio", "conflictRate", "Share of covered rows whose votes disagree (M2)"),
    ("labelplane_labeljob_mean_confidence", "meanConfidence", "Mean confidence over covered rows (M3)"),
    ("labelplane_labeljob_quarantined_rows", "quarantinedRows", "Rows of the last run that break the contract and have no label (F3)"),
    ("labelplane_labeljob_reused_votes_ratio", "reusedVotes", "Share of the votes of the last run that earlier runs had found"),
    ("labelplane_labeljob_data_to_label_latency_seconds", "latencySeconds", "From the start of the run to its commit (M6)"),
)
_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The operator's own registry; one for each process, or for each test."""

    def __init__(self, resources: Resources) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._gauges = _Gauges(resources)
        self.registry.register(self._gauges)
        self._duration = Histogram(
            "labelplane_reconcile_duration_seconds", "Time of one reconcile", ["kind"], buckets=_BUCKETS, registry=self.registry
        )
        self._errors = Counter(
            "labelplane_reconcile_errors", "Reconciles that have to be tried again", ["kind", "reason"], registry=self.registry
        )
        self._jobs = Counter("labelplane_jobs_finished", "Jobs seen to finish", ["step", "outcome"], registry=self.registry)
        self._pod_seconds = Counter(
            "labelplane_run_pod_seconds", "Seconds that pods ran, failed attempts among them", ["kind", "namespace", "step"], registry=self.registry
        )
        self._requests = Counter(
            "labelplane_api_requests", "Requests to the API server by answer", ["verb", "code"], registry=self.registry
        )
        for kind in KINDS:
            self._duration.labels(kind.kind)

    def watch(self, queue_depth: Callable[[], int], watch_silence: Callable[[], Mapping[tuple[str, str], float]]) -> None:
        """Read these at each scrape: keys that wait, and seconds since each watch (resource, namespace) was heard of."""
        self._gauges.queue_depth, self._gauges.watch_silence = queue_depth, watch_silence

    def reconciled(self, kind: str, seconds: float) -> None:
        self._duration.labels(kind).observe(seconds)

    def reconcile_failed(self, kind: str, reason: str) -> None:
        self._errors.labels(kind, reason).inc()

    def job_finished(self, step: str, outcome: str) -> None:
        self._jobs.labels(step, outcome).inc()

    def pod_ended(self, kind: str, namespace: str, step: str, seconds: float) -> None:
        self._pod_seconds.labels(kind, namespace, step).inc(seconds)

    def requested(self, verb: str, code: str) -> None:
        self._requests.labels(verb, code).inc()

    def text(self) -> bytes:
        """Prometheus text format."""
        return generate_latest(self.registry)


class _Gauges(Collector):
    """Figures computed at the scrape."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self.queue_depth: Callable[[], int] = lambda: 0
        self.watch_silence: Callable[[], Mapping[tuple[str, str], float]] = dict

    def collect(self) -> Iterator[Metric]:
        resources = list(self._resources())
        yield GaugeMetricFamily("labelplane_queue_depth", "Resources that wait for a worker", value=self.queue_depth())
        yield self._silence()
        yield _ready(resources)
        yield _drift(resources)
        for name, field, text in _INDICATORS:
            yield _indicator(name, field, text, resources)

    def _silence(self) -> Metric:
        family = GaugeMetricFamily(
            "labelplane_watch_silence_seconds", "Since the watch was last heard of", labels=["resource", "namespace"]
        )
        for (resource, namespace), seconds in self.watch_silence().items():
            family.add_metric([resource, namespace], seconds)
        return family


def _ready(resources: Iterable[tuple[Key, Mapping[str, Any]]]) -> Metric:
    counts = {(kind.kind, status): 0 for kind in KINDS for status in ("True", "False", "Unknown")}
    for key, raw in resources:
        counts[key.kind, ready_status(raw)] += 1
    family = GaugeMetricFamily("labelplane_resources", "Resources by kind and status of their Ready condition", labels=["kind", "ready"])
    for labels, count in counts.items():
        family.add_metric(labels, count)
    return family


def ready_status(raw: Mapping[str, Any]) -> str:
    """True, False or Unknown."""
    conditions = (raw.get("status") or {}).get("conditions") or ()
    found = next((condition.get("status") for condition in conditions if condition.get("type") == "Ready"), "Unknown")
    return found if found in ("True", "False") else "Unknown"


def _drift(resources: Iterable[tuple[Key, Mapping[str, Any]]]) -> Metric:
    """The largest shift of each kind; a population stability index of columns and confidence, a share of rows of functions and labels."""
    text = "Largest shift beyond chance of the last run from its model version's training data (F4)"
    family = GaugeMetricFamily("labelplane_labeljob_drift", text, labels=["namespace", "name", "kind"])
    for key, raw in resources:
        run = ((raw.get("status") or {}).get("run") or {}) if key.kind == LABEL_JOB.kind else {}
        sizes = dict.fromkeys(get_args(DriftKind), 0.0) if run else {}
        for shift in run.get("drift", ()):
            sizes[shift["kind"]] = max(sizes[shift["kind"]], shift["size"])
        for kind, size in sizes.items():
            family.add_metric([key.namespace, key.name, kind], size)
    return family


def _indicator(name: str, field: str, text: str, resources: Iterable[tuple[Key, Mapping[str, Any]]]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=["namespace", "name"])
    for key, raw in resources:
        value = ((raw.get("status") or {}).get("metrics") or {}).get(field) if key.kind == LABEL_JOB.kind else None
        if isinstance(value, (int, float)):
            family.add_metric([key.namespace, key.name], value)
    return family
