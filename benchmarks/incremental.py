"""A run that takes kept votes again beside one that finds them all: CPU seconds beyond the start of a process, and what is kept.

Each run is a process of its own, as a pod is, over the data of `shards` as a Delta table of twenty files.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from deltalake import write_deltalake

from benchmarks.page import table, write_section
from benchmarks.shards import FUNCTIONS, SET, generate, surroundings
from labeljob.contract.config import FitTask, LabelTask
from labeljob.contract.datasets import Dataset
from labeljob.contract.function_set import FunctionSet
from labeljob.io.pins import pin
from labeljob.labeling_functions.identity import function_set_digest

FILES, KEPT = 20, 2
CHANGED = SET.model_dump(mode="json", by_alias=True, exclude_none=True) | {
    "functions": [*FUNCTIONS[:-1], {"name": "password", "label": "risky", "regex": {"column": "text", "pattern": "(?i)pass(word|code)"}}]
}
DATA = Dataset(uri="pvc://lake/data", format="delta")


def fitted(folder: Path, functions: FunctionSet, name: str, algorithm: str = "dawid-skene") -> str:
    """A model version of the first rows; its SHA-256."""
    from labeljob.steps.fit import run_fit

    context = surroundings(folder, None)
    data = pin(Dataset(uri="pvc://lake/some.parquet", format="parquet"), context.locations)
    task = FitTask(
        function_set=functions, function_set_digest=function_set_digest(functions, {}), data=data, algorithm=algorithm, parameters={"seed": 0},
        artifacts=f"pvc://lake/{name}", version=1, fit_digest=name, image="i",
    )  # fmt: skip
    return run_fit(task, context).version.sha256


def append(folder: Path, rows: int, files: range) -> None:
    """These files of the data, one version each."""
    each = rows // FILES
    whole = pq.read_table(folder / "data.parquet")
    for number in files:
        write_deltalake(folder / "data", whole.slice(number * each, each), mode="append")


def child(folder: Path) -> dict[str, Any]:
    """One run in this process. What any run loads is loaded before the clock starts."""
    import pandas  # noqa: F401 PyArrow does when it first makes an array

    from labeljob.steps import label_one  # noqa: F401
    from labeljob.steps.label import run_label

    context, task = surroundings(folder, None), LabelTask.model_validate_json((folder / "task.json").read_bytes())
    started = time.process_time()
    found = run_label(task, context)
    seconds = time.process_time() - started
    return {"seconds": seconds, "digest": found.commit.content_digest, "reused": found.commit.metrics.get("reusedVotes")}


class Runs:
    """Runs over one output after the other."""

    def __init__(self, folder: Path, versions: Mapping[str, str]) -> None:
        self.folder, self.versions, self.sequence = folder, versions, 0

    def run(self, name: str, output: str, kept: int) -> dict[str, Any]:
        """One with the model of this name."""
        self.sequence += 1
        task = LabelTask(
            data=pin(DATA, surroundings(self.folder, None).locations), artifacts=f"pvc://lake/{name}", model_name="m", model_version=1,
            model_sha256=self.versions[name], output=f"pvc://lake/{output}", app_id="bench", sequence=self.sequence, run_digest="d" * 64,
            run=f"bench-dddddddddd-{self.sequence}", history_limit=kept, image="i",
        )  # fmt: skip
        (self.folder / "task.json").write_text(json.dumps(task.wire()))
        command = [sys.executable, "-m", "benchmarks.incremental", str(self.folder)]
        return dict(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def compared(rows: int) -> str:
    """A table of CPU seconds."""
    with tempfile.TemporaryDirectory() as given:
        folder = Path(given)
        generate(folder, rows)
        pq.write_table(pq.ParquetFile(folder / "data.parquet").read_row_group(0), folder / "some.parquet")
        versions = {"first": fitted(folder, SET, "first"), "changed": fitted(folder, FunctionSet.model_validate(CHANGED), "changed")}
        versions["refitted"] = fitted(folder, SET, "refitted", "majority-vote")
        runs = Runs(folder, versions)
        append(folder, rows, range(FILES - 1))
        runs.run("first", "kept", KEPT)
        append(folder, rows, range(FILES - 1, FILES))
        full = {name: runs.run(name, f"full-{name}", 0) for name in versions}
        found = {
            "1 of 20 files is new": ("first", runs.run("first", "kept", KEPT)),
            "1 of 12 functions is new": ("changed", runs.run("changed", "kept", KEPT)),
            "the label model is new": ("refitted", runs.run("refitted", "kept", KEPT)),
            "everything is new": ("first", runs.run("first", "anew", KEPT)),
        }
        size = sum(path.stat().st_size for path in (folder / "anew/_labelplane").rglob("*.parquet"))
        labels = sum(path.stat().st_size for path in (folder / "anew").glob("*.parquet"))
        data = sum(path.stat().st_size for path in (folder / "data").glob("*.parquet"))
    if any(one["digest"] != full[name]["digest"] for name, one in found.values()):
        raise SystemExit("the content digests differ")
    lines = []
    for what, (name, one) in found.items():
        seconds, base = one["seconds"], full[name]["seconds"]
        lines.append([what, f"{one['reused']:.3f}", f"{base:.1f}", f"{seconds:.1f}", f"{seconds / base:.2f}"])
    about = (
        "CPU seconds beyond the start of a process, of one run each; *full* is a run that keeps nothing. Both have the same content digest."
        f" Kept votes take {size / rows:.1f} bytes a row, the labels {labels / rows:.1f}, the data {data / rows:.1f}."
    )
    title = f"## Incremental runs: {rows:,} rows in {FILES} files × {len(FUNCTIONS)} functions"
    return "\n".join([title, "", about, "", table(["", "votes taken again", "full, s", "s", "ratio"], lines)])


def measure(rows: int = 2_000_000) -> None:
    """Measure and write the section."""
    text = "`python -m benchmarks incremental`.\n\n" + compared(rows)
    print(text, flush=True)
    write_section("incremental", text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    print(json.dumps(child(parser.parse_args().folder)))
