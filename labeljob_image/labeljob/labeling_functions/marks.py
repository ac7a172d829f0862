"""Marks of rows: where a function may vote, and where it surely does, found in the texts before DuckDB is asked.

They travel as columns beside the rows, so that any part of the rows has its own.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labeljob.labeling_functions.literal_scan import MAY, SURE, WORD_BITS, LiteralScan, Sought
from labeljob.labeling_functions.statement import CompiledFunction, mark_name


class Marker:
    """Finds the marks for these functions, column by column."""

    def __init__(self, functions: Sequence[CompiledFunction]) -> None:
        sought: dict[str, dict[int, Sought]] = {}
        for function in functions:
            if function.number is not None and function.sought is not None:
                sought.setdefault(function.columns[0], {})[function.number] = function.sought
        self._words = -(-sum(map(len, sought.values())) // WORD_BITS)
        self._scans = {column: LiteralScan(of, self._words) for column, of in sought.items()}

    def marked(self, rows: Any, threads: int) -> Any:
        """The pyarrow.Table with the columns of its marks."""
        marks = np.zeros((2, self._words, rows.num_rows), dtype=np.uint64)
        for column, scan in self._scans.items():
            scan.mark(rows.column(column), marks, threads)
        for kind in (MAY, SURE):
            for word in range(self._words):
                rows = rows.append_column(mark_name(word, kind), pa.array(marks[kind, word]))
        return rows

    def open_functions(self, functions: Sequence[CompiledFunction], rows: Any) -> list[int]:
        """Positions of the functions that DuckDB has to be asked about: those that may vote on some row, as far as marks tell."""
        found = [int(np.bitwise_or.reduce(_words(rows, word, MAY))) for word in range(self._words)]
        return [place for place, one in enumerate(functions) if one.number is None or found[one.number // WORD_BITS] >> one.number % WORD_BITS & 1]


def settle(votes: npt.NDArray[np.int8], functions: Sequence[CompiledFunction], rows: Any) -> None:
    """Write the votes that are sure, int8 [n_functions, n_rows] in the order of `rows`, over those that are not."""
    words: dict[int, npt.NDArray[np.uint64]] = {}
    for of_function, function in zip(votes, functions, strict=True):
        if function.number is None or function.sure is None:
            continue
        word, bit = divmod(function.number, WORD_BITS)
        if word not in words:
            words[word] = _words(rows, word, SURE)
        of_function[(words[word] & np.uint64(1 << bit)) != 0] = function.sure


def _words(rows: Any, word: int, kind: int) -> npt.NDArray[np.uint64]:
    found: npt.NDArray[np.uint64] = rows.column(mark_name(word, kind)).to_numpy()
    return found
