"""The Jobs of a LabelModel: resolve pins the data; a fit Job, or shards and a fit Job that merges them, make a version.

    fit in one pod     <name…>-fit-<digest10>-<version>          step fit
    fit in n shards    <name…>-fit-<digest10>-<version>-shards   step fit-shard, an Indexed Job of n pods
                       <name…>-fit-<digest10>-<version>          step fit, which reads what they left in place of the data
"""

from collections.abc import Sequence

from labeljob.contract.config import Access, FitTask, JobConfig, Owner, ResolveTask
from labeljob.contract.digests import digest_of
from labeljob.contract.inputs import InputQuery, ModelInput
from labelplane.api.label_model import LabelModel, ModelPins
from labelplane.api.names import child_name
from labelplane.plan.access import access_to, access_to_inputs, access_to_lookups
from labelplane.plan.actions import JobIntent
from labelplane.plan.function_set import functions_of
from labelplane.plan.model_context import ModelContext
from labelplane.plan.privacy import secrets_of
from labelplane.plan.runtime import at_pinned_image
from labelplane.plan.sizing import LOOKING, with_resources
from labelplane.plan.sources import lookup_uris

SHARDS = "shards"


def resolve_intent(context: ModelContext) -> JobIntent:
    """Pins the data, reads the versions that stand, and says in how many shards to fit."""
    spec, functions = context.resource.spec, functions_of(context.function_set)
    queries = tuple(one.query for one in context.inputs)
    task = ResolveTask(
        function_set=functions, data=spec.training_data, gold=spec.gold_data, artifacts=spec.artifacts.uri, pin=spec.pin, inputs=queries,
        shards=spec.shards or "auto",
    )  # fmt: skip
    gold = (spec.gold_data.uri,) if spec.gold_data else ()
    return JobIntent(
        name=child_name(context.resource.metadata.name, "resolve", context.request[:10]),
        config=JobConfig(step="resolve", owner=_owner(context.resource), access=_access(context, queries), resolve=task),
        reads=(spec.training_data.uri, *gold, spec.artifacts.uri, *(one.artifacts for one in queries), *lookup_uris(functions)),
        writes=(),
        runtime=with_resources(context.runtime, LOOKING),
        secrets=secrets_of(functions),
    )


def fit_intent(context: ModelContext, pins: ModelPins) -> JobIntent:
    """The whole fit in one pod, or the end of one in shards."""
    config = JobConfig(step="fit", owner=_owner(context.resource), access=_access(context, pins.inputs), expected_build=pins.build, fit=_fit_task(context, pins))
    return _fit_intent(context, pins, config)


def shards_intent(context: ModelContext, pins: ModelPins) -> JobIntent:
    """Every shard of the fit, a pod each; no version becomes of it yet."""
    config = JobConfig(
        step="fit-shard", owner=_owner(context.resource), access=_access(context, pins.inputs), expected_build=pins.build, fit_shard=_fit_task(context, pins)
    )
    at_once = min(pins.shards, context.resource.spec.max_parallelism or pins.shards)
    return _fit_intent(context, pins, config, SHARDS, completions=pins.shards, parallelism=at_once)


def fit_job_names(context: ModelContext, pins: ModelPins) -> tuple[str, ...]:
    """Names of the Jobs of a fit, the one that makes the version last."""
    return (_name(context, pins),) if pins.shards == 1 else (_name(context, pins, SHARDS), _name(context, pins))


def _name(context: ModelContext, pins: ModelPins, *suffix: str) -> str:
    attempt = digest_of([pins.request, pins.fit_digest])
    return child_name(context.resource.metadata.name, "fit", attempt[:10], str(pins.version), *suffix)


def _fit_intent(context: ModelContext, pins: ModelPins, config: JobConfig, *suffix: str, completions: int | None = None, parallelism: int = 1) -> JobIntent:
    spec, functions = context.resource.spec, functions_of(context.function_set)
    return JobIntent(
        name=_name(context, pins, *suffix),
        config=config,
        reads=(
            spec.training_data.uri,
            *((spec.gold_data.uri,) if spec.gold_data else ()),
            *(one.artifacts for one in pins.inputs),
            *lookup_uris(functions),
        ),
        writes=(spec.artifacts.uri,),
        runtime=with_resources(at_pinned_image(context.runtime, pins.image), pins.resources),
        secrets=secrets_of(functions),
        completions=completions,
        parallelism=parallelism,
    )


def _fit_task(context: ModelContext, pins: ModelPins) -> FitTask:
    spec, gold = context.resource.spec, context.resource.spec.gold_data
    return FitTask(
        function_set=functions_of(context.function_set), function_set_digest=pins.function_set_digest, data=pins.training_data, gold=pins.gold_data,
        gold_label_column=gold.label_column if gold else None, gold_probability_column=gold.inclusion_probability_column if gold else None,
        hash_key=pins.hash_key, inputs=pins.inputs, algorithm=spec.algorithm or "auto", parameters=parameters_of(context.resource), start=pins.start,
        calibration=spec.calibration or "auto",
        artifacts=spec.artifacts.uri, version=pins.version, fit_digest=pins.fit_digest, image=pins.image, shards=None if pins.shards == 1 else pins.shards,
    )  # fmt: skip


def parameters_of(resource: LabelModel) -> dict[str, object]:
    """Settings of the fit, those that are left out, too."""
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
