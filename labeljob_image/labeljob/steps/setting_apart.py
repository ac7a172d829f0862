"""What a run does with rows that break the contract by a value or share their id: refuse, or set apart what is within a limit (F3, spec.schemaPolicy)."""

from dataclasses import dataclass

from labeljob.breaches import DUPLICATE_IDS
from labeljob.contract.config import LabelTask
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.quarantine import BREACHES, BreachCount, Quarantine
from labeljob.io.source import Source
from labeljob.io.spool import Spool
from labeljob.quarantined_rows import GoodRows
from labeljob.schema import Held, check_contract, hold, in_order, require
from labeljob.steps.context import StepContext
from labeljob.steps.labelling import Labelling


@dataclass(frozen=True)
class Accepted:
    """A dataset whose labelling may go on.

    Attributes:
        source: without the rows that a value breaks.
        held: of all rows, but for repeated ids.
        sharing: rows of `source` that share their id with another.
    """

    source: Source
    held: Held
    sharing: int = 0

    @property
    def rows(self) -> int:
        """That functions run on."""
        return self.held.rows - self.held.broken


def accept(source: Source, task: LabelTask, labelling: Labelling, context: StepContext) -> Accepted:
    """Hold a dataset against the contract. JobErrors as of `check_contract`; where rows are set apart, SCHEMA_BROKEN when they are too many."""
    function_set, hasher, progress = labelling.declared, labelling.hasher, context.log.progress("check", None)
    if task.quarantine is None:
        rows = check_contract(source, function_set, context.resources, progress, context.batch_rows, labelling.looks.add, hasher)
        return Accepted(source, Held(rows))
    id_column = function_set.id_column
    with Spool(context.resources) as ids:
        held = hold(source, function_set, hasher, progress, context.batch_rows, ids.add, labelling.looks.add, separate=True)
        beyond, sharing = ids.repeated(id_column), ids.sharing(id_column)
    require_few(task.quarantine, held.with_repeated(id_column, beyond), held.broken + sharing, function_set)
    return Accepted(good_rows(source, held, function_set), held, sharing)


def good_rows(source: Source, held: Held, function_set: FunctionSet) -> Source:
    """The source without the rows that a value breaks; only where there are some is more read of it."""
    return GoodRows(source, function_set) if held.broken else source


def too_many(share: float, apart: int, rows: int) -> bool:
    """Whether so many of `rows` are more than may be set apart."""
    return apart > round(share * rows, 6)


def require_few(share: float, held: Held, apart: int, function_set: FunctionSet) -> None:
    """Raises JobError SCHEMA_BROKEN where names and types break the contract, or more rows than may be set apart."""
    if held.structure:
        require(held, function_set)
    if too_many(share, apart, held.rows):
        require(held, function_set, f"; {apart} of {held.rows} rows break the contract, spec.quarantine.maxShare is {share:g}")


def quarantine_of(held: Held, sharing: int, function_set: FunctionSet, uri: str) -> Quarantine | None:
    """What a commit says of the rows that were set apart; None when there are none."""
    if not held.broken + sharing:
        return None
    values = [*held.values, *([(function_set.id_column, DUPLICATE_IDS, sharing)] if sharing else [])]
    counted = [BreachCount(column=name, what=what, count=count) for name, what, count in in_order(values, function_set)]
    return Quarantine(rows=held.broken + sharing, of_rows=held.rows, uri=uri, breaches=counted[:BREACHES])
