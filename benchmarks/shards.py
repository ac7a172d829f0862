"""A run in shards beside the same run in one pod: CPU seconds beyond the start of a process, and peak memory far above its limit.

Each step is a process of its own, as a pod is. The data is generated: texts, numbers and a class for each row, ids in no order, so that the merge of
the commit has everything to do; a label model is fitted on the first rows.
"""

import argparse
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.limits import limited
from benchmarks.page import write_section
from labeljob.contract.config import CommitTask, FitTask, LabelTask, Mount, ShardTask
from labeljob.contract.datasets import Dataset
from labeljob.contract.function_set import FunctionSet
from labeljob.io.locations import Locations
from labeljob.io.pins import pin
from labeljob.io.source import rebatch
from labeljob.labeling_functions.identity import function_set_digest
from labeljob.logs import Log
from labeljob.resources import available
from labeljob.steps.context import StepContext

WORDS = ("refund", "invoice", "urgent", "meeting", "lunch", "password", "winner", "report")
COLUMNS = [
    {"name": "id", "type": "int64", "nullable": False},
    {"name": "text", "type": "string"},
    *({"name": f"n{j}", "type": "float64"} for j in range(4)),
    {"name": "said", "type": "string"},
]
FUNCTIONS = [
    *({"name": f"word_{word}", "label": "risky" if k % 2 else "normal", "keywords": {"column": "text", "any": [word]}} for k, word in enumerate(WORDS[:4])),
    *({"name": f"above_{j}", "label": "risky", "threshold": {"column": f"n{j}", "above": 0.8}} for j in range(4)),
    {"name": "low", "label": "normal", "sql": "n0 + n1 < 0.4"},
    {"name": "both", "label": "risky", "sql": "n2 > 0.7 AND n3 > 0.7"},
    {"name": "said", "votes": {"column": "said", "map": {"yes": "risky", "no": "normal"}}},
    {"name": "password", "label": "risky", "regex": {"column": "text", "pattern": "(?i)pass(word|phrase)"}},
]
SET = FunctionSet.model_validate({"classes": ["normal", "risky"], "idColumn": "id", "schema": {"columns": COLUMNS}, "functions": FUNCTIONS})


