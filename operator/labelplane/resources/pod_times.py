"""How the containers of pods ended, and for how long the pods ran."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

Raw = Mapping[str, Any]


def ends(pod: Raw) -> list[Raw]:
    """How the containers of a pod ended, those that have."""
    states = (status.get("state", {}) for status in (pod.get("status") or {}).get("containerStatuses") or [])
    return [state["terminated"] for state in states if state.get("terminated")]


def seconds_run(pod: Raw) -> float | None:
    """From the node's taking the pod to the end of its last container; None when it has not ended, or nobody knows when."""
    began = instant((pod.get("status") or {}).get("startTime"))
    ended = [moment for one in ends(pod) if (moment := instant(one.get("finishedAt"))) is not None]
    return max(0.0, (max(ended) - began).total_seconds()) if began is not None and ended else None


def total_seconds(pods: Iterable[Raw]) -> float | None:
    """Of those pods of which it is known; None when it is of none."""
    known = [seconds for pod in pods if (seconds := seconds_run(pod)) is not None]
    return sum(known) if known else None


def instant(text: str | None) -> datetime | None:
    """A time as Kubernetes writes it."""
    moment = datetime.fromisoformat(text) if text else None
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)
