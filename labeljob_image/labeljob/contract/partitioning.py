"""By which column the files of an output are kept apart."""

from typing import Literal, get_args

PartitionColumn = Literal["label", "covered"]
PARTITION_COLUMNS: tuple[PartitionColumn, ...] = get_args(PartitionColumn)
