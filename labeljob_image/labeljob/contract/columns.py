"""The contract with the data: which columns, of which type, within which bounds."""

from typing import Annotated, Literal

from pydantic import Field

from labeljob.contract.base import Wire

ColumnName = Annotated[str, Field(min_length=1, max_length=253, description="A column of the data.")]
ColumnType = Literal["string", "int64", "float64", "boolean", "timestamp"]


class Column(Wire):
    """One declared column."""

    name: ColumnName
    type: Annotated[ColumnType, Field(description="The type of its values; a narrower type in the file is widened when nothing is lost.")]
    nullable: Annotated[bool | None, Field(description="Whether nulls are allowed. When left out: true.")] = None
    minimum: Annotated[float | None, Field(description="Smallest value allowed (int64 and float64 columns).")] = None
    maximum: Annotated[float | None, Field(description="Largest value allowed (int64 and float64 columns).")] = None
    sensitive: Annotated[
        Literal["drop"] | None,
        Field(description="drop: the column is dropped while reading and reaches no labeling function, log, Event or output."),
    ] = None
    availability: Annotated[
        Literal["later"] | None,
        Field(description="later: the value is known only afterwards; a labeling function that reads it is refused."),
    ] = None

    @property
    def allows_null(self) -> bool:
        return self.nullable is not False


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

    @property
    def refuses_additional(self) -> bool:
        return self.additional_columns == "refuse"

    def column(self, name: str) -> Column | None:
        return next((column for column in self.columns if column.name == name), None)
