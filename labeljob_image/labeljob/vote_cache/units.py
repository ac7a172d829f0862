"""The units that a run reads, and what of each is kept: a plan made before any of them is opened. `planned` is pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from labeljob.contract.datasets import DatasetPin
from labeljob.io.parted import Part
from labeljob.io.parts import WHOLE, Piece
from labeljob.io.source import BATCH_ROWS, ReadType, Rows, Source
from labeljob.vote_cache.keys import unit_key
from labeljob.vote_cache.manifest import Found

FEW, LEAST_ROWS = 64, 4096


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


def row_groups(part: Part, contract: str, counted: Mapping[str | None, int]) -> tuple[list[Piece], dict[str, int]]:
    """The row groups of a part, and how many each file has whose number of them is known without opening it; `counted` is that of earlier runs."""
    groups, known = list[Piece](), dict[str, int]()
    for piece in part.pieces:
        if piece.group != WHOLE:
            groups.append(piece)
            continue
        said = part.dataset.known(piece.file)
        key = None if said is None else unit_key(contract, said)
        count = counted[key] if key in counted else len(part.dataset.groups(piece.file))
        known |= {} if key is None else {key: count}
        groups += [Piece(piece.file, group, piece.size) for group in range(count)]
    return groups, known


def too_small(groups: int, rows: int) -> bool:
    """Whether row groups are so many and so small that to keep what is found of each costs more than to find it again; `rows` of all of them."""
    return groups > FEW and rows < LEAST_ROWS * groups


def units_of(part: Part, contract: str, groups: Sequence[Piece]) -> list[Unit]:
    """The row groups as units."""
    return [Unit(unit_key(contract, part.dataset.identity(piece.file, piece.group)), part.dataset.part([piece])) for piece in groups]


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
