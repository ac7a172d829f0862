"""What a step takes: peak resident memory and CPU seconds of its process, by rows and by the memory limit that it is told.

Requests of pods are sized by these figures (`labelplane.plan.sizing`). Data, functions and model are those of `benchmarks.shards`; each step is a process of its own, with
all it has loaded, as a pod's is.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.limits import limited
from benchmarks.page import table, write_section
from benchmarks.shards import FUNCTIONS, SET, fitted, generate, peak_bytes, surroundings
from labeljob.contract.config import CheckTask, CommitTask, FitTask, LabelTask, ResolveTask, ShardTask
from labeljob.contract.datasets import Dataset
from labeljob.io.pins import pin
from labeljob.labeling_functions.identity import function_set_digest

DATA = Dataset(uri="pvc://lake/data.parquet", format="parquet")
STEPS = ("check", "resolve", "fit", "label", "shard", "commit")  # in this order: a commit finds what two shards have left
RUNS = ((1_000, (96, 128)), (100_000, (128, 192, 256)), (1_000_000, (256, 512)), (4_000_000, (512, 1024)))  # rows, limits in MiB
SHARDS = 2


def child(step: str, folder: Path, limit: int) -> dict[str, float]:
    """One step in this process."""
    context = surroundings(folder, limit)
    _run(step, folder, context)
    return {"peak": peak_bytes(), "cpu": time.process_time()}


def _run(step: str, folder: Path, context: Any) -> None:
    task = LabelTask.model_validate_json((folder / "task.json").read_bytes())
    if step == "check":
        from labeljob.steps.check import run_check

        run_check(CheckTask(function_set=SET), context)
    elif step == "resolve":
        from labeljob.steps.resolve import run_resolve

        run_resolve(ResolveTask(function_set=SET, data=DATA, artifacts="pvc://lake/model"), context)
    elif step == "fit":
        from labeljob.steps.fit import run_fit

        run_fit(
            FitTask(
                function_set=SET, function_set_digest=function_set_digest(SET, {}), data=task.data, algorithm="auto", parameters={"seed": 0}, artifacts="pvc://lake/fits",
                version=1, fit_digest="f", image="i",
            ),
            context,
        )  # fmt: skip
    elif step == "label":
        from labeljob.steps.label import run_label

        run_label(task.model_copy(update={"output": "pvc://lake/whole"}), context)
    elif step == "shard":
        from labeljob.steps.shard import run_shard

        run_shard(ShardTask(label=task, shards=SHARDS), int((folder / "index").read_text()), context)
    else:
        from labeljob.steps.commit import run_commit

        run_commit(CommitTask(label=task, shards=SHARDS), context)


def measured(step: str, folder: Path, limit: int, group: Path | None) -> dict[str, float] | None:
    """The step in a process of its own, held to the limit by the kernel where `group` is its cgroup; of the shards the larger figure each; None: killed."""
    found = []
    enter = [] if group is None else ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(group)]
    for index in range(SHARDS if step == "shard" else 1):
        (folder / "index").write_text(str(index))
        ended = subprocess.run([*enter, sys.executable, "-m", "benchmarks.sizes", step, str(folder), str(limit)], capture_output=True, text=True, check=False)
        if ended.returncode == -9:
            return None
        if ended.returncode:
            raise SystemExit(ended.stderr)
        found.append(json.loads(ended.stdout))
    return {name: max(one[name] for one in found) for name in found[0]}


def lines(rows: int, limits: Sequence[int], filler: int = 0) -> list[list[str]]:
    """A line for each limit and step."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generate(folder, rows, filler)
        version = fitted(folder)
        pinned = pin(DATA, surroundings(folder, None).locations)
        found = []
        for limit in limits:
            task = LabelTask(
                data=pinned, artifacts="pvc://lake/model", model_name="m", model_version=1, model_sha256=version.sha256, output="pvc://lake/shards", app_id="sizes",
                sequence=1, run_digest="d" * 64, run="sizes-dddddddddd-1", image="i",
            )  # fmt: skip
            (folder / "task.json").write_text(json.dumps(task.wire()))
            subprocess.run(["rm", "-rf", *(str(folder / one) for one in ("whole", "shards", "fits"))], check=True)
            stored = (folder / "data.parquet").stat().st_size
            for step in STEPS if rows >= 10_000 else STEPS[:4]:  # fewer rows are one row group
                with limited(limit) as group:
                    one = measured(step, folder, limit, group)
                figures = [str(int(one["peak"]) >> 20), f"{one['cpu']:.1f}"] if one else ["killed", ""]
                found.append([f"{rows:,}", f"{stored / 2**20:.1f}", f"{limit >> 20}{'' if group else ' (told)'}", step, *figures])
                print("| " + " | ".join(found[-1]) + " |", flush=True)
                if one is None and step == "shard":
                    break  # nothing to commit
        return found


def measure() -> None:
    """Measure and write the section."""
    head = ["rows", "stored MiB", "limit MiB", "step", "peak MiB", "CPU s"]
    found = [line for rows, limits in RUNS for line in lines(rows, [limit << 20 for limit in limits])]
    about = (
        f"`python -m benchmarks sizes`. {len(FUNCTIONS)} functions; two shards, the larger figure. The kernel holds each process to the limit, in a cgroup, and kills what"
        " goes beyond (*told*: no cgroup could be made). Peak resident memory counts about 110 MiB of libraries, which the pods of a node share and the kernel takes back"
        " before it kills. CPU seconds are the whole process's."
    )
    write_section("sizes", f"{about}\n\n## What a step takes\n\n{table(head, found)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("limit", type=int)
    options = parser.parse_args()
    print(json.dumps(child(options.step, options.folder, options.limit)))
