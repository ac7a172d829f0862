"""Gold: rows whose true class is known, joined on the id column; it scores labels and calibrates them (M4, M5, M8), and teaches the model where asked to."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeljob import privacy
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.hashing import Hasher
from labeljob.io.source import ReadType, Source
from labeljob.io.typed import ARROW_TYPES, holds
from labeljob.votes import ABSTAIN, BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Gold:
    """Known classes.

    Attributes:
        ids: string or int64 [n_gold], unique, no nulls.
        classes: int64 [n_gold], class indices.
        weights: float64 [n_gold], 1 / inclusion probability; 1 for all where none is declared.
    """

    ids: pa.Array
    classes: IntArray
    weights: FloatArray

    def match(self, ids: pa.Array) -> "Matched":
        """What is known of each row."""
        if not len(self.classes):
            return nothing_known(len(ids))
        index = pc.fill_null(pc.index_in(ids, value_set=self.ids), -1).to_numpy()
        return Matched(np.where(index < 0, ABSTAIN, self.classes[index]), np.where(index < 0, 1.0, self.weights[index]))


    def part(self, chosen: BoolArray) -> "Gold":
        """Some of the known classes."""
        return Gold(self.ids.filter(pa.array(chosen)), self.classes[chosen], self.weights[chosen])


@dataclass(frozen=True)
class Matched:
    """Gold of rows.

    Attributes:
        classes: int64 [n_rows], -1 where none is known; weights: float64 [n_rows], 1 where none is.
    """

    classes: IntArray
    weights: FloatArray

    @property
    def known(self) -> BoolArray:
        """Rows whose class is known, bool [n_rows]."""
        return np.asarray(self.classes != ABSTAIN)

    def part(self, chosen: BoolArray) -> "Matched":
        """Some of the rows."""
        return Matched(self.classes[chosen], self.weights[chosen])


def nothing_known(rows: int) -> Matched:
    """No gold for any of so many rows."""
    return Matched(np.full(rows, ABSTAIN, dtype=np.int64), np.ones(rows))


def no_gold(function_set: FunctionSet) -> Gold:
    """Nothing is known."""
    return Gold(pa.array([], ARROW_TYPES[privacy.seen_id_type(function_set)]), np.empty(0, dtype=np.int64), np.empty(0))


def read_gold(source: Source, function_set: FunctionSet, label_column: str, probability_column: str | None = None, hasher: Hasher | None = None) -> Gold:
    """Read and check the known classes; rows without a class are ignored. Gold has ids as the data has them; where those are hashed, so are these.

    Raises:
        JobError: GOLD_INVALID: a column is missing or of a wrong type, a null or duplicate id, a class that is not in the set, an inclusion
            probability that is not above 0 and at most 1.
    """
    id_column, id_type = function_set.id_column, privacy.id_type(function_set)
    wanted: Mapping[str, ReadType] = {id_column: id_type, label_column: "string"} | ({probability_column: "float64"} if probability_column else {})
    check_columns(source, wanted)
    parts = list(source.batches(wanted))
    names = [id_column, label_column, *([probability_column] if probability_column else [])]
    columns = [pa.chunked_array([part.batch.column(name) for part in parts], ARROW_TYPES[wanted[name]]) for name in names]
    known = columns[1].is_valid()
    ids, labels, *drawn = (column.filter(known).combine_chunks() for column in columns)
    unreadable = sum(part.unreadable.get(id_column, 0) for part in parts)
    classes = pc.index_in(labels, value_set=pa.array(function_set.classes))
    _check_values(ids, classes, unreadable, id_column, label_column, function_set)
    weights = weights_of(drawn[0], str(probability_column)) if drawn else np.ones(len(ids))
    return Gold(seen_ids(ids, function_set, hasher), classes.to_numpy(zero_copy_only=False).astype(np.int64), weights)


def seen_ids(ids: pa.Array, function_set: FunctionSet, hasher: Hasher | None) -> pa.Array:
    """Ids as the rest of the job sees them."""
    name = function_set.id_column
    return privacy.withheld(pa.RecordBatch.from_arrays([ids], names=[name]), function_set, hasher).column(name)


def weights_of(probabilities: pa.Array, column: str) -> FloatArray:
    """1 / inclusion probability, float64 [n_gold]. JobError GOLD_INVALID: one is not above 0 and at most 1."""
    p = pc.fill_null(probabilities, 0.0).to_numpy(zero_copy_only=False)
    wrong = int(np.count_nonzero(~((p > 0) & (p <= 1))))
    if wrong:
        raise invalid(f"{wrong} rows with a class have no {column} above 0 and at most 1: correct the gold data")
    return np.asarray(1 / p)


def check_columns(source: Source, wanted: Mapping[str, ReadType], words: Mapping[str, str] | None = None) -> None:
    """JobError GOLD_INVALID: a column is missing, or cannot be of its type; `words` names types to people."""
    stored = source.types()
    for name, kind in wanted.items():
        if name not in stored:
            raise invalid(f"column {name} is missing: correct spec.goldData")
        found = stored[name]
        if found is not None and not holds(found, kind):
            raise invalid(f"column {name} has type {found} and must be {(words or {}).get(kind, kind)}: correct spec.goldData")


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
        raise invalid("; ".join(found) + ": correct the gold data")


def invalid(why: str) -> JobError:
    """The gold data cannot be used."""
    return JobError(JobReason.GOLD_INVALID, f"spec.goldData: {why}")
