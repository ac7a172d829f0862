"""How long statements may take; apart from the connection, so that a step that runs none loads no DuckDB."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class TimeLimits:
    """How long a statement may take, and what happens when it goes on all the same.

    Attributes:
        statement: seconds until a statement is interrupted. DuckDB looks for an interrupt once in 2,048 rows.
        grace: seconds that an interrupted statement has to stop.
        hung: called from another thread when it has not. Nothing raised reaches a thread inside DuckDB, so only the end of
            the process helps; None waits.
    """

    statement: float = 300.0
    grace: float = 60.0
    hung: Callable[[], None] | None = None


DEFAULT_LIMITS = TimeLimits()
