"""Labelled rows as the output table has them (C5, O6, DESIGN §3)."""

import numpy as np
import pyarrow as pa

from labeljob.contract.function_set import LABELS, FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.io.typed import ARROW_TYPES
from labeljob.label_model.side.soft_votes import Levels
from labeljob.labelled import Labelled
from labeljob.multi_label.labelling import LabelledSets
from labeljob.privacy import seen_id_type
from labeljob.votes import Votes

COLUMNS = ("label", "confidence", "probabilities", "weight", "covered", "votes", "levels", "run")


def output_schema(function_set: FunctionSet) -> pa.Schema:
    """Columns of the output: id, label, confidence, probabilities, weight, covered, votes, levels (of soft votes, if there are any), run.

    A multi-label set has `labels`, a list of class names, in the place of `label`.

    Raises:
        JobError: FUNCTIONS_INVALID when the id column has the name of another output column.
    """
    id_column = function_set.id_column
    if id_column.lower() in (*COLUMNS, *([LABELS] if function_set.is_multi_label else [])):
        message = f"spec.idColumn {id_column} is also a column of the output: rename it in the data"
        raise JobError(JobReason.FUNCTIONS_INVALID, message)
    return pa.schema(
        [
            (id_column, ARROW_TYPES[seen_id_type(function_set)]),
            (LABELS, pa.list_(pa.string())) if function_set.is_multi_label else ("label", pa.string()),
            ("confidence", pa.float64()),
            ("probabilities", pa.struct([(name, pa.float64()) for name in function_set.classes])),
            ("weight", pa.float64()),
            ("covered", pa.bool_()),
            ("votes", pa.list_(pa.int8())),
            *([("levels", pa.list_(pa.int16()))] if any(function.is_soft for function in function_set.enabled_functions) else []),
            ("run", pa.string()),
        ]
    )


def output_rows(
    ids: pa.Array, votes: Votes, levels: Levels | None, labelled: Labelled, classes: list[str], run: str, schema: pa.Schema
) -> pa.RecordBatch:
    """A batch of the output; votes is int8 [n_rows, n_functions], levels int16 [n_rows, n_soft]."""
    labels = pa.array(labelled.labels, mask=labelled.labels < 0)
    return _batch(ids, pa.array(classes, pa.string()).take(labels), votes, levels, labelled, classes, run, schema)


def output_sets(
    ids: pa.Array, votes: Votes, levels: Levels | None, labelled: LabelledSets, classes: list[str], run: str, schema: pa.Schema
) -> pa.RecordBatch:
    """As `output_rows`, of a multi-label set."""
    rows, names = np.nonzero(labelled.labels)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(votes)))]).astype(np.int32)
    mask = pa.array(~labelled.known)
    labels = pa.ListArray.from_arrays(pa.array(offsets), pa.array(classes, pa.string()).take(pa.array(names)), mask=mask)
    return _batch(ids, labels, votes, levels, labelled, classes, run, schema)


def _batch(
    ids: pa.Array, labels: pa.Array, votes: Votes, levels: Levels | None, labelled: Labelled | LabelledSets, classes: list[str], run: str, schema: pa.Schema
) -> pa.RecordBatch:
    columns = [
        ids,
        labels,
        pa.array(labelled.confidence),
        pa.StructArray.from_arrays([pa.array(column) for column in labelled.probabilities.T], names=classes),
        pa.array(labelled.weight),
        pa.array(labelled.covered),
        _lists(votes),
        *([_lists(levels)] if levels is not None else []),
        pa.repeat(pa.scalar(run, pa.string()), len(votes)),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _lists(values: Votes) -> pa.ListArray:
    """Each row as a list."""
    offsets = pa.array(np.arange(len(values) + 1, dtype=np.int32) * values.shape[1])
    return pa.ListArray.from_arrays(offsets, pa.array(values.reshape(-1)))


def said_of(batch: pa.RecordBatch, functions: int) -> tuple[Votes, Levels | None]:
    """(votes int8 [n_rows, n_functions], levels int16 [n_rows, n_soft]) back from rows of the output, at least one."""
    names = batch.schema.names
    votes = batch.column(names.index("votes")).flatten().to_numpy(zero_copy_only=False).reshape(batch.num_rows, functions)
    if "levels" not in names:
        return votes, None
    levels: Levels = batch.column(names.index("levels")).flatten().to_numpy(zero_copy_only=False).reshape(batch.num_rows, -1)
    return votes, levels
