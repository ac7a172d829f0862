"""Runs measuring processes and collects what they say."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.label_models.child import FLOOR, ORACLE
from benchmarks.label_models.generator import Cell, Parameters, generate, oracle
from benchmarks.label_models.method import PLAIN, SNORKEL, SNORKEL_BALANCE, Method
from benchmarks.label_models.methods import FIXED_NAMES, all_methods
from benchmarks.label_models.peer_methods import with_balance
from benchmarks.label_models.peers import ROOT, child_environment
from benchmarks.label_models.supervised import supervised_log_loss
from labeljob.scores import log_loss
from labeljob.votes import IntArray, Votes

ROUNDS = 21
SLOW_SECONDS = 3.0  # CPU seconds in all after which a method is not run again; the memory of one that takes longer for a run is not measured
STEADY_SECONDS = 20.0  # the same, of those that the targets are about: Snorkel, and the model of our own
LIMIT_SECONDS, REAL_LIMIT_SECONDS = 60, 300  # that fit and predict may take on a generated set, on a real one
FRESH_ROWS = 200_000  # that log loss is compared on


@dataclass(frozen=True)
class Bench:
    """Where to measure: an interpreter, whether it has the peers, and whether slow methods are timed at every size."""

    python: Path = Path(sys.executable)
    peers: bool = False
    slow: bool = False

    def methods(self, rows: int, functions: int, classes: int, *, balance_known: bool = False) -> dict[str, Method]:
        """The methods that are measured on votes of this shape."""
        known = all_methods()
        if balance_known:
            known = _after(known, SNORKEL, with_balance([1 / classes] * classes))
        return {name: one for name, one in known.items() if (self.peers or not one.is_peer) and one.takes(rows, functions, classes, self.slow)}

    def run(self, task: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Results of one process, as they come. RuntimeError when it fails."""
        with tempfile.TemporaryDirectory() as folder:
            written = Path(folder) / "task.json"
            written.write_text(json.dumps(task))
            command = [str(self.python), "-m", "benchmarks.label_models.child", str(written)]
            with (
                (Path(folder) / "errors").open("w+") as errors,
                subprocess.Popen(command, cwd=ROOT, env=child_environment(), stdout=subprocess.PIPE, stderr=errors, text=True) as process,
            ):
                assert process.stdout is not None  # noqa: S101 of Popen with PIPE
                for line in process.stdout:
                    yield json.loads(line)
                if process.wait():
                    errors.seek(0)
                    raise RuntimeError(f"{task['task']}: " + " | ".join(errors.read().strip().splitlines()[-3:]))


def _after(known: dict[str, Method], name: str, added: Method) -> dict[str, Method]:
    names = list(known)
    place = names.index(name) + 1
    return {one: known.get(one, added) for one in [*names[:place], added.name, *names[place:]]}


@dataclass
class Line:
    """One method on one cell: CPU seconds, extra MB, scores. None where it was not measured."""

    fit: float
    predict: float
    rounds: int
    scores: dict[str, Any] | None
    memory: float | None = None

    @property
    def total(self) -> float:
        return self.fit + self.predict


@dataclass
class Speed:
    """One cell: its lines by method, log losses on fresh rows, bytes of the matrix.

    Attributes:
        oracle: of the posterior that knows the parameters. supervised: of confusions counted on the true labels, by whether an abstain
            is evidence.
    """

    cell: Cell
    oracle: float
    supervised: Mapping[bool, float]
    matrix_mb: float
    lines: dict[str, Line] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


@contextmanager
def on_disk(votes: Votes, gold: IntArray) -> Iterator[dict[str, str]]:
    """The arrays as files, for measuring processes to load."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/votes.npy", votes)
        np.save(f"{folder}/truth.npy", gold)
        yield {"votes": f"{folder}/votes.npy", "truth": f"{folder}/truth.npy"}


def as_json(parameters: Parameters) -> dict[str, list[float]]:
    return {name: value.tolist() for name, value in vars(parameters).items()}


def speed(bench: Bench, cell: Cell, rounds: int = ROUNDS) -> Speed:
    """Time all methods in turns in one process, then the memory of each that is not slow in a process of its own."""
    made, fresh = generate(cell), generate(replace(cell, rows=FRESH_ROWS), fresh=True)
    supervised = {evidence: supervised_log_loss(made, fresh, cell.classes, evidence=evidence) for evidence in (False, True)}
    result = Speed(cell, log_loss(oracle(fresh.votes, fresh.parameters), fresh.truth), supervised, made.votes.nbytes / 1e6)
    methods = list(bench.methods(cell.rows, cell.functions, cell.classes))
    with on_disk(made.votes, made.truth) as files, on_disk(fresh.votes, fresh.truth) as others:
        del made, fresh
        files |= {f"fresh_{name}": path for name, path in others.items()}
        seconds = {name: STEADY_SECONDS if name in (SNORKEL, *FIXED_NAMES) else SLOW_SECONDS for name in methods}
        for one in bench.run({"task": "time", "methods": methods, "classes": cell.classes, "rounds": rounds, "seconds": seconds, **files}):
            result.lines[one["method"]] = Line(one["fit"], one["predict"], one["rounds"], one["scores"])
            progress(f"{cell.name}: {one['method']}: {one['fit'] + one['predict']:.4f} s")
        for name in methods if bench.slow else [name for name in methods if result.lines[name].total <= SLOW_SECONDS or name == SNORKEL]:
            for one in bench.run({"task": "memory", "methods": [name], "classes": cell.classes, **files}):
                result.lines[name].memory = one["memory"]
                progress(f"{cell.name}: {name}: +{one['memory']:.0f} MB")
    return result


def whole_memory(bench: Bench, cell: Cell, methods: Sequence[str]) -> dict[str, float]:
    """Peak resident memory of a process that loads the matrix, fits and predicts, in MB, by method."""
    made = generate(cell)
    with on_disk(made.votes, made.truth) as files:
        del made
        tasks = [{"task": "memory", "methods": [name], "classes": cell.classes, **files} for name in methods]
        return {one["method"]: one["whole"] for task in tasks for one in bench.run(task)}


def quality(bench: Bench, votes: Votes, gold: IntArray, classes: int, parameters: Parameters | None = None, leave_out: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """What each method scores on one set: `{"scores": …}` or `{"error": …}`; with `parameters`, which only a generated set has, also the oracle. Whoever
    ends in time is scored, unless left out."""
    rows, functions = votes.shape
    known = replace(bench, slow=True).methods(rows, functions, classes, balance_known=parameters is not None)
    methods = [name for name in known if name not in leave_out]
    task: dict[str, Any] = {"task": "quality", "methods": methods, "classes": classes, "limit": LIMIT_SECONDS if parameters else REAL_LIMIT_SECONDS}
    with on_disk(votes, gold) as files:
        return {one["method"]: one for one in bench.run(task | files | ({"parameters": as_json(parameters)} if parameters else {}))}


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


__all__ = ["FLOOR", "ORACLE", "PLAIN", "SNORKEL", "SNORKEL_BALANCE", "Bench", "Line", "Speed", "progress", "quality", "speed", "whole_memory"]
