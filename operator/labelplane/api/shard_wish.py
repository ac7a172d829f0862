"""`spec.shards` of a LabelJob: auto, or how many."""

from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from labeljob.contract.config import MOST_SHARDS, Shards

SHARDS_RULE = f"must be auto, or an integer from 1 to {MOST_SHARDS}"


def _known_shards(value: Any) -> Any:
    """One message in place of one for each branch of a union."""
    if value is None or value == "auto" or (isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_SHARDS):
        return value
    raise ValueError(SHARDS_RULE)


ShardWish = Annotated[
    Shards | None,
    BeforeValidator(_known_shards),
    WithJsonSchema(
        {
            "x-kubernetes-int-or-string": True,
            "description": "In how many parts of about equal bytes a run labels the data, each in a pod of its own; one commit shows them together. Fewer where files and their"
            " row groups are fewer; csv, jsonl and ConfigMaps are one. The labels are the same for any number: to change it labels nothing again, and a run under way"
            " keeps its own. When left out: auto, one for each 256 MiB of files.",
            "x-kubernetes-validations": [
                {"rule": f"type(self) == int ? self >= 1 && self <= {MOST_SHARDS} : self == 'auto'", "message": SHARDS_RULE},
            ],
        }
    ),
]
