"""A training set: the labels of one version, the columns of exactly the input that they were given for, and features as they were known then (I2, X14, X24).

    version of the output --its commit--> pinned input, model version -> which columns a model may learn from
          |                                    |
          +------------- by id ----------------+--- as of the row's time ---> feature tables, pinned now
What it was made of goes with it, so that it can be made again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable

from labeljob.contract.digests import canonical_json
from labeljob.contract.features import FeaturesRequest, FeatureTable
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.features.as_of import AsOf, PointInTime, UnlikeRecordsError
from labeljob.features.columns import Chosen, choose, refuse_features, refused
from labeljob.features.records import Records, microseconds
from labeljob.hashing import Hasher, hasher_of
from labeljob.io.content import pin_broken
from labeljob.io.datasets import open_pinned
from labeljob.io.delta_commits import CommitRecord, last_record
from labeljob.io.locations import Locations
from labeljob.io.pins import pin
from labeljob.io.places import Place
from labeljob.io.typed import ARROW_TYPES
from labeljob.privacy import withheld
from labeljob.quarantined_rows import GoodRows
from labeljob.resources import Resources
from labeljob.steps.output_rows import output_schema
from labeljob.versions.history import at_version, opened, record_of, still_there
from labeljob.versions.sides import voted

PROVENANCE_KEY = "labelplaneTrainingSet"
NO_FEATURES = ("votes", "levels")  # of the output: what functions said, which a new row has not


@dataclass(frozen=True)
class TrainingSet:
    """Rows in order of id; to be read while it is open.

    Attributes:
        schema: id, the columns of the output but for votes, those of the input, of each table `<table>__known_at` and its features.
        provenance: what it was made of, as JSON data; stands in the metadata of `schema`, too.
    """

    schema: pa.Schema
    provenance: dict[str, Any]
    _joined: PointInTime
    _places: list[int]

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows, each time anew."""
        return self._joined.ordered(self._places, self.schema)

    def reader(self) -> pa.RecordBatchReader:
        """As pandas, Polars, DuckDB and PyArrow take it."""
        return pa.RecordBatchReader.from_batches(self.schema, self.batches())


@dataclass(frozen=True)
class _Labels:
    """One version of the output, and what its functions read."""

    record: CommitRecord
    table: DeltaTable
    function_set: FunctionSet
    schema: pa.Schema
    hasher: Hasher | None


@contextmanager
def training_set(request: FeaturesRequest, locations: Locations, resources: Resources) -> Iterator[TrainingSet]:
    """The rows that `request` asks for, joined; what it takes of memory and of the temporary folder is given back at the end.

    Raises:
        JobError: SOURCE_NOT_FOUND, PIN_BROKEN: a version, the input that it pins or a file is gone; CONFIG_INVALID: a column or table cannot be had, naming the field;
            SCHEMA_BROKEN, SOURCE_UNREADABLE: of a feature table; HASH_KEY_INVALID, HASH_KEY_CHANGED; MODEL_MISMATCH.
    """
    labels = _labels(request, locations)
    columns = choose(request.features, labels.function_set, request.gold_columns, labels.schema.names)
    tables = [_records(place, table, request, columns, labels, locations) for place, table in enumerate(request.features.tables)]
    with PointInTime(resources) as joined:
        input_schema = pa.schema([(column.name, ARROW_TYPES[column.seen_as]) for column in columns.read])
        wanted, found = joined.start(_label_rows(labels, request, locations.path(request.output)), labels.schema, _input_rows(labels, columns, locations), input_schema)
        if wanted != found:
            raise pin_broken(labels.record.commit.data.uri, f"{wanted} rows were labelled, and {found} are found by their id")
        places = {name: len(labels.schema) + place for place, name in enumerate(input_schema.names)}
        matched = [_join(joined, place, records, request, places) for place, records in enumerate(tables)]
        beside = [field for records in tables for field in list(records.schema)[len(records.table.keys) :]]
        first = len(labels.schema) + len(input_schema)  # of the columns of tables
        shown = [*range(len(labels.schema)), *(places[name] for name in columns.shown), *range(first, first + len(beside))]
        provenance = _provenance(request, labels.record, columns, tables, matched, found)
        fields = [*labels.schema, *(input_schema.field(name) for name in columns.shown), *beside]
        yield TrainingSet(pa.schema(fields, metadata={PROVENANCE_KEY: canonical_json(provenance)}), provenance, joined, shown)


