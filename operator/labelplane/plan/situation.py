"""Whether work under way is a first run or a rerun beside something that serves (DESIGN 4.5)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from labelplane.plan.actions import Outcome
from labelplane.plan.observed import Observed


def beside_what_serves(observed: Observed, outcome: Outcome, *, serves: bool) -> Outcome:
    """A rerun for the same generation leaves Ready alone and shows as Running."""
    if outcome.situation == "reconciling" and serves and _was_ready(observed.resource):
        return replace(outcome, situation="running")
    return outcome


def is_ready(resource: Mapping[str, Any]) -> bool:
    """Ready for its present generation."""
    return _was_ready(resource)


def _was_ready(resource: Mapping[str, Any]) -> bool:
    status = resource.get("status") or {}
    if status.get("observedGeneration") != resource["metadata"].get("generation"):
        return False
    return any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions") or [])
