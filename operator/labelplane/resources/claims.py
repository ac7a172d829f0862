"""What is known of the claims that a Job mounts, written on the Job when it is made, and read from there."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from labelplane.api.groups import CLAIMS_ANNOTATION
from labelplane.plan.actions import JobIntent
from labelplane.plan.observed import Claim
from labelplane.resources.mounts import mounted_volumes
from labelplane.resources.pod_times import instant

Raw = Mapping[str, Any]
JOB_NAME = "batch.kubernetes.io/job-name"  # a label of each pod of a Job


def claims_of(intent: JobIntent) -> tuple[str, ...]:
    """Names of the claims that a Job's pods mount."""
    return tuple(volume.source[1] for volume in mounted_volumes(intent) if volume.source[0] == "pvc")


def annotation_of(claims: Sequence[Claim]) -> dict[str, str]:
    """Their access modes, as an annotation of the Job; none where nothing is known."""
    known = {claim.name: list(claim.modes) for claim in claims if claim.modes}
    return {CLAIMS_ANNOTATION: json.dumps(known, separators=(",", ":"))} if known else {}


def at_once(parallelism: int, claims: Sequence[Claim]) -> int:
    """How many pods may work at once."""
    return 1 if any(claim.for_one_pod for claim in claims) else parallelism


def together(job: str, claims: Sequence[Claim]) -> dict[str, Any] | None:
    """The affinity that keeps the pods of a Job on one node; the first pod may choose the node."""
    if not any(claim.for_one_node for claim in claims):
        return None
    term = {"labelSelector": {"matchLabels": {JOB_NAME: job}}, "topologyKey": "kubernetes.io/hostname"}
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def observed_claims(job: Raw) -> tuple[Claim, ...]:
    """The claims in the Job's pod template, with what was known of them when it was made."""
    try:
        known = json.loads((job["metadata"].get("annotations") or {}).get(CLAIMS_ANNOTATION) or "{}")
    except ValueError:  # somebody wrote something else there
        known = {}
    volumes = job["spec"]["template"]["spec"].get("volumes") or []
    names = [volume["persistentVolumeClaim"]["claimName"] for volume in volumes if "persistentVolumeClaim" in volume]
    return tuple(Claim(name, tuple(known.get(name) or ()) if isinstance(known, dict) else ()) for name in names)


def waits_for_volumes_since(pods: Sequence[Raw]) -> datetime | None:
    """Since when the newest pod (`pods` are oldest first) has a node and no sandbox: volumes are mounted before there is one."""
    status = (pods[-1].get("status") or {}) if pods else {}
    conditions = {one["type"]: one for one in status.get("conditions") or []}
    scheduled, sandbox = conditions.get("PodScheduled") or {}, conditions.get("PodReadyToStartContainers") or {}
    if status.get("phase") != "Pending" or scheduled.get("status") != "True" or sandbox.get("status") != "False":
        return None
    return instant(scheduled.get("lastTransitionTime"))
