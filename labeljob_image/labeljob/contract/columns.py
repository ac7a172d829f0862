"""The contract with the data: which columns, of which type, within which bounds."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from labeljob.contract.base import Wire
from labeljob.contract.privacy import SecretKeyRef

ColumnName = Annotated[str, Field(min_length=1, max_length=253, description="A column of the data.")]
ColumnType = Literal["string", "int64", "float64", "boolean", "timestamp"]
HASHABLE: tuple[ColumnType, ...] = ("string", "int64")


class Column(Wire):
    """One declared column."""

    name: ColumnName
    type: Annotated[ColumnType, Field(description="The type of its values; a narrower type in the file is widened when nothing is lost.")]
    nullable: Annotated[bool | None, Field(description="Whether nulls are allowed. When left out: true.")] = None
    minimum: Annotated[float | None, Field(description="Smallest value allowed (int64 and float64 columns).")] = None
    maximum: Annotated[float | None, Field(description="Largest value allowed (int64 and float64 columns).")] = None
    sensitive: Annotated[
        Literal["drop", "hash", "none"] | None,
        Field(
            description="drop: the column is not read, and reaches no labeling function, log, Event or output."
            " hash: a string or int64 column whose values are replaced, while reading, by their HMAC-SHA-256 with the key of hashKeyRef;"
            " lookup functions may use it, and it may be the id column."
            " none: it is known to be fit for all to see, so that the scan for personal data passes over it."
            " When left out: the column is read as it is, and scanned."
        ),
    ] = None
    availability: Annotated[
        Literal["later"] | None,
        Field(description="later: the value is known only afterwards; a labeling function that reads it is refused."),
    ] = None

    @property
    def allows_null(self) -> bool:
        return self.nullable is not False

    @property
    def is_dropped(self) -> bool:
        return self.sensitive == "drop"

    @property
    def is_hashed(self) -> bool:
        return self.sensitive == "hash"

    @property
    def is_plain(self) -> bool:
        """Whether it is read as it is."""
        return not (self.is_dropped or self.is_hashed)

    @property
    def seen_as(self) -> ColumnType:
        """The type of what leaves the reader: a hash is text."""
        return "string" if self.is_hashed else self.type

    @model_validator(mode="after")
    def _can_be_hashed(self) -> "Column":
        if self.is_hashed and self.type not in HASHABLE:
            raise ValueError(f"sensitive: hash is for string and int64 columns, {self.name!r} is {self.type}: use drop")
        return self


class Schema(Wire):
    """All declared columns. A labeling function reads declared columns only."""

    additional_columns: Annotated[
        Literal["allow", "refuse"] | None,
        Field(description="Whether the data may have columns that are not declared. When left out: allow."),
    ] = None
    columns: Annotated[
        list[Column],
        Field(
            min_length=1,
            max_length=500,
            description="The declared columns; names are unique.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ]

    hash_key_ref: Annotated[
        SecretKeyRef | None,
        Field(description="The key that columns with sensitive: hash are hashed with: at least 32 bytes in a Secret of the same namespace. Only data pods see it."),
    ] = None

    @property
    def refuses_additional(self) -> bool:
        return self.additional_columns == "refuse"

    def column(self, name: str) -> Column | None:
        return next((column for column in self.columns if column.name == name), None)

    @property
    def hashed(self) -> tuple[str, ...]:
        """Names of the columns that are hashed while reading."""
        return tuple(column.name for column in self.columns if column.is_hashed)

    @model_validator(mode="after")
    def _has_its_key(self) -> "Schema":
        if self.hashed and self.hash_key_ref is None:
            raise ValueError(f"hashKeyRef is required, column {self.hashed[0]!r} has sensitive: hash: name the Secret and its key")
        return self
