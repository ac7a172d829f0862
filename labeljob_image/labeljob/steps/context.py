"""What every step is given besides its task: where data is, what may be used, the log, and the time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa

from labeljob.contract.datasets import DatasetPin, LookupTable
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.gold import Gold, no_gold, read_gold
from labeljob.io.datasets import open_pinned, read_table
from labeljob.io.locations import Locations
from labeljob.io.source import BATCH_ROWS
from labeljob.labeling_functions.connection import DEFAULT_LIMITS, TimeLimits
from labeljob.logs import Log
from labeljob.resources import Resources


@dataclass(frozen=True)
class StepContext:
    """The surroundings of a step."""

    locations: Locations
    resources: Resources
    log: Log
    build: str
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    batch_rows: int = BATCH_ROWS
    limits: TimeLimits = DEFAULT_LIMITS

    def open_table(self, table: LookupTable) -> pa.Table:
        """A whole lookup table."""
        return read_table(table, self.locations)


def gold_of(
    pin: DatasetPin | None, label_column: str | None, probability_column: str | None, function_set: FunctionSet, context: StepContext
) -> Gold:
    """The known classes of a task, none when it has no gold."""
    if pin is None:
        return no_gold(function_set)
    if label_column is None:
        raise JobError(JobReason.CONFIG_INVALID, "goldLabelColumn is missing beside gold: the operator writes both")
    return read_gold(open_pinned(pin, context.locations), function_set, label_column, probability_column)
