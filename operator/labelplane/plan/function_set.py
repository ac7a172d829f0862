"""A LabelingFunctionSet is checked once for each state that was asked for, and then Ready."""

from datetime import datetime

from labeljob.contract.config import CheckTask, JobConfig, Owner
from labeljob.contract.digests import digest_of
from labeljob.contract.function_set import FunctionSet
from labelplane.api.function_set import FunctionSetStatus, LabelingFunctionSet
from labelplane.api.names import child_name
from labelplane.api.reasons import ControlReason
from labelplane.plan.access import access_to_lookups
from labelplane.plan.actions import JobIntent, Outcome, Plan, soonest
from labelplane.plan.job_progress import progress
from labelplane.plan.lifetimes import DEFAULT_SECONDS, expired
from labelplane.plan.observed import Observed
from labelplane.plan.privacy import secrets_of
from labelplane.plan.runtime import image_of, merged
from labelplane.plan.sizing import LOOKING, with_resources
from labelplane.plan.sources import lookup_uris, refuse_files
from labelplane.settings import Settings


def functions_of(resource: LabelingFunctionSet) -> FunctionSet:
    """The part of the spec that jobs read."""
    return FunctionSet.model_validate(resource.spec.model_dump(by_alias=True, exclude_none=True, exclude={"runtime"}))


def plan_function_set(resource: LabelingFunctionSet, observed: Observed, *, now: datetime, settings: Settings) -> Plan:
    """Check, unless status says that this very state has passed."""
    refuse_files(((f"spec.functions[{i}].lookup.table.uri", f.lookup.table.uri) for i, f in enumerate(resource.spec.functions) if f.lookup), settings)
    request = _request(resource, settings)
    intent = _intent(resource, request)
    if resource.status.checked == request:
        return _ready(resource.status, observed, now)
    step = progress(observed, intent, ControlReason.CHECKING, now=now)
    deletions, due = expired(observed, needed={intent.name}, seconds=DEFAULT_SECONDS, now=now)
    if step.result is None or step.result.check is None:
        return Plan(step.outcome or _no_result(), resource.status, (*step.actions, *deletions), step.events, soonest(due, step.requeue_after))
    check = step.result.check
    found = {"digest": check.function_set_digest, "function_count": check.function_count, "tests_passed": check.tests_passed}
    status = resource.status.model_copy(update=found | {"build": step.result.build, "checked": request})
    return Plan(_outcome(status), status, deletions, requeue_after=due)


def _ready(status: FunctionSetStatus, observed: Observed, now: datetime) -> Plan:
    deletions, due = expired(observed, needed=(), seconds=DEFAULT_SECONDS, now=now)
    return Plan(_outcome(status), status, deletions, requeue_after=due)


def _outcome(status: FunctionSetStatus) -> Outcome:
    return Outcome("ready", ControlReason.CHECKED, f"{status.function_count} functions compile, {status.tests_passed} tests pass")


def _no_result() -> Outcome:
    return Outcome("stalled", ControlReason.JOB_FAILED, "the check left no result: set the reconcile-at annotation to run it again")


def _request(resource: LabelingFunctionSet, settings: Settings) -> str:
    """Digest of what is to be checked; owners and descriptions are not part of it."""
    functions = functions_of(resource)
    asked = {
        "uid": resource.metadata.uid,
        "functions": functions.canonical(),
        "tests": [test.wire() for test in functions.tests or []],
        "image": image_of(merged(resource.spec.runtime), settings),
        "reconcileAt": resource.metadata.reconcile_at,
    }
    if settings.code is not None and any(function.python for function in functions.enabled_functions):
        asked["code"] = settings.code
    return digest_of(asked)


def _intent(resource: LabelingFunctionSet, request: str) -> JobIntent:
    functions = functions_of(resource)
    owner = Owner(kind="LabelingFunctionSet", namespace=resource.metadata.namespace, name=resource.metadata.name)
    return JobIntent(
        name=child_name(resource.metadata.name, "check", request[:10]),
        config=JobConfig(step="check", owner=owner, access=tuple(access_to_lookups(functions)), check=CheckTask(function_set=functions)),
        reads=lookup_uris(functions),
        writes=(),
        runtime=with_resources(merged(resource.spec.runtime), LOOKING),
        secrets=secrets_of(functions),
    )