def _labels(request: FeaturesRequest, locations: Locations) -> _Labels:
    table = opened(request, locations)
    record = last_record(table, request.app_id) if request.version is None else record_of(table, request, request.version)
    if record is None:
        raise JobError(JobReason.SOURCE_NOT_FOUND, f"{request.output}: no version of LabelJob {request.job} is left in its log: run the LabelJob first")
    function_set, key_id = voted(record.commit, (request.artifacts, *request.other_artifacts), locations)
    kept = pa.schema([field for field in output_schema(function_set) if field.name not in NO_FEATURES])
    then = at_version(locations.path(request.output), request.output, record.commit.version)
    return _Labels(record, then, function_set, kept, hasher_of(function_set.schema_, locations, key_id))


def _label_rows(labels: _Labels, request: FeaturesRequest, place: Place) -> Iterator[pa.RecordBatch]:
    """Those that are covered, unless all are asked for."""
    predicate = None if request.uncovered else "covered = true"  # passes over files that are kept apart by it
    for batch in still_there(_scanned(labels, predicate), place, request.output, [labels.table]):
        yield batch.select(labels.schema.names).cast(labels.schema)


def _scanned(labels: _Labels, predicate: str | None) -> Iterator[pa.RecordBatch]:
    yield from pa.RecordBatchReader.from_stream(labels.table.scan(columns=labels.schema.names, predicate=predicate))


def _input_rows(labels: _Labels, columns: Chosen, locations: Locations) -> Iterator[pa.RecordBatch]:
    """The pinned input as its functions saw it; rows that were set apart because of a value share their id with none."""
    commit = labels.record.commit
    source = open_pinned(commit.data, locations)
    if not source.types():  # JSON Lines without a line have no columns and no rows
        return
    good = source if commit.quarantine is None else GoodRows(source, labels.function_set)
    for part in good.batches({column.name: column.type for column in columns.read}):
        yield withheld(part.batch, labels.function_set, labels.hasher)


def _records(place: int, table: FeatureTable, request: FeaturesRequest, columns: Chosen, labels: _Labels, locations: Locations) -> Records:
    field = f"tables[{place}]"
    refuse_features(table, field, labels.function_set, request.gold_columns)
    return Records(table, field, pin(table.data, locations), [columns.column(name) for name in table.keys], locations, labels.hasher)


def _join(joined: PointInTime, place: int, records: Records, request: FeaturesRequest, places: dict[str, int]) -> int:
    """Rows that a record is found for."""
    how = AsOf(tuple(places[name] for name in records.table.keys), places[str(request.features.time)], microseconds(records.table.max_age))
    try:
        return joined.add(records.batches(), records.schema, how)
    except UnlikeRecordsError as error:
        why = f"{records.table.data.uri} has {error.times} times several records with the same keys and time, and other values: nothing tells which counts: keep one of each"
        raise refused(f"tables[{place}]", why) from None


def _provenance(request: FeaturesRequest, record: CommitRecord, columns: Chosen, tables: list[Records], matched: list[int], rows: int) -> dict[str, Any]:
    commit = record.commit
    return {
        "labelJob": request.job,
        "run": commit.run,
        "output": {"uri": request.output, "version": commit.version, "contentDigest": commit.content_digest},
        "input": commit.data.wire(),
        "model": {"version": commit.model_version, "sha256": commit.model_sha256, "functionSetDigest": commit.function_set_digest},
        "rows": rows,
        "uncovered": request.uncovered,
        "columns": list(columns.shown),
        "leftOut": columns.left_out,
        "time": request.features.time,
        "tables": [records.table.wire() | {"data": records.pin.wire(), "rowsWithRecord": found} for records, found in zip(tables, matched, strict=True)],
    }
