"""Rows in order of id, parted into those whose id is theirs alone and those that share it."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


class Repeated:
    """Passes batches on and counts the rows whose id, the first column, the row before has, too."""

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        self._batches, self.count = batches, 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        last = None
        for batch in self._batches:
            ids = batch.column(0)
            self.count += pc.sum(pc.equal(ids.slice(1), ids.slice(0, len(ids) - 1)), min_count=0).as_py() + (ids[0].as_py() == last)
            last = ids[-1].as_py()
            yield batch


class OnceOnly:
    """Passes on the rows whose id, the first column, no other row has; `take` gets the others.

    Attributes:
        rows: that share their id, so far. beyond: those of them but for one of each id.
    """

    def __init__(self, batches: Iterable[pa.RecordBatch], take: Callable[[pa.RecordBatch], None]) -> None:
        self._batches, self._take = batches, take
        self.rows, self.beyond = 0, 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        held: pa.RecordBatch | None = None  # the last row: the next batch may begin with its id
        follows = False  # and so did the row before it
        for batch in self._batches:
            rows = batch if held is None else pa.Table.from_batches([held, batch]).combine_chunks().to_batches()[0]
            last = rows.num_rows - 1
            ids = rows.column(0)
            same = pc.equal(ids.slice(1), ids.slice(0, last)).to_numpy(zero_copy_only=False)
            shared = np.concatenate([[follows], same]) | np.concatenate([same, [False]])
            self.beyond += int(same.sum())
            held, follows = rows.slice(last), bool(shared[last])
            yield from self._parted(rows.slice(0, last), shared[:last])
        if held is not None:
            yield from self._parted(held, np.array([follows]))

    def _parted(self, rows: pa.RecordBatch, shared: np.ndarray) -> Iterator[pa.RecordBatch]:
        if not shared.any():
            yield from [rows] if rows.num_rows else []
            return
        self.rows += int(shared.sum())
        self._take(rows.filter(pa.array(shared)))
        if not shared.all():
            yield rows.filter(pa.array(~shared))
