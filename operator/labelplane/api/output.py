"""Where a LabelJob's table of labels is, and how its files lie."""

from typing import Annotated, Literal

from pydantic import Field

from labeljob.contract.datasets import Located, SecretOfUri, VolumeUri
from labeljob.contract.partitioning import PartitionColumn


class Output(Located):
    """The table of labels. Its place cannot change; make a new LabelJob for another table."""

    uri: VolumeUri
    format: Annotated[Literal["delta"], Field(description="How labels are stored.")]
    secret_ref: SecretOfUri = None
    partition_by: Annotated[
        PartitionColumn | None,
        Field(
            description="The column whose values have data files, and a folder, of their own: label, of a set with one label a row, or covered. It cannot change."
            " When left out: all data files lie in one folder."
        ),
    ] = None
