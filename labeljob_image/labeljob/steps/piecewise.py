"""The data of a run, or of a shard, piece by piece: votes that are kept are taken again, others are found and kept (`vote_cache`).

    unit   all of its votes kept      neither read nor checked: it was when they were found, and nothing of it has changed
           votes of some functions    what the others read is read, and they are evaluated; rows are told by their ids
           none                       contract check, then all functions

What goes wrong with kept votes raises UnusableVotesError, and the step is done again without them.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from itertools import groupby
from types import TracebackType
from typing import TypeVar

import numpy as np
import pyarrow as pa

from labeljob.cascade import check_code
from labeljob.contract.config import LabelTask
from labeljob.io.parted import Part
from labeljob.io.source import Source
from labeljob.io.spool import Spool
from labeljob.labeling_functions.fallback import mask_fallbacks
from labeljob.labeling_functions.soft_column import level_columns
from labeljob.looks import Looks
from labeljob.quarantined_rows import GoodRows
from labeljob.schema import Held, hold
from labeljob.steps.context import StepContext
from labeljob.steps.evaluate import Voting, open_voting
from labeljob.steps.label_record import set_aside
from labeljob.steps.labelling import Labelling
from labeljob.vote_cache.alignment import aligned
from labeljob.vote_cache.gathering import Gathered, Gatherer, Parts, Voted, gathered_votes, part_of
from labeljob.vote_cache.keys import contract_key, function_keys, only
from labeljob.vote_cache.looks_file import read_looks
from labeljob.vote_cache.manifest import Found, KeptUnit, PartVotes, best_of
from labeljob.vote_cache.outcome import outcome_of
from labeljob.vote_cache.places import Kept, VotesPlaces
from labeljob.vote_cache.sinks import PartSinks
from labeljob.vote_cache.units import Chained, Planned, one_unit, planned, row_groups, too_small, units_of
from labeljob.vote_cache.votes_file import ID, Columns, UnusableVotesError, VotesReader
from labeljob.votes import IntArray, VoteBatch

SLACK = 2  # what is seen of rows is enough for a dataset of half the rows, too
KEPT = "kept"  # in what a shard leaves for the commit beside its counts: its PartVotes
ERROR = "error."  # begins the name of a column of error bits

Result = TypeVar("Result")
TakeIds = Callable[[pa.RecordBatch], None]


@dataclass(frozen=True)
class Setting:
    """What a part of a run is made with; `expected`: for so many rows in all what is seen of units is enough."""

    task: LabelTask
    labelling: Labelling
    columns: Columns
    places: VotesPlaces
    sinks: PartSinks
    expected: int
    context: StepContext


class Piecewise:
    """One part of a run: `hold`, then `vote`, then `finish`; a context manager, which leaves nothing of a part that fails.

    Attributes:
        runs: names of the runs that labelled its rows, this one first.
    """

    def __init__(self, setting: Setting, plan: list[Planned], counted: dict[str, int], kept: Kept) -> None:
        self._in, self._plan, self._counted = setting, plan, counted
        run_of = kept.runs(setting.task.model_sha256)
        self._run_of = [run_of.get(one.unit.key, setting.task.run) for one in plan]
        self.runs = list(dict.fromkeys([setting.task.run, *self._run_of]))
        self._looks: dict[int, int] = {}  # number of a unit -> row of what was seen of it
        self._broken: dict[int, int] = {}  # number of a unit -> rows that a value breaks
        self._written, self._rows = dict[int, KeptUnit](), 0
        self._reader = VotesReader()
        self._fallback = [function.is_fallback for function in setting.labelling.declared.enabled_functions]

    def __enter__(self) -> "Piecewise":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._reader.close()
        self._in.sinks.abandon()

    def hold(self, source: Source, take_ids: TakeIds | None, *, separate: bool) -> Held:
        """As `schema.hold` of all rows, of which those of kept units are known to be good; `source` says names and types of the columns."""
        declared, hasher, rows_at_once = self._in.labelling.declared, self._in.labelling.hasher, self._in.context.batch_rows
        report, held = self._in.context.log.progress("check", None), hold(Chained(source), declared, hasher, lambda _: None, rows_at_once)
        ids = None if take_ids is None else Gatherer(take_ids, rows_at_once)
        for number, one in enumerate(self._plan):
            if one.found is not None:
                self._take_ids(one.found, ids)
                held = held.together(Held(one.found.unit.rows))
                continue
            looks, before = Looks(declared), held.rows
            looks.expect(self._in.expected)
            found = hold(one.unit.source, declared, hasher, _from(before, report), rows_at_once, ids.add if ids else None, looks.add, separate)
            self._in.labelling.looks.merge(looks)
            if found.rows and not found.is_broken:
                self._looks[number] = self._in.sinks.add_looks(looks)
            self._broken[number] = found.broken
            held = held.together(found)
        if ids is not None:
            ids.flush()
        self._see_kept()
        return held

    def _take_ids(self, found: Found, ids: Gatherer | None) -> None:
        if ids is not None:
            for batch in self._kept(found, ()):
                ids.add(batch.rename_columns([self._in.labelling.declared.id_column]))

    def _see_kept(self) -> None:
        """Add what was seen of the rows of kept units, and keep it beside votes that are written anew."""
        of_file: dict[str, list[tuple[int, int]]] = {}
        for number, one in enumerate(self._plan):
            if one.found is not None:
                of_file.setdefault(one.found.file.name, []).append((number, one.found.unit.looks))
        for name, those in of_file.items():
            seen = read_looks(self._in.places.looks(name), [row for _, row in those], self._in.labelling.declared)
            for (number, _), looks in zip(those, seen, strict=True):
                self._in.labelling.looks.merge(looks)
                if self._plan[number].missing:
                    self._looks[number] = self._in.sinks.add_looks(looks)

    def vote(self, total: int, spool: Spool, *, timed: bool = True) -> None:
        """As `labelling.vote`, of the rows that no value breaks."""
        labelling, report = self._in.labelling, self._in.context.log.progress("vote", total)
        check_code(labelling.voting, self._in.context.python)
        for ids, said, parts in gathered_votes(self._votes(total, timed), self._in.context.batch_rows):
            batch = VoteBatch(mask_fallbacks(said.votes, self._fallback), said.errors, said.levels)
            labelling.count(ids, batch)
            labelling.check_errors(total)
            spool.add(set_aside(ids, batch, self._runs_of(parts)))
            self._rows += len(ids)
            report(self._rows)

    def _runs_of(self, parts: Parts) -> IntArray | None:
        """The run that labelled each row, by its place among `runs`; None where it is always this one."""
        if len(self.runs) == 1:
            return None
        return np.repeat([self.runs.index(self._run_of[number]) for number, _ in parts], [rows for _, rows in parts])

    def _votes(self, total: int, timed: bool) -> Iterator[Voted]:
        """(ids, votes of all functions, fallbacks not masked, which units they are of); what may be kept is."""
        with ExitStack() as stack:
            chosen = {one.missing for one in self._plan if one.missing}
            voting = {places: stack.enter_context(self._open(places, total, timed)) for places in sorted(chosen, key=len, reverse=True)}
            for anew, stretch in groupby(range(len(self._plan)), lambda number: self._plan[number].found is None):
                if anew:
                    yield from self._found_anew(list(stretch), voting[tuple(range(len(self._in.columns.keys)))])
                    continue
                for number in stretch:
                    one = self._plan[number]
                    for ids, said in self._completed(one, voting[one.missing]) if one.missing else self._kept_votes(one):
                        self._keep(number, ids, said)
                        yield ids, said, [(number, len(ids))]

    def broken(self, source: Source) -> Source:
        """The units that have rows that a value breaks; `source` says names and types of the columns."""
        return Chained(source, [self._plan[number].unit.source for number, rows in self._broken.items() if rows])

    def finish(self) -> PartVotes:
        """The files are in their places when this returns."""
        found = outcome_of(self._plan, self._in.sinks.finish(), self._written, self._run_of, len(self._in.columns.keys))
        return found.model_copy(update={"counted": self._counted})

    def _open(self, places: tuple[int, ...], total: int, timed: bool) -> AbstractContextManager[Voting]:
        whole = len(places) == len(self._in.columns.keys)
        voting = self._in.labelling.voting if whole else only(self._in.labelling.voting, places)
        return open_voting(voting, total, self._in.context, timed=timed and whole, masked=False)

    def _found_anew(self, numbers: list[int], voting: Voting) -> Iterator[Voted]:
        """Of units of which nothing is kept, several at a time where they are small."""
        declared, unit = self._in.labelling.declared, {number: self._plan[number].unit.source for number in numbers}
        gathered = Gathered(unit[numbers[0]], [(number, GoodRows(unit[number], declared) if self._broken.get(number) else unit[number]) for number in numbers])
        for ids, said in voting.batches(gathered, lambda _: None, first=not self._rows):
            parts, start = gathered.parts.popleft(), 0
            for number, rows in parts:
                self._keep(number, ids.slice(start, rows), part_of(said, start, rows))
                start += rows
            yield ids, said, parts

    def _keep(self, number: int, ids: pa.Array, said: VoteBatch) -> None:
        """Write votes of a unit that may be kept and is not yet."""
        if number in self._looks:
            columns = self._in.columns
            group = self._in.sinks.add_votes(ids, columns.arrays(said, range(len(columns.keys))))
            lacks = columns.lacking(np.flatnonzero(said.errors.any(axis=0)).tolist())
            unit = KeptUnit(key=self._plan[number].unit.key, rows=len(ids), file=0, groups=(group, 1), looks=self._looks[number], lacks=lacks, run="")
            self._written[number] = self._written[number].longer(unit) if number in self._written else unit

    def _kept_votes(self, one: Planned) -> Iterator[tuple[pa.Array, VoteBatch]]:
        if one.found is not None:
            columns = self._in.columns
            for batch in self._kept(one.found, columns.names_of(range(len(columns.keys)))):
                yield batch.column(ID), columns.batch_of(_by_name(batch), batch.num_rows, {})

    def _completed(self, one: Planned, voting: Voting) -> Iterator[tuple[pa.Array, VoteBatch]]:
        """What is kept, and what `voting` says for the functions that are missing."""
        columns, missing, found = self._in.columns, one.missing, one.found
        others = [place for place in range(len(columns.keys)) if place not in missing]
        read = (self._told(ids, said, missing) for ids, said in voting.batches(one.unit.source, lambda _: None))
        for kept, told in aligned(self._kept(found, columns.names_of(others)) if found else (), read):
            errors = {place: np.asarray(told.column(f"{ERROR}{place}").to_numpy(zero_copy_only=False)) for place in missing}
            yield told.column(ID), columns.batch_of(_by_name(kept) | _by_name(told), told.num_rows, errors)

    def _told(self, ids: pa.Array, said: VoteBatch, places: tuple[int, ...]) -> pa.RecordBatch:
        """Votes and error bits of some functions as columns beside the ids."""
        errors = {f"{ERROR}{place}": pa.array(said.errors[:, column]) for column, place in enumerate(places)}
        return pa.RecordBatch.from_pydict({ID: ids} | self._in.columns.arrays(said, places) | errors)

    def _kept(self, found: Found, names: Iterable[str]) -> Iterator[pa.RecordBatch]:
        return self._reader.batches(self._in.places.votes(found.file.name), found.unit, names, self._in.context.batch_rows)


def with_kept_votes(work: Callable[[bool], Result], context: StepContext) -> Result:
    """What `work` does with kept votes, or without them where they are not what they should be."""
    try:
        return work(True)
    except UnusableVotesError as error:
        context.log.info("kept votes left aside", why=str(error))
        return work(False)


def piecewise_of(
    task: LabelTask, labelling: Labelling, part: Part | None, source: Source, context: StepContext, *, shard: int = 0, shards: int = 1, reuse: bool = True
) -> Piecewise | None:
    """None where no votes are kept: by the task; because input models vote, of which each has functions of its own; because the data is in very small pieces.

    Which rows keep the name of an earlier run is told by what the last commit names alone, whether its votes can be read or not: another attempt says the same.

    Args:
        part: what is read; None where it is not read in parts, and `source` is all of it.
        reuse: whether kept votes are taken; if not, votes are kept all the same.
    """
    if not task.history_limit or labelling.voting.inputs:
        return None
    places = VotesPlaces(context.locations.path(task.output), task, shards)
    columns = Columns(function_keys(labelling.voting), level_columns(labelling.declared))
    contract = contract_key(labelling.declared, source.types(), labelling.voting.key_id, (context.build, task.image))
    kept = places.kept()
    counted: dict[str | None, int] = {key: count for one in kept.manifests for key, count in one.counted.items()}
    groups, known = ([], {}) if part is None else row_groups(part, contract, counted)
    if part is not None and too_small(len(groups), part.rows // shards):
        return None
    units = [one_unit(task.data, source, contract)] if part is None else units_of(part, contract, groups)
    rows = 0 if part is None else int(part.rows * (1 - (task.quarantine or 0)))  # at least so many are looked at
    here = {unit.key for unit in units}
    files = {found.file for one in kept.manifests for found in one.found(here)}
    usable = {file: reuse and places.usable(file) for file in files}
    plan = planned(units, best_of(kept.manifests, here, usable, frozenset(columns.keys), rows), columns.keys)
    partly = sum(one.found is not None and bool(one.missing) for one in plan)
    anew = sum(one.found is None for one in plan)
    context.log.info("kept votes", whole=len(plan) - partly - anew, partly=partly, anew=anew)
    sinks = PartSinks(places, task.output, places.new_name(shard), columns, labelling.schema.field(0).type, rows // SLACK)
    return Piecewise(Setting(task, labelling, columns, places, sinks, rows // SLACK, context), plan, known, kept)


def _from(before: int, report: Callable[[int], None]) -> Callable[[int], None]:
    return lambda rows: report(before + rows)


def _by_name(batch: pa.RecordBatch) -> dict[str, pa.Array]:
    return dict(zip(batch.schema.names, batch.columns, strict=True))
