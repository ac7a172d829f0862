"""Python labeling functions over rows. The order of the rows is kept, and a failure is never silently an abstain."""

import warnings
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, Literal, NamedTuple, overload

import numpy as np
import pandas as pd

from labeljob.notebook.functions import LabelingFunction, vote_of
from labeljob.notebook.progress import Progress
from labeljob.votes import ABSTAIN, BoolArray, Votes, VotesError, validate_votes


class ApplierMetadata(NamedTuple):
    """What failed.

    Attributes:
        faults: failures by the name of the function; only functions that failed.
        errors: bool [n_rows, n_functions]; there the vote is -1.
    """

    faults: dict[str, int]
    errors: BoolArray


Applied = Votes | tuple[Votes, ApplierMetadata]


def warn_of(faults: dict[str, int], how: str) -> None:
    """A warning that counts failures which nobody asked to see."""
    if faults:
        named = ", ".join(f"{name} on {count} rows" for name, count in faults.items())
        warnings.warn(f"labeling functions failed, and abstain there: {named}; {how} says on which", stacklevel=3)


class _Applier:
    """Votes of functions on rows.

    Args:
        lfs: LabelingFunctions with different names, at least one; their order is that of the columns.
    """

    def __init__(self, lfs: Sequence[LabelingFunction]) -> None:
        self._lfs = list(lfs)
        wrong = [lf for lf in self._lfs if not isinstance(lf, LabelingFunction)]
        if wrong or not self._lfs:
            raise TypeError(f"{wrong[0]!r} is no LabelingFunction: decorate it with @labeling_function()" if wrong else "there are no labeling functions to apply")
        names = [lf.name for lf in self._lfs]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"two labeling functions have the name {repeated[0]!r}: names must be unique")

    def __repr__(self) -> str:
        return f"{type(self).__name__}, LFs: {[lf.name for lf in self._lfs]}"

    def _votes(self, rows: Iterable[tuple[str, Any]], total: int | None, fault_tolerant: bool, progress_bar: bool) -> tuple[Votes, ApplierMetadata]:
        """Rows come as (where, row); the functions are called row by row."""
        votes: list[list[int]] = []
        faults: list[tuple[int, int]] = []
        with Progress("labeling functions", total, progress_bar) as progress:
            for position, (where, row) in enumerate(rows):
                said = [self._vote(lf, row, where, fault_tolerant) for lf in self._lfs]
                faults += [(position, j) for j, vote in enumerate(said) if vote is None]
                votes.append([ABSTAIN if vote is None else vote for vote in said])
                progress.at(position + 1)
        matrix = validate_votes(np.array(votes, dtype=np.int64).reshape(len(votes), len(self._lfs)))
        errors = np.zeros(matrix.shape, dtype=np.bool_)
        errors[tuple(np.array(faults, dtype=np.int64).reshape(-1, 2).T)] = True
        counts = {lf.name: int(count) for lf, count in zip(self._lfs, errors.sum(axis=0), strict=True) if count}
        return matrix, ApplierMetadata(counts, errors)

    def _vote(self, lf: LabelingFunction, row: Any, where: str, fault_tolerant: bool) -> int | None:
        """The vote; None for a failure that is tolerated."""
        try:
            return vote_of(lf(row))
        except VotesError as error:
            if fault_tolerant:
                return None
            raise VotesError(f"labeling function {lf.name} at {where}: {error}") from error
        except Exception as error:
            if fault_tolerant:
                return None
            error.add_note(f"raised by labeling function {lf.name} at {where}; fault_tolerant=True counts failures and goes on")
            raise


class PandasLFApplier(_Applier):
    """Applies functions to the rows of a DataFrame."""

    @overload
    def apply(self, df: pd.DataFrame, progress_bar: bool = False, fault_tolerant: bool = False, return_meta: Literal[False] = False) -> Votes: ...

    @overload
    def apply(self, df: pd.DataFrame, progress_bar: bool = False, fault_tolerant: bool = False, *, return_meta: Literal[True]) -> tuple[Votes, ApplierMetadata]: ...

    def apply(self, df: pd.DataFrame, progress_bar: bool = False, fault_tolerant: bool = False, return_meta: bool = False) -> Applied:
        """The label matrix, int8 [n_rows, n_functions] (int16 above 127 classes), row i for the i-th row whatever the index.

        A row is a Series whose values keep the type of their column; nothing is widened to fit the others.

        Args:
            fault_tolerant: a function that raises, or returns what is no vote (None, -7, True, 0.5), abstains there and is counted;
                otherwise it is an error that names the function and the row.
            return_meta: also return ApplierMetadata; without it, failures that were tolerated end in a warning that counts them.
            progress_bar: count the rows on stderr.
        Raises:
            VotesError: a function returned what is no vote. Whatever a function raises, with a note that names it and the row.
        """
        if not isinstance(df, pd.DataFrame):
            raise TypeError(f"PandasLFApplier applies functions to the rows of a DataFrame; got {type(df).__name__}: LFApplier takes lists and arrays")
        votes, meta = self._votes(_rows(df), len(df), fault_tolerant, progress_bar)
        if return_meta:
            return votes, meta
        warn_of(meta.faults, "return_meta=True")
        return votes


class LFApplier(_Applier):
    """Applies functions to the items of a list, an array, or anything else that can be iterated over."""

    @overload
    def apply(self, data_points: Iterable[Any], progress_bar: bool = False, fault_tolerant: bool = False, return_meta: Literal[False] = False) -> Votes: ...

    @overload
    def apply(self, data_points: Iterable[Any], progress_bar: bool = False, fault_tolerant: bool = False, *, return_meta: Literal[True]) -> tuple[Votes, ApplierMetadata]: ...

    def apply(self, data_points: Iterable[Any], progress_bar: bool = False, fault_tolerant: bool = False, return_meta: bool = False) -> Applied:
        """As `PandasLFApplier.apply`; a function gets the item itself."""
        rows = ((f"row {position}", item) for position, item in enumerate(data_points))
        votes, meta = self._votes(rows, len(data_points) if isinstance(data_points, Sized) else None, fault_tolerant, progress_bar)
        if return_meta:
            return votes, meta
        warn_of(meta.faults, "return_meta=True")
        return votes


def _rows(df: pd.DataFrame) -> Iterator[tuple[str, "pd.Series[Any]"]]:
    """(where, row) in order."""
    columns = [df.iloc[:, position].tolist() for position in range(df.shape[1])]
    for position, label in enumerate(df.index):
        values = [column[position] for column in columns]
        yield f"row {position} (index {label!r})", pd.Series(values, index=df.columns, name=label, dtype=object)
