"""A run that takes kept votes again is the run that finds them all: rows, figures and digest; and what it took is counted exactly (guarantees 1 to 3)."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from labeljob.contract.config import FitTask
from labeljob.contract.datasets import Dataset
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.result import LabelResult, ModelVersion
from labeljob.io.pins import pin
from labeljob.labeling_functions.identity import function_set_digest, read_lookups
from labeljob.steps.fit import run_fit
from tests.unit.job.builders import context, delta, function_set, locations, text
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
REUSE = {"reusedRows", "reusedVotes"}


def rows_of(rows: int = ROWS) -> pa.Table:
    """Rows with a note, of which some look like personal data, and a number of the file that each is in."""
    notes = ["odd" if i % 7 == 0 else f"a{i}@example.org" if i % 5 == 0 else None if i % 11 == 0 else f"note {i % 13}" for i in range(rows)]
    return table(rows, seed=4, note=notes, file=[i // FILE for i in range(rows)])


def declared(functions: list[dict[str, Any]] = FUNCTIONS, **more: Any) -> FunctionSet:
    columns = [*SIGNALS, {"name": "note", "type": "string"}, {"name": "p", "type": "float64", **more.pop("bounds", {})}]
    return function_set(columns, functions, additionalColumns="allow", **more)


def fitted(folder: Path, functions: FunctionSet, name: str) -> ModelVersion:
    """Version 1 at pvc://lake/<name>, of a set whose lookup table may have been changed before."""
    digest = function_set_digest(functions, read_lookups(functions, context(folder).open_table))
    data = pin(Dataset(uri="pvc://lake/training", format="parquet"), locations(folder))
    algorithm = "majority-vote" if name == "refitted" else "weighted-vote"
    task = FitTask(
        function_set=functions, function_set_digest=digest, data=data, algorithm=algorithm, calibration="none", parameters={"seed": 0},
        artifacts=f"pvc://lake/{name}", version=1, fit_digest=name, image="i",
    )  # fmt: skip
    return run_fit(task, context(folder)).version


def changed(functions: list[dict[str, Any]], place: int, **change: Any) -> list[dict[str, Any]]:
    return [one | change if number == place else one for number, one in enumerate(functions)]


RENAMED = changed(FUNCTIONS, 1, name="other")
SETS: dict[str, FunctionSet] = {
    "first": declared(),
    "renamed": declared(changed(RENAMED, 3, owner="someone", description="another")),
    "reordered": declared([FUNCTIONS[place] for place in (3, 5, 0, 2, 4, 1)]),
    "changed": declared(changed(FUNCTIONS, 3, keywords={"column": "note", "any": ["odd", "12"]})),
    "removed": declared([*FUNCTIONS[:2], *FUNCTIONS[3:]]),
    "added": declared([*FUNCTIONS[:5], {"name": "more", "label": "risky", "threshold": {"column": "p", "above": 0.7}}, FALLBACK]),
    "fallback": declared(changed(FUNCTIONS, 5, sql="s0 IS NULL")),
    "unmasked": declared(changed(FUNCTIONS, 5, fallback=False)),
    "bounds": declared(bounds={"maximum": 10}),
    "refitted": declared(),
    "lookup": declared(),
}


