"""Datasets that can be read in parts: Parquet files and plain Delta tables; one CSV or JSON-lines file is one part."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from labeljob.contract.datasets import DatasetPin
from labeljob.contract.digests import digest_of
from labeljob.io.content import pin_broken
from labeljob.io.delta import pinned_table
from labeljob.io.delta_parts import DeltaParts
from labeljob.io.locations import Locations
from labeljob.io.parquet_parts import ParquetParts, ReadFile, check_read
from labeljob.io.parts import Piece, StoredFile, parts_of, shards_of
from labeljob.io.source import Source


class PartSource(Source, Protocol):
    """The rows of one part."""

    def read(self) -> list[ReadFile]:
        """The files whose content a pin stands for, as this part has read them. PIN_BROKEN: one was changed meanwhile."""


class Parted(Protocol):
    """The files of a dataset."""

    def files(self) -> list[StoredFile]:
        """Empty when it cannot be read in parts."""

    def groups(self, name: str) -> list[int]:
        """Compressed bytes of each row group of a file."""

    def rows(self) -> int:
        """Of the whole dataset."""

    def part(self, pieces: Sequence[Piece]) -> PartSource:
        """Some pieces of it."""

    def known(self, name: str) -> object | None:
        """JSON data that tells a file from every other content, where it is known without opening the file."""

    def identity(self, name: str, group: int) -> object:
        """JSON data that tells a row group, as it is read, from every other content."""


@dataclass(frozen=True)
class Part:
    """What one shard reads; `rows` of the whole dataset; `split` is a digest of who reads what, the same in every shard of a run."""

    source: PartSource
    rows: int
    split: str
    dataset: Parted
    pieces: tuple[Piece, ...]


def shards_for(pin: DatasetPin, wanted: int | Literal["auto"], locations: Locations) -> int:
    """How many shards a run over the pinned data is to have."""
    dataset = _parted(pin, locations)
    return 1 if dataset is None else shards_of(dataset.files(), wanted, dataset.groups)


def open_part(pin: DatasetPin, shards: int, index: int, locations: Locations) -> Part:
    """Part `index` of `shards`. PIN_BROKEN: what is there now cannot be split as it could be when it was pinned."""
    dataset = _parted(pin, locations)
    parts = parts_of(dataset.files(), shards, dataset.groups) if dataset else []
    if dataset is None or not all(parts):
        raise pin_broken(pin.uri, f"there are no {shards} parts in it any more")
    split = digest_of([[[piece.file, piece.group, piece.size] for piece in part] for part in parts])
    return Part(dataset.part(parts[index]), dataset.rows(), split, dataset, parts[index])


def open_whole(pin: DatasetPin, locations: Locations) -> Part | None:
    """All of the data as one part; None where it cannot be read in parts."""
    dataset = _parted(pin, locations)
    files = dataset.files() if dataset else []
    if dataset is None or not files:
        return None
    (pieces,) = parts_of(files, 1, dataset.groups)
    return Part(dataset.part(pieces), dataset.rows(), "", dataset, pieces)


def check_all_read(pin: DatasetPin, splits: Iterable[str], read: Iterable[ReadFile]) -> None:
    """Raises JobError PIN_BROKEN unless all shards of a run split the data alike and read what was pinned."""
    if len(set(splits)) > 1:
        raise pin_broken(pin.uri, "its files changed after they were pinned")
    if pin.format == "parquet":
        check_read(pin, read)


def _parted(pin: DatasetPin, locations: Locations) -> Parted | None:
    path = locations.existing(pin.uri)
    if pin.format == "delta":
        return DeltaParts(pinned_table(path, pin), path, pin.uri)
    return ParquetParts(path, pin.uri) if pin.format == "parquet" else None
