"""What the end-to-end run is held against, written by hand: DuckDB votes and sorts, NumPy predicts, PyArrow writes.

`python -m benchmarks.labeling_functions.by_hand DATA MODEL OUTPUT`: rows by ascending id with label, confidence, probabilities, weight, covered and votes, as the
output of a LabelJob has them; nothing is checked, counted, digested or committed. MODEL is JSON: log_balance [K], log_confusion [m][1 + K][K]
(row 0: abstain).
"""

import json
import sys
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.labeling_functions.rules import CLASSES, TEN, TWO_MORE

BATCH = 65_536
RULES = (*TEN, *TWO_MORE)


def run(data: Path, model: Path, output: Path, threads: int = 2, memory: str = "256MiB") -> None:
    """Label the rows of `data`."""
    fitted = json.loads(model.read_text())
    log_balance, log_confusion = np.array(fitted["log_balance"]), np.array(fitted["log_confusion"])
    connection = duckdb.connect(config={"threads": threads, "memory_limit": memory, "temp_directory": str(output.parent / "temporary")})
    votes = ", ".join(f"{rule.sql(contains=True)} AS v{number}" for number, rule in enumerate(RULES))
    reader = connection.sql(f"SELECT id, {votes} FROM '{data}' ORDER BY id").to_arrow_reader(BATCH)  # noqa: S608 rules of our own
    writer: pq.ParquetWriter | None = None
    for batch in reader:
        labelled = predict(batch, log_balance, log_confusion)
        writer = writer or pq.ParquetWriter(output, labelled.schema, compression="zstd")
        writer.write_batch(labelled)
    if writer:
        writer.close()


def predict(batch: pa.RecordBatch, log_balance: np.ndarray, log_confusion: np.ndarray) -> pa.RecordBatch:
    """Naive Bayes over the votes of each row."""
    votes = np.column_stack([batch.column(f"v{number}").to_numpy() for number in range(len(RULES))])
    log_joint = np.tile(log_balance, (len(votes), 1))
    for number, table in enumerate(log_confusion):
        log_joint += table[votes[:, number] + 1]
    joint = np.exp(log_joint - log_joint.max(axis=1, keepdims=True))
    probabilities = joint / joint.sum(axis=1, keepdims=True)
    covered = (votes >= 0).any(axis=1)
    confidence = probabilities.max(axis=1)
    labels = pa.array(CLASSES).take(pa.array(probabilities.argmax(axis=1), mask=~covered))
    offsets = pa.array(np.arange(len(votes) + 1, dtype=np.int32) * votes.shape[1])
    columns = {
        "id": batch.column("id"),
        "label": labels,
        "confidence": confidence,
        "probabilities": pa.StructArray.from_arrays([pa.array(column) for column in probabilities.T], names=CLASSES),
        "weight": np.where(covered, confidence, 0.0),
        "covered": covered,
        "votes": pa.ListArray.from_arrays(offsets, pa.array(votes.reshape(-1))),
    }
    return pa.RecordBatch.from_arrays([pa.array(values) if isinstance(values, np.ndarray) else values for values in columns.values()], names=list(columns))


if __name__ == "__main__":
    run(*(Path(argument) for argument in sys.argv[1:4]))
