"""A lake of files with a few model versions, and runs over it that keep votes or find them all."""

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa

from labeljob.contract.datasets import Dataset
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.result import LabelResult, ModelVersion
from tests.unit.job.builders import function_set
from tests.unit.job.runs import label, label_task, left, same_but_time, visible
from tests.unit.job.test_shards import SIGNALS, gold, table

ROWS, FILE = 480, 60  # of the lake, and of each of its files
BY_MAP = [{"name": f"f{j}", "votes": {"column": f"s{j}", "map": {"0": "normal", "1": "risky"}}} for j in range(3)]
WORD = {"name": "word", "label": "risky", "keywords": {"column": "note", "any": ["odd"]}}
LOOKUP = {
    "name": "list", "lookup": {"column": "note", "table": {"uri": "pvc://lake/list.csv", "format": "csv"}, "keyColumn": "note", "labelColumn": "verdict"},
}  # fmt: skip
FALLBACK = {"name": "else", "label": "normal", "sql": "true", "fallback": True}
FUNCTIONS = [*BY_MAP, WORD, LOOKUP, FALLBACK]
PLAIN = FUNCTIONS[:4]  # without a table, without a fallback
REUSE = {"reusedRows", "reusedVotes"}


def rows_of(rows: int = ROWS) -> pa.Table:
    """Rows with a note, of which some look like personal data, and a number of the file that each is in."""
    notes = ["odd" if i % 7 == 0 else f"a{i}@example.org" if i % 5 == 0 else None if i % 11 == 0 else f"note {i % 13}" for i in range(rows)]
    return table(rows, seed=4, note=notes, file=[i // FILE for i in range(rows)])


def declared(functions: list[dict[str, Any]] = FUNCTIONS, **more: Any) -> FunctionSet:
    columns = [*SIGNALS, {"name": "note", "type": "string"}, {"name": "p", "type": "float64", **more.pop("bounds", {})}]
    return function_set(columns, functions, additionalColumns="allow", **more)


class Lake:
    """Six of eight files in a Delta table and in a folder of Parquet files of two row groups each, model versions, and full runs of each over them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.versions = folder, dict[str, ModelVersion]()
        self.full: dict[str, tuple[LabelResult, list[dict[str, Any]]]] = {}

    def run(self, name: str, stored: str, output: str, shards: int = 1, sequence: int = 1, history_limit: int = 2, kind: str = "", **more: Any) -> LabelResult:
        task = label_task(
            self.folder, Dataset.model_validate({"uri": f"pvc://lake/{stored}", "format": kind or stored}), self.versions[name], gold(self.folder, rows_of()),
            name=name, output=output, sequence=sequence, history_limit=history_limit, **more,
        )  # fmt: skip
        return label(self.folder, task, shards)

    def full_run(self, name: str, stored: str = "delta", **more: Any) -> tuple[LabelResult, list[dict[str, Any]]]:
        """Of a run that keeps nothing, over the data as it is now, and its rows."""
        found = self.run(name, stored, "full", history_limit=0, **more), without_run(self.folder, "full")
        shutil.rmtree(self.folder / "full")
        return found


def without_run(folder: Path, output: str) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "run"} for row in visible(folder, output)]


def without_reuse(found: LabelResult) -> LabelResult:
    """What a run found, but what it took from others; raises AssertionError where it does not say that."""
    metrics = {name: value for name, value in found.commit.metrics.items() if name not in REUSE}
    assert found.commit.metrics.keys() - metrics.keys() == REUSE
    return found.model_copy(update={"commit": found.commit.model_copy(update={"metrics": metrics})})


def alike(lake: Lake, found: LabelResult, output: str, full: tuple[LabelResult, list[dict[str, Any]]]) -> None:
    """Raises AssertionError unless a run that took votes again found what a full run finds, and left what it says beside the output."""
    same_but_time(without_reuse(found), full[0])
    assert without_run(lake.folder, output) == full[1]
    kept = (path.name for place in ("_labelplane/votes", "_quarantine") for path in (lake.folder / output / place).rglob("*.*"))
    assert left(lake.folder, output) == sorted(kept)


SAME, OTHER = "job-dddddddddd-1", "job-dddddddddd-2"
