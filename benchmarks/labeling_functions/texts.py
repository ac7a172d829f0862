"""Texts to vote on: real mails that ship with an example, in pieces as long as a message."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

MAILS = Path(__file__).parents[2] / "examples/mail-triage/data/mails.parquet"
LENGTH = 80
SIGNS = 6  # that make each piece its own, so that nobody gains from texts that repeat


def mail_pieces(rows: int) -> list[str]:
    """Texts of at most LENGTH characters, no two alike."""
    bodies = [body for body in pq.read_table(MAILS, columns=["body"])["body"].to_pylist() if body]
    pieces = [body[start : start + LENGTH - SIGNS - 1] for body in bodies for start in range(0, len(body), LENGTH - SIGNS - 1)]
    order = np.random.default_rng(0).integers(0, len(pieces), rows)
    return [f"{pieces[piece]} {number:0{SIGNS}x}" for number, piece in enumerate(order)]


def write(texts: list[str], path: Path, row_group: int = 131_072) -> Path:
    """A Parquet file with the columns id and text."""
    table = pa.table({"id": pa.array(range(len(texts)), pa.int64()), "text": pa.array(texts, pa.string())})
    pq.write_table(table, path, compression="zstd", row_group_size=row_group)
    return path
