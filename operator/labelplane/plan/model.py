"""A LabelModel: pins first, then a fit if no version has these pins, then the version serves.

    ready set -> request -> resolve Job -> status.pins -> fit Job -> status.current
                            (pinned: the version stands in the index already; or shards and a fit that merges them)
"""

from dataclasses import replace
from datetime import datetime

from labeljob.contract.digests import digest_of
from labeljob.contract.inputs import direct_inputs
from labeljob.contract.result import JobResult, ModelVersion, ResolveResult, StartPin, VersionLine
from labelplane.api.label_model import LabelModel, LabelModelStatus, ModelPins
from labelplane.api.reasons import ControlReason
from labelplane.errors import Stalled
from labelplane.plan.actions import JobIntent, Outcome, Plan, soonest
from labelplane.plan.dependence import repeating
from labelplane.plan.fit_notes import doubts, remarks
from labelplane.plan.function_set import functions_of
from labelplane.plan.inputs import refuse_cycle
from labelplane.plan.job_progress import Progress, progress, under_way
from labelplane.plan.lifetimes import DEFAULT_SECONDS, expired
from labelplane.plan.model_context import ModelContext, model_context
from labelplane.plan.model_intents import fit_intent, fit_job_names, parameters_of, resolve_intent, shards_intent
from labelplane.plan.multi_label import refuse_multi_label
from labelplane.plan.observed import Observed
from labelplane.plan.privacy import suspected
from labelplane.plan.references import ready_function_set
from labelplane.plan.runs import pod_seconds
from labelplane.plan.runtime import pinned_image
from labelplane.plan.shards import in_shards, with_progress
from labelplane.plan.situation import beside_what_serves
from labelplane.plan.sizing import sized
from labelplane.plan.sources import refuse_files
from labelplane.plan.versions import current_version, figures, history
from labelplane.plan.warm_start import start_pin
from labelplane.settings import Settings


def plan_label_model(resource: LabelModel, observed: Observed, *, now: datetime, settings: Settings) -> Plan:
    """Resolve, fit, serve; each only when what stands is not what was asked for."""
    _refuse(resource, settings)
    refuse_cycle(resource, observed)
    function_set = ready_function_set(observed, resource.spec.function_set_ref.name)
    refuse_multi_label(resource, function_set)
    context = model_context(resource, function_set, observed, settings, now)
    pins = resource.status.pins
    held = pins is not None and (pins.request == context.request or _finishes_first(context, pins))
    plan = _fit(context, pins) if pins is not None and held else _resolve(context)
    needed = {action.intent.name for action in plan.actions if hasattr(action, "intent")} | _needed(context, plan, pins if held else None)
    deletions, due = expired(observed, needed=needed, seconds=DEFAULT_SECONDS, now=now)
    return replace(plan, actions=(*plan.actions, *deletions), requeue_after=soonest(plan.requeue_after, due))


def _finishes_first(context: ModelContext, pins: ModelPins) -> bool:
    """A fit under way finishes on its pins when nothing but the number of pods has changed."""
    return pins.scope == context.scope and not _is_recorded(context.status, pins) and under_way(context.observed, fit_job_names(context, pins))


def _is_recorded(status: LabelModelStatus, pins: ModelPins) -> bool:
    """Whether the version of these pins serves."""
    return status.current is not None and status.current.digest == pins.fit_digest


def _needed(context: ModelContext, plan: Plan, pins: ModelPins | None) -> set[str]:
    """Jobs whose result is not in status yet; `pins` of the fit that is wanted."""
    if plan.outcome.situation == "ready":
        return set()
    return {resolve_intent(context).name, *(fit_job_names(context, pins) if pins is not None else ())}


def _refuse(resource: LabelModel, settings: Settings) -> None:
    spec = resource.spec
    gold = spec.gold_data.uri if spec.gold_data else None
    refuse_files((("spec.trainingData.uri", spec.training_data.uri), ("spec.goldData.uri", gold), ("spec.artifacts.uri", spec.artifacts.uri)), settings)


def _resolve(context: ModelContext) -> Plan:
    step = progress(context.observed, resolve_intent(context), ControlReason.RESOLVING, now=context.now)
    if step.result is None or step.result.resolve is None or step.job is None:
        return _pending(context, step)
    found = step.result.resolve
    if context.resource.spec.pin is not None or context.resource.spec.refit_suspended:
        return _hold(context, step.result, found)
    image = pinned_image(context.image, step.job, step.result.build)
    pins = _pins(context, step.result, found, image, start_pin(context.resource, found))
    newest = found.current
    if newest is not None and newest.fit_digest == pins.fit_digest:
        pins = pins.model_copy(update={"version": newest.version})
        served = newest.model_copy(update={"inputs": found.inputs})  # the fit's digest covers them
        status = _serving(context, served, found).model_copy(update={"pins": pins})
        return Plan(_ready(status), status)
    status = context.status.model_copy(update={"pins": pins})
    outcome = Outcome("reconciling", ControlReason.FITTING, f"version {pins.version} is pinned and will be fitted")
    return Plan(beside_what_serves(context.observed, outcome, serves=context.status.current is not None), status, requeue_after=0)


