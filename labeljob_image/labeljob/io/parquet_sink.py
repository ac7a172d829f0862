"""A Parquet file while it is written: flushed to the disk, or uploaded in parts as it grows."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from labeljob.io.durable import flush
from labeljob.io.object_path import ObjectPath
from labeljob.io.places import Place

PART_BYTES = 8 << 20
PARTS_AT_ONCE = 3  # in memory, beside the one that grows


class ParquetSink:
    """Takes batches, each a row group at least; nobody should look at the file before it is finished. `options` of pyarrow.parquet.ParquetWriter."""

    def __init__(self, place: Place, schema: pa.Schema, **options: Any) -> None:
        self.place = place
        self._upload = Upload(place) if isinstance(place, ObjectPath) else None
        self._writer = pq.ParquetWriter(self._upload or str(place), schema, compression="zstd", **options)

    def write(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch)

    def finish(self) -> int:
        """The file is kept when this returns; its size in bytes."""
        self._writer.close()
        if self._upload is not None:
            return self._upload.finish()
        path = Path(str(self.place))
        flush(path)
        return path.stat().st_size

    def abandon(self) -> None:
        """Close a file that will be removed; a full volume makes that fail too. An upload that is not finished leaves no object."""
        if self._upload is not None:
            self._upload.drop()
        with suppress(OSError, pa.ArrowException):
            self._writer.close()


class Upload:
    """A file to be written to, in order, that becomes an object when it is finished."""

    closed = False
    _dropped = False

    def __init__(self, path: ObjectPath) -> None:
        import obstore

        self._path, self._size = path, 0
        self._file: Any = obstore.open_writer(path.store.client, path.key, buffer_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE)

    def write(self, content: Any) -> int:
        if not self._dropped:
            with self._path.store.translated():
                self._file.write(content)
        self._size += len(content)
        return len(content)

    def tell(self) -> int:
        return self._size

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        """Parts are sent as they are full."""

    def close(self) -> None:
        """Whoever writes may say so when it has written all; the object is made by `finish`."""

    def drop(self) -> None:
        """Whatever comes now is not sent."""
        self._dropped = True

    def finish(self) -> int:
        """The object is there when this returns; its size in bytes."""
        with self._path.store.translated():
            self._file.close()
        return self._size
