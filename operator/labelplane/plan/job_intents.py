"""The Jobs of a LabelJob: resolve pins the data; a label Job, or shards and one commit, make a run of it.

    run of one shard   <name…>-<digest10>-<sequence>          step label
    run of n shards    <name…>-<digest10>-<sequence>          step shard, an Indexed Job of n pods
                       <name…>-<digest10>-<sequence>-commit   step commit
"""

from labeljob.contract.config import Access, CommitTask, JobConfig, LabelTask, Owner, ResolveTask, ShardTask
from labeljob.contract.durations import seconds
from labelplane.api.label_job import JobPins, LabelJob
from labelplane.api.names import app_id, run_name
from labelplane.plan.access import access_to, access_to_inputs, home_of
from labelplane.plan.actions import JobIntent
from labelplane.plan.job_context import JobContext, resolve_name
from labelplane.plan.runtime import at_pinned_image
from labelplane.plan.sizing import LOOKING, with_resources

COMMIT = "commit"


def resolve_intent(context: JobContext) -> JobIntent:
    """Pins the data, reads what the output holds, and says in how many shards to label."""
    resource, spec, artifacts = context.resource, context.resource.spec, context.model.spec.artifacts.uri
    task = ResolveTask(
        data=spec.input, gold=spec.gold_data, artifacts=artifacts, pin=context.version, output=spec.output.uri, app_id=_app_id(resource),
        shards=spec.shards or "auto",
    )  # fmt: skip
    return JobIntent(
        name=resolve_name(resource, context.request),
        config=JobConfig(step="resolve", owner=_owner(resource), access=_access(context), resolve=task),
        reads=(spec.input.uri, *((spec.gold_data.uri,) if spec.gold_data else ()), artifacts, spec.output.uri),
        writes=(),
        runtime=with_resources(context.runtime, LOOKING),
    )


def label_intent(context: JobContext, pins: JobPins) -> JobIntent:
    """The whole run in one pod."""
    config = JobConfig(step="label", owner=_owner(context.resource), access=_access(context, pins), expected_build=pins.build, label=_label_task(context, pins))
    return _run_intent(context, pins, config)


def shards_intent(context: JobContext, pins: JobPins) -> JobIntent:
    """Every shard of the run, a pod each; nothing becomes visible."""
    task = ShardTask(label=_label_task(context, pins), shards=pins.shards)
    config = JobConfig(step="shard", owner=_owner(context.resource), access=_access(context, pins), expected_build=pins.build, shard=task)
    at_once = min(pins.shards, context.resource.spec.max_parallelism or pins.shards)
    return _run_intent(context, pins, config, completions=pins.shards, parallelism=at_once)


def commit_intent(context: JobContext, pins: JobPins, *, spent_seconds: float = 0.0) -> JobIntent:
    """Shows the shards in one version; of spec.activeDeadline what they have left is its own."""
    task = CommitTask(label=_label_task(context, pins), shards=pins.shards)
    config = JobConfig(step="commit", owner=_owner(context.resource), access=_access(context, pins), expected_build=pins.build, commit=task)
    return _run_intent(context, pins, config, COMMIT, spent_seconds=spent_seconds)


def run_job_names(context: JobContext, pins: JobPins) -> tuple[str, ...]:
    """Names of the Jobs of a run, the one that commits it last."""
    first = _name(context, pins)
    return (first,) if pins.shards == 1 else (first, _name(context, pins, COMMIT))


def _name(context: JobContext, pins: JobPins, *suffix: str) -> str:
    return run_name(context.resource.metadata.name, pins.run_digest, pins.sequence, *suffix)


def _run_intent(
    context: JobContext, pins: JobPins, config: JobConfig, *suffix: str, completions: int | None = None, parallelism: int = 1, spent_seconds: float = 0.0
) -> JobIntent:
    spec = context.resource.spec
    return JobIntent(
        name=_name(context, pins, *suffix),
        config=config,
        reads=(pins.input.uri, *((pins.gold_data.uri,) if pins.gold_data else ()), pins.model_artifacts, *(one.artifacts for one in pins.inputs)),
        writes=(spec.output.uri,),
        runtime=with_resources(at_pinned_image(context.runtime, pins.image), pins.resources),
        deadline_seconds=max(1, int(seconds(spec.active_deadline) - spent_seconds)) if spec.active_deadline else None,
        secrets=(pins.hash_key,) if pins.hash_key else (),
        completions=completions,
        parallelism=parallelism,
    )


def _access(context: JobContext, pins: JobPins | None = None) -> tuple[Access, ...]:
    """With which Secret each URI of an object store is reached."""
    spec = context.resource.spec
    named = (("spec.output", spec.output), ("spec.input", spec.input), ("spec.goldData", spec.gold_data), home_of(context.model))
    return access_to(*named, more=access_to_inputs(pins.inputs if pins else ()))


def _label_task(context: JobContext, pins: JobPins) -> LabelTask:
    spec = context.resource.spec
    return LabelTask(
        data=pins.input, gold=pins.gold_data, gold_label_column=spec.gold_data.label_column if spec.gold_data else None,
        gold_probability_column=spec.gold_data.inclusion_probability_column if spec.gold_data else None,
        artifacts=pins.model_artifacts, model_name=pins.model.name, model_version=pins.model.version, model_sha256=pins.model.digest,
        output=spec.output.uri, app_id=_app_id(context.resource), sequence=pins.sequence, run_digest=pins.run_digest, run=_name(context, pins), image=pins.image,
        partition_by=spec.output.partition_by, quarantine=spec.quarantined_share, history_limit=pins.history_limit,
    )  # fmt: skip


def _owner(resource: LabelJob) -> Owner:
    return Owner(kind="LabelJob", namespace=resource.metadata.namespace, name=resource.metadata.name)


def _app_id(resource: LabelJob) -> str:
    return app_id(resource.metadata.namespace, resource.metadata.name)
