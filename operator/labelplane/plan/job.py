"""A LabelJob: pins first, then a run unless the output's last commit has them already.

    model version -> request -> resolve Job -> status.pins (with the sequence) -> label Job -> status.run
"""

from dataclasses import dataclass, replace
from datetime import datetime

from labeljob.contract.config import Access, JobConfig, LabelTask, Owner, ResolveTask
from labeljob.contract.digests import digest_of
from labeljob.contract.result import JobResult, ResolveResult
from labelplane.api.durations import seconds
from labelplane.api.label_job import JobPins, LabelJob, LabelJobStatus, ModelPin
from labelplane.api.label_model import FunctionSetPin, LabelModel
from labelplane.api.names import child_name, run_name
from labelplane.api.reasons import ControlReason
from labelplane.api.runtime import Runtime
from labelplane.errors import Stalled, Waiting
from labelplane.plan.access import access_to, access_to_inputs, home_of
from labelplane.plan.actions import DeleteJob, JobIntent, Outcome, Plan
from labelplane.plan.job_progress import Progress, progress
from labelplane.plan.lifetimes import DEFAULT_SECONDS, expired
from labelplane.plan.objectives import missed_objectives
from labelplane.plan.observed import Observed, ObservedJob
from labelplane.plan.references import referenced_model, runtime_of_set
from labelplane.plan.runs import with_commit
from labelplane.plan.runtime import at_pinned_image, image_of, merged, pinned_image
from labelplane.plan.situation import beside_what_serves
from labelplane.plan.sources import refuse_files
from labelplane.settings import Settings


@dataclass(frozen=True)
class JobContext:
    """All that the decisions about one job look at. `request` is `<digest of the spec>/<model version>`."""

    resource: LabelJob
    model: LabelModel
    observed: Observed
    runtime: Runtime
    image: str
    version: int
    request: str
    now: datetime

    @property
    def status(self) -> LabelJobStatus:
        return self.resource.status


def plan_label_job(resource: LabelJob, observed: Observed, *, now: datetime, settings: Settings) -> Plan:
    """Resolve and label; each only when what stands is not what was asked for."""
    _refuse(resource, settings)
    if resource.spec.suspend:
        return _suspended(resource, observed)
    context = _context(resource, observed, settings, now)
    pins = resource.status.pins
    if pins is not None and (pins.request == context.request or _finishes_first(context, pins)):
        plan, needed = _label(context, pins), {_label_intent(context, pins).name}
    else:
        plan, needed = _resolve(context), set()
    needed |= {_resolve_intent(context).name}
    held = set() if plan.outcome.situation == "ready" and plan.status == resource.status else needed
    ttl = seconds(resource.spec.run_ttl) if resource.spec.run_ttl else DEFAULT_SECONDS
    deletions, due = expired(observed, needed=held, seconds=ttl, now=now)
    soonest = min((wait for wait in (plan.requeue_after, due) if wait is not None), default=None)
    return replace(plan, actions=(*plan.actions, *deletions), requeue_after=soonest)


def _suspended(resource: LabelJob, observed: Observed) -> Plan:
    """The running Jobs go, none is made, and what stands goes on standing."""
    running = tuple(DeleteJob(job.name, job.uid) for job in observed.jobs if not job.finished and not job.deleting)
    text = "spec.suspend: nothing runs until it is removed or false"
    return Plan(Outcome("reconciling", ControlReason.SUSPENDED, text, suspended=text), resource.status, running)


def _refuse(resource: LabelJob, settings: Settings) -> None:
    spec = resource.spec
    gold = spec.gold_data.uri if spec.gold_data else None
    refuse_files((("spec.input.uri", spec.input.uri), ("spec.goldData.uri", gold), ("spec.output.uri", spec.output.uri)), settings)


def _context(resource: LabelJob, observed: Observed, settings: Settings, now: datetime) -> JobContext:
    model, model_ready = referenced_model(observed, resource.spec.model_ref.name)
    function_set = runtime_of_set(observed, model)
    runtime = merged(resource.spec.runtime, model.spec.runtime, function_set.spec.runtime if function_set else None)
    image = image_of(runtime, settings)
    version = _version(resource, model, model_ready)
    metadata = resource.metadata
    spec = digest_of([metadata.uid, metadata.generation, metadata.reconcile_at, image])
    return JobContext(resource, model, observed, runtime, image, version, f"{spec}/{version}", now)


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


def _finishes_first(context: JobContext, pins: JobPins) -> bool:
    """A run under way finishes on its pins when only the model has changed."""
    if pins.request.split("/")[0] != context.request.split("/")[0]:
        return False
    job = context.observed.job(_label_intent(context, pins).name)
    recorded = context.status.run is not None and context.status.run.sequence == pins.sequence
    return job is not None and not recorded and job.state != "failed"


def _resolve(context: JobContext) -> Plan:
    step = progress(context.observed, _resolve_intent(context), ControlReason.RESOLVING, now=context.now)
    if step.result is None or step.result.resolve is None or step.job is None:
        return _pending(context, step)
    found = step.result.resolve
    pins = _pins(context, step.job, step.result, found)
    commit = found.commit
    if commit is not None and commit.run_digest == pins.run_digest:
        pins = pins.model_copy(update={"sequence": commit.sequence})
        status = with_commit(context.resource, pins, commit)
        return Plan(_ready(context, status), status, requeue_after=0)
    status = context.status.model_copy(update={"pins": pins})
    outcome = Outcome("reconciling", ControlReason.LABELING, f"run {pins.sequence} is pinned and will be started")
    return Plan(beside_what_serves(context.observed, outcome, serves=context.status.run is not None), status, requeue_after=0)


