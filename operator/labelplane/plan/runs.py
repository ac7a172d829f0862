"""What a commit says becomes status: the run with its pins, its metrics and its cost, and a line of history."""

from collections.abc import Collection

from labeljob.contract.result import Commit
from labelplane.api.label_job import JobPins, LabelJob, LabelJobStatus, Metrics, ModelPin, OutputPin, Run, RunLine
from labelplane.api.label_model import FunctionSetPin
from labelplane.plan.observed import Observed
from labelplane.plan.versions import rounded

HISTORY = 10
FIGURES = frozenset(Metrics.model_fields) - {"rows", "label_distribution"}


def with_commit(resource: LabelJob, pins: JobPins, commit: Commit, spent: int | None = None) -> LabelJobStatus:
    """The status once this commit stands; `spent` pod seconds, or what status knows already of this very run."""
    if spent is None:
        spent = next((line.pod_seconds for line in resource.status.runs if (line.sequence, line.digest) == (commit.sequence, commit.run_digest)), None)
    output = OutputPin(uri=resource.spec.output.uri, table_id=commit.table_id, version=commit.version, content_digest=commit.content_digest)
    run = Run(
        sequence=commit.sequence,
        digest=commit.run_digest,
        started_at=commit.started_at,
        finished_at=commit.finished_at,
        input=commit.data,
        model=ModelPin(name=pins.model.name, version=commit.model_version, digest=commit.model_sha256),
        function_set=FunctionSetPin(name=pins.function_set.name, digest=commit.function_set_digest),
        inputs=pins.inputs,
        image=commit.image,
        output=output,
        drift=commit.drift,
        privacy=commit.privacy,
        quarantine=commit.quarantine,
        pod_seconds=spent,
    )
    metrics = metrics_of(commit)
    history = _history(resource, commit, metrics, spent)
    return resource.status.model_copy(update={"pins": pins, "run": run, "metrics": metrics, "runs": history, "progress": None})


def pod_seconds(observed: Observed, names: Collection[str]) -> int | None:
    """Seconds that the pods of these Jobs ran, as far as they are known; None when nothing is."""
    known = [job.pod_seconds for job in observed.jobs if job.name in names and job.pod_seconds is not None]
    return round(sum(known)) if known else None


def metrics_of(commit: Commit) -> Metrics:
    """Indicators of a commit; what is not known is absent."""
    known = rounded(commit.metrics)
    names = {Metrics.model_fields[name].alias or name: name for name in FIGURES}
    figures = {names[key]: value for key, value in known.items() if key in names}
    rows = known.get("rows")
    distribution = {name: round(share, 4) for name, share in commit.label_distribution.items()}
    return Metrics(rows=None if rows is None else int(rows), label_distribution=distribution, **figures)


def _history(resource: LabelJob, commit: Commit, metrics: Metrics, spent: int | None) -> list[RunLine]:
    line = RunLine(
        sequence=commit.sequence, digest=commit.run_digest, finished_at=commit.finished_at,
        output_version=commit.version, rows=metrics.rows or 0, model_version=commit.model_version, pod_seconds=spent,
    )  # fmt: skip
    others = [one for one in resource.status.runs if one.sequence != commit.sequence]
    return sorted([line, *others], key=lambda one: -one.sequence)[:HISTORY]
