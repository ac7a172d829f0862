"""The pins of a run: what its resolve Job found, its digest, its sequence, and in how many shards it runs."""

from labeljob.contract.digests import digest_of
from labeljob.contract.result import JobResult, ResolveResult
from labelplane.api.label_job import JobPins, ModelPin
from labelplane.api.label_model import FunctionSetPin
from labelplane.api.reasons import ControlReason
from labelplane.errors import Stalled
from labelplane.plan.function_set import functions_of
from labelplane.plan.job_context import JobContext
from labelplane.plan.observed import ObservedJob
from labelplane.plan.references import runtime_of_set
from labelplane.plan.runtime import pinned_image
from labelplane.plan.sizing import sized


def job_pins(context: JobContext, job: ObservedJob, result: JobResult, found: ResolveResult) -> JobPins:
    """The number of shards, of runs whose votes are kept, and what pods ask for are pinned and not part of the run digest: the labels are the same for any.

    Raises:
        Stalled: the model has no such version.
    """
    spec, model, version = context.resource.spec, context.model, found.current
    if version is None or version.version != context.version:
        raise Stalled(ControlReason.MODEL_VERSION_NOT_FOUND, f"spec.modelRef: LabelModel {model.metadata.name} has no version {context.version}: name one that it has")
    image = pinned_image(context.image, job, result.build)
    run: dict[str, object] = {
        "input": [spec.input.uri, found.data.digest],
        "gold": [found.gold.digest, spec.gold_data.label_column, spec.gold_data.inclusion_probability_column] if found.gold and spec.gold_data else None,
        "model": version.sha256,
        "functionSet": version.function_set_digest,
        "output": spec.output.uri,
        "image": image,
        "owner": [context.resource.metadata.namespace, context.resource.metadata.name],
    }
    if spec.quarantined_share is not None:  # only then: the digest of a run that sets nothing apart stays as it was
        run |= {"quarantine": spec.quarantined_share}
    if spec.output.partition_by is not None:
        run |= {"partitionBy": spec.output.partition_by}
    function_set, shards = runtime_of_set(context.observed, model), found.shards or 1
    previous = context.status.pins.sequence if context.status.pins else 0
    return JobPins(
        request=context.request, scope=context.scope, scheduled_for=context.tick, input=found.data, gold_data=found.gold,
        model=ModelPin(name=model.metadata.name, version=version.version, digest=version.sha256),
        model_artifacts=model.spec.artifacts.uri, inputs=version.inputs, hash_key=version.hash_key,
        function_set=FunctionSetPin(name=model.spec.function_set_ref.name, digest=version.function_set_digest),
        image=image, build=result.build, run_digest=digest_of(run),
        sequence=max(previous, found.commit.sequence if found.commit else 0) + 1, shards=shards, history_limit=spec.kept_runs,
        resources=sized(found.stored, shards, functions_of(function_set) if function_set else None),
        started_at=context.now.isoformat(timespec="seconds"),
    )  # fmt: skip
