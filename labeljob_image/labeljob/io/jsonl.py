"""JSON Lines: one object a line, UTF-8. A key that a line leaves out is null."""

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import islice
from typing import Any, BinaryIO

import pyarrow as pa

from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.io import typed
from labeljob.io.content import verified
from labeljob.io.places import Place
from labeljob.io.source import BATCH_ROWS, ReadType, Rows


class JsonLinesSource:
    """One JSON Lines file."""

    def __init__(self, path: Place, uri: str, digest: str | None = None) -> None:
        self._path, self._uri, self._digest = path, uri, digest

    def types(self) -> Mapping[str, pa.DataType | None]:
        return dict.fromkeys(self._names)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        """Every key of every line, in order of appearance."""
        names: dict[str, None] = {}
        with verified(self._path, self._digest, self._uri) as file:
            for line in self._objects(file):
                names.update(dict.fromkeys(line))
        return tuple(names)

    def batches(self, columns: Mapping[str, ReadType], batch_rows: int = BATCH_ROWS) -> Iterator[Rows]:
        with verified(self._path, self._digest, self._uri) as file:
            lines = self._objects(file)
            while part := list(islice(lines, batch_rows)):
                yield typed.rows({name: typed.from_json([line.get(name) for line in part], kind) for name, kind in columns.items()})

    def table(self) -> pa.Table:
        """The whole file, each column in the type its values have."""
        with self._path.open("rb") as file:
            lines = list(self._objects(file))
        try:
            return pa.table({name: pa.array([line.get(name) for line in lines]) for name in self._names})
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            raise JobError(JobReason.SOURCE_UNREADABLE, f"{self._uri}: a key has values of different types: write them alike") from None

    def _objects(self, file: BinaryIO) -> Iterator[dict[str, Any]]:
        for number, line in enumerate(file, start=1):
            if line.isspace():
                continue
            try:
                value = json.loads(line)
            except ValueError:
                value = None
            if not isinstance(value, dict):
                raise JobError(JobReason.SOURCE_UNREADABLE, f"{self._uri}: line {number} is not a JSON object: write one object a line")
            yield value
