"""A LabelJob of a test's own, on a model that many tests share: what they claim needs no fit, which is most of a pipeline's work."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from devcluster.volumes import Volume, make_volume, remove_volume
from labelplane.api.groups import OWNER_KIND_LABEL, OWNER_NAME_LABEL, STEP_LABEL
from tests.cluster_fixtures import RealCluster, SharedNamespace
from tests.e2e.operator import Installed
from tests.e2e.rollouts import function_set, label_job, label_model, write_events
from tests.manifests import Manifest
from tests.patience import HANG_SECONDS

FEW, MANY = 200_000, 600_000  # rows of the versions of `many`


def prepare_served(operator: Installed, shared: SharedNamespace) -> None:
    """A served model of 2,000 events, which stay in `events`; `many` has FEW events in version 0 and MANY in version 1."""
    write_events(shared.lake.folder, 2000)
    text = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "known", "namespace": shared.name}, "data": {"text.csv": "event_id\ne1\n"}}
    operator.cluster.apply(text, function_set(shared.name), label_model(shared.name))
    for version, rows in enumerate((FEW, MANY)):
        assert write_events(shared.lake.folder, rows, seed=version + 3, table="many") == version
    operator.ready(shared.name, "labelmodel")


def many(version: int) -> Manifest:
    """As input: so many rows that a label Job can be met at work."""
    return {"uri": "pvc://lake/many", "format": "delta", "version": version}


@dataclass(frozen=True)
class OwnJob:
    """A name for a LabelJob in a shared namespace, and an output of its own; all that carries the name goes with the test."""

    operator: Installed
    namespace: str
    lake: Path
    name: str
    undo: ExitStack

    @property
    def cluster(self) -> RealCluster:
        return self.operator.cluster

    def manifest(self, **spec: Any) -> Manifest:
        return label_job(self.namespace, self.name, **{"output": {"uri": f"pvc://lake/labels/{self.name}", "format": "delta"}} | spec)

    def apply(self, **spec: Any) -> None:
        self.cluster.apply(self.manifest(**spec))

    def resource(self) -> dict[str, Any]:
        return self.operator.resource(self.namespace, "labeljob", self.name)

    def ready(self) -> dict[str, Any]:
        return self.operator.ready(self.namespace, name=self.name)

    def reason(self, reason: str, *, timeout: float = HANG_SECONDS) -> dict[str, Any]:
        return self.operator.reason(self.namespace, reason, name=self.name, timeout=timeout)

    def event(self, reason: str, words: str = "") -> None:
        self.operator.event(self.namespace, reason, words, self.name)

    def request(self) -> str:
        return self.operator.request(self.namespace, name=self.name)

    @property
    def output(self) -> Path:
        """Folder of its table of labels."""
        return self.lake / "labels" / self.name

    def labels(self) -> DeltaTable:
        return DeltaTable(str(self.output))

    def jobs(self, step: str | None = None) -> list[dict[str, Any]]:
        """Its Jobs, of one step or of all."""
        return list(self.cluster.get(self.namespace, "jobs", selector=self.selector(step))["items"])

    def pods(self, step: str | None = None) -> list[dict[str, Any]]:
        """Its Jobs' pods."""
        return list(self.cluster.get(self.namespace, "pods", selector=self.selector(step))["items"])

    def selector(self, step: str | None = None) -> str:
        """Of its Jobs and pods."""
        ours = f"{OWNER_KIND_LABEL}=LabelJob,{OWNER_NAME_LABEL}={self.name}"
        return f"{ours},{STEP_LABEL}={step}" if step else ours

    def job_with_pod(self) -> str:
        """Name of its label Job, once its pod is counted: one replaced before its controller saw its first pod gets none for five minutes (Kubernetes' expectations)."""

        def active() -> str | None:
            return next((job["metadata"]["name"] for job in self.jobs("label") if job["status"].get("active")), None)

        name: str = self.cluster.wait("a label Job with its pod", active)
        return name

    def volume(self, **options: Any) -> Volume:
        """A claim of its name, beside `lake`."""
        made = make_volume(self.cluster.folders, self.namespace, self.name, **options)
        self.undo.callback(remove_volume, self.cluster.folders, made)
        self.undo.callback(self.cluster.kubectl, "-n", self.namespace, "delete", "pods", "-l", self.selector(), "--force", "--grace-period=0")
        return made
