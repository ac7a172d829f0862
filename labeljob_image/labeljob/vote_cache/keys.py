"""What votes depend on, as digests: a function's, and that of a piece of the data under a contract. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from labeljob.contract.digests import digest_of
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.functions import LabelingFunction
from labeljob.labeling_functions.identity import lookup_digest
from labeljob.model_artifact import VotingSet

FORMAT = 1
CHARACTERS = 32
BESIDE: Any = {
    "name": True, "owner": True, "description": True, "docs": True, "enabled": True,
    "fallback": True, "accuracy": True, "abstain": True,  # of the label model, which sees votes
    "lookup": {"table": True}, "python": {"timeout_seconds": True},  # a table's content counts; a call that takes too long is an error, and errors are not kept
}  # fmt: skip


def function_keys(voting: VotingSet) -> tuple[str, ...]:
    """Of each enabled function, a digest of all that its votes depend on beside the data, its contract and this build: none of its name."""
    return tuple(_function_key(function, voting) for function in voting.function_set.enabled_functions)


def _function_key(function: LabelingFunction, voting: VotingSet) -> str:
    declared = voting.function_set
    said: dict[str, object] = {
        "function": function.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=BESIDE),
        "classes": list(declared.classes),
        "multiLabel": declared.is_multi_label,
    }
    if function.lookup is not None:
        said["table"] = lookup_digest(voting.lookups[function.name])
    if function.python is not None:
        said["code"] = voting.code[function.name]
    return digest_of(said)[:CHARACTERS]


def contract_key(declared: FunctionSet, stored: Mapping[str, pa.DataType | None], key_id: str | None, code: Sequence[str]) -> str:
    """Digest of all that the reading and checking of a row depends on: the contract, the stored types of its columns, the key that hashes some, and the code,
    which is the job's build and its image, whose libraries `python` functions use."""
    types = {column.name: str(stored[column.name]) for column in declared.schema_.columns if column.name in stored}
    return digest_of([FORMAT, declared.schema_.wire(), declared.id_column, types, key_id, list(code)])


def unit_key(contract: str, identity: object) -> str:
    """Of a piece of the data that `identity`, JSON data, tells from any other content."""
    return digest_of([contract, identity])[:CHARACTERS]


def only(voting: VotingSet, places: Sequence[int]) -> VotingSet:
    """The set with these of its enabled functions alone. What a fallback says is not masked then, so none is one."""
    enabled = voting.function_set.enabled_functions
    chosen = [enabled[place].model_copy(update={"fallback": None, "accuracy": None}) for place in places]
    return replace(voting, function_set=voting.function_set.model_copy(update={"functions": chosen}))
