"""What is left to remove once a run is committed or refused: its outcome stands, whatever becomes of that."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from labeljob.contract.config import LabelTask
from labeljob.errors import JobError
from labeljob.io.left_behind import discard_attempts, discard_until
from labeljob.io.places import Place
from labeljob.io.quarantine_files import tidy
from labeljob.logs import Log, frames
from labeljob.steps.context import StepContext

REMOVALS: Final[tuple[Callable[[Place, str, int], None], ...]] = (discard_attempts, discard_until, tidy)


def clean_up(task: LabelTask, context: StepContext) -> None:
    """After the commit: remove what it leaves, and what earlier ones could not remove."""
    for remove in REMOVALS:
        with told(context.log):
            remove(context.locations.path(task.output), task.app_id, task.sequence)


@contextmanager
def told(log: Log) -> Iterator[None]:
    """A failure to remove something is a warning in the log, and no more; the next commit looks again."""
    try:
        yield
    except JobError as error:
        log.warning("not_cleaned_up", reason=error.reason, message=error.message)
    except Exception as error:  # noqa: BLE001 whatever it is, it must not take the run's outcome from it
        log.warning("not_cleaned_up", type=type(error).__name__, frames=frames(error.__traceback__))
