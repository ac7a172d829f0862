"""Folders of an output whose files are kept apart by the value of a column, named as Hive and Delta name them; without Arrow."""

from collections.abc import Iterator

from labeljob.contract.partitioning import PARTITION_COLUMNS
from labeljob.io.places import Place

NULL = "__HIVE_DEFAULT_PARTITION__"


def folder_of(column: str, value: object) -> str:
    """The folder of one value: names of classes need no escape (`CLASS_PATTERN`)."""
    return f"{column}={NULL if value is None else str(value).lower() if isinstance(value, bool) else value}"


def partition_values(name: str) -> dict[str, str | None]:
    """What a Delta log says beside the name of a data file."""
    folder, slash, _ = name.rpartition("/")
    column, _, value = folder.partition("=")
    return {column: None if value == NULL else value} if slash else {}


def is_partition(name: str) -> bool:
    """Whether a folder below an output has the name of one of these."""
    return name.partition("=")[0] in PARTITION_COLUMNS and "=" in name


def data_files(folder: Place, pattern: str) -> Iterator[Place]:
    """Files of an output whose name fits, in all its folders."""
    yield from list(folder.glob(pattern))
    for column in PARTITION_COLUMNS:
        for place in list(folder.glob(f"{column}=*")):
            yield from list(place.glob(pattern))
