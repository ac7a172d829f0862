"""Cascade: the votes of a set's functions and, beside them, of the label models that its own model names as inputs (P4).

    batch --> the set's functions ---------------------------------------------> votes, errors, levels --.
          '-> functions of input 1 -> its model -> posterior, class by class --> a soft vote ------------+--> VoteBatch
              (and of its own inputs, likewise)

An input votes on the rows that one of its functions (no fallback) or inputs votes on, with the posterior before calibration: calibration has seen
gold, and what an input's certainty is worth here is learned here. Its classes are among the classes here, by name. Its functions read the
columns as this set declares them, so that what is sensitive here is withheld from them, too. How often they fail is held against the limit of their own set.
"""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from labeljob.calibration import NONE
from labeljob.contract.reasons import JobReason
from labeljob.errors import JobError
from labeljob.figures import FunctionCounts, check_error_rates
from labeljob.gold import nothing_known
from labeljob.label_model.side.soft_votes import Grid, Levels, levels_of, votes_of_levels
from labeljob.labeling_functions.cost import Cost
from labeljob.labeling_functions.engine import CompiledFunctions, compile_functions
from labeljob.labeling_functions.fallback import mask_fallbacks
from labeljob.labeling_functions.limits import TimeLimits
from labeljob.labeling_functions.python_code import code_digests
from labeljob.labeling_functions.python_runtime import PythonRuntime
from labeljob.labelled import label_votes, voters_of
from labeljob.model_artifact import InputModel, VotingSet
from labeljob.resources import Resources
from labeljob.votes import IntArray, VoteBatch

InputErrors = dict[str, list[int]]  # path of an input -> rows on which each of its functions failed


@dataclass(frozen=True)
class Input:
    """An input model at work. `path`: its name, behind the names of those it votes through. `classes`: where each of its classes is here."""

    path: str
    model: InputModel
    cascade: "Cascade"
    classes: tuple[int, ...]
    grid: Grid
    counts: FunctionCounts

    def apply(self, batch: pa.RecordBatch, allowance: int) -> Levels:
        """The level of its soft vote on each row, int16 [n_rows]; -1 where none of its functions votes."""
        artifact, inner = self.model.artifact, self.cascade.apply(batch, allowance)
        self.counts.add(inner, nothing_known(len(inner.votes)))
        labelled = label_votes(artifact.model, self.counts.voters, inner.votes, inner.levels, NONE)
        soft = np.zeros((len(inner.votes), self.grid.classes))
        soft[:, self.classes] = labelled.probabilities
        soft[~labelled.covered] = np.nan
        return levels_of(soft, self.grid)

    def check_errors(self, rows: int) -> None:
        """Raises JobError FUNCTIONS_FAILING once one of its functions, or of its inputs', has failed on too many of `rows` rows (X9)."""
        self.cascade.check_errors(rows)
        _check_errors(self.path, self.model, self.counts.errors, self.counts.rows, rows)


class Cascade:
    """Votes of a set and its inputs, batch by batch; see `open_cascade`. `input_columns`: all that is read."""

    def __init__(self, own: CompiledFunctions, inputs: Sequence[Input]) -> None:
        self._own, self._inputs = own, tuple(inputs)
        below = [column for one in self._inputs for column in one.cascade.input_columns]
        self.input_columns: tuple[str, ...] = tuple(dict.fromkeys([*own.input_columns, *below]))

    def apply(self, batch: pa.RecordBatch, allowance: int) -> VoteBatch:
        """As `CompiledFunctions.apply`, the input models' soft votes behind the functions' votes."""
        own = self._own.apply(batch, error_allowance=allowance)
        if not self._inputs:
            return own
        levels = np.stack([one.apply(batch, allowance) for one in self._inputs], axis=1)
        likeliest = np.stack([votes_of_levels(of, one.grid) for of, one in zip(levels.T, self._inputs, strict=True)], axis=1)
        votes = np.column_stack([own.votes, likeliest]).astype(np.int8)
        masked = mask_fallbacks(votes, (*self._own.fallback, *(False for _ in self._inputs)))
        errors = np.column_stack([own.errors, np.zeros(likeliest.shape, dtype=bool)])
        together = levels if own.levels is None else np.concatenate([own.levels, levels], axis=1)
        return VoteBatch(np.ascontiguousarray(masked, dtype=np.int8), errors, np.ascontiguousarray(together))

    def unmasked(self, batch: pa.RecordBatch, allowance: int) -> VoteBatch:
        """As `CompiledFunctions.unmasked`. ValueError where input models vote: they see what is masked."""
        if self._inputs:
            raise ValueError("input models vote beside these functions")
        return self._own.unmasked(batch, error_allowance=allowance)

    def cost(self, batch: pa.RecordBatch) -> Cost:
        """What each of the set's own functions costs on a batch of at least one row."""
        return self._own.cost(batch)

    def check_errors(self, rows: int) -> None:
        """Raises JobError FUNCTIONS_FAILING for the inputs; the set's own functions are counted by whoever asks for the votes."""
        for one in self._inputs:
            one.check_errors(rows)

    def errors(self) -> InputErrors:
        """How often the functions of each input, and of its inputs, have failed so far."""
        found: InputErrors = {}
        for one in self._inputs:
            found |= one.cascade.errors() | {one.path: one.counts.errors.tolist()}
        return found


