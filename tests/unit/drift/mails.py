"""Real mails of the example, with the votes of sixty simple rules, for drift to find nothing in."""

from functools import cache
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from labeljob.contract.function_set import FunctionSet
from labeljob.drift.bins import bins_of
from labeljob.drift.reference import Reference, confidence_counts, vote_rates
from labeljob.drift.sample import RowSample
from labeljob.row_ids import keys_of
from tests.unit.job.builders import function_set

FILE = Path(__file__).parents[3] / "examples/mail-triage/data/mails.parquet"
WORDS = "free,money,click,the,linux,list,wrote,http,url,unsubscribe,offer,email,please,perl,report,order,home,save,name,mail,best,day,us,credit,spam,new,test"
COLUMNS = [
    {"name": "id", "type": "string", "nullable": False},
    {"name": "sender", "type": "string", "sensitive": "drop"},
    {"name": "subject", "type": "string"},
    {"name": "list_id", "type": "string"},
    {"name": "link_domain", "type": "string"},
    {"name": "links", "type": "int64"},
    {"name": "html", "type": "boolean"},
    {"name": "exclamations", "type": "int64"},
    {"name": "capitals_share", "type": "float64"},
    {"name": "teacher_spam", "type": "float64"},
    {"name": "received_at", "type": "timestamp"},
]
SET: FunctionSet = function_set(COLUMNS)
CLASSES = list(SET.classes)


@cache
def mails() -> tuple[pa.Table, np.ndarray]:
    """(mails, votes int8 [n, 54]): a word in the body says risky, one in the subject normal."""
    rows = pq.read_table(FILE).rename_columns({"mail_id": "id"})
    words = WORDS.split(",")
    hits = [f"contains(lower(coalesce({column}, '')), '{word}')" for column in ("body", "subject") for word in words]
    found = duckdb.sql(f"SELECT {', '.join(hits)} FROM rows").fetchnumpy()
    hit = np.column_stack(list(found.values()))
    return rows, np.where(hit, (np.arange(hit.shape[1]) < len(words)).astype(np.int8), np.int8(-1))


def sample_of(rows: pa.Table) -> RowSample:
    sample = RowSample(SET)
    for batch in rows.combine_chunks().to_batches():
        sample.add(batch, keys_of(batch.column("id")))
    return sample


def figures(rows: pa.Table, votes: np.ndarray, names: list[str], sample: RowSample | None = None) -> Reference:
    """Of the rows; labels by majority, the teacher's opinion for confidence."""
    counts = np.stack([(votes == k).sum(axis=0) for k in range(2)], axis=1)
    lead = (votes == 1).sum(axis=1) - (votes == 0).sum(axis=1)
    labels = lead[lead != 0] > 0
    confidence = np.nan_to_num(rows.column("teacher_spam").to_numpy().astype(float))
    return Reference(
        rows=len(votes),
        vote_rates=vote_rates(counts, len(votes), names, CLASSES),
        label_distribution={"normal": float(1 - labels.mean()), "risky": float(labels.mean())},
        labelled=len(labels),
        confidences=confidence_counts(confidence, np.ones(len(votes), dtype=bool), np.ones(len(votes), dtype=np.int64)).tolist(),
        columns=bins_of(sample) if sample else {},
    )
