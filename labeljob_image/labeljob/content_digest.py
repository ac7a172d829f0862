"""`contentDigest`: SHA-256 of labelled rows sorted by id, the same for any batches and any writer (DESIGN §4.2, X16).

    column -> leaves (struct fields, list items) -> one hash each of validity, lengths and values
    digest  = SHA-256 of (leaf name, type, hash) in order, and the number of rows

`run` is left out: it names the run that labelled the row, not what the row says.
"""

import hashlib
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

LEFT_OUT = ("run",)


class ContentDigest:
    """Takes batches of rows in order of id; the boundaries of batches leave no trace."""

    def __init__(self) -> None:
        self._hashes: dict[str, hashlib._Hash] = {}
        self._rows = 0

    def update(self, batch: pa.RecordBatch) -> None:
        """The next rows."""
        self._rows += batch.num_rows
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if name not in LEFT_OUT:
                for leaf, data in _leaves(name, column):
                    self._hashes.setdefault(leaf, hashlib.sha256()).update(data)

    def hexdigest(self) -> str:
        """64 hex digits; of no rows, the same whatever the columns would have been."""
        lines = [f"rows {self._rows}"]
        if self._rows:
            lines += [f"{leaf} {digest.hexdigest()}" for leaf, digest in sorted(self._hashes.items())]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _leaves(name: str, column: pa.Array) -> Iterator[tuple[str, bytes | memoryview]]:
    """The parts of a column as (name with type, canonical bytes: little-endian, nulls as zero)."""
    kind = column.type
    yield f"{name}:valid", _bytes(column.is_valid(), np.uint8)
    if pa.types.is_struct(kind):
        for field, values in zip(kind, column.flatten(), strict=True):
            yield from _leaves(f"{name}/{field.name}", values)
    elif pa.types.is_list(kind):
        yield f"{name}:lengths", _bytes(pc.fill_null(pc.list_value_length(column), 0), np.int64)
        yield from _leaves(f"{name}/item", column.flatten())
    elif pa.types.is_string(kind):
        yield f"{name}:lengths", _bytes(pc.fill_null(pc.binary_length(column), 0), np.int64)
        yield f"{name}:string", _text(column)
    else:
        dtype = np.dtype(kind.to_pandas_dtype()) if not pa.types.is_boolean(kind) else np.dtype(np.uint8)
        zero = False if pa.types.is_boolean(kind) else pa.scalar(0, kind)
        yield f"{name}:{kind}", _bytes(pc.fill_null(column, zero), dtype)


def _text(column: pa.StringArray) -> bytes | memoryview:
    """All texts one behind the other, in UTF-8."""
    filled = pc.fill_null(column, "")
    _, offsets, data = filled.buffers()
    if data is None:
        return b""
    bounds = np.frombuffer(offsets, dtype=np.int32)[filled.offset : filled.offset + len(filled) + 1]
    return memoryview(data)[bounds[0] : bounds[-1]] if len(filled) else b""


def _bytes(values: pa.Array, dtype: "np.dtype[np.generic] | type[np.generic]") -> bytes:
    numbers = values.to_numpy(zero_copy_only=False)
    return bytes(numbers.astype(np.dtype(dtype).newbyteorder("<"), copy=False).tobytes())
