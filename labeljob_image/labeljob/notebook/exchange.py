"""Votes from and to other tools: Crowd-Kit's table, WRENCH's JSON, a NumPy file. Nothing is unpickled."""

import json
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from labeljob.votes import ABSTAIN, IntArray, Votes, VotesError, validate_gold, validate_votes

PICKLES = (".pkl", ".pickle", ".p", ".joblib")
CROWD = ("task", "worker", "label")


class ExchangeError(ValueError):
    """The data is not in the format that was named; the message says where."""


def load_votes(path: str | Path) -> Votes:
    """The label matrix of a file that `np.save(path, L)` wrote. ExchangeError for anything else, a pickle above all."""
    file = Path(path)
    _refuse_pickle(file)
    try:
        return validate_votes(np.load(file, allow_pickle=False))
    except (ValueError, EOFError) as error:
        raise error if isinstance(error, VotesError) else ExchangeError(f"{file}: is no .npy file of numbers: write one with np.save(path, L)") from None


def _refuse_pickle(path: Path) -> None:
    if path.suffix.lower() in PICKLES:
        why = "a pickle, which is what Snorkel saves, can run any code when it is opened, so it is not read"
        raise ExchangeError(f'{path}: {why}: where it was made, export the votes with np.save("L.npy", L), and read them with load_votes("L.npy")')


def from_crowdkit(df: pd.DataFrame, classes: Sequence[Hashable] | None = None) -> tuple[Votes, list[Any], list[Any], list[Any]]:
    """(L, tasks, workers, classes) of a table with a line for each answer: columns task, worker, label.

    L is int8 [n_tasks, n_workers] (int16 above 127 classes), -1 where a worker did not answer; read an abstain as *missing*. Tasks and
    workers come in the order of their first answer, classes sorted unless given. An answer that stands there twice counts once.

    Raises:
        ExchangeError: a column or value is missing, a label is not in `classes`, or a worker answers a task in two ways.
    """
    missing = [name for name in CROWD if name not in df.columns]
    if missing:
        raise ExchangeError(f"the table has no column {missing[0]!r}: Crowd-Kit's columns are task, worker and label")
    answers = df.loc[:, list(CROWD)]
    if answers.isna().to_numpy().any():
        row, column = (int(part[0]) for part in np.nonzero(answers.isna().to_numpy()))
        raise ExchangeError(f"row {row} has no {CROWD[column]}: leave such rows out")
    answers = answers.drop_duplicates()
    twice = answers.duplicated(["task", "worker"]).to_numpy()
    if twice.any():
        one = answers.iloc[int(np.argmax(twice))]
        raise ExchangeError(f"worker {one['worker']!r} answers task {one['task']!r} in two ways: keep one answer")
    known = _classes(answers["label"].unique().tolist()) if classes is None else list(classes)
    index = {label: number for number, label in enumerate(known)}
    unknown = [label for label in answers["label"].tolist() if label not in index]
    if unknown:
        raise ExchangeError(f"label {unknown[0]!r} is not one of the classes {known}")
    rows, tasks = pd.factorize(answers["task"])
    columns, workers = pd.factorize(answers["worker"])
    matrix = np.full((len(tasks), max(len(workers), 1)), ABSTAIN, dtype=np.int16)
    matrix[rows, columns] = [index[label] for label in answers["label"].tolist()]
    return validate_votes(matrix, len(known)), list(tasks), list(workers), known


def _classes(labels: list[Any]) -> list[Any]:
    try:
        return sorted(labels)
    except TypeError:
        raise ExchangeError("labels of several types have no order: give classes=") from None


def to_crowdkit(L: Any, tasks: Sequence[Any] | None = None, workers: Sequence[Any] | None = None, classes: Sequence[Any] | None = None) -> pd.DataFrame:
    """The votes as Crowd-Kit's table: columns task, worker, label; a line for each vote, task by task; numbers for names not given.

    Raises:
        VotesError: a bad vote. ExchangeError: another number of names than rows, columns or classes.
    """
    votes = validate_votes(L, None if classes is None else len(classes))
    rows, columns = np.nonzero(votes != ABSTAIN)
    chosen = votes[rows, columns]
    for names, size, what in ((tasks, votes.shape[0], "tasks"), (workers, votes.shape[1], "workers")):
        if names is not None and len(names) != size:
            raise ExchangeError(f"{len(names)} {what} were named, but the label matrix has {size}")
    return pd.DataFrame({"task": _named(rows, tasks), "worker": _named(columns, workers), "label": _named(chosen, classes)})


def _named(numbers: Any, names: Sequence[Any] | None) -> Any:
    return numbers.astype(np.int64) if names is None else [names[number] for number in numbers.tolist()]


def from_wrench(source: str | Path | Mapping[str, Any]) -> tuple[Votes, IntArray, list[str], list[Any]]:
    """(L, Y, ids, data) of a WRENCH split: `{id: {"label": 0, "weak_labels": [-1, 0, …], "data": {…}}}`, or the path of such a file.

    L is int8 [n_rows, n_functions]; Y int64 [n_rows], -1 where the label is null or not there; rows in the order of the file.

    Raises:
        ExchangeError: not in that format; the message names the id. VotesError: a bad vote or label.
    """
    content = source if isinstance(source, Mapping) else _json(Path(source))
    if not isinstance(content, Mapping):
        raise ExchangeError("a WRENCH split is a JSON object of id to row")
    for name, row in content.items():
        if not isinstance(row, Mapping) or not isinstance(row.get("weak_labels"), list):
            raise ExchangeError(f"row {name!r} has no list weak_labels: it is no WRENCH row")
        if isinstance(row.get("label"), list):
            raise ExchangeError(f"row {name!r} has a list of labels: sequence tagging is not read, only one label a row")
    rows = list(content.values())
    lengths = {len(row["weak_labels"]) for row in rows}
    if len(lengths) != 1:
        raise ExchangeError(f"the rows have {sorted(lengths)} weak labels: each function needs one on every row" if lengths else "there are no rows")
    L = validate_votes(np.array([row["weak_labels"] for row in rows], dtype=object))
    Y = validate_gold([ABSTAIN if row.get("label") is None else row["label"] for row in rows])
    return L, Y, list(content), [row.get("data") for row in rows]


def _json(path: Path) -> Any:
    _refuse_pickle(path)
    if path.is_dir():
        raise ExchangeError(f"{path}: is a folder: name one split, as {path}/train.json")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise ExchangeError(f"{path}: is not JSON") from None
