"""Where data is (`uri`), how it is read (`format`), and which state of it was read (`DatasetPin`)."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, WithJsonSchema, field_validator, model_validator

from labeljob.contract.base import Wire

_OBJECTS = r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9_=-][A-Za-z0-9_.=-]*)+/?"  # no part begins with a dot, no character needs an escape
URI_PATTERN = (
    r"^(pvc://[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/[^?#]+"
    r"|configmap://[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/[A-Za-z0-9._-]+"
    r"|" + _OBJECTS + r"|file:[^?#]+)$"
)
VOLUME_URI_PATTERN = r"^(pvc://[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/[^?#]+|" + _OBJECTS + r"|file:[^?#]+)$"
SECRET_PATTERN = r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"  # noqa: S105
Uri = Annotated[
    str,
    Field(
        max_length=1024,
        pattern=URI_PATTERN,
        description="Where the data is: pvc://claim/path, s3://bucket/key or configmap://name/key; on a laptop also file:relative/path or file:///absolute/path.",
    ),
]
VolumeUri = Annotated[
    str,
    Field(
        max_length=1024,
        pattern=VOLUME_URI_PATTERN,
        description="A folder that can be written: pvc://claim/path or s3://bucket/prefix; on a laptop also file:relative/path or file:///absolute/path.",
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


CREDENTIAL_KEYS = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ALLOW_HTTP", "AWS_SKIP_SIGNATURE",
)  # fmt: skip  # what is read of a Secret that opens an object store, and nothing else


class SecretRef(Wire):
    """A Secret of the same namespace."""

    name: Annotated[str, Field(min_length=1, max_length=253, pattern=SECRET_PATTERN)]


SecretOfUri = Annotated[
    SecretRef | None,
    Field(
        description="The Secret that opens an s3:// uri: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, and where needed AWS_SESSION_TOKEN, AWS_REGION,"
        " AWS_ENDPOINT_URL, AWS_ALLOW_HTTP. Its pods mount it; the operator never reads it. When left out: the AWS_* environment of the pod."
    ),
]


class Located(Wire):
    """Something that lies at a `uri`, which the Secret of `secret_ref` may open."""

    @model_validator(mode="after")
    def _secret_opens_something(self) -> Self:
        if getattr(self, "secret_ref", None) is not None and not str(getattr(self, "uri", "")).startswith("s3://"):
            raise ValueError("secretRef goes with an s3:// uri: remove it, or correct the uri")
        return self


class Dataset(Located):
    """A dataset to read, not yet pinned."""

    uri: Uri
    format: Format
    version: Version | None = None
    secret_ref: SecretOfUri = None

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


class LookupTable(Located):
    """A table of keys and classes. Its content is frozen into each model version."""

    uri: Uri
    format: Annotated[Literal["parquet", "csv", "jsonl"], Field(description="How the table is stored.")]
    secret_ref: SecretOfUri = None


class DatasetPin(Wire):
    """Exactly which state of a dataset was, or is to be, read.

    `digest` is SHA-256: for Delta over (table id, version, data files); otherwise over the content.
    """

    uri: str
    format: str
    table_id: str | None = None
    version: int | None = None
    digest: str