def check_input_errors(inputs: Sequence[InputModel], errors: InputErrors, rows: int, path: str = "") -> None:
    """Raises JobError FUNCTIONS_FAILING as `Cascade.check_errors` would after all of `rows` rows."""
    for one in inputs:
        name = f"{path}{one.pin.name}"
        check_input_errors(one.artifact.inputs, errors, rows, f"{name} > ")
        _check_errors(name, one, np.array(errors[name], dtype=np.int64), rows, rows)


def added_errors(parts: Iterable[InputErrors]) -> InputErrors:
    """Failures of input models' functions in all parts."""
    found: dict[str, list[list[int]]] = {}
    for one in parts:
        for path, errors in one.items():
            found.setdefault(path, []).append(errors)
    return {path: [sum(column) for column in zip(*lists, strict=True)] for path, lists in found.items()}


def _check_errors(path: str, model: InputModel, errors: IntArray, rows: int, total: int) -> None:
    names = voters_of(model.artifact.function_set).names
    try:
        check_error_rates(errors, rows, names, model.artifact.declared, total)
    except JobError as error:
        raise JobError(error.reason, f"input model {path}: {error.message}") from None


def open_cascade(voting: VotingSet, resources: Resources, limits: TimeLimits, python: PythonRuntime, stack: ExitStack, path: str = "") -> Cascade:
    """The functions of a set and of its inputs, compiled; `stack` closes them.

    Raises:
        JobError: as `compile_functions`; INPUT_MISMATCH where an input has a class that is none here; MODEL_MISMATCH where a `python` function
            has other code here than it was frozen with.
    """
    check_code(voting, python, path)
    own = stack.enter_context(
        compile_functions(
            voting.function_set, voting.lookups, threads=resources.threads, memory_limit=resources.memory_limit, limits=limits, python=python
        )
    )
    classes = voting.function_set.classes
    inputs = []
    for one in voting.inputs:
        name = f"{path}{one.pin.name}"
        places = _places(name, one.artifact.declared.classes, classes)
        cascade = open_cascade(one.artifact.voting, resources, limits, python, stack, f"{name} > ")
        counts = FunctionCounts(voters_of(one.artifact.function_set), len(one.artifact.declared.classes))
        inputs.append(Input(name, one, cascade, places, Grid(len(classes)), counts))
    for opened in inputs:
        _check_columns(opened, voting)
    return Cascade(own, inputs)


def check_code(voting: VotingSet, python: PythonRuntime, path: str = "") -> None:
    """Raises JobError MODEL_MISMATCH where a `python` function has other code here than it was frozen with."""
    here = code_digests(voting.function_set, python.folders)
    other = [name for name, digest in here.items() if voting.code.get(name) != digest]
    if other:
        whose = f"input model {path.removesuffix(' > ')}: " if path else ""
        message = f"{whose}the code of {', '.join(other[:10])} is not what the model was fitted with: use the image that it was fitted in, or fit a new version"
        raise JobError(JobReason.MODEL_MISMATCH, message)


def _places(name: str, classes: Sequence[str], here: Sequence[str]) -> tuple[int, ...]:
    unknown = [label for label in classes if label not in here]
    if unknown:
        message = f"spec.inputs: LabelModel {name} has the class {unknown[0]}, which is none of {', '.join(here[:10])} here: an input has the same classes or some of them"
        raise JobError(JobReason.INPUT_MISMATCH, message)
    return tuple(here.index(label) for label in classes)


def _check_columns(one: Input, voting: VotingSet) -> None:
    """Raises JobError INPUT_MISMATCH: a column that the input's functions read cannot be read here, or is something else."""
    declared, here = one.model.artifact.declared, voting.function_set
    same_key = one.model.artifact.key_id == voting.key_id
    ids_here, ids_there = (of.id_column in of.schema_.hashed for of in (here, declared))
    if one.model.artifact.taught and (ids_here or ids_there) and not (ids_here and ids_there and same_key):
        learned = "learned from gold rows that it knows by ids hashed otherwise than here, so they could not be kept out of scores: declare idColumn alike, with one key"
        raise JobError(JobReason.INPUT_MISMATCH, f"spec.inputs: LabelModel {one.path} {learned}")
    for name in one.cascade.input_columns:
        column, theirs = here.schema_.column(name), declared.schema_.column(name)
        why: str | None = None
        if column is None:
            why = "is not declared here: add it to spec.schema.columns of the set"
        elif column.is_dropped:
            why = "is sensitive here: no labeling function may read it, an input's neither"
        elif column.availability == "later":
            why = "is known only afterwards here (availability: later): no labeling function may read it, an input's neither"
        elif theirs is not None and theirs.type != column.type:
            why = f"is {column.type} here and {theirs.type} there: declare it alike"
        elif theirs is not None and theirs.is_hashed != column.is_hashed:
            why = f"is {'hashed' if column.is_hashed else 'not hashed'} here and {'hashed' if theirs.is_hashed else 'not hashed'} there: declare it alike"
        elif column.is_hashed and not same_key:
            why = "is hashed with another key there: name the same Secret in both sets, and fit both with it"
        if why:
            raise JobError(JobReason.INPUT_MISMATCH, f"spec.inputs: LabelModel {one.path} reads the column {name}, which {why}")
