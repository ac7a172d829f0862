"""The resolve step: find the state of every dataset, the versions of a model, and what stands in the output (C1, DESIGN §4.1)."""

from labeljob.artifacts import ArtifactHome
from labeljob.contract.config import ResolveTask
from labeljob.contract.datasets import DatasetPin
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.inputs import MOST_CHAIN, InputQuery, ModelInput, chain_of
from labeljob.contract.privacy import HashKeyPin
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import Commit, FunctionColumns, ModelVersion, ResolveResult, VersionLine
from labeljob.errors import JobError
from labeljob.io.delta_commits import last_record, open_output
from labeljob.io.parts import SHARD_BYTES
from labeljob.io.pins import pin
from labeljob.io.sizes import bytes_of
from labeljob.labeling_functions.identity import function_set_digest, read_lookups
from labeljob.labeling_functions.python_code import code_digests
from labeljob.steps.context import StepContext

VERSIONS = 10


def run_resolve(task: ResolveTask, context: StepContext) -> ResolveResult:
    """Pins of what is there now. Nothing is written."""
    data = pin(task.data, context.locations)
    stored = bytes_of(data, context.locations)
    versions = _home(task, context).versions() if task.artifacts else []
    current = _current(versions, task.pin)
    digest, hash_key = _set_pins(task.function_set, context)
    return ResolveResult(
        data=data,
        gold=pin(task.gold, context.locations) if task.gold else None,
        function_set_digest=digest,
        hash_key=hash_key,
        versions=[VersionLine(version=v.version, fit_digest=v.fit_digest, fitted_at=v.fitted_at) for v in versions[:VERSIONS]],
        current=current if current is None or not task.inputs else current.model_copy(update={"inputs": []}),  # where it matters the two chains are equal
        current_functions=_functions(task, current, context),
        pin_found=None if task.pin is None else current is not None,
        inputs=_inputs(task, context),
        commit=_last_commit(task, context),
        stored=stored,
        shards=_shards(task, data, stored, context),
    )


def _home(task: ResolveTask, context: StepContext) -> ArtifactHome:
    uri = task.artifacts or ""
    return ArtifactHome(context.locations.path(uri), uri)


def _current(versions: list[ModelVersion], pinned: int | None) -> ModelVersion | None:
    """The pinned version, or the newest."""
    return next((version for version in versions if pinned in (None, version.version)), None)


def _functions(task: ResolveTask, current: ModelVersion | None, context: StepContext) -> FunctionColumns | None:
    if current is None:
        return None
    files = _home(task, context).load(current.version, current.sha256)
    return FunctionColumns.model_validate_json(files["functions.json"])


def _set_pins(function_set: FunctionSet | None, context: StepContext) -> tuple[str | None, HashKeyPin | None]:
    """The identity of the functions, and the key that hashes their columns."""
    if function_set is None:
        return None, None
    hasher, ref = context.hasher(function_set), function_set.schema_.hash_key_ref
    key = HashKeyPin(name=ref.name, key=ref.key, id=hasher.key_id) if hasher is not None and ref is not None else None
    lookups, code = read_lookups(function_set, context.open_table, hasher), code_digests(function_set, context.python.folders)
    return function_set_digest(function_set, lookups, code, key.id if key else None), key


def _inputs(task: ResolveTask, context: StepContext) -> list[ModelInput]:
    """The chain behind the queries: each version as its home has it, and what it was fitted with.

    Raises:
        JobError: INPUT_MISMATCH: there is no such version, or there are too many.
    """
    chain = chain_of([_pinned_input(query, context) for query in task.inputs])
    if len(chain) > MOST_CHAIN:
        message = f"spec.inputs: {len(chain)} model versions stand behind this one, inputs of inputs included, and at most {MOST_CHAIN} may: name fewer"
        raise JobError(JobReason.INPUT_MISMATCH, message)
    return chain


def _pinned_input(query: InputQuery, context: StepContext) -> tuple[ModelInput, list[ModelInput]]:
    versions = ArtifactHome(context.locations.path(query.artifacts), query.artifacts).versions()
    found = _current(versions, query.version)
    if found is None:
        known = ", ".join(str(one.version) for one in versions[:VERSIONS]) or "none"
        message = f"spec.inputs: LabelModel {query.name} has no version {query.version} (there are: {known}): name one of these, or none"
        raise JobError(JobReason.INPUT_MISMATCH, message)
    pin = ModelInput(name=query.name, version=found.version, digest=found.fit_digest, artifacts=query.artifacts, sha256=found.sha256, secret=query.secret)
    return pin, found.inputs


def _shards(task: ResolveTask, data: DatasetPin, stored: int, context: StepContext) -> int | None:
    """What reads data in parts is loaded only where there may be several."""
    if task.shards is None or task.shards == 1:
        return task.shards
    if task.shards == "auto" and stored <= SHARD_BYTES:
        return 1
    from labeljob.io.parted import shards_for

    return shards_for(data, task.shards, context.locations)


def _last_commit(task: ResolveTask, context: StepContext) -> Commit | None:
    if task.output is None or task.app_id is None:
        return None
    table = open_output(context.locations.path(task.output), task.output, task.app_id)
    record = last_record(table, task.app_id) if table is not None else None
    return record.commit if record else None