def _hold(context: ModelContext, result: JobResult, found: ResolveResult) -> Plan:
    """No fit: serve the pinned version, or while refits are suspended the newest."""
    pin = context.resource.spec.pin
    if pin is not None and (found.current is None or found.current.version != pin):
        known = ", ".join(str(line.version) for line in found.versions) or "none"
        raise Stalled(ControlReason.MODEL_VERSION_NOT_FOUND, f"spec.pin: there is no version {pin} (there are: {known}): pin one of these, or remove the pin")
    suspended = None if pin is not None else "spec.refit.suspend: no new version is fitted"
    if found.current is None:
        outcome = Outcome("waiting", ControlReason.SUSPENDED, "no version has been fitted, and spec.refit.suspend starts none", suspended=suspended)
        return Plan(outcome, context.status)
    held = found.current
    pins = _pins(context, result, found, held.image).model_copy(update={"version": held.version, "fit_digest": held.fit_digest, "inputs": held.inputs})
    status = _serving(context, held, found).model_copy(update={"pins": pins})
    return Plan(replace(_ready(status), suspended=suspended), status)


def _pins(context: ModelContext, result: JobResult, found: ResolveResult, image: str, start: StartPin | None = None) -> ModelPins:
    spec, newest = context.resource.spec, found.versions[0].version if found.versions else 0
    digest = found.function_set_digest or ""
    fit: dict[str, object] = {
        "data": found.data.digest,
        "gold": found.gold.digest if found.gold else None,
        "goldLabelColumn": spec.gold_data.label_column if spec.gold_data else None,
        "goldProbabilityColumn": spec.gold_data.inclusion_probability_column if spec.gold_data else None,
        "functionSet": digest,
        "algorithm": spec.algorithm or "auto",
        "parameters": parameters_of(context.resource),
        "calibration": spec.calibration or "auto",
        "image": image,
    }
    if start is not None:
        fit["start"] = start.fit_digest
    if found.inputs:
        fit["inputs"] = [[one.name, one.version, one.sha256] for one in direct_inputs(found.inputs)]
    shards = found.shards or 1
    return ModelPins(
        request=context.request, scope=context.scope, training_data=found.data, gold_data=found.gold, start=start, inputs=found.inputs, function_set_digest=digest,
        hash_key=found.hash_key,
        image=image, build=result.build, fit_digest=digest_of(fit), version=newest + 1, shards=shards,
        resources=sized(found.stored, shards, functions_of(context.function_set)),
    )  # fmt: skip


def _fit(context: ModelContext, pins: ModelPins) -> Plan:
    status = context.status
    if _is_recorded(status, pins):
        suspended = "spec.refit.suspend: no new version is fitted" if context.resource.spec.refit_suspended else None
        return Plan(replace(_ready(status), suspended=suspended), status)
    shards = shards_intent(context, pins) if pins.shards > 1 else None
    step = _fitted(context, fit_intent(context, pins), shards)
    if step.result is None or step.result.fit is None:
        plan = _pending(context, step)
        return plan if shards is None else with_progress(plan, context.observed, shards, context.resource.status.progress, now=context.now)
    version = step.result.fit.version
    lines = [VersionLine(version=entry.version, fit_digest=entry.digest, fitted_at=entry.fitted_at) for entry in status.versions]
    made = VersionLine(version=version.version, fit_digest=version.fit_digest, fitted_at=version.fitted_at)
    others = [line for line in lines if line.version != version.version]
    spent = pod_seconds(context.observed, fit_job_names(context, pins))
    serving = _served(context, version, [made, *others], spent).model_copy(
        update={"functions": figures(step.result.fit.functions, functions_of(context.function_set), version.inputs)}
    )
    return Plan(_ready(serving), serving, requeue_after=None if pins.request == context.request else 0)


def _fitted(context: ModelContext, fit: JobIntent, shards: JobIntent | None) -> Progress:
    """Where the fit stands; its result is the version."""
    if shards is None:
        return progress(context.observed, fit, ControlReason.FITTING, now=context.now)
    return in_shards(context.observed, shards, ControlReason.FITTING, fit, ControlReason.FITTING, now=context.now)


def _pending(context: ModelContext, step: Progress) -> Plan:
    outcome = step.outcome or Outcome("stalled", ControlReason.JOB_FAILED, "the job left no result: set the reconcile-at annotation to run it again")
    outcome = beside_what_serves(context.observed, outcome, serves=context.status.current is not None)
    return Plan(outcome, context.status, step.actions, step.events, step.requeue_after)


def _serving(context: ModelContext, version: ModelVersion, found: ResolveResult) -> LabelModelStatus:
    functions = figures(found.current_functions, functions_of(context.function_set), version.inputs)
    same_set = version.function_set_digest == found.function_set_digest
    return _served(context, version, found.versions).model_copy(update={"functions": functions if same_set else []})


def _served(context: ModelContext, version: ModelVersion, lines: list[VersionLine], spent: int | None = None) -> LabelModelStatus:
    """`spent`: pod seconds of the fit, or what status knows already of this very version."""
    spec, old = context.resource.spec, context.status.current
    if spent is None and old is not None and (old.version, old.digest) == (version.version, version.fit_digest):
        spent = old.pod_seconds
    current = current_version(version, artifacts=spec.artifacts.uri, function_set=spec.function_set_ref.name).model_copy(update={"pod_seconds": spent})
    return context.status.model_copy(update={"current": current, "versions": history(lines, version.version)})


def _ready(status: LabelModelStatus) -> Outcome:
    current = status.current
    text = f"version {current.version} ({current.algorithm}) serves" if current else "a version serves"
    return Outcome("ready", ControlReason.FITTED, text + remarks(current), (*repeating(current), *doubts(current), *suspected(current.privacy if current else ())))
