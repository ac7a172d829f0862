"""`python -m benchmarks end-to-end`: whole runs in turns, each in a process of its own, and the section of the page."""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.label_models.peers import ROOT, child_environment
from benchmarks.labeling_functions import end_to_end
from benchmarks.labeling_functions.by_hand import RULES
from benchmarks.page import PAGE, table, write_section

SECTION = "end-to-end"
NAMES = {"ours": "Labelplane, one label step", "by-hand": "DuckDB and NumPy by hand"}
ABOUT = """Each run is a process of its own on {threads} threads, as in a pod of 1 GiB (a quarter of it for each DuckDB); they take turns. Both read one Parquet file whose
ids are in no order, vote with the same {functions} functions, predict with a label model of as many parameters, and write id, label, confidence, probabilities, weight,
covered and votes by ascending id, as zstd Parquet. Labelplane also checks the contract and that no id repeats (a pass of its own over the data), samples for
drift, counts votes, conflicts and errors, digests the content, and commits to a Delta table; the script (`benchmarks/labeling_functions/by_hand.py`) does none of
that. CPU seconds are of all threads; elapsed seconds depend on what else the machine does."""


@dataclass(frozen=True)
class Used:
    """One run: elapsed and CPU seconds, peak resident memory in MB."""

    wall: float
    cpu: float
    peak_mb: float


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rows", type=lambda text: int(float(text)), default=10_000_000, help="default 1e7")
    parser.add_argument("--rounds", type=int, default=2, help="runs of each (default 2)")
    parser.add_argument("--print-only", action="store_true", help="write no page")


def run(options: argparse.Namespace) -> None:
    """Measure, print, and write the section."""
    with tempfile.TemporaryDirectory() as folder:
        end_to_end.prepare(Path(folder), options.rows)
        used: dict[str, list[Used]] = {name: [] for name in NAMES}
        for _ in range(options.rounds):
            for name, title in NAMES.items():
                used[name].append(one_run(name, Path(folder)))
                print(f"{title}: {used[name][-1]}", file=sys.stderr, flush=True)
    text = section(options.rows, used)
    print(text, flush=True)
    if not options.print_only:
        write_section(SECTION, text)
        print(f"wrote {SECTION} to {PAGE}", flush=True)


def one_run(name: str, folder: Path) -> Used:
    shutil.rmtree(folder / "labels", ignore_errors=True)
    command = [sys.executable, "-m", "benchmarks.labeling_functions.end_to_end", name, str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=child_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name}: " + " | ".join(done.stderr.strip().splitlines()[-3:]))
    return Used(**json.loads(done.stdout))


def section(rows: int, used: dict[str, list[Used]]) -> str:
    """The table, and the ratio that has a target."""
    cpu = {name: median(one.cpu for one in runs) for name, runs in used.items()}
    lines = [
        [NAMES[name], f"{cpu[name]:.1f}", f"{median(one.wall for one in runs):.1f}", f"{rows / cpu[name]:,.0f}", f"{max(one.peak_mb for one in runs):,.0f}"]
        for name, runs in used.items()
    ]
    header = ["", "CPU s", "elapsed s", "rows a CPU second", "peak, MB"]
    about = ABOUT.format(threads=end_to_end.THREADS, functions=len(RULES))
    ratio = f"Labelplane takes {cpu['ours'] / cpu['by-hand']:.2f} × the CPU time of the script (target: at most 2 ×), medians of {len(used['ours'])} run(s) each."
    command = "`python -m benchmarks end-to-end" + (f" --rows {rows:.0e}`.".replace("e+0", "e") if rows != 10_000_000 else "`.")
    return "\n\n".join([f"## From end to end: {rows:,} rows, {len(RULES)} functions", f"{command} {about}", ratio, table(header, lines)])
