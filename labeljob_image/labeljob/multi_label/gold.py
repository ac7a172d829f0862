"""Gold of a multi-label set: rows of which all classes are known, whether they have them or not (M4, M5, M8).

The label column holds a list of class names, or one text with names separated by `|`. An empty list (in CSV a lone `|`) is a row that has none
of the classes; a null is a row of which nothing is known.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeljob import privacy
from labeljob.contract.datasets import DatasetPin
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.gold import check_columns, invalid, seen_ids, weights_of
from labeljob.hashing import Hasher, hasher_of
from labeljob.io.datasets import open_pinned
from labeljob.io.locations import Locations
from labeljob.io.source import NAMES, ReadType, Source
from labeljob.io.typed import ARROW_TYPES, SEPARATOR
from labeljob.votes import BoolArray, FloatArray


@dataclass(frozen=True)
class MatchedSets:
    """Gold of rows.

    Attributes:
        known: bool [n_rows]. labels: bool [n_rows, n_classes], False where nothing is known. weights: float64 [n_rows], 1 where nothing is known.
    """

    known: BoolArray
    labels: BoolArray
    weights: FloatArray

    def part(self, chosen: BoolArray) -> "MatchedSets":
        """Some of the rows."""
        return MatchedSets(self.known[chosen], self.labels[chosen], self.weights[chosen])


@dataclass(frozen=True)
class SetGold:
    """Known label sets.

    Attributes:
        ids: string or int64 [n_gold], unique, no nulls. labels: bool [n_gold, n_classes]. weights: float64 [n_gold], 1 / inclusion probability.
    """

    ids: pa.Array
    labels: BoolArray
    weights: FloatArray

    def match(self, ids: pa.Array) -> MatchedSets:
        """What is known of each row."""
        classes = self.labels.shape[1]
        if not len(self.labels):
            return MatchedSets(np.zeros(len(ids), dtype=bool), np.zeros((len(ids), classes), dtype=bool), np.ones(len(ids)))
        index = pc.fill_null(pc.index_in(ids, value_set=self.ids), -1).to_numpy()
        known = index >= 0
        return MatchedSets(known, self.labels[index] & known[:, None], np.where(known, self.weights[index], 1.0))


def set_gold_of(
    pin: DatasetPin | None,
    label_column: str | None,
    probability_column: str | None,
    function_set: FunctionSet,
    locations: Locations,
    key_id: str | None = None,
) -> SetGold:
    """The known label sets of a task, none when it has no gold; key_id: of the key that ids are hashed with, where one is pinned."""
    if pin is None:
        return SetGold(pa.array([], ARROW_TYPES[privacy.seen_id_type(function_set)]), np.empty((0, len(function_set.classes)), dtype=bool), np.empty(0))
    if label_column is None:
        raise JobError(JobReason.CONFIG_INVALID, "the job's configuration has gold without a label column")
    hasher = hasher_of(function_set.schema_, locations, key_id)
    return read_set_gold(open_pinned(pin, locations), function_set, label_column, probability_column, hasher)


def read_set_gold(source: Source, function_set: FunctionSet, label_column: str, probability_column: str | None = None, hasher: Hasher | None = None) -> SetGold:
    """Read and check the known label sets; rows with a null are ignored. Ids are hashed where those of the data are.

    Raises:
        JobError: GOLD_INVALID: a column is missing or of a wrong type, a null or duplicate id, a name that is no class, an inclusion probability
            that is not above 0 and at most 1.
    """
    id_column, id_type = function_set.id_column, privacy.id_type(function_set)
    wanted: dict[str, ReadType] = {id_column: id_type, label_column: NAMES} | ({probability_column: "float64"} if probability_column else {})
    check_columns(source, wanted, {NAMES: f"a list of class names, or a text of names separated by {SEPARATOR}"})
    parts = list(source.batches(wanted))
    columns = [pa.chunked_array([part.batch.column(name) for part in parts], ARROW_TYPES[kind]) for name, kind in wanted.items()]
    known = columns[1].is_valid()
    ids, named, *drawn = (column.filter(known).combine_chunks() for column in columns)
    unreadable = {name: sum(part.unreadable.get(name, 0) for part in parts) for name in (id_column, label_column)}
    rows, index = pc.list_parent_indices(named), pc.index_in(named.flatten(), value_set=pa.array(function_set.classes))
    _check_values(ids, index, unreadable, id_column, label_column, function_set)
    labels = np.zeros((len(ids), len(function_set.classes)), dtype=bool)
    labels[rows.to_numpy(zero_copy_only=False), index.to_numpy(zero_copy_only=False)] = True
    return SetGold(seen_ids(ids, function_set, hasher), labels, weights_of(drawn[0], str(probability_column)) if drawn else np.ones(len(ids)))


def _check_values(ids: pa.Array, index: pa.Array, unreadable: dict[str, int], id_column: str, label_column: str, function_set: FunctionSet) -> None:
    repeated = len(ids) - ids.null_count - pc.count_distinct(ids, mode="only_valid").as_py()
    classes = ", ".join(function_set.classes[:10])
    problems = [
        (unreadable[id_column], f"values of {id_column} are not of the id's type"),
        (unreadable[label_column], f"values of {label_column} are neither a list of texts nor a text"),
        (ids.null_count - unreadable[id_column], f"rows with labels have no {id_column}"),
        (repeated, f"rows repeat a {id_column}"),
        (index.null_count, f"names in {label_column} are not one of the classes {classes} (names in one text are separated by {SEPARATOR})"),
    ]
    found = [f"{count} {what}" for count, what in problems if count > 0]
    if found:
        raise invalid("; ".join(found) + ": correct the gold data")
