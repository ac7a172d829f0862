"""Which votes are kept where: one manifest for each committed run, named by its commit. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import model_validator

from labeljob.contract.base import Wire


class VotesFile(Wire):
    """Votes and looks of units, as one run wrote them: `<name>.parquet` and `<name>-looks.parquet`, of so many bytes.

    `functions`: key of each column. `expected`: the looks are enough for a dataset of so many rows, and for any larger one.
    """

    name: str
    size: int
    looks_size: int
    functions: tuple[str, ...]
    expected: int


class KeptUnit(Wire):
    """Where the votes on one unit are.

    Attributes:
        file: its place among the files beside. groups: first row group, and how many.
        looks: its row in the file of looks.
        lacks: places of functions whose column is not kept here.
        run: name of the run that labelled its rows, in the version that this manifest goes with; empty where some of them share their id and are not in it.
    """

    key: str
    rows: int
    file: int
    groups: tuple[int, int]
    looks: int
    lacks: tuple[int, ...] = ()
    run: str

    def longer(self, more: "KeptUnit") -> "KeptUnit":
        """With more rows of it, in the row groups behind."""
        groups = (self.groups[0], more.groups[0] + more.groups[1] - self.groups[0])
        return self.model_copy(update={"rows": self.rows + more.rows, "groups": groups, "lacks": tuple(sorted({*self.lacks, *more.lacks}))})


class PartVotes(Wire):
    """What a part of a run, or all of it, keeps and has taken again.

    Attributes:
        taken: of each unit, rows that are labelled, and how many votes of each were kept.
        counted: key of a file -> its row groups, where that is not asked of the file each time.
    """

    files: tuple[VotesFile, ...] = ()
    units: tuple[KeptUnit, ...] = ()
    taken: tuple[tuple[int, int], ...] = ()
    counted: dict[str, int] = {}

    def reused(self, functions: int) -> tuple[int, int]:
        """(rows all of whose votes were kept, votes that were), where so many functions vote on each."""
        return sum(rows for rows, votes in self.taken if votes == functions), sum(rows * votes for rows, votes in self.taken)


@dataclass(frozen=True)
class Found:
    """A unit in a manifest, and the file that has its votes."""

    unit: KeptUnit
    file: VotesFile

    @property
    def functions(self) -> frozenset[str]:
        """Keys of those whose votes are there."""
        return frozenset(key for place, key in enumerate(self.file.functions) if place not in self.unit.lacks)


class Manifest(Wire):
    """All units of a committed run that have votes kept, and the model version that labelled them."""

    format_version: Literal[1] = 1
    model_sha256: str
    files: tuple[VotesFile, ...] = ()
    units: tuple[KeptUnit, ...] = ()
    counted: dict[str, int] = {}

    @model_validator(mode="after")
    def _names_files_that_it_has(self) -> "Manifest":
        if any(not 0 <= unit.file < len(self.files) for unit in self.units):
            raise ValueError("a unit is in a file that is not named")
        return self

    def found(self, keys: Collection[str]) -> Iterator[Found]:
        """Those of these units that are here."""
        return (Found(unit, self.files[unit.file]) for unit in self.units if unit.key in keys)


def together(parts: Sequence[PartVotes]) -> PartVotes:
    """The parts of a run as one; a file that several take votes from is named once."""
    places: dict[VotesFile, int] = {}
    units = list[KeptUnit]()
    for part in parts:
        here = [places.setdefault(file, len(places)) for file in part.files]
        units += [unit.model_copy(update={"file": here[unit.file]}) for unit in part.units]
    return PartVotes(
        files=tuple(places),
        units=tuple(units),
        taken=tuple(one for part in parts for one in part.taken),
        counted={key: count for part in parts for key, count in part.counted.items()},
    )


def manifest_of(whole: PartVotes, model_sha256: str) -> Manifest:
    """What the commit of a run names; files without a unit are left out."""
    used = sorted({unit.file for unit in whole.units})
    places = {place: number for number, place in enumerate(used)}
    units = tuple(unit.model_copy(update={"file": places[unit.file]}) for unit in whole.units)
    return Manifest(model_sha256=model_sha256, files=tuple(whole.files[place] for place in used), units=units, counted=whole.counted)


def best_of(manifests: Iterable[Manifest], keys: Collection[str], usable: Mapping[VotesFile, bool], wanted: frozenset[str], rows: int) -> dict[str, Found]:
    """For each of these units the manifest that has most of the wanted functions, the newest of those that have as many; manifests come newest first.

    Args:
        rows: that are looked at at least; what was seen of a unit must be enough for them.
    """
    best: dict[str, Found] = {}
    for manifest in manifests:
        for found in manifest.found(keys):
            held = best.get(found.unit.key)
            more = len(found.functions & wanted) > (0 if held is None else len(held.functions & wanted))
            if more and usable[found.file] and found.file.expected <= rows:
                best[found.unit.key] = found
    return best
