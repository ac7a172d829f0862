"""Labelled rows as the output table has them, written as files and made visible in one commit (C5, O6, DESIGN §3 and §4.3)."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from labeljob.content_digest import ContentDigest
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.io.typed import ARROW_TYPES
from labeljob.labelled import Labelled
from labeljob.privacy import id_type
from labeljob.votes import Votes

COLUMNS = ("label", "confidence", "probabilities", "weight", "covered", "votes", "run")


def output_schema(function_set: FunctionSet) -> pa.Schema:
    """Columns of the output: id, label, confidence, probabilities, weight, covered, votes, run.

    Raises:
        JobError: FUNCTIONS_INVALID when the id column has the name of another output column.
    """
    id_column = function_set.id_column
    if id_column.lower() in COLUMNS:
        message = f"spec.idColumn {id_column} is also a column of the output: rename it in the data"
        raise JobError(JobReason.FUNCTIONS_INVALID, message)
    return pa.schema(
        [
            (id_column, ARROW_TYPES[id_type(function_set)]),
            ("label", pa.string()),
            ("confidence", pa.float64()),
            ("probabilities", pa.struct([(name, pa.float64()) for name in function_set.classes])),
            ("weight", pa.float64()),
            ("covered", pa.bool_()),
            ("votes", pa.list_(pa.int8())),
            ("run", pa.string()),
        ]
    )


def output_rows(ids: pa.Array, votes: Votes, labelled: Labelled, classes: list[str], run: str, schema: pa.Schema) -> pa.RecordBatch:
    """A batch of the output; votes is int8 [n_rows, n_functions]."""
    rows, functions = votes.shape
    labels = pa.array(labelled.labels, mask=labelled.labels < 0)
    offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * functions)
    columns = [
        ids,
        pa.array(classes, pa.string()).take(labels),
        pa.array(labelled.confidence),
        pa.StructArray.from_arrays([pa.array(column) for column in labelled.probabilities.T], names=classes),
        pa.array(labelled.weight),
        pa.array(labelled.covered),
        pa.ListArray.from_arrays(offsets, pa.array(votes.reshape(-1))),
        pa.repeat(pa.scalar(run, pa.string()), rows),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


@dataclass
class Digested:
    """Passes batches through and digests them on the way."""

    batches: Iterable[pa.RecordBatch]
    digest: ContentDigest = field(default_factory=ContentDigest)
    progress: Callable[[int], None] = lambda rows: None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        done = 0
        for batch in self.batches:
            self.digest.update(batch)
            yield batch
            done += batch.num_rows
            self.progress(done)
