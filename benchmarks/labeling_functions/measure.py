"""Rivals in turns on one set of texts: CPU seconds on one thread, and the same votes from each."""

import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from benchmarks.label_models.peers import ROOT, child_environment
from benchmarks.labeling_functions import texts
from benchmarks.labeling_functions.peers_child import LOOP, SNORKEL
from benchmarks.labeling_functions.rules import CLASSES, Rule
from labeljob.contract.function_set import FunctionSet
from labeljob.io.parquet import ParquetSource
from labeljob.labeling_functions.engine import CompiledFunctions, compile_functions
from labeljob.resources import BATCH_ROWS
from labeljob.votes import Votes

OURS, IN_MEMORY = "Labelplane", "Labelplane, rows in memory"
READ, BY_HAND, CONTAINS = "DuckDB reads the file, votes nothing", "DuckDB by hand, regular expressions", "DuckDB by hand, contains(lower()) for substrings"
ROUNDS, SLOW_SECONDS = 5, 10.0
Matrix = npt.NDArray[np.int8]


@dataclass
class Cell:
    """CPU seconds of each run, by rival; `rows` texts of `mean_bytes`."""

    title: str
    rows: int
    functions: int
    mean_bytes: float
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def median(self, name: str) -> float:
        return median(self.seconds[name])

    def ratio(self, slow: str, fast: str) -> float | None:
        """How many times as long `slow` takes as `fast`; None where one was not measured."""
        return self.median(slow) / self.median(fast) if {slow, fast} <= set(self.seconds) else None


def measure(title: str, rules: Sequence[Rule], given: list[str], python: Path | None, rounds: int = ROUNDS) -> Cell:
    """Time the rivals in turns; one that has taken SLOW_SECONDS in all is not run again. AssertionError where votes differ."""
    cell = Cell(title, len(given), len(rules), sum(len(text.encode()) for text in given) / len(given))
    with tempfile.TemporaryDirectory() as folder, _rivals(rules, given, Path(folder), python) as rivals:
        expected: Matrix | None = None
        for turn in range(rounds + 1):
            for name, run in rivals.items():
                done = cell.seconds.setdefault(name, [])
                if sum(done) > SLOW_SECONDS:
                    continue
                seconds, votes = run()
                if turn or seconds > SLOW_SECONDS / rounds:  # the first turn warms up what is quick
                    done.append(seconds)
                expected = _agreed(name, votes, expected)
                print(f"{title}: {name}: {seconds:.3f} s", file=sys.stderr, flush=True)
    return cell


def _agreed(name: str, votes: Matrix | None, expected: Matrix | None) -> Matrix | None:
    if votes is None or expected is None:
        return expected if votes is None else votes
    differing = int((votes != expected).sum())
    if differing:
        raise AssertionError(f"{name}: {differing} votes differ from those of the others")
    return expected


Run = Callable[[], tuple[float, Matrix | None]]


@contextmanager
def _rivals(rules: Sequence[Rule], given: list[str], folder: Path, python: Path | None) -> Iterator[dict[str, Run]]:
    path = texts.write(given, folder / "texts.parquet")
    table = pq.read_table(path).combine_chunks()
    connection = duckdb.connect(config={"threads": 1})
    with compile_functions(function_set_of(rules), {}, threads=1) as compiled:
        rivals: dict[str, Run] = {
            READ: _timed(lambda: _read(connection, path)),
            BY_HAND: _timed(lambda: _by_hand(connection, path, rules, contains=False)),
            CONTAINS: _timed(lambda: _by_hand(connection, path, rules, contains=True)),
            OURS: _timed(lambda: _ours(compiled, path)),
            IN_MEMORY: _timed(lambda: _together([compiled.apply(batch).votes for batch in table.to_batches(max_chunksize=BATCH_ROWS)])),
        }
        if not any(rule.kind == "substring" for rule in rules):
            del rivals[CONTAINS]
        if python is None:
            yield rivals
        else:
            with _child(rules, given, folder, python) as peers:
                yield {**peers, **rivals}
    connection.close()


def function_set_of(rules: Sequence[Rule]) -> FunctionSet:
    """The rules as a set over the columns id and text."""
    columns = [{"name": "id", "type": "int64", "nullable": False}, {"name": "text", "type": "string"}]
    spec = {"classes": CLASSES, "idColumn": "id", "schema": {"columns": columns}, "functions": [rule.spec() for rule in rules]}
    return FunctionSet.model_validate(spec)


def _timed(run: Callable[[], Matrix | None]) -> Run:
    def timed() -> tuple[float, Matrix | None]:
        started = time.process_time()
        votes = run()
        return time.process_time() - started, votes

    return timed


def _read(connection: Any, path: Path) -> None:
    connection.execute(f"SELECT sum(id), sum(strlen(text)) FROM '{path}'").fetchall()  # noqa: S608 a path of our own


def _by_hand(connection: Any, path: Path, rules: Sequence[Rule], *, contains: bool) -> Matrix:
    items = ", ".join(f"{rule.sql(contains=contains)} AS v{number}" for number, rule in enumerate(rules))
    columns = connection.execute(f"SELECT {items} FROM '{path}'").fetchnumpy()  # noqa: S608 rules of our own
    return np.column_stack([columns[f"v{number}"] for number in range(len(rules))]).astype(np.int8)


def _ours(compiled: CompiledFunctions, path: Path) -> Matrix:
    return _together([compiled.apply(part.batch).votes for part in ParquetSource(path, str(path)).batches({"id": "int64", "text": "string"})])


def _together(votes: list[Votes]) -> Matrix:
    return np.concatenate(votes).astype(np.int8)


@contextmanager
def _child(rules: Sequence[Rule], given: list[str], folder: Path, python: Path) -> Iterator[dict[str, Run]]:
    """The Python rivals, in a process of their own that waits while the others run."""
    (folder / "texts.json").write_text(json.dumps(given))
    task = {"texts": str(folder / "texts.json"), "folder": str(folder), "rules": [dataclasses.asdict(rule) for rule in rules]}
    (folder / "task.json").write_text(json.dumps(task))
    command = [str(python), "-m", "benchmarks.labeling_functions.peers_child", str(folder / "task.json")]
    with subprocess.Popen(command, cwd=ROOT, env=child_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None  # noqa: S101 of Popen with PIPE
        assert process.stdout is not None  # noqa: S101 of Popen with PIPE
        wire = (process.stdin, process.stdout)
        _answer(wire[1])
        yield {name: lambda name=name: _asked(*wire, name) for name in (SNORKEL, LOOP)}  # type: ignore[misc] # a default binds the name
        process.stdin.close()


def _asked(to: Any, out: Any, name: str) -> tuple[float, Matrix]:
    to.write(f"{name}\n")
    to.flush()
    answer = _answer(out)
    return answer["seconds"], np.load(answer["votes"])


def _answer(out: Any) -> dict[str, Any]:
    line = out.readline()
    if not line:
        raise RuntimeError("the process of the peers ended: its message stands above")
    answer: dict[str, Any] = json.loads(line)
    return answer


__all__ = ["BY_HAND", "CONTAINS", "IN_MEMORY", "LOOP", "OURS", "READ", "ROUNDS", "SNORKEL", "Cell", "measure"]
