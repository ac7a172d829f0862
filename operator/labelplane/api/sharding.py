"""Work in shards: the wish for them, how far they are, and what they took. LabelJobs label in shards, LabelModels fit in them."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from labeljob.contract.base import Wire
from labeljob.contract.config import MOST_SHARDS, Shards

SHARDS_RULE = f"must be auto, or an integer from 1 to {MOST_SHARDS}"


def _known_shards(value: Any) -> Any:
    """One message in place of one for each branch of a union."""
    if value is None or value == "auto" or (isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_SHARDS):
        return value
    raise ValueError(SHARDS_RULE)


def _schema(description: str) -> WithJsonSchema:
    rule = f"type(self) == int ? self >= 1 && self <= {MOST_SHARDS} : self == 'auto'"
    return WithJsonSchema(
        {"x-kubernetes-int-or-string": True, "description": description, "x-kubernetes-validations": [{"rule": rule, "message": SHARDS_RULE}]}
    )


RunShards = Annotated[
    Shards | None,
    BeforeValidator(_known_shards),
    _schema(
        "In how many parts of about equal bytes a run labels the data, each in a pod of its own; one commit shows them together. Fewer where files and their"
        " row groups are fewer; csv, jsonl and ConfigMaps are one. The labels are the same for any number: to change it labels nothing again, and a run under way"
        " keeps its own. When left out: auto, one for each 256 MiB of files."
    ),
]
FitShards = Annotated[
    Shards | None,
    BeforeValidator(_known_shards),
    _schema(
        "In how many parts of about equal bytes a fit reads the data, each in a pod of its own that reduces its votes to statistics; one fit merges them. Fewer"
        " where files and their row groups are fewer; csv, jsonl and ConfigMaps are one. The version is the same for any number: to change it fits nothing again,"
        " and a fit under way keeps its own. When left out: auto, one for each 256 MiB of files."
    ),
]
PodSeconds = Annotated[
    int | None,
    Field(description="Seconds that pods of the run's or fit's Jobs ran, failed attempts among them; of pods that were still there to be read. Absent when unknown."),
]


class RunProgress(Wire):
    """How far a run or a fit in shards is; written at most once in some seconds, and gone when it is over."""

    completed: Annotated[str, Field(description="shardsDone/shards, as kubectl prints it.")]
    shards: int
    shards_done: int
    rows_per_second: Annotated[float | None, Field(description="Rows of the shards that are done, over the seconds since their Job was made; absent when unknown.")] = None
    estimated_finish: Annotated[
        str | None, Field(description="When the last shard is done if the others take as long as those that are done; absent when unknown.")
    ] = None
    updated_at: str
