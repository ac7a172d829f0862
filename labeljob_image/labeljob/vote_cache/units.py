"""The units that a run reads, and what of each is kept: a plan made before any of them is opened. `planned` is pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from labeljob.contract.datasets import DatasetPin
from labeljob.contract.digests import digest_of
from labeljob.io.parted import Part
from labeljob.io.parts import WHOLE, Piece
from labeljob.io.source import BATCH_ROWS, ReadType, Rows, Source
from labeljob.vote_cache.keys import unit_key
from labeljob.vote_cache.manifest import PLAN_CHARACTERS, Found


@dataclass(frozen=True)
class Unit:
    """A piece of the data; `in_order`: its rows come in the same order whenever it is read."""

    key: str
    source: Source
    in_order: bool = True


@dataclass(frozen=True)
class Planned:
    """What becomes of a unit: `missing`, places of the functions to evaluate on it; without `found` that is all of them, after the contract check."""

    unit: Unit
    found: Found | None
    missing: tuple[int, ...]


class Chained:
    """Some sources one after the other, with the names and types of the whole."""

    def __init__(self, whole: Source, sources: Sequence[Source] = ()) -> None:
        self._whole, self._sources = whole, sources

    def types(self) -> Mapping[str, pa.DataType | None]:
        return self._whole.types()

    def batches(self, columns: Mapping[str, ReadType], batch_rows: int = BATCH_ROWS) -> Iterator[Rows]:
        for source in self._sources:
            yield from source.batches(columns, batch_rows)


def units_of(part: Part, contract: str, counted: Mapping[str, int]) -> tuple[list[Unit], dict[str, int]]:
    """The row groups of a part, one by one, and how many each file has whose number of them is known without opening it; `counted` is that of earlier runs."""
    units, known = list[Unit](), dict[str, int]()
    for piece in part.pieces:
        groups = [piece.group]
        if piece.group == WHOLE:
            count, of_file = _counted(part, piece, contract, counted)
            known |= of_file
            groups = list(range(count))
        for group in groups:
            source = part.dataset.part([Piece(piece.file, group, piece.size)])
            units.append(Unit(unit_key(contract, part.dataset.identity(piece.file, group)), source))
    return units, known


def _counted(part: Part, piece: Piece, contract: str, counted: Mapping[str, int]) -> tuple[int, dict[str, int]]:
    """(row groups of a file, what a later run may know of it)."""
    if (said := part.dataset.known(piece.file)) is None:
        return len(part.dataset.groups(piece.file)), {}
    key = unit_key(contract, said)
    count = counted[key] if key in counted else len(part.dataset.groups(piece.file))
    return count, {key: count}


def one_unit(pin: DatasetPin, source: Source, contract: str) -> Unit:
    """A dataset that is not read in parts. The Delta engine promises no order of rows."""
    return Unit(unit_key(contract, [pin.format, pin.digest]), source, pin.format != "delta")


def planned(units: Sequence[Unit], best: Mapping[str, Found], keys: Sequence[str]) -> list[Planned]:
    """What to take and what to evaluate. Units that lack some functions all get those that one of them lacks: one set is compiled for them."""
    every = tuple(range(len(keys)))
    lacking = {unit.key: [place for place in every if keys[place] not in best[unit.key].functions] for unit in units if unit.key in best}
    partial = [unit.key for unit in units if lacking.get(unit.key) and unit.in_order]
    some = tuple(sorted({place for key in partial for place in lacking[key]}))
    plan = list[Planned]()
    for unit in units:
        if unit.key in lacking and not lacking[unit.key]:
            plan.append(Planned(unit, best[unit.key], ()))
        elif unit.key in partial and len(some) < len(every):
            plan.append(Planned(unit, best[unit.key], some))
        else:
            plan.append(Planned(unit, None, every))
    return plan


def plan_digest(plan: Sequence[Planned], keys: Sequence[str]) -> str:
    """Equal for attempts that write the same files."""
    said = [[one.unit.key, None if one.found is None else [one.found.file.name, *one.found.unit.groups], one.missing] for one in plan]
    return digest_of([said, list(keys)])[:PLAN_CHARACTERS]
