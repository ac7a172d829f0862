"""What is seen of rows while they are held against the contract: a sample for drift, and what looks like personal data (F4, F5).

Rows are chosen by the hash of their id. Where ids are hashed with a key, it is the hash of that: whoever reads what a shard leaves for the commit could
otherwise tell ids from it by trying them.
"""

from typing import Any

import pyarrow as pa

from labeljob.contract.function_set import FunctionSet
from labeljob.drift.sample import RowSample
from labeljob.io.source import Source
from labeljob.privacy_scan import PrivacyScan
from labeljob.row_ids import keys_of


class Looks:
    """Both, of one dataset or of a part of it."""

    def __init__(self, function_set: FunctionSet) -> None:
        self.sample, self.scan = RowSample(function_set), PrivacyScan(function_set)

    def expect(self, rows: int) -> None:
        """Of a part of a dataset of so many rows no more is looked at than will be kept of them all."""
        self.sample.expect(rows)
        self.scan.expect(rows)

    def add(self, batch: pa.RecordBatch, ids: pa.Array | None) -> None:
        """Rows as they were read, beside their ids as the rest of a job may see them; without ids there is nothing to choose by."""
        if ids is not None and batch.num_rows:
            keys = keys_of(ids)
            self.sample.add(batch, keys)
            self.scan.add(batch, keys)

    def peek(self, source: Source, parts: int = 1) -> None:
        """See `PrivacyScan.peek`."""
        self.scan.peek(source, parts)

    def data(self) -> dict[str, Any]:
        """As JSON data, for another process."""
        return {"sample": self.sample.to_text(), "scan": self.scan.to_text()}

    def add_data(self, function_set: FunctionSet, data: dict[str, Any]) -> None:
        """As if the rows of `data` had been added here."""
        self.sample.merge(RowSample.from_text(function_set, data["sample"]))
        self.scan.merge(PrivacyScan.from_text(function_set, data["scan"]))
