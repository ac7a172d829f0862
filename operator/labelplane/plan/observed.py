"""What a decision may look at: one frozen snapshot, gathered by `cluster.Cluster.observe`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from labeljob.contract.result import JobResult
from labelplane.api.groups import RECONCILE, Key

JobState = Literal["pending", "running", "succeeded", "failed"]
ResultState = Literal["read", "awaited", "lost"]


@dataclass(frozen=True)
class PodProblem:
    """Why a pod does not run: a `ControlReason` and what a person can do."""

    reason: str
    message: str
    since: datetime | None = None  # where it matters for how long


@dataclass(frozen=True)
class Claim:
    """A PersistentVolumeClaim that a Job mounts; no `modes` where they are not known."""

    name: str
    modes: tuple[str, ...] = ()

    @property
    def for_one_pod(self) -> bool:
        return "ReadWriteOncePod" in self.modes

    @property
    def for_one_node(self) -> bool:
        return "ReadWriteOnce" in self.modes and "ReadWriteMany" not in self.modes


@dataclass(frozen=True)
class Indexes:
    """The parts of an Indexed Job.

    `rows` are those of the parts that are done, by what their pods have reported so far; None while none has.
    """

    total: int
    done: int = 0
    failed: tuple[int, ...] = ()  # given up, ascending
    rows: int | None = None


@dataclass(frozen=True)
class ObservedJob:
    """A Job (or local process) that belongs to the resource.

    `result` is what its last finished pod reported; `failed` means that Kubernetes has given up on it. Of one that has succeeded,
    `result_state` is `awaited` while the end of its pod has not reached us, and `lost` when the pod is gone, its message with it.
    `intact` is false when somebody edited what it runs (its config digest, image or command). Of an Indexed Job, `result` and `problem`
    are of the pod of `index`: of one that failed, the pod that made it fail.
    """

    name: str
    uid: str
    step: str
    state: JobState
    created_at: datetime
    finished_at: datetime | None = None
    result: JobResult | None = None
    result_state: ResultState = "read"
    image_id: str | None = None
    problem: PodProblem | None = None
    failure: str | None = None  # the Job controller's own reason, such as DeadlineExceeded
    attempts: int = 0  # pods that failed so far
    intact: bool = True
    deleting: bool = False
    without_pod: bool = False  # no pod has been made for it yet
    indexes: Indexes | None = None
    index: int | None = None
    claims: tuple[Claim, ...] = ()
    volumes_awaited_since: datetime | None = None  # by its newest pod, which has a node
    pod_seconds: float | None = None  # that its pods ran, once it has finished; of those that are still there

    @property
    def finished(self) -> bool:
        return self.state in ("succeeded", "failed")


@dataclass(frozen=True)
class Observed:
    """One resource and all that a decision about it may depend on."""

    key: Key
    resource: Mapping[str, Any]  # as the API server returned it
    related: Mapping[Key, Mapping[str, Any]] = field(default_factory=dict)  # referenced resources that exist
    jobs: tuple[ObservedJob, ...] = ()  # those it owns, oldest first

    @property
    def disabled(self) -> bool:
        """Break-glass: hands off this resource."""
        annotations = self.resource["metadata"].get("annotations") or {}
        return annotations.get(RECONCILE) == "disabled"

    def job(self, name: str) -> ObservedJob | None:
        return next((job for job in self.jobs if job.name == name), None)
