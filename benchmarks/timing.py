"""Timing of rivals in turns, so that a busy moment of the machine falls on each."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

ROUNDS = 7


@dataclass(frozen=True)
class Timing:
    """Median and spread of one rival, in seconds."""

    median: float
    least: float
    most: float


def in_turns(rivals: Mapping[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, Timing]:
    """Run each once to warm up, then `rounds` times in turns."""
    for run in rivals.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(rounds):
        for name, run in rivals.items():
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
    return {name: Timing(statistics.median(all_), min(all_), max(all_)) for name, all_ in seconds.items()}
