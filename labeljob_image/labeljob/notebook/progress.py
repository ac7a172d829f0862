"""One line on stderr that counts rows."""

import sys
import time
from types import TracebackType

SECONDS = 0.2  # between two updates


class Progress:
    """Counts while a `with` lasts; silent unless `shown`."""

    def __init__(self, what: str, total: int | None, shown: bool) -> None:
        self._what, self._total, self._shown = what, total, shown
        self._rows, self._last = 0, 0.0

    def at(self, rows: int) -> None:
        """So many rows are done."""
        self._rows = rows
        if self._shown and time.monotonic() - self._last >= SECONDS:
            self._last = time.monotonic()
            self._write("\r")

    def _write(self, start: str, end: str = "") -> None:
        of = "" if self._total is None else f" of {self._total:,}"
        sys.stderr.write(f"{start}{self._what}: {self._rows:,}{of} rows{end}")
        sys.stderr.flush()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._shown:
            self._write("\r", "\n")