def generate(folder: Path, rows: int, filler: int = 0, groups: int = 64) -> Dataset:
    """Rows of a text of eight words and `filler` times 33 characters more, four numbers and a word that says it, at pvc://lake/data.parquet."""
    words = 8
    chosen = ", ".join(f"'{word}'" for word in WORDS)
    text = " || ' ' || ".join(f"list_extract([{chosen}], 1 + (hash(i * {words} + {w}) % {len(WORDS)})::INT) || (hash(i + {w}) % 1000)::VARCHAR" for w in range(words))
    text += f" || repeat(' ' || md5(i::VARCHAR), {filler})"
    numbers = ", ".join(f"(hash(i * 7 + {j}) % 100000) / 100000.0 AS n{j}" for j in range(4))
    said = "CASE hash(i + 3) % 4 WHEN 0 THEN 'yes' WHEN 1 THEN 'no' END AS said"
    scrambled = f"(i * 7919) % {rows} AS id"  # 7919 is a prime: every id once
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    reader = connection.sql(f"SELECT {scrambled}, {text} AS text, {numbers}, {said} FROM range({rows}) t(i)").to_arrow_reader(1 << 14)  # noqa: S608 our own
    with pq.ParquetWriter(folder / "data.parquet", reader.schema) as writer:  # Arrow's pages are small; DuckDB's are up to 100 MB, and a page is read whole
        for part in rebatch(reader, max(2048, rows // groups)):
            writer.write_table(pa.Table.from_batches([part]))
    return Dataset(uri="pvc://lake/data.parquet", format="parquet")


def surroundings(folder: Path, limit: int | None) -> StepContext:
    """Of a step in a pod with so many bytes of memory."""
    cgroup = folder / "cgroup"
    if limit is not None:
        cgroup.mkdir(exist_ok=True)
        (cgroup / "memory.max").write_text(str(limit))
    return StepContext(Locations([Mount(prefix="pvc://lake", path=str(folder))]), available(cgroup), Log("bench", io.StringIO()), "sha256:bench")


def first_rows(folder: Path, rows: int) -> pa.Table:
    """Of the data."""
    with pq.ParquetFile(folder / "data.parquet") as file:
        return pa.Table.from_batches([next(file.iter_batches(rows))])


def fitted(folder: Path) -> Any:
    """A model version of the first rows."""
    from labeljob.steps.fit import run_fit

    pq.write_table(first_rows(folder, 20_000), folder / "some.parquet")
    context = surroundings(folder, None)
    data = pin(Dataset(uri="pvc://lake/some.parquet", format="parquet"), context.locations)
    task = FitTask(
        function_set=SET, function_set_digest=function_set_digest(SET, {}), data=data, algorithm="dawid-skene", parameters={"seed": 0}, artifacts="pvc://lake/model",
        version=1, fit_digest="f", image="i",
    )  # fmt: skip
    return run_fit(task, context).version


def child(folder: Path, shards: int, index: int, limit: int | None) -> dict[str, Any]:
    """One step in this process; `index` -1 is the commit. What any step loads is loaded before the clock starts."""
    import pandas  # noqa: F401 PyArrow does when it first makes an array

    from labeljob.steps import label_one  # noqa: F401
    from labeljob.steps.commit import run_commit
    from labeljob.steps.label import run_label
    from labeljob.steps.shard import run_shard

    task = LabelTask.model_validate_json((folder / f"task-{shards}.json").read_bytes())
    context = surroundings(folder, limit)
    base, started = peak_bytes(), time.process_time()
    found: Any = None
    if shards == 1:
        found = run_label(task, context)
    elif index < 0:
        found = run_commit(CommitTask(label=task, shards=shards), context)
    else:
        run_shard(ShardTask(label=task, shards=shards), index, context)
    seconds = time.process_time() - started
    digest = found.commit.content_digest if found else None
    return {"seconds": seconds, "peak": peak_bytes(), "base": base, "digest": digest}


def peak_bytes() -> int:
    """Most that this program has been resident with; what rusage says would include the process that it was forked from."""
    (line,) = [one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("VmHWM:")]
    return int(line.split()[1]) << 10


def run(folder: Path, data: Dataset, version: Any, shards: int, limit: int | None = None, group: Path | None = None) -> list[dict[str, Any]]:
    """The steps of a run, one process after the other, the commit last, each in the cgroup that `group` puts it in; the output is removed."""
    pinned = pin(data, Locations([Mount(prefix="pvc://lake", path=str(folder))]))
    task = LabelTask(
        data=pinned, artifacts="pvc://lake/model", model_name="m", model_version=1, model_sha256=version.sha256, output=f"pvc://lake/out-{shards}", app_id="bench",
        sequence=1, run_digest="d" * 64, run="bench-dddddddddd-1", image="i",
    )  # fmt: skip
    (folder / f"task-{shards}.json").write_text(json.dumps(task.wire()))
    steps = [0] if shards == 1 else [*range(shards), -1]
    command = [sys.executable, "-m", "benchmarks.shards", str(folder), str(shards)]
    enter = [] if group is None else ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(group)]  # before Python loads anything: all of it counts
    outputs = [subprocess.run([*enter, *command, str(index), str(limit or 0)], capture_output=True, text=True, check=True).stdout for index in steps]
    subprocess.run(["rm", "-r", str(folder / f"out-{shards}")], check=True)
    return [json.loads(output) for output in outputs]


def overhead(rows: int, counts: Sequence[int], rounds: int) -> str:
    """A table of CPU seconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = generate(folder, rows)
        version = fitted(folder)
        found = {count: [run(folder, data, version, count) for _ in range(rounds)] for count in counts}
    if len({one[-1]["digest"] for runs in found.values() for one in runs}) != 1:
        raise SystemExit("the content digests differ")
    best = {count: min(runs, key=lambda steps: sum(step["seconds"] for step in steps)) for count, runs in found.items()}
    base = sum(step["seconds"] for step in best[counts[0]])
    lines = []
    for count, steps in best.items():
        total, last = sum(step["seconds"] for step in steps), steps[-1]["seconds"] if count > 1 else 0
        lines.append(f"| {count} | {total:.1f} | {last:.1f} | {total / base:.2f} |")
    title = f"## Shards: {rows:,} rows × {len(FUNCTIONS)} functions, ids in no order"
    about = f"CPU seconds of all processes beyond their start, the least of {rounds} rounds. All runs have the same content digest."
    return "\n".join([title, "", about, "", "| shards | CPU s | of it the commit | ratio |", "|---:|---:|---:|---:|", *lines, "", ""])


def memory(rows: int, filler: int, counts: Sequence[int], limit: int) -> str:
    """A table of peaks of a run whose data is far above the limit."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = generate(folder, rows, filler, groups=8)
        compressed = (folder / "data.parquet").stat().st_size
        some = first_rows(folder, 10_000)  # all rows are about as long
        in_memory = rows * some.nbytes / some.num_rows
        version = fitted(folder)
        lines = []
        for count in counts:
            with limited(limit) as group:
                steps, enforced = run(folder, data, version, count, limit, group), group is not None
            for name_, part in (("the shards" if count > 1 else "one pod", steps[:-1] if count > 1 else steps), ("the commit", steps[-1:] if count > 1 else [])):
                if part:
                    lines.append(f"| {count} | {name_} | {max(s['base'] for s in part) >> 20} | {max(s['peak'] for s in part) >> 20} |")
    title = f"## Memory: {rows:,} rows, {in_memory / 1e9:.1f} GB in memory ({compressed / 1e9:.1f} GB on disk), limit {limit >> 20} MiB: {in_memory / limit:.0f} times"
    held = "The kernel holds each process to the limit, in a cgroup." if enforced else "The limit is told as a cgroup would; no cgroup could be made to enforce it."
    about = f"Peak resident MB of the largest process; *base* is what it has before it begins. {held}"
    return "\n".join([title, "", about, "", "| shards | step | base | peak |", "|---:|---|---:|---:|", *lines, "", ""])


def measure(sizes: Sequence[int] = (16_000_000, 4_000_000), rounds: int = 1, memory_rows: int = 19_000_000) -> None:
    """Measure and write the section."""
    text = "`python -m benchmarks shards`.\n\n" + "".join(overhead(rows, (1, 2, 4, 8), rounds) for rows in sizes)
    print(text, flush=True)
    text += memory(memory_rows, filler=40, counts=(4, 1), limit=512 << 20)
    print(text, flush=True)
    write_section("shards", text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("shards", type=int)
    parser.add_argument("index", type=int)
    parser.add_argument("limit", type=int)
    options = parser.parse_args()
    print(json.dumps(child(options.folder, options.shards, options.index, options.limit or None)))
