"""`LFSet`: the labeling functions of a manifest, in a notebook, by the same pass that the cluster runs."""

import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import pandas as pd
import pyarrow as pa

from labeljob.ballots import partial_sets
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.hashing import LEAST_BYTES, Hasher
from labeljob.io.datasets import read_table
from labeljob.label_model import PartialClasses
from labeljob.label_model.multi_label import BinaryVotes, TaskVotes
from labeljob.labeling_functions import soft_column
from labeljob.labeling_functions.connection import ARROW_TYPES
from labeljob.labeling_functions.engine import compile_functions, typed_column
from labeljob.labeling_functions.identity import LookupData, read_lookups
from labeljob.labeling_functions.python_runtime import DEFAULT_RUNTIME, PythonRuntime, folders_of
from labeljob.multi_label.tasks import tasks_of
from labeljob.notebook.appliers import warn_of
from labeljob.notebook.manifest import ManifestFiles, read_function_set
from labeljob.notebook.progress import Progress
from labeljob.votes import ABSTAIN, PARTIAL, BoolArray, FloatArray, IntArray, VoteBatch, Votes, validate_votes

BATCH_ROWS = 65_536
LEAST_ALLOWANCE = 64


class LFSet:
    """The enabled labeling functions of a LabelingFunctionSet that a label model learns from, all but the fallbacks; to iterate over it gives their names.

    Attributes:
        classes: class names; their order is the class index.
        names: the functions, in column order. soft: bool [n_functions]: which give probabilities. partial: sets of votes for several classes.
        abstain: str [n_functions]: what the silence of each says, as it is declared: `LabelModel(k, abstain=functions.abstain)` reads it as the
            job does, where the library would infer it from the votes.
        fallbacks: names of the functions that vote only where no other does. No fit of a LabelModel resource sees their votes, nor does coverage
            or conflict count them.
    """

    def __init__(
        self, function_set: FunctionSet, lookups: Mapping[str, LookupData], python: PythonRuntime = DEFAULT_RUNTIME, hasher: Hasher | None = None
    ) -> None:
        self._set, self._lookups, self._python, self._hasher = function_set, dict(lookups), python, hasher
        if function_set.schema_.hashed and hasher is None:
            raise ValueError(f"column {function_set.schema_.hashed[0]} is hashed: use from_yaml, or give the hasher that the lookup tables were hashed with")
        with compile_functions(function_set, self._lookups, python=python) as compiled:
            self.input_columns: tuple[str, ...] = compiled.input_columns
        self.classes: tuple[str, ...] = tuple(function_set.classes)
        learning = [function for function in function_set.enabled_functions if not function.is_fallback]
        self.names: tuple[str, ...] = tuple(function.name for function in learning)
        self.fallbacks: tuple[str, ...] = tuple(function.name for function in function_set.enabled_functions if function.is_fallback)
        self.soft: BoolArray = np.array([function.is_soft for function in learning], dtype=np.bool_)
        self.abstain = np.array(["missing" if function.abstain_is_missing else "evidence" for function in learning])
        self._fallback: BoolArray = np.array([function.is_fallback for function in function_set.enabled_functions], dtype=np.bool_)
        sets = partial_sets(function_set)
        self._places = {int(j): place for place, j in enumerate(np.flatnonzero(sets.any(axis=1)))}
        self.partial: PartialClasses | None = PartialClasses(sets[list(self._places)]) if self._places else None

    @classmethod
    def from_yaml(cls, path: str | Path, name: str | None = None, tables: Mapping[str, str | Path] | None = None) -> "LFSet":
        """Read a manifest and check it, lookup tables included. `python` functions are imported from its folder, and run in a process of their own.

        Args:
            path: a YAML file with a LabelingFunctionSet. name: its metadata.name, when the file has several.
            tables: file of a lookup table by its uri. A `configmap://` uri is otherwise found through the kustomization.yaml beside the
                manifest, and a `file:` uri from the manifest's folder.
        Raises:
            ManifestError: the file has no such set, or it is wrong; the message names the field. JobError: a function cannot be
            compiled, or a lookup table is missing or wrong.
        """
        function_set, files = read_function_set(Path(path), name), ManifestFiles(Path(path), tables or {})
        hasher = Hasher(secrets.token_bytes(LEAST_BYTES)) if function_set.schema_.hashed else None  # votes are the same with any key
        beside = PythonRuntime((str(Path(path).absolute().parent), *folders_of(os.environ)))
        return cls(function_set, read_lookups(function_set, lambda table: read_table(table, files), hasher), beside, hasher)

    @property
    def cardinality(self) -> int:
        """Number of classes."""
        return len(self.classes)

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __repr__(self) -> str:
        return f"LFSet of {len(self)} functions for {', '.join(self.classes)}"

    @overload
    def apply(self, df: pd.DataFrame, progress: bool = False, return_errors: Literal[False] = False, *, fallbacks: bool = False) -> Votes: ...

    @overload
    def apply(self, df: pd.DataFrame, progress: bool = False, *, return_errors: Literal[True], fallbacks: bool = False) -> tuple[Votes, BoolArray]: ...

    def apply(self, df: pd.DataFrame, progress: bool = False, return_errors: bool = False, *, fallbacks: bool = False) -> Votes | tuple[Votes, BoolArray]:
        """The label matrix, int8 [n_rows, n_functions] (int16 above 127 votes), row i for the i-th row whatever the index.

        For `LabelModel(k, abstain=functions.abstain)`. A function with `labels` or `notLabel` votes cardinality + i, for set i of `partial`:
        `LabelModel(k, abstain=…, partial=functions.partial)`. One with `probabilities` votes for its likeliest class; `soft_votes` has what it says.

        pandas does not tell NaN from a missing number: both are null here. Failing rows are found exactly up to the set's maxErrorRate
        (at least 64 rows); beyond, the function's undecided rows of that batch of 65,536 count as errors.

        Args:
            df: at least `input_columns`; others are not looked at.
            progress: count the rows on stderr.
            return_errors: also return where a function failed, bool of the shape of the votes; without it, failures end in a warning.
            fallbacks: append a column for each of `fallbacks`, to look at: a fit on it learns from what is no evidence.
        Raises:
            JobError: SCHEMA_BROKEN: a column is missing, or cannot be read as declared.
        """
        self._refuse_multi_label("apply")
        batch, places = self._voted(df, progress), self._columns(fallbacks=fallbacks)
        votes, errors = self._with_sets(batch.votes).take(places, axis=1), batch.errors.take(places, axis=1)
        if return_errors:
            return votes, errors
        self._warn(errors, "return_errors=True")
        return votes

    def _columns(self, *, fallbacks: bool) -> IntArray:
        """Where the functions stand among all that are enabled, and then, if asked for, the fallbacks."""
        return np.concatenate([np.flatnonzero(~self._fallback), np.flatnonzero(self._fallback)[: None if fallbacks else 0]])

    def answers(self, df: pd.DataFrame, progress: bool = False) -> TaskVotes:
        """What the functions of a multi-label set answer for each class, int8 [n_rows, n_functions, n_classes]: 1 has it, 0 has it not, -1 says nothing.

        Answers are made of the votes when a class is asked for: `LFAnalysis(answers[:, :, k])` has the figures of class k. For
        `MultiLabelModel(k, algorithm="dawid-skene").fit(answers)`. The silence of a rule that looks for a class is the answer 0 where it is evidence, as
        in a fit of the resource; a soft vote answers what is likelier.

        Raises:
            ValueError: the set is not multi-label. JobError: as `apply`.
        """
        if not self._set.is_multi_label:
            raise ValueError("answers are of a set with multiLabel: true: use apply")
        batch, places = self._voted(df, progress), self._columns(fallbacks=False)
        self._warn(batch.errors.take(places, axis=1), "fewer rows to find them")
        tasks = tasks_of(self._set, self._lookups)

        def answers_for(k: int) -> BinaryVotes:
            found = np.full(batch.votes.shape, ABSTAIN, dtype=np.int8)
            found[:, tasks[k].functions] = tasks[k].ballots(batch.votes, batch.levels)[0]
            return found.take(places, axis=1)

        return TaskVotes((len(batch.votes), len(self), self.cardinality), answers_for)

    def _refuse_multi_label(self, method: str) -> None:
        if self._set.is_multi_label:
            raise ValueError(f"{method} gives one vote a function, and functions of a multi-label set answer for each class: use answers(df)")

    def _warn(self, errors: BoolArray, remedy: str) -> None:
        """Warn of failures; bool [n_rows, n_functions], those of fallbacks perhaps beside them."""
        names = (*self.names, *self.fallbacks)[: errors.shape[1]]
        warn_of({name: int(count) for name, count in zip(names, errors.sum(axis=0), strict=True) if count}, remedy)

    def _voted(self, df: pd.DataFrame, progress: bool) -> VoteBatch:
        """The votes on all rows as one batch."""
        rows = _as_arrow(df, self.input_columns)
        allowance = max(LEAST_ALLOWANCE, int(np.ceil(self._set.max_error_rate * len(df))))
        parts: list[VoteBatch] = []
        with compile_functions(self._set, self._lookups, python=self._python) as compiled, Progress("labeling functions", len(df), progress) as shown:
            for start in range(0, max(len(df), 1), BATCH_ROWS):
                parts.append(compiled.apply(self._seen(rows.slice(start, BATCH_ROWS)), error_allowance=allowance))
                shown.at(min(start + BATCH_ROWS, len(df)))
        levels = [part.levels for part in parts if part.levels is not None]
        return VoteBatch(
            np.concatenate([part.votes for part in parts]), np.concatenate([part.errors for part in parts]), np.concatenate(levels) if levels else None
        )

    def _seen(self, rows: Any) -> Any:
        """The rows as functions see them: hashes in the place of values that are declared so."""
        for column in self._set.schema_.columns:
            if column.is_hashed and self._hasher is not None and column.name in rows.column_names:
                values = typed_column(rows, column.name, ARROW_TYPES[column.type])
                rows = rows.set_column(rows.column_names.index(column.name), column.name, self._hasher.hashed(values))
        return rows

    def soft_votes(self, df: pd.DataFrame) -> FloatArray:
        """What functions with `probabilities` say, float64 [n_rows, n_soft, n_classes] in function order, NaN where one abstains or fails.

        `LabelModel(k, abstain=functions.abstain[~functions.soft]).fit(L[:, ~functions.soft], soft=functions.soft_votes(df))` takes it as evidence.
        """
        self._refuse_multi_label("soft_votes")
        rows, given = _as_arrow(df, self.input_columns), [one.votes.probabilities for one in self._set.enabled_functions if one.votes and one.votes.probabilities]
        return np.stack([soft_column.vectors(one, list(self.classes), rows)[0] for one in given], axis=1) if given else np.empty((len(df), 0, self.cardinality))

    def _with_sets(self, votes: Votes) -> Votes:
        """Partial votes by the index of their set."""
        if not self._places:
            return votes
        wide = votes.astype(np.int16)
        for j, place in self._places.items():
            wide[votes[:, j] == PARTIAL, j] = self.cardinality + place
        return validate_votes(wide, self.cardinality + len(self._places))


def _as_arrow(df: pd.DataFrame, columns: tuple[str, ...]) -> Any:
    """The columns as a pyarrow.Table; those that are missing stay away, and the pass names them."""
    if not isinstance(df, pd.DataFrame):
        raise TypeError(f"labeling functions of a manifest vote on a pandas DataFrame; got {type(df).__name__}: pd.DataFrame(rows) makes one")
    arrays: dict[str, Any] = {}
    for name in columns:
        places = np.flatnonzero(df.columns == name)
        if len(places) > 1:
            raise JobError(JobReason.SCHEMA_BROKEN, f"the data has {len(places)} columns {name!r}: rename all but one")
        if not len(places):
            raise JobError(JobReason.SCHEMA_BROKEN, f"column {name!r} is missing, a labeling function reads it: add it to the data")
        arrays[name] = _column(df.iloc[:, int(places[0])], name)
    return pa.table(arrays) if arrays else pa.Table.from_pandas(pd.DataFrame(index=range(len(df))))


def _column(values: "pd.Series[Any]", name: str) -> Any:
    try:
        return pa.Array.from_pandas(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        raise JobError(JobReason.SCHEMA_BROKEN, f"column {name!r} mixes types that no one column can hold: convert it") from None
