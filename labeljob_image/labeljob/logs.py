"""Structured logs: one JSON object a line on stderr, with counts and names and never the content of a row (I5, F5)."""

import json
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import TextIO

PROGRESS_SECONDS = 0.5


def now_text(moment: datetime) -> str:
    """A moment as RFC 3339 in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Log:
    """Writes events of one step."""

    def __init__(self, step: str, stream: TextIO | None = None, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._step, self._stream, self._clock = step, stream or sys.stderr, clock
        self._shown: datetime | None = None

    def enter(self, step: str) -> None:
        """From here on the events are of this step."""
        self._step = step

    def info(self, event: str, **fields: object) -> None:
        """Something that happened."""
        self._write("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Something that went wrong, and does not stop the job."""
        self._write("warning", event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Why the job stops."""
        self._write("error", event, fields)

    def progress(self, phase: str, total: int | None) -> Callable[[int], None]:
        """A callback for the rows done so far; writes at most every half second, and at the end."""

        def report(done: int) -> None:
            now = self._clock()
            if done == total or self._shown is None or (now - self._shown).total_seconds() >= PROGRESS_SECONDS:
                self._shown = now
                self._write("info", "progress", {"phase": phase, "rows_done": done, "rows_total": total})

        return report

    def _write(self, level: str, event: str, fields: dict[str, object]) -> None:
        record = {"ts": now_text(self._clock()), "level": level, "step": self._step, "event": event, **fields}
        print(json.dumps(record, default=str), file=self._stream, flush=True)


def frames(trace: TracebackType | None) -> list[str]:
    """Where an exception came from, without its message and without values: both may hold content of rows."""
    return [f"{frame.filename.rpartition('labeljob/')[2]}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)]