def _pins(context: JobContext, job: ObservedJob, result: JobResult, found: ResolveResult) -> JobPins:
    spec, model, version = context.resource.spec, context.model, found.current
    if version is None or version.version != context.version:
        raise Stalled(ControlReason.MODEL_VERSION_NOT_FOUND, f"spec.modelRef: LabelModel {model.metadata.name} has no version {context.version}: name one that it has")
    image = pinned_image(context.image, job, result.build)
    run = {
        "input": [spec.input.uri, found.data.digest],
        "gold": [found.gold.digest, spec.gold_data.label_column, spec.gold_data.inclusion_probability_column] if found.gold and spec.gold_data else None,
        "model": version.sha256,
        "functionSet": version.function_set_digest,
        "output": spec.output.uri,
        "image": image,
        "owner": [context.resource.metadata.namespace, context.resource.metadata.name],
    }
    previous = context.status.pins.sequence if context.status.pins else 0
    return JobPins(
        request=context.request, input=found.data, gold_data=found.gold,
        model=ModelPin(name=model.metadata.name, version=version.version, digest=version.sha256),
        model_artifacts=model.spec.artifacts.uri, inputs=version.inputs,
        function_set=FunctionSetPin(name=model.spec.function_set_ref.name, digest=version.function_set_digest),
        image=image, build=result.build, run_digest=digest_of(run),
        sequence=max(previous, found.commit.sequence if found.commit else 0) + 1, started_at=context.now.isoformat(timespec="seconds"),
    )  # fmt: skip


def _label(context: JobContext, pins: JobPins) -> Plan:
    status = context.status
    if status.run is not None and (status.run.sequence, status.run.digest) == (pins.sequence, pins.run_digest):
        return Plan(_ready(context, status), status)
    step = progress(context.observed, _label_intent(context, pins), ControlReason.LABELING, now=context.now)
    if step.result is None or step.result.label is None:
        return _pending(context, step)
    status = with_commit(context.resource, pins, step.result.label.commit)
    return Plan(_ready(context, status), status, requeue_after=0)


def _pending(context: JobContext, step: Progress) -> Plan:
    outcome = step.outcome or Outcome("stalled", ControlReason.JOB_FAILED, "the job left no result: set the reconcile-at annotation to run it again")
    return Plan(beside_what_serves(context.observed, outcome, serves=context.status.run is not None), context.status, step.actions, step.events, step.requeue_after)


def _ready(context: JobContext, status: LabelJobStatus) -> Outcome:
    run, metrics = status.run, status.metrics
    rows = metrics.rows if metrics else None
    text = f"{rows} rows labelled in version {run.output.version} of {run.output.uri}" if run else "labelled"
    return Outcome("ready", ControlReason.LABELED, text, missed_objectives(context.resource.spec, metrics))


def _owner(resource: LabelJob) -> Owner:
    return Owner(kind="LabelJob", namespace=resource.metadata.namespace, name=resource.metadata.name)


def _app_id(resource: LabelJob) -> str:
    """The Delta application transaction of this LabelJob, for ever."""
    return f"labelplane/{resource.metadata.namespace}/{resource.metadata.name}"


def _access(context: JobContext, pins: JobPins | None = None) -> tuple[Access, ...]:
    spec = context.resource.spec
    named = (("spec.output", spec.output), ("spec.input", spec.input), ("spec.goldData", spec.gold_data), home_of(context.model))
    return access_to(*named, more=access_to_inputs(pins.inputs if pins else ()))


def _resolve_intent(context: JobContext) -> JobIntent:
    resource, spec, artifacts = context.resource, context.resource.spec, context.model.spec.artifacts.uri
    task = ResolveTask(
        data=spec.input, gold=spec.gold_data, artifacts=artifacts, pin=context.version, output=spec.output.uri, app_id=_app_id(resource)
    )
    return JobIntent(
        name=child_name(resource.metadata.name, "resolve", digest_of(context.request)[:10]),
        config=JobConfig(step="resolve", owner=_owner(resource), access=_access(context), resolve=task),
        reads=(spec.input.uri, *((spec.gold_data.uri,) if spec.gold_data else ()), artifacts, spec.output.uri),
        writes=(),
        runtime=context.runtime,
    )


def _label_intent(context: JobContext, pins: JobPins) -> JobIntent:
    resource, spec = context.resource, context.resource.spec
    name = run_name(resource.metadata.name, pins.run_digest, pins.sequence)
    task = LabelTask(
        data=pins.input, gold=pins.gold_data, gold_label_column=spec.gold_data.label_column if spec.gold_data else None,
        gold_probability_column=spec.gold_data.inclusion_probability_column if spec.gold_data else None,
        artifacts=pins.model_artifacts, model_name=pins.model.name, model_version=pins.model.version, model_sha256=pins.model.digest,
        output=spec.output.uri, app_id=_app_id(resource), sequence=pins.sequence, run_digest=pins.run_digest, run=name, image=pins.image,
    )  # fmt: skip
    return JobIntent(
        name=name,
        config=JobConfig(step="label", owner=_owner(resource), access=_access(context, pins), expected_build=pins.build, label=task),
        reads=(pins.input.uri, *((pins.gold_data.uri,) if pins.gold_data else ()), pins.model_artifacts, *(one.artifacts for one in pins.inputs)),
        writes=(spec.output.uri,),
        runtime=at_pinned_image(context.runtime, pins.image),
        deadline_seconds=max(1, int(seconds(spec.active_deadline))) if spec.active_deadline else None,
    )
