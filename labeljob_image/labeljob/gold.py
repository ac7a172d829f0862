"""Gold: rows whose true class is known, joined on the id column; it scores labels (M4, M5), and fits them only where `useGold: fit` asks for it."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeljob import privacy
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.io.source import Source
from labeljob.io.typed import ARROW_TYPES, holds
from labeljob.votes import ABSTAIN, IntArray


@dataclass(frozen=True)
class Gold:
    """Known classes.

    Attributes:
        ids: string or int64 [n_gold], unique, no nulls.
        classes: int64 [n_gold], class indices.
    """

    ids: pa.Array
    classes: IntArray

    def match(self, ids: pa.Array) -> IntArray:
        """The known class of each row, int64 [n_rows]; -1 where none is."""
        if not len(self.classes):
            return np.full(len(ids), ABSTAIN, dtype=np.int64)
        index = pc.fill_null(pc.index_in(ids, value_set=self.ids), -1).to_numpy()
        return np.where(index < 0, ABSTAIN, self.classes[index])


    def without(self, ids: pa.Array | None) -> "Gold":
        """The known classes of other rows than these, which a model has learned from."""
        if ids is None:
            return self
        kept = pc.invert(pc.is_in(self.ids, value_set=ids))
        return Gold(self.ids.filter(kept), self.classes[kept.to_numpy(zero_copy_only=False)])


def no_gold(function_set: FunctionSet) -> Gold:
    """Nothing is known."""
    return Gold(pa.array([], ARROW_TYPES[privacy.id_type(function_set)]), np.empty(0, dtype=np.int64))


def read_gold(source: Source, function_set: FunctionSet, label_column: str) -> Gold:
    """Read and check the known classes; rows without a class are ignored.

    Raises:
        JobError: GOLD_INVALID: a column is missing or of a wrong type, a null or duplicate id, a class that is not in the set.
    """
    id_column, id_type = function_set.id_column, privacy.id_type(function_set)
    _check_columns(source, {id_column: id_type, label_column: "string"})
    parts = list(source.batches({id_column: id_type, label_column: "string"}))
    ids = pa.chunked_array([part.batch.column(0) for part in parts], ARROW_TYPES[id_type])
    labels = pa.chunked_array([part.batch.column(1) for part in parts], pa.string())
    known = labels.is_valid()
    ids, labels = ids.filter(known).combine_chunks(), labels.filter(known).combine_chunks()
    unreadable = sum(part.unreadable.get(id_column, 0) for part in parts)
    classes = pc.index_in(labels, value_set=pa.array(function_set.classes))
    _check_values(ids, classes, unreadable, id_column, label_column, function_set)
    return Gold(ids, classes.to_numpy(zero_copy_only=False).astype(np.int64))


def _check_columns(source: Source, wanted: dict[str, str]) -> None:
    stored = source.types()
    for name, kind in wanted.items():
        if name not in stored:
            raise _invalid(f"column {name} is missing: correct spec.goldData")
        found = stored[name]
        if found is not None and not holds(found, kind):  # type: ignore[arg-type]
            raise _invalid(f"column {name} has type {found} and must be {kind}: correct spec.goldData")


def _check_values(ids: pa.Array, classes: pa.Array, unreadable: int, id_column: str, label_column: str, function_set: FunctionSet) -> None:
    repeated = len(ids) - ids.null_count - pc.count_distinct(ids, mode="only_valid").as_py()
    problems = [
        (unreadable, f"values of {id_column} are not of the id's type"),
        (ids.null_count - unreadable, f"rows with a class have no {id_column}"),
        (repeated, f"rows repeat a {id_column}"),
        (classes.null_count, f"values of {label_column} are not one of the classes {', '.join(function_set.classes[:10])}"),
    ]
    found = [f"{count} {what}" for count, what in problems if count > 0]
    if found:
        raise _invalid("; ".join(found) + ": correct the gold data")


def _invalid(why: str) -> JobError:
    return JobError(JobReason.GOLD_INVALID, f"spec.goldData: {why}")
