"""Claims that not every pod can have at once: what their access modes allow, and what is said of a pod that waits for one.

    ReadWriteMany      any pods
    ReadWriteOnce      pods of one node: the shards of a run are kept together
    ReadWriteOncePod   one pod: the shards of a run work one after another

A pod that waits for a claim which another pod holds may have it in a moment, when the other is one of ours, or never. So it is first under way, then Stalled;
and it goes on by itself.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from labelplane.api.reasons import ControlReason
from labelplane.plan.actions import Outcome
from labelplane.plan.observed import Observed, ObservedJob

GRACE_SECONDS = 10.0  # in which a claim passes from one pod that ends to the next
MOUNT_SECONDS = 120.0  # in which a volume is attached and mounted, slow as it may be
HELD_SECONDS = 300.0  # after which a person should look


@dataclass(frozen=True)
class Wait:
    """What is said of a wait for a claim, and in how many seconds there is something else to say."""

    outcome: Outcome | None
    look_again: float | None


def one_after_another(observed: Observed, job: ObservedJob) -> str:
    """What is added to the message of a Job whose shards cannot work at once; empty for others."""
    alone = [claim.name for claim in job.claims if claim.for_one_pod]
    if job.indexes is None or not alone:
        return ""
    return f", one shard after another: {_named(alone, observed)} allows one pod at a time (ReadWriteOncePod); with a ReadWriteMany claim they work at once"


def waits_for_a_pod(observed: Observed, job: ObservedJob, since: datetime, now: datetime) -> Wait:
    """The scheduler says that another pod has a ReadWriteOncePod claim."""
    known = [claim.name for claim in job.claims if claim.for_one_pod]
    claims = _named(known or [claim.name for claim in job.claims], observed)
    text = f"{claims} allows one pod at a time (ReadWriteOncePod), and another pod has it: let that one end, or use a ReadWriteMany claim; then this goes on by itself"
    return _said(ControlReason.VOLUME_NOT_SHAREABLE, text, job, (now - since).total_seconds(), GRACE_SECONDS)


def waits_for_volumes(observed: Observed, job: ObservedJob, since: datetime, now: datetime) -> Wait:
    """A node has taken the pod, and cannot give it its volumes. Why, only Events say, and those we may not read; an access mode says what is likely."""
    once = [claim.name for claim in job.claims if claim.for_one_node]
    waited = "the pod has a node, and waits there for its volumes"
    if not once:
        text = f"{waited}: kubectl describe pod says for which and why (Events FailedAttachVolume, FailedMount)"
        return _said(ControlReason.POD_NOT_STARTING, text, job, (now - since).total_seconds(), MOUNT_SECONDS)
    text = (
        f"{waited}: {_named(once, observed)} allows one node at a time (ReadWriteOnce), and a pod of another node is likely to have it (kubectl describe pod says: Multi-Attach"
        " error): let that one end, use spec.runtime.nodeSelector to be on its node, or a ReadWriteMany claim; then this goes on by itself"
    )
    return _said(ControlReason.VOLUME_NOT_SHAREABLE, text, job, (now - since).total_seconds(), MOUNT_SECONDS)


def _said(reason: ControlReason, text: str, job: ObservedJob, waited: float, grace: float) -> Wait:
    if waited < grace:
        return Wait(None, grace - waited)
    message = f"{text} (Job {job.name})"
    if waited < HELD_SECONDS or reason != ControlReason.VOLUME_NOT_SHAREABLE:
        return Wait(Outcome("reconciling", reason, message), max(HELD_SECONDS - waited, 0.0) or None)
    return Wait(Outcome("stalled", reason, message), None)


def _named(claims: Iterable[str], observed: Observed) -> str:
    """`claim lake (spec.input.uri, spec.output.uri)`."""
    words = []
    for claim in claims:
        fields = ", ".join(_fields(claim, observed.resource.get("spec"), "spec"))
        words.append(f"claim {claim} ({fields})" if fields else f"claim {claim}")
    return " or ".join(words) or "a claim"


def _fields(claim: str, value: object, path: str) -> Iterator[str]:
    """Where in a spec the claim is named."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _fields(claim, inner, f"{path}.{name}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _fields(claim, inner, f"{path}[{index}]")
    elif isinstance(value, str) and f"{value}/".startswith(f"pvc://{claim}/"):
        yield path
