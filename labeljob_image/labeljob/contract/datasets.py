"""Where data is (`uri`), how it is read (`format`), and which state of it was read (`DatasetPin`)."""

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema, field_validator

from labeljob.contract.base import Wire

URI_PATTERN = (
    r"^(pvc://[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/[^?#]+"
    r"|configmap://[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/[A-Za-z0-9._-]+"
    r"|file:[^?#]+)$"
)
VOLUME_URI_PATTERN = r"^(pvc://[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/[^?#]+|file:[^?#]+)$"
Uri = Annotated[
    str,
    Field(
        max_length=1024,
        pattern=URI_PATTERN,
        description="Where the data is: pvc://claim/path or configmap://name/key; on a laptop also file:relative/path or file:///absolute/path.",
    ),
]
VolumeUri = Annotated[
    str,
    Field(
        max_length=1024,
        pattern=VOLUME_URI_PATTERN,
        description="A folder that can be written: pvc://claim/path; on a laptop also file:relative/path or file:///absolute/path.",
    ),
]
Format = Annotated[Literal["delta", "parquet", "csv", "jsonl"], Field(description="How the data is stored.")]
Version = Annotated[
    int | str,
    WithJsonSchema(
        {
            "x-kubernetes-int-or-string": True,
            "description": "A Delta table version (an integer of 0 or more), or latest. When left out: latest.",
            "x-kubernetes-validations": [
                {
                    "rule": "type(self) == int ? self >= 0 : self == 'latest'",
                    "message": "must be an integer of 0 or more, or latest",
                }
            ],
        }
    ),
]


class Dataset(Wire):
    """A dataset to read, not yet pinned."""

    uri: Uri
    format: Format
    version: Version | None = None

    @field_validator("version")
    @classmethod
    def _version_is_known(cls, value: Any) -> Any:
        if value is None or value == "latest" or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
            return value
        raise ValueError("must be an integer of 0 or more, or latest")


class GoldDataset(Dataset):
    """Rows whose true class is known, joined on the id column."""

    label_column: Annotated[
        str,
        Field(
            min_length=1,
            max_length=253,
            description="The column that holds the true class; of a multi-label set all classes of the row, as a list or a text with | between names. A null is ignored.",
        ),
    ]
    inclusion_probability_column: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=253,
            description="The column that holds the probability, above 0 and at most 1, with which the row was drawn for gold: a row weighs 1 / probability."
            " When left out: all rows weigh the same.",
        ),
    ] = None


class LookupTable(Wire):
    """A table of keys and classes. Its content is frozen into each model version."""

    uri: Uri
    format: Annotated[Literal["parquet", "csv", "jsonl"], Field(description="How the table is stored.")]


class DatasetPin(Wire):
    """Exactly which state of a dataset was, or is to be, read.

    `digest` is SHA-256: for Delta over (table id, version, data files); otherwise over the content.
    """

    uri: str
    format: str
    table_id: str | None = None
    version: int | None = None
    digest: str
