"""A run that takes kept votes again is the run that finds them all: rows, figures and digest; and what it took is counted exactly (guarantees 1 to 3)."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from labeljob.contract.config import FitTask
from labeljob.contract.datasets import Dataset
from labeljob.contract.function_set import FunctionSet
from labeljob.contract.result import ModelVersion
from labeljob.contract.versions import VersionsRequest
from labeljob.io.pins import pin
from labeljob.labeling_functions.identity import function_set_digest, read_lookups
from labeljob.steps.fit import run_fit
from labeljob.versions.rollback import rollback
from tests.unit.job.builders import context, delta, locations, text
from tests.unit.job.lake import FALLBACK, FILE, FUNCTIONS, OTHER, SAME, Lake, alike, declared, rows_of
from tests.unit.job.runs import visible


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
    "twin": declared([*FUNCTIONS, FUNCTIONS[3] | {"name": "again"}]),
    "refitted": declared(),
    "lookup": declared(),
}


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


CHANGES = {
    "first": 1.0, "refitted": 1.0, "renamed": 1.0, "reordered": 1.0, "removed": 1.0, "unmasked": 1.0, "twin": 1.0,
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


def test_what_is_kept_is_not_read(lake: Lake) -> None:
    """Item 3: files whose votes are all kept may be anything; where a function is new, its columns are read and no other."""
    folder = lake.folder
    first = [Path(path) for path in DeltaTable(folder / "delta").file_uris()]
    kept = {path: path.read_bytes() for path in first}
    appended(folder)
    full = lake.full_run("first"), lake.full_run("changed")
    for path in first:
        path.write_bytes(b"not Parquet")
    found = lake.run("first", "delta", "delta-1", 1, 2)
    alike(lake, found, "delta-1", full[0])
    assert found.commit.metrics["reusedRows"] == 6 * FILE
    for path, content in kept.items():
        path.write_bytes(content)
        pq.write_table(pq.read_table(path, columns=["id", "note"], partitioning=None), path)
    found = lake.run("changed", "delta", "delta-1", 1, 3)
    alike(lake, found, "delta-1", full[1])
    assert found.commit.metrics["reusedVotes"] == round(5 / 6, 4)


def test_votes_are_kept_of_so_many_runs(lake: Lake) -> None:
    """Item 3: what no manifest of the last runs names is removed, attempts that never committed and files at work among it; 0 keeps nothing."""
    votes, later = lake.folder / "delta-1/_labelplane/votes", "00000009-dead-0000-beef.parquet"
    for name in ("00000001-dead-0000-beef.parquet", "00000001-dead-0000-beef.parquet.work-x", later):
        (votes / name).write_bytes(b"x")
    named = []
    for sequence, name in enumerate(("changed", "first", "lookup", "changed"), start=2):
        found = lake.run(name, "delta", "delta-1", 1, sequence)
        named.append(found.commit.votes)
        assert found.commit.metrics["reusedVotes"] == round({2: 5 / 6, 3: 1.0, 4: 5 / 6, 5: 5 / 6}[sequence], 4), sequence
    manifests = sorted(path.name for path in votes.glob("*.json"))
    assert manifests == sorted(named[-2:])
    files = {f"{one['name']}{end}.parquet" for name in manifests for one in json.loads((votes / name).read_bytes())["files"] for end in ("", "-looks")}
    assert {path.name for path in votes.iterdir()} == files | {later, *manifests}
    found = lake.run("changed", "delta", "delta-1", 1, 9, history_limit=0)
    assert found.commit.votes is None
    assert "reusedVotes" not in found.commit.metrics
    assert not (lake.folder / "delta-1/_labelplane").exists()
    assert lake.run("changed", "delta", "delta-1", 1, 10).commit.metrics["reusedVotes"] == 0


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def recount(path: Path) -> None:
    """Another number of row groups, so that rows would be left out."""
    manifest = json.loads(path.read_bytes())
    path.write_text(json.dumps(manifest | {"counted": dict.fromkeys(manifest["counted"], 0)}))


def flip(path: Path) -> None:
    """Another byte in its first page."""
    content = bytearray(path.read_bytes())
    content[60] ^= 0xFF
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    ("pattern", "damage"),
    [
        ("*-0000-*.parquet", Path.unlink), ("*-0000-" + "?" * 32 + ".parquet", flip), ("*-looks.parquet", flip), ("*-looks.parquet", cut),
        ("*.json", recount), ("*.json", Path.unlink),
    ],
)  # fmt: skip
def test_damaged_votes_are_found_anew(lake: Lake, pattern: str, damage: Callable[[Path], None]) -> None:
    """Guarantee 3: what is not there or not whole does not count, and fails nothing; who labelled a row is told as before unless the manifest is gone."""
    shards = 3 if damage is flip else 1
    output = f"delta-{shards}"
    for path in (lake.folder / output / "_labelplane/votes").glob(pattern):
        damage(path)
    found = lake.run("first", "delta", output, shards, 2)
    alike(lake, found, output, lake.full["first"])
    assert (found.commit.metrics["reusedRows"] or 0) < 6 * FILE
    assert {row["run"] for row in visible(lake.folder, output)} == {OTHER if pattern == "*.json" else SAME}
    assert lake.run("first", "delta", output, shards, 3).commit.metrics["reusedVotes"] == 1


def test_votes_of_other_rows_are_not_taken(lake: Lake) -> None:
    """Guarantee 2: rows are told by their ids before votes are put beside others; where a file is another one in spite of its log, all of it is read."""
    path = Path(DeltaTable(lake.folder / "delta").file_uris()[0])
    rows = pq.read_table(path, partitioning=None)
    pq.write_table(rows.take(list(range(FILE - 1, -1, -1))), path)
    found = lake.run("changed", "delta", "delta-1", 1, 2)
    alike(lake, found, "delta-1", lake.full["changed"])
    assert found.commit.metrics["reusedVotes"] == 0


def test_a_version_that_is_restored(lake: Lake) -> None:
    """Guarantee 2: the record of what is restored names its own manifest, so rows go on saying who labelled the rows that stand there."""
    lake.run("refitted", "delta", "delta-1", 1, 2)
    request = VersionsRequest(action="rollback", job="job", mounts=(), output="pvc://lake/delta-1", app_id="labelplane/ns/job", artifacts="pvc://lake/first", version=0)
    rollback(request, locations(lake.folder))
    found = lake.run("first", "delta", "delta-1", 1, 4)
    alike(lake, found, "delta-1", lake.full["first"])
    assert {row["run"] for row in visible(lake.folder, "delta-1")} == {SAME}
    assert found.commit.metrics["reusedVotes"] == 1
