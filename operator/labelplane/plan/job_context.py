"""What the decisions about one LabelJob look at: its model, how it runs, the version it labels with, and what was asked."""

from dataclasses import dataclass
from datetime import datetime

from labeljob.contract.digests import digest_of
from labelplane.api.label_job import LabelJob, LabelJobStatus
from labelplane.api.label_model import LabelModel
from labelplane.api.names import child_name
from labelplane.api.reasons import ControlReason
from labelplane.api.runtime import Runtime
from labelplane.errors import Waiting
from labelplane.plan.observed import Observed
from labelplane.plan.references import referenced_model, runtime_of_set
from labelplane.plan.runtime import image_of, merged
from labelplane.plan.schedule import due
from labelplane.settings import Settings

WITHOUT_EFFECT = ("shards", "max_parallelism", "schedule", "time_zone", "starting_deadline_seconds")  # fields of the spec that change how a run runs, and nothing that it writes


@dataclass(frozen=True)
class JobContext:
    """All that the decisions about one job look at. `request` is `<digest of what was asked>/<model version>[/<tick>]`; `scope` see `JobPins`."""

    resource: LabelJob
    model: LabelModel
    observed: Observed
    runtime: Runtime
    image: str
    version: int
    request: str
    scope: str
    now: datetime
    tick: str | None = None  # of the schedule

    @property
    def status(self) -> LabelJobStatus:
        """The status without the progress of a run: whoever decides that one goes on puts it there."""
        return without_progress(self.resource)


def job_context(resource: LabelJob, observed: Observed, settings: Settings, now: datetime) -> JobContext:
    """Raises Waiting when the model is not there yet, Stalled when it never will be."""
    model, model_ready = referenced_model(observed, resource.spec.model_ref.name)
    function_set = runtime_of_set(observed, model)
    runtime = merged(resource.spec.runtime, model.spec.runtime, function_set.spec.runtime if function_set else None)
    image = image_of(runtime, settings)
    version = _version(resource, model, model_ready)
    metadata = resource.metadata
    asked = digest_of([metadata.uid, metadata.generation, metadata.reconcile_at, image])
    lasting = resource.spec.model_copy(update=dict.fromkeys(WITHOUT_EFFECT)).wire()
    scope = digest_of([metadata.uid, lasting, metadata.reconcile_at, image])
    request = f"{asked}/{version}"
    tick = due(resource, now, lambda tick: observed.job(resolve_name(resource, f"{request}/{tick}")) is not None)
    return JobContext(resource, model, observed, runtime, image, version, request if tick is None else f"{request}/{tick}", scope, now, tick)


def resolve_name(resource: LabelJob, request: str) -> str:
    """Name of the Job that pins the data for a request."""
    return child_name(resource.metadata.name, "resolve", digest_of(request)[:10])


def without_progress(resource: LabelJob) -> LabelJobStatus:
    """The status of a resource whose run is over, or stopped."""
    return resource.status.model_copy(update={"progress": None})


def _version(resource: LabelJob, model: LabelModel, model_ready: bool) -> int:
    """The version that is named, or kept, or served. While the model is not Ready, what was pinned before holds."""
    spec, pins = resource.spec, resource.status.pins
    pinned = pins.model.version if pins is not None and pins.model.name == spec.model_ref.name else None
    if spec.model_ref.version is not None:
        return spec.model_ref.version
    if pinned is not None and (spec.on_model_change == "keep" or not model_ready):
        return pinned
    if not model_ready or model.status.current is None:
        raise Waiting(ControlReason.MODEL_NOT_READY, f"LabelModel {model.metadata.name} is not Ready: look at its conditions")
    return model.status.current.version
