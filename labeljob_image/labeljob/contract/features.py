"""A training set: labels beside the features of their rows as they were known at the row's time (I2, X14, X24). The file of `labelplane features`."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from labeljob.contract.base import Wire
from labeljob.contract.columns import ColumnName, ColumnType
from labeljob.contract.config import Access, Mount
from labeljob.contract.datasets import Dataset
from labeljob.contract.durations import Duration

TABLE_PATTERN = r"^[A-Za-z][A-Za-z0-9_]{0,62}$"
KNOWN_AT = "known_at"
MOST_TABLES = 32


class Feature(Wire):
    """A column of a feature table that goes into the training set, as `<table>__<name>`."""

    name: ColumnName
    type: Annotated[ColumnType, Field(description="The type of its values, as in spec.schema.columns.")]


class FeatureTable(Wire):
    """Records of things that rows name, each with the time since when it was known."""

    name: Annotated[str, Field(pattern=TABLE_PATTERN, description="Begins the names of its columns in the training set.")]
    data: Dataset
    keys: Annotated[dict[ColumnName, ColumnName], Field(min_length=1, max_length=8, description="Column of the rows: column of the table. They match when all are equal.")]
    time: Annotated[ColumnName, Field(description="Column that says since when a record was known: a time, or a day, which is its first instant in UTC.")]
    delay: Annotated[Duration | None, Field(description="How long after its time a record is known. When left out: 0s.")] = None
    max_age: Annotated[Duration | None, Field(description="How long after it is known a record counts, to the end. When left out: for ever.")] = None
    features: Annotated[list[Feature], Field(min_length=1, max_length=500)]

    @property
    def columns(self) -> dict[str, ColumnType]:
        """Names in the training set, with their types."""
        return {f"{self.name}__{feature.name}": feature.type for feature in self.features}

    @property
    def known_at(self) -> str:
        """Name in the training set of the time since when the record was known."""
        return f"{self.name}__{KNOWN_AT}"

    @model_validator(mode="after")
    def _columns_are_read_once(self) -> "FeatureTable":
        names = [feature.name for feature in self.features]
        for place, name in enumerate(names):
            if name in names[:place]:
                raise ValueError(f"features[{place}].name {name!r} stands there twice: keep one")
            if name in (self.time, KNOWN_AT):
                raise ValueError(f"features[{place}].name {name!r} is what {self.known_at} says already: remove it, or rename the column in the data")
            if name in self.keys.values():
                raise ValueError(f"features[{place}].name {name!r} is a key, which the rows have: remove it")
        if self.time in self.keys.values():
            raise ValueError(f"time {self.time!r} is a key, too: a record counts from its time on, name another key")
        return self


class Features(Wire):
    """What a training set takes beside the labels."""

    columns: Annotated[
        list[ColumnName] | None, Field(max_length=500, description="Columns of the input. When left out: all that are declared, but those that no model may learn from.")
    ] = None
    time: Annotated[ColumnName | None, Field(description="The timestamp column of the input at which a row is to be predicted: what became known later is not joined.")] = None
    tables: Annotated[list[FeatureTable], Field(max_length=MOST_TABLES)] = []

    @model_validator(mode="after")
    def _is_whole(self) -> "Features":
        if self.tables and self.time is None:
            raise ValueError("time is required beside tables: name the column of the input that says when a row is to be predicted")
        names = [table.name.lower() for table in self.tables]
        for place, name in enumerate(names):
            if name in names[:place]:
                raise ValueError(f"tables[{place}].name {name!r} stands there twice: rename one")
        return self


class FeaturesRequest(Wire):
    """A training set of one version of an output, and where it goes."""

    job: str  # name of the LabelJob, as shown
    mounts: tuple[Mount, ...] = ()
    access: tuple[Access, ...] = ()
    output: str
    app_id: str
    artifacts: str  # home of the model's versions
    other_artifacts: tuple[str, ...] = ()  # homes of other models, which earlier runs may have labelled with
    version: int | None = None  # of the output; absent: the newest that the LabelJob made
    gold_columns: tuple[str, ...] = ()  # columns that hold known classes, wherever they stand
    uncovered: bool = False  # rows on which no function votes, too
    features: Features = Features()
    target: str | None = None  # a URI; absent in the library, which reads on
    format: Literal["parquet", "delta"] = "parquet"
