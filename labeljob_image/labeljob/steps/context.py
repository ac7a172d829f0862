"""What every step is given besides its task: where data is, what may be used, the log, and the time.

What opens data is loaded where it is needed: `resolve` and `check` seldom do, and their start is most of their work.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from labeljob.contract.datasets import DatasetPin, LookupTable
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.io.locations import Locations
from labeljob.labeling_functions.limits import DEFAULT_LIMITS, TimeLimits
from labeljob.labeling_functions.python_runtime import DEFAULT_RUNTIME, PythonRuntime
from labeljob.logs import Log
from labeljob.resources import BATCH_ROWS, Resources

if TYPE_CHECKING:
    from labeljob.gold import Gold
    from labeljob.hashing import Hasher


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
    python: PythonRuntime = DEFAULT_RUNTIME

    def open_table(self, table: LookupTable) -> Any:
        """A whole lookup table, as a pyarrow.Table."""
        from labeljob.without_pandas import start_arrow

        start_arrow()
        from labeljob.io.datasets import read_table

        return read_table(table, self.locations)


    def hasher(self, function_set: FunctionSet, key_id: str | None = None) -> "Hasher | None":
        """What hashes the set's sensitive columns, None where it has none; key_id: of the key that is pinned. JobErrors as of `hasher_of`."""
        if not function_set.schema_.hashed:
            return None
        from labeljob.hashing import hasher_of

        return hasher_of(function_set.schema_, self.locations, key_id)


def gold_of(
    pin: DatasetPin | None,
    label_column: str | None,
    probability_column: str | None,
    function_set: FunctionSet,
    context: StepContext,
    key_id: str | None = None,
) -> "Gold":
    """The known classes of a task, none when it has no gold; key_id: of the key that ids are hashed with, where one is pinned."""
    from labeljob.gold import no_gold, read_gold
    from labeljob.io.datasets import open_pinned

    if pin is None:
        return no_gold(function_set)
    if label_column is None:
        raise JobError(JobReason.CONFIG_INVALID, "goldLabelColumn is missing beside gold: the operator writes both")
    source, hasher = open_pinned(pin, context.locations), context.hasher(function_set, key_id)
    return read_gold(source, function_set, label_column, probability_column, hasher)
