"""The steps that run most often start fast: they load what they need, which is most of their work."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa

from labeljob.contract.config import JobConfig, Mount, Owner, ResolveTask
from labeljob.contract.digests import canonical_json
from tests.unit.job.builders import delta, function_set
from tests.unit.job.test_run import config

MODULES = ("numpy", "pyarrow", "duckdb", "deltalake", "labeljob.label_model", "pandas")
RUN = f"import sys; from labeljob.run import main; code = main(); print([name for name in {MODULES} if name in sys.modules]); sys.exit(code)"


def loaded(folder: Path, given: JobConfig) -> str:
    """Which of MODULES a step has loaded when it has succeeded."""
    (folder / "config.json").write_bytes(canonical_json(given.wire()))
    command = [sys.executable, "-c", RUN, "--config", str(folder / "config.json"), "--result", str(folder / "result")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_delta_table_is_resolved_without_numerics(tmp_path: Path) -> None:
    table = delta(tmp_path, "events", pa.table({"id": ["a", "b"], "text": ["fire", None]}))
    plain = function_set([{"name": "text", "type": "string"}], [{"name": "told", "label": "risky", "keywords": {"column": "text", "any": ["fire"]}}])
    task = ResolveTask(data=table, function_set=plain)
    mounts = (Mount(prefix="pvc://lake", path=str(tmp_path)),)
    step = JobConfig(step="resolve", owner=Owner(kind="LabelModel", namespace="ns", name="model"), mounts=mounts, resolve=task)
    assert loaded(tmp_path, step) == "['deltalake']"
    assert json.loads((tmp_path / "result").read_text())["resolve"]["data"]["version"] == 0


def test_functions_are_checked_without_a_label_model_and_pandas(tmp_path: Path) -> None:
    assert loaded(tmp_path, config()) == "['numpy', 'pyarrow', 'duckdb']"


TIMES = """
import sys
import pyarrow as pa
from labeljob.without_pandas import start_arrow
start_arrow()
from labeljob.io.typed import parse
assert "pandas" not in sys.modules
values, wrong = parse(pa.array(["2026-03-01T02:00:00+02:00", None, "soon"]), "timestamp")
print(values.cast(pa.int64()).to_pylist(), wrong.to_pylist())
"""


def test_times_are_read_after_arrow_has_not_found_pandas() -> None:
    """pandas reads them and pyarrow takes them from it: missing ones stay missing."""
    done = subprocess.run([sys.executable, "-c", TIMES], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == f"[{1772323200 * 10**6}, None, None] [False, False, True]", done.stderr