class Lake:
    """Six of eight files in a Delta table and in a folder of Parquet files of two row groups each, model versions, and full runs of each over them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.versions = folder, dict[str, ModelVersion]()
        self.full: dict[str, tuple[LabelResult, list[dict[str, Any]]]] = {}

    def run(self, name: str, stored: str, output: str, shards: int = 1, sequence: int = 1, history_limit: int = 2, **more: Any) -> LabelResult:
        task = label_task(
            self.folder, Dataset(uri=f"pvc://lake/{stored}", format=stored), self.versions[name], gold(self.folder, rows_of()),
            name=name, output=output, sequence=sequence, history_limit=history_limit, **more,
        )  # fmt: skip
        return label(self.folder, task, shards)

    def full_run(self, name: str, stored: str = "delta") -> tuple[LabelResult, list[dict[str, Any]]]:
        """Of a run that keeps nothing, over the data as it is now, and its rows."""
        found = self.run(name, stored, "full", history_limit=0), without_run(self.folder, "full")
        shutil.rmtree(self.folder / "full")
        return found


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake(folder := tmp_path_factory.mktemp("lake"))
    (folder / "training").mkdir()
    pq.write_table(rows_of(), folder / "training/all.parquet")
    text(folder, "list.csv", "note,verdict\nnote 1,risky\nnote 2,normal\n")
    for start in range(0, 6 * FILE, FILE):
        append(folder, start)
    for name, functions in SETS.items():
        if name == "lookup":
            text(folder, "list.csv", "note,verdict\nnote 1,risky\nnote 3,normal\n")
        lake.versions[name] = fitted(folder, functions, name)
        lake.full[name] = lake.full_run(name)
    for stored in ("delta", "parquet"):
        for shards in (1, 3):
            found = lake.run("first", stored, f"{stored}-{shards}", shards)
            assert (found.commit.metrics["reusedRows"], found.commit.metrics["reusedVotes"]) == (0, 0)
    return lake


@pytest.fixture
def lake(first: Lake) -> Iterator[Lake]:
    """The lake, with outputs and data to change."""
    kept = first.folder.parent / f"{first.folder.name}-kept"
    shutil.copytree(first.folder, kept)
    yield first
    shutil.rmtree(first.folder)
    kept.rename(first.folder)


def append(folder: Path, start: int) -> None:
    part = rows_of().slice(start, FILE)
    delta(folder, "delta", part, mode="append")
    (folder / "parquet").mkdir(exist_ok=True)
    pq.write_table(part, folder / f"parquet/{start:04d}.parquet", row_group_size=FILE // 2)


def without_run(folder: Path, output: str) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "run"} for row in visible(folder, output)]


def alike(lake: Lake, found: LabelResult, output: str, full: tuple[LabelResult, list[dict[str, Any]]]) -> None:
    """Raises AssertionError unless a run that took votes again found what a full run finds, and left what it says beside the output."""
    metrics = {name: value for name, value in found.commit.metrics.items() if name not in REUSE}
    assert found.commit.metrics.keys() - metrics.keys() == REUSE
    same_but_time(found.model_copy(update={"commit": found.commit.model_copy(update={"metrics": metrics})}), full[0])
    assert without_run(lake.folder, output) == full[1]
    assert sorted(name for name in left(lake.folder, output)) == sorted(path.name for path in (lake.folder / output / "_labelplane/votes").iterdir())


SAME, OTHER = "job-dddddddddd-1", "job-dddddddddd-2"
CHANGES = {
    "first": 1.0, "refitted": 1.0, "renamed": 1.0, "reordered": 1.0, "removed": 1.0, "unmasked": 1.0,
    "changed": 5 / 6, "lookup": 5 / 6, "fallback": 5 / 6, "added": 6 / 7, "bounds": 0.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("stored", "shards", "before", "names"),
    [("delta", 1, 1, [*CHANGES]), ("parquet", 3, 1, ["added", "refitted"]), ("parquet", 1, 3, ["changed"]), ("delta", 3, 3, ["lookup"])],
)
def test_a_changed_set_over_the_same_data(lake: Lake, stored: str, shards: int, before: int, names: list[str]) -> None:
    """Guarantee 2, X16: only what a function's votes depend on makes it be evaluated again; names, owners, order and the label model do not."""
    assert CHANGES.keys() == SETS.keys()
    for name, share in ((name, CHANGES[name]) for name in names):
        shutil.copytree(lake.folder / f"{stored}-{before}", lake.folder / "out")
        found = lake.run(name, stored, "out", shards, 2)
        alike(lake, found, "out", lake.full[name])
        assert found.commit.metrics["reusedVotes"] == round(share, 4), name
        assert found.commit.metrics["reusedRows"] == (6 * FILE if share == 1 else 0), name
        assert {row["run"] for row in visible(lake.folder, "out")} == {SAME if name == "first" else OTHER}, name
        shutil.rmtree(lake.folder / "out")


def appended(folder: Path) -> set[int]:
    append(folder, 6 * FILE)
    return {6}


def removed_and_appended(folder: Path) -> set[int]:
    DeltaTable(folder / "delta").delete("file = 2")
    (folder / f"parquet/{2 * FILE:04d}.parquet").unlink()
    return appended(folder)


@pytest.mark.parametrize("change", [appended, removed_and_appended])
def test_new_data_and_the_same_model(lake: Lake, change: Callable[[Path], set[int]]) -> None:
    """Guarantee 2: only files that were not there are evaluated; rows of the others keep the name of the run that labelled them."""
    fresh = change(lake.folder)
    full, of_file = lake.full_run("first"), {row["id"]: row["file"] for row in rows_of().to_pylist()}
    for stored, shards, before in (("delta", 1, 3), ("parquet", 3, 1), ("parquet", 1, 1), ("delta", 3, 3)):
        output = f"{stored}-{before}"
        found = lake.run("first", stored, output, shards, 2)
        alike(lake, found, output, full)
        rows = visible(lake.folder, output)
        assert {(row["run"], of_file[row["id"]] in fresh) for row in rows} == {(SAME, False), (OTHER, True)}
        assert found.commit.metrics["reusedRows"] == sum(row["run"] == SAME for row in rows)
