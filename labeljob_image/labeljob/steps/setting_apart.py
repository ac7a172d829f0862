"""What a run does with rows that break the contract by a value or share their id: refuse, or set apart what is within a limit (F3, spec.schemaPolicy)."""

from dataclasses import dataclass

from labeljob.breaches import DUPLICATE_IDS
from labeljob.contract.config import LabelTask
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.quarantine import BREACHES, BreachCount, Quarantine
from labeljob.io.source import Source
from labeljob.io.spool import Spool
from labeljob.quarantined_rows import GoodRows
from labeljob.schema import Held, hold, in_order, require
from labeljob.steps.context import StepContext
from labeljob.steps.labelling import Labelling
from labeljob.steps.piecewise import Piecewise


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


def accept(source: Source, task: LabelTask, labelling: Labelling, context: StepContext, pieces: Piecewise | None = None) -> Accepted:
    """Hold a dataset against the contract, piece by piece where it is read so. JobErrors as of `check_contract`; where rows are set apart, SCHEMA_BROKEN when they
    are too many."""
    declared, share = labelling.declared, task.quarantine
    id_column, separate = declared.id_column, share is not None
    with Spool(context.resources) as ids:
        if pieces is not None:
            held = pieces.hold(source, ids.add, separate=separate)
        else:
            progress = context.log.progress("check", None)
            held = hold(source, declared, labelling.hasher, progress, context.batch_rows, ids.add, labelling.looks.add, separate=separate)
        beyond, sharing = ids.repeated(id_column), ids.sharing(id_column) if separate else 0
    if share is None:
        require(held.with_repeated(id_column, beyond), declared)
    else:
        require_few(share, held.with_repeated(id_column, beyond), held.broken + sharing, declared)
    return Accepted(good_rows(source, held, declared), held, sharing)


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
