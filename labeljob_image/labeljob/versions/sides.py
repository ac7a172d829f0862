"""The two versions that are compared: what voted in them, and whether their rows can be found in one another."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from deltalake import DeltaTable

from labeljob.artifacts import ArtifactHome
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.contract.result import Commit
from labeljob.contract.versions import VersionsRequest
from labeljob.errors import JobError
from labeljob.io.delta_commits import CommitRecord
from labeljob.io.locations import Locations
from labeljob.model_artifact import voted_set
from labeljob.privacy import id_type
from labeljob.versions.history import at_version, record_of


@dataclass(frozen=True)
class Side:
    """One version. `function_set`: all that voted, input models among it; `key_id`: of the key that columns were hashed with."""

    version: int
    record: CommitRecord
    table: DeltaTable
    function_set: FunctionSet
    key_id: str | None

    @cached_property
    def functions(self) -> list[str]:
        """Names in the order of votes."""
        return [function.name for function in self.function_set.enabled_functions]

    @property
    def hashes_ids(self) -> bool:
        return self.function_set.id_column in self.function_set.schema_.hashed


def sides_of(table: DeltaTable, request: VersionsRequest, versions: Sequence[int], locations: Locations) -> list[Side]:
    """Each of the versions. JobError SOURCE_NOT_FOUND, MODEL_MISMATCH, PIN_BROKEN."""
    return [_side(table, request, version, locations) for version in versions]


def _side(table: DeltaTable, request: VersionsRequest, version: int, locations: Locations) -> Side:
    record = record_of(table, request, version)
    function_set, key_id = voted(record.commit, (request.artifacts, *request.other_artifacts), locations)
    return Side(version, record, at_version(locations.path(request.output), request.output, version), function_set, key_id)


def voted(commit: Commit, homes: Sequence[str], locations: Locations) -> tuple[FunctionSet, str | None]:
    """`voted_set` of a commit's model version, from whichever home has it: the LabelJob may have named another LabelModel then. Its digest says that it is the one."""
    missing = None
    for uri in homes:
        try:
            return voted_set(ArtifactHome(locations.path(uri), uri).load(commit.model_version, commit.model_sha256), uri)
        except JobError as error:
            missing = missing or error
    assert missing is not None  # noqa: S101 there is a home
    raise missing


def require_same_ids(before: Side, after: Side, uri: str) -> None:
    """Ids of another type, or hashes of another key, find no row of the other version, though it may be there.

    Raises:
        JobError: SCHEMA_BROKEN, HASH_KEY_CHANGED.
    """
    if (id_type(before.function_set), before.hashes_ids) != (id_type(after.function_set), after.hashes_ids):
        what = f"ids of version {before.version} are {_kind(before)}, those of version {after.version} {_kind(after)}, so that none finds its row"
        field = f"spec.schema.columns[{after.function_set.id_column}] of the LabelingFunctionSet"
        raise JobError(JobReason.SCHEMA_BROKEN, f"{uri}: {field}: {what}: compare versions whose ids are alike")
    if after.hashes_ids and before.key_id != after.key_id:
        keys = f"ids of version {before.version} are hashed with key {before.key_id}, those of version {after.version} with key {after.key_id}"
        field = "spec.schema.hashKeyRef of the LabelingFunctionSet"
        raise JobError(JobReason.HASH_KEY_CHANGED, f"{uri}: {field}: {keys}, so that none finds its row: compare versions of one key")


def _kind(side: Side) -> str:
    kind = id_type(side.function_set)
    return f"hashes of {kind}" if side.hashes_ids else kind
