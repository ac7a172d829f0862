"""A feature table as records: keys as the rows have them, the time since when each is known, features in their types."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from labeljob.contract.columns import Column
from labeljob.contract.datasets import DatasetPin
from labeljob.contract.durations import seconds
from labeljob.contract.features import FeatureTable
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.features.columns import refused
from labeljob.hashing import Hasher
from labeljob.io.datasets import open_pinned
from labeljob.io.locations import Locations
from labeljob.io.source import ROUNDED_UP, ReadType, Source
from labeljob.io.typed import ARROW_TYPES, holds


class Records:
    """The records of one table in one state; `field` names the table in messages."""

    def __init__(self, table: FeatureTable, field: str, pin: DatasetPin, keys: list[Column], locations: Locations, hasher: Hasher | None) -> None:
        self.table, self.pin = table, pin
        self._field, self._keys, self._hasher = field, keys, hasher
        self._source: Source = open_pinned(pin, locations)

    @property
    def schema(self) -> pa.Schema:
        """Of the batches; the keys have no name here."""
        keys = [(f"key{place}", ARROW_TYPES[column.seen_as]) for place, column in enumerate(self._keys)]
        return pa.schema([*keys, (self.table.known_at, ARROW_TYPES["timestamp"]), *((name, ARROW_TYPES[kind]) for name, kind in self.table.columns.items())])

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All records.

        Raises:
            JobError: CONFIG_INVALID, naming the field: a column is not there or has another type; SCHEMA_BROKEN: values that are not of it; PIN_BROKEN, SOURCE_UNREADABLE.
        """
        stored = self._source.types()
        wanted = self._wanted()
        for column, (field, kind) in wanted.items() if stored else ():
            if column not in stored:
                raise refused(field, f"{self.table.data.uri} has no column {column}: correct the name")
            if (found := stored[column]) is not None and not holds(found, kind):
                raise refused(field, f"column {column} of {self.table.data.uri} has type {found}, and is to be {_said(kind)}: correct what is declared, or the data")
        for part in self._source.batches({column: kind for column, (_, kind) in wanted.items()}) if stored else ():
            for column, count in part.unreadable.items():
                raise _unreadable(*wanted[column], column, count, self.table.data.uri)
            yield self._record_batch(part.batch)

    def _wanted(self) -> dict[str, tuple[str, ReadType]]:
        """Columns to be read: where each is asked for, and its type."""
        keys = {name: (f"{self._field}.keys", column.type) for name, column in zip(self.table.keys.values(), self._keys, strict=True)}
        features = {feature.name: (f"{self._field}.features[{place}]", feature.type) for place, feature in enumerate(self.table.features)}
        return {**keys, self.table.time: (f"{self._field}.time", ROUNDED_UP), **features}

    def _record_batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        keys = [self._key(batch.column(name), column) for name, column in zip(self.table.keys.values(), self._keys, strict=True)]
        features = [batch.column(feature.name) for feature in self.table.features]
        return pa.RecordBatch.from_arrays([*keys, self._known(batch.column(self.table.time)), *features], schema=self.schema)

    def _key(self, values: pa.Array, column: Column) -> pa.Array:
        if not column.is_hashed:
            return values
        if self._hasher is None:
            raise ValueError("a key is to be hashed, and there is nothing to hash with")
        return self._hasher.hashed(values)

    def _known(self, times: pa.Array) -> pa.Array:
        delay = microseconds(self.table.delay)
        if not delay:
            return times
        try:
            return pc.add_checked(times, pa.scalar(delay, pa.duration("us")))
        except (pa.ArrowInvalid, OverflowError):
            raise refused(f"{self._field}.delay", "leads beyond the last time that can be told: shorten it, or correct the times") from None


def microseconds(duration: str | None) -> int | None:
    """Of a Go duration, rounded."""
    return None if duration is None else round(seconds(duration) * 1e6)


def _unreadable(field: str, kind: ReadType, column: str, count: int, uri: str) -> JobError:
    return JobError(JobReason.SCHEMA_BROKEN, f"{field}: {count} values of column {column} of {uri} are not {_said(kind)}: correct the data, or the type")


def _said(kind: ReadType) -> str:
    return "timestamp" if kind == ROUNDED_UP else kind
