"""What a decision may ask for. Every value is frozen and says all that its execution needs."""

from dataclasses import dataclass, field
from typing import Literal

from labeljob.contract.base import Wire
from labeljob.contract.config import JobConfig
from labeljob.contract.privacy import SecretKeyRef
from labelplane.api.reasons import ConditionType
from labelplane.api.runtime import Runtime


@dataclass(frozen=True)
class JobIntent:
    """A Job that must exist: deterministic name, its configuration, what it mounts and how it runs.

    `config.mounts` is left empty: whoever runs the Job knows where the data is and fills it in. With `completions` it is an Indexed
    Job: so many pods, each with an index from 0, `parallelism` of them at once.
    """

    name: str
    config: JobConfig
    reads: tuple[str, ...]  # URIs mounted read-only
    writes: tuple[str, ...]  # URIs mounted writable
    runtime: Runtime  # with all that a pod asks for: `sizing.with_resources`
    deadline_seconds: int | None = None
    completions: int | None = None
    parallelism: int = 1
    secrets: tuple[SecretKeyRef, ...] = ()  # mounted read-only, each with its one key


@dataclass(frozen=True)
class CreateJob:
    """Create the Job and its ConfigMap; one that exists already and is ours is left as it is."""

    intent: JobIntent


@dataclass(frozen=True)
class DeleteJob:
    """Delete a Job of ours, its pods and its ConfigMap."""

    name: str
    uid: str


Action = CreateJob | DeleteJob


@dataclass(frozen=True)
class DomainCondition:
    """An abnormal-true condition that holds now."""

    type: ConditionType
    reason: str
    message: str


Situation = Literal["ready", "reconciling", "running", "waiting", "failed", "stalled"]


@dataclass(frozen=True)
class Outcome:
    """Where the resource stands; `status.conditions` turns it into conditions by one table (DESIGN 4.5).

    ready        what was asked for stands
    reconciling  first run or a new generation under way: Ready=Unknown
    running      a rerun under way while a good version serves: Ready=True, Running=True
    waiting      another resource must change first: Ready=False, Reconciling=True
    failed       a scheduled run failed and is tried again at the next tick: Ready=False
    stalled      a person must act: Ready=False, Stalled=True
    """

    situation: Situation
    reason: str
    message: str
    domain: tuple[DomainCondition, ...] = ()
    suspended: str | None = None  # message of the Suspended condition; Ready stays as it was


TRIED_AGAIN = "; tried again at "  # and a time: how the message of a failed outcome ends


@dataclass(frozen=True)
class Event:
    """Something a person would want to know."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


@dataclass(frozen=True)
class Plan:
    """What to do now. `status` is the kind's status without conditions; it is written once, after the actions.

    Pins are written before work: a plan that decides new pins holds no CreateJob and asks for `requeue_after=0`.
    """

    outcome: Outcome
    status: Wire
    actions: tuple[Action, ...] = ()
    events: tuple[Event, ...] = field(default=())
    requeue_after: float | None = None  # seconds


def soonest(*waits: float | None) -> float | None:
    """The shortest of waits in seconds; None waits for nothing."""
    return min((wait for wait in waits if wait is not None), default=None)
