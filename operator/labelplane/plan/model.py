"""A LabelModel: pins first, then a fit if no version has these pins, then the version serves.

    ready set -> request -> resolve Job -> status.pins -> fit Job -> status.current
                            (pinned: the version stands in the index already)
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from labeljob.contract.config import Access, FitTask, JobConfig, Owner, ResolveTask
from labeljob.contract.digests import digest_of
from labeljob.contract.inputs import InputQuery, ModelInput, direct_inputs
from labeljob.contract.result import JobResult, ModelVersion, ResolveResult, StartPin, VersionLine
from labelplane.api.function_set import LabelingFunctionSet
from labelplane.api.label_model import LabelModel, LabelModelStatus, ModelPins
from labelplane.api.names import child_name
from labelplane.api.reasons import ControlReason
from labelplane.api.runtime import Runtime
from labelplane.errors import Stalled
from labelplane.plan.access import access_to, access_to_inputs, access_to_lookups
from labelplane.plan.actions import JobIntent, Outcome, Plan, soonest
from labelplane.plan.dependence import repeating
from labelplane.plan.fit_notes import adversarial, remarks
from labelplane.plan.function_set import functions_of
from labelplane.plan.inputs import WantedInput, refuse_cycle, wanted_inputs
from labelplane.plan.job_progress import Progress, progress
from labelplane.plan.lifetimes import DEFAULT_SECONDS, expired
from labelplane.plan.multi_label import refuse_multi_label
from labelplane.plan.observed import Observed
from labelplane.plan.privacy import secrets_of, suspected
from labelplane.plan.references import ready_function_set
from labelplane.plan.runtime import at_pinned_image, image_of, merged, pinned_image
from labelplane.plan.situation import beside_what_serves
from labelplane.plan.sizing import LOOKING, sized, with_resources
from labelplane.plan.sources import lookup_uris, refuse_files
from labelplane.plan.versions import current_version, figures, history
from labelplane.plan.warm_start import start_pin
from labelplane.settings import Settings


@dataclass(frozen=True)
class ModelContext:
    """All that the decisions about one model look at."""

    resource: LabelModel
    function_set: LabelingFunctionSet
    observed: Observed
    runtime: Runtime
    inputs: tuple[WantedInput, ...]
    request: str
    image: str
    now: datetime

    @property
    def status(self) -> LabelModelStatus:
        return self.resource.status


def plan_label_model(resource: LabelModel, observed: Observed, *, now: datetime, settings: Settings) -> Plan:
    """Resolve, fit, serve; each only when what stands is not what was asked for."""
    _refuse(resource, settings)
    refuse_cycle(resource, observed)
    function_set = ready_function_set(observed, resource.spec.function_set_ref.name)
    refuse_multi_label(resource, function_set)
    inputs = wanted_inputs(resource, observed)
    runtime = merged(resource.spec.runtime, function_set.spec.runtime)
    image = image_of(runtime, settings)
    context = ModelContext(resource, function_set, observed, runtime, inputs, _request(resource, function_set, inputs, image), image, now)
    pins = resource.status.pins
    plan = _resolve(context) if pins is None or pins.request != context.request else _fit(context, pins)
    needed = {action.intent.name for action in plan.actions if hasattr(action, "intent")} | _needed(context, plan)
    deletions, due = expired(observed, needed=needed, seconds=DEFAULT_SECONDS, now=now)
    return replace(plan, actions=(*plan.actions, *deletions), requeue_after=soonest(plan.requeue_after, due))


def _needed(context: ModelContext, plan: Plan) -> set[str]:
    """Jobs whose result is not in status yet."""
    if plan.outcome.situation == "ready":
        return set()
    pins = context.status.pins
    fit = {_fit_intent(context, pins).name} if pins is not None and pins.request == context.request else set()
    return {_resolve_intent(context).name} | fit


def _refuse(resource: LabelModel, settings: Settings) -> None:
    spec = resource.spec
    gold = spec.gold_data.uri if spec.gold_data else None
    refuse_files((("spec.trainingData.uri", spec.training_data.uri), ("spec.goldData.uri", gold), ("spec.artifacts.uri", spec.artifacts.uri)), settings)


def _request(resource: LabelModel, function_set: LabelingFunctionSet, inputs: tuple[WantedInput, ...], image: str) -> str:
    """Digest of what `latest` is resolved for: a new generation, other functions, other versions of input models, another image, or reconcile-at."""
    metadata = resource.metadata
    voting = [[[one.query.wire(), one.digest] for one in inputs]] if inputs else []
    return digest_of([metadata.uid, metadata.generation, metadata.reconcile_at, function_set.status.digest, image, *voting])


def _resolve(context: ModelContext) -> Plan:
    step = progress(context.observed, _resolve_intent(context), ControlReason.RESOLVING, now=context.now)
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
        "parameters": _parameters(context.resource),
        "calibration": spec.calibration or "auto",
        "image": image,
    }
    if start is not None:
        fit["start"] = start.fit_digest
    if found.inputs:
        fit["inputs"] = [[one.name, one.version, one.sha256] for one in direct_inputs(found.inputs)]
    return ModelPins(
        request=context.request, training_data=found.data, gold_data=found.gold, start=start, inputs=found.inputs, function_set_digest=digest,
        hash_key=found.hash_key,
        image=image, build=result.build, fit_digest=digest_of(fit), version=newest + 1, resources=sized(found.stored, 1, functions_of(context.function_set)),
    )  # fmt: skip


def _fit(context: ModelContext, pins: ModelPins) -> Plan:
    status = context.status
    if status.current is not None and status.current.digest == pins.fit_digest:
        suspended = "spec.refit.suspend: no new version is fitted" if context.resource.spec.refit_suspended else None
        return Plan(replace(_ready(status), suspended=suspended), status)
    step = progress(context.observed, _fit_intent(context, pins), ControlReason.FITTING, now=context.now)
    if step.result is None or step.result.fit is None:
        return _pending(context, step)
    version = step.result.fit.version
    lines = [VersionLine(version=entry.version, fit_digest=entry.digest, fitted_at=entry.fitted_at) for entry in status.versions]
    made = VersionLine(version=version.version, fit_digest=version.fit_digest, fitted_at=version.fitted_at)
    others = [line for line in lines if line.version != version.version]
    serving = _served(context, version, [made, *others]).model_copy(
        update={"functions": figures(step.result.fit.functions, functions_of(context.function_set), version.inputs)}
    )
    return Plan(_ready(serving), serving)


def _pending(context: ModelContext, step: Progress) -> Plan:
    outcome = step.outcome or Outcome("stalled", ControlReason.JOB_FAILED, "the job left no result: set the reconcile-at annotation to run it again")
    outcome = beside_what_serves(context.observed, outcome, serves=context.status.current is not None)
    return Plan(outcome, context.status, step.actions, step.events, step.requeue_after)


def _serving(context: ModelContext, version: ModelVersion, found: ResolveResult) -> LabelModelStatus:
    functions = figures(found.current_functions, functions_of(context.function_set), version.inputs)
    same_set = version.function_set_digest == found.function_set_digest
    return _served(context, version, found.versions).model_copy(update={"functions": functions if same_set else []})


def _served(context: ModelContext, version: ModelVersion, lines: list[VersionLine]) -> LabelModelStatus:
    spec = context.resource.spec
    current = current_version(version, artifacts=spec.artifacts.uri, function_set=spec.function_set_ref.name)
    return context.status.model_copy(update={"current": current, "versions": history(lines, version.version)})


def _ready(status: LabelModelStatus) -> Outcome:
    current = status.current
    text = f"version {current.version} ({current.algorithm}) serves" if current else "a version serves"
    return Outcome("ready", ControlReason.FITTED, text + remarks(current), (*repeating(current), *adversarial(current), *suspected(current.privacy if current else ())))


def _parameters(resource: LabelModel) -> dict[str, object]:
    given = resource.spec.parameters
    parameters = given.wire() if given else {}
    if parameters.get("useGold") == "score":  # what is done anyway
        del parameters["useGold"]
    return {"seed": 0, "maxIterations": 100, "tolerance": 1e-6, "classBalance": "auto"} | parameters


def _owner(resource: LabelModel) -> Owner:
    return Owner(kind="LabelModel", namespace=resource.metadata.namespace, name=resource.metadata.name)


def _access(context: ModelContext, inputs: Sequence[InputQuery | ModelInput]) -> tuple[Access, ...]:
    spec = context.resource.spec
    more = (*access_to_inputs(inputs), *access_to_lookups(functions_of(context.function_set)))
    return access_to(("spec.artifacts", spec.artifacts), ("spec.trainingData", spec.training_data), ("spec.goldData", spec.gold_data), more=more)


def _resolve_intent(context: ModelContext) -> JobIntent:
    spec, functions = context.resource.spec, functions_of(context.function_set)
    queries = tuple(one.query for one in context.inputs)
    task = ResolveTask(function_set=functions, data=spec.training_data, gold=spec.gold_data, artifacts=spec.artifacts.uri, pin=spec.pin, inputs=queries)
    gold = (spec.gold_data.uri,) if spec.gold_data else ()
    return JobIntent(
        name=child_name(context.resource.metadata.name, "resolve", context.request[:10]),
        config=JobConfig(step="resolve", owner=_owner(context.resource), access=_access(context, queries), resolve=task),
        reads=(spec.training_data.uri, *gold, spec.artifacts.uri, *(one.artifacts for one in queries), *lookup_uris(functions)),
        writes=(),
        runtime=with_resources(context.runtime, LOOKING),
        secrets=secrets_of(functions),
    )


def _fit_intent(context: ModelContext, pins: ModelPins) -> JobIntent:
    spec, functions = context.resource.spec, functions_of(context.function_set)
    gold = spec.gold_data
    task = FitTask(
        function_set=functions, function_set_digest=pins.function_set_digest, data=pins.training_data, gold=pins.gold_data,
        gold_label_column=gold.label_column if gold else None, gold_probability_column=gold.inclusion_probability_column if gold else None,
        hash_key=pins.hash_key, inputs=pins.inputs, algorithm=spec.algorithm or "auto", parameters=_parameters(context.resource), start=pins.start,
        calibration=spec.calibration or "auto",
        artifacts=spec.artifacts.uri, version=pins.version, fit_digest=pins.fit_digest, image=pins.image,
    )  # fmt: skip
    attempt = digest_of([pins.request, pins.fit_digest])
    return JobIntent(
        name=child_name(context.resource.metadata.name, "fit", attempt[:10], str(pins.version)),
        config=JobConfig(step="fit", owner=_owner(context.resource), access=_access(context, pins.inputs), expected_build=pins.build, fit=task),
        reads=(spec.training_data.uri, *((gold.uri,) if gold else ()), *(one.artifacts for one in pins.inputs), *lookup_uris(functions)),
        writes=(spec.artifacts.uri,),
        runtime=with_resources(at_pinned_image(context.runtime, pins.image), pins.resources),
        secrets=secrets_of(functions),
    )
