"""End to end: read, label, predict and write rows with twelve functions in one process on 2 threads, beside `by_hand` in another.

`python -m benchmarks.labeling_functions.end_to_end ours|by-hand FOLDER`: one run of one of them; writes seconds and memory as JSON.
"""

import io
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.label_models.memory import peak
from benchmarks.labeling_functions import by_hand
from benchmarks.labeling_functions.measure import function_set_of
from benchmarks.labeling_functions.texts import mail_pieces
from labeljob.contract.config import FitTask, LabelTask, Mount
from labeljob.contract.datasets import Dataset, DatasetPin
from labeljob.contract.result import ModelVersion
from labeljob.io.locations import Locations
from labeljob.io.pins import pin
from labeljob.labeling_functions.identity import function_set_digest
from labeljob.logs import Log
from labeljob.resources import Resources
from labeljob.steps.context import StepContext
from labeljob.steps.fit import run_fit
from labeljob.steps.label import run_label

THREADS, MEMORY = 2, 1 << 30
BLOCK, SAMPLE = 500_000, 100_000
DATA, FITTED_ON, MODEL, VERSION = "data.parquet", "sample.parquet", "by-hand.json", "version.json"


def context_of(folder: Path) -> StepContext:
    """The surroundings of a pod with 2 CPUs and 1 GiB."""
    locations = Locations([Mount(prefix="pvc://bench", path=str(folder))])
    return StepContext(locations=locations, resources=Resources(THREADS, MEMORY // 4), log=Log("bench", io.StringIO()), build="sha256:bench")


def prepare(folder: Path, rows: int) -> None:
    """The data, a model fitted on a sample of it, and the same model as tables for the script by hand."""
    _write_data(folder, rows)
    version = _fit(folder)
    (folder / VERSION).write_text(json.dumps({"version": version.version, "sha256": version.sha256}))
    (folder / MODEL).write_text(json.dumps(_tables(len(by_hand.RULES))))


def _write_data(folder: Path, rows: int) -> None:
    """Rows in no order of their ids; the texts of a block come again in the next one, each under another id and with another last word."""
    pieces = pa.array(mail_pieces(min(rows, BLOCK)))
    order = np.random.default_rng(1).permutation(rows)
    schema = pa.schema([("id", pa.int64()), ("text", pa.string())])
    with pq.ParquetWriter(folder / DATA, schema, compression="zstd") as writer:
        for start in range(0, rows, BLOCK):
            part = pieces.slice(0, min(BLOCK, rows - start))
            tail = pa.array([f" {start:x}"] * len(part))
            texts = pa.compute.binary_join_element_wise(part, tail, "")
            writer.write_table(pa.table({"id": order[start : start + len(part)], "text": texts}, schema=schema), row_group_size=131_072)
    sample = next(pq.ParquetFile(folder / DATA).iter_batches(SAMPLE))
    pq.write_table(pa.Table.from_batches([sample]), folder / FITTED_ON)


def _pin(folder: Path, name: str) -> DatasetPin:
    return pin(Dataset(uri=f"pvc://bench/{name}", format="parquet"), context_of(folder).locations)


def _fit(folder: Path) -> ModelVersion:
    functions = function_set_of(by_hand.RULES)
    task = FitTask(
        function_set=functions, function_set_digest=function_set_digest(functions, {}), data=_pin(folder, FITTED_ON), algorithm="dawid-skene", parameters={},
        artifacts="pvc://bench/artifacts", version=1, fit_digest="bench", image="bench",
    )  # fmt: skip
    return run_fit(task, context_of(folder)).version


def _tables(functions: int) -> dict[str, object]:
    """A model of the same form; its numbers change no work."""
    accuracy = np.linspace(0.6, 0.9, functions)
    voted = [[np.log(0.9).repeat(2).tolist(), *np.log(0.1 * np.array([[a, 1 - a], [1 - a, a]])).tolist()] for a in accuracy]
    return {"log_balance": np.log([0.5, 0.5]).tolist(), "log_confusion": voted}


def ours(folder: Path) -> None:
    """One label step, from the pinned file to the commit."""
    version = json.loads((folder / VERSION).read_text())
    task = LabelTask(
        data=_pin(folder, DATA), artifacts="pvc://bench/artifacts", model_name="bench", model_version=version["version"], model_sha256=version["sha256"],
        output="pvc://bench/labels", app_id="bench", sequence=1, run_digest="bench", run="bench-1", image="bench",
    )  # fmt: skip
    run_label(task, context_of(folder))


def main() -> int:
    name, folder = sys.argv[1], Path(sys.argv[2])
    started = time.perf_counter()
    if name == "ours":
        ours(folder)
    else:
        by_hand.run(folder / DATA, folder / MODEL, folder / "by-hand.parquet")
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"wall": time.perf_counter() - started, "cpu": used.ru_utime + used.ru_stime, "peak_mb": peak()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
