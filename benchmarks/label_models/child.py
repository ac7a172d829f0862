"""A measuring process: `python -m benchmarks.label_models.child TASK`, where TASK is JSON; writes one JSON object a line.

Tasks: `time` (methods in turns, CPU seconds), `memory` (one method), `quality` (methods on one set). Imports only NumPy and labeljob until
a method is loaded, for it also runs in the environment of the peers.
"""

import contextlib
import dataclasses
import gc
import io
import json
import logging
import os
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.label_models.generator import Parameters, oracle
from benchmarks.label_models.memory import peak, reset_peak
from benchmarks.label_models.method import PLAIN, SNORKEL_BALANCE, Method
from benchmarks.label_models.methods import all_methods
from benchmarks.label_models.peer_methods import with_balance
from benchmarks.label_models.scoring import Scores, expected_hits, score
from labeljob.scores import log_loss
from labeljob.votes import ABSTAIN, FloatArray, IntArray, Votes, covered_rows

FLOOR = "floor: one read of the matrix"
ORACLE = "oracle"


class OutOfTime(Exception):
    """A method took longer than it may."""


def time_task(task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """CPU seconds of fit and predict of each method, in turns, until it has had `rounds` or has taken its share of `seconds` in all. Then its
    scores."""
    votes, truth, classes = np.load(task["votes"]), np.load(task["truth"]), task["classes"]
    fresh = (np.load(task["fresh_votes"]), np.load(task["fresh_truth"]))
    methods = _methods(task)
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in methods}
    scores: dict[str, Any] = {}
    for method in methods.values():
        method.load()
        _run(method, votes[:500], classes)
    floor = [_cpu(lambda: _read(votes))[0] for _ in range(task["rounds"])]
    for turn in range(task["rounds"]):
        for name, method in methods.items():
            if turn and sum(map(sum, seconds[name])) > task["seconds"][name]:
                continue
            gc.collect()
            fit, predict, P, state = _run(method, votes, classes)
            seconds[name].append((fit, predict))
            if name not in scores:
                scores[name] = _scored(P, truth, votes) | {"fresh": _fresh_log_loss(method, state, *fresh, classes)}
            del P, state
    for name, taken in seconds.items():
        fit, predict = np.median(np.array(taken), axis=0)
        yield {"method": name, "fit": fit, "predict": predict, "rounds": len(taken), "scores": scores[name]}
    yield {"method": FLOOR, "fit": 0.0, "predict": float(np.median(floor)), "rounds": len(floor), "scores": None}


def memory_task(task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Peak of fit and predict over what is resident when the packages and the matrix are loaded, in MB."""
    method, votes = _methods(task)[task["methods"][0]], np.load(task["votes"])
    method.load()
    _run(method, votes[:500].copy(), task["classes"])
    gc.collect()
    before = reset_peak()
    _run(method, votes, task["classes"])
    yield {"method": method.name, "memory": peak() - before, "whole": peak()}


def quality_task(task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Scores of each method on one set; what raises or takes longer than `limit` seconds gives an `error`."""
    votes, gold, classes = np.load(task["votes"]), np.load(task["truth"]), task["classes"]
    if task.get("parameters"):
        yield {"method": ORACLE, "scores": _scored(oracle(votes, _parameters(task)), gold, votes)}
    for name, method in _methods(task).items():
        try:
            with _limit(task["limit"]):
                method.load()
                fit, predict, P, _ = _run(method, votes, classes)
            yield {"method": name, "seconds": fit + predict, "scores": _scored(P, gold, votes)}
        except Exception as error:  # noqa: BLE001 a peer that fails is a result
            yield {"method": name, "error": f"{type(error).__name__}: {error}"[:200]}


def _methods(task: dict[str, Any]) -> dict[str, Method]:
    known = all_methods()
    if task.get("parameters"):
        known[SNORKEL_BALANCE] = with_balance(task["parameters"]["balance"])
    return {name: known[name] for name in task["methods"]}


def _parameters(task: dict[str, Any]) -> Parameters:
    return Parameters(**{name: np.array(value) for name, value in task["parameters"].items()})


def _cpu(run: Any) -> tuple[float, Any]:
    started = time.process_time()
    result = run()
    return time.process_time() - started, result


def _run(method: Method, votes: Votes, classes: int) -> tuple[float, float, FloatArray, Any]:
    """CPU seconds of fit and of predict, the probabilities, and the fitted state."""
    with contextlib.redirect_stdout(io.StringIO()):
        fit, state = _cpu(lambda: method.fit(votes, classes))
        predict, P = _cpu(lambda: method.predict(state, votes, classes))
    return fit, predict, P, state


def _fresh_log_loss(method: Method, state: Any, votes: Votes, truth: IntArray, classes: int) -> float:
    """Over all fresh rows; NaN for a method that only knows the rows it was fitted on."""
    return log_loss(np.asarray(method.predict(state, votes, classes)), truth) if method.predicts else float("nan")


def _read(votes: Votes) -> int:
    """Touches every byte once: the largest of the matrix seen as 8-byte words."""
    flat = votes.reshape(-1)
    return int(flat[: len(flat) // 8 * 8].view(np.int64).max())


def _scored(P: FloatArray, gold: IntArray, votes: Votes) -> dict[str, Any]:
    covered = covered_rows(votes)
    use = covered & (gold != ABSTAIN)
    plain = all_methods()[PLAIN]
    majority = plain.predict(None, votes[use], P.shape[1])
    scores: Scores = score(P, gold, covered, expected_hits(majority, gold[use]))
    return dataclasses.asdict(scores)


@contextlib.contextmanager
def _limit(seconds: int) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise OutOfTime(f"over {seconds} s")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def main() -> int:
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    out = os.fdopen(os.dup(1), "w")  # what the methods print must not mix with the results
    os.dup2(2, 1)
    task = json.loads(Path(sys.argv[1]).read_text())
    run = {"time": time_task, "memory": memory_task, "quality": quality_task}[task["task"]]
    for result in run(task):
        print(json.dumps(result), file=out, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
