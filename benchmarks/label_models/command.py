"""`python -m benchmarks label-models`: options, and which sections of the page a run writes."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.label_models import report, targets
from benchmarks.label_models.datasets import VARIABLE, folder
from benchmarks.label_models.generator import Cell
from benchmarks.label_models.measure import ROUNDS, SLOW_SECONDS, STEADY_SECONDS, Bench, Speed, progress, speed, whole_memory
from benchmarks.label_models.method import AUTO, OURS
from benchmarks.label_models.methods import FIXED, FIXED_NAMES
from benchmarks.label_models.peers import PeersMissing, python_of_peers
from benchmarks.label_models.quality import on_grid, on_real_sets
from benchmarks.page import PAGE, write_section

SHAPES = ((10, 2), (10, 4), (50, 2), (50, 4))
SIZES = (10_000, 100_000, 1_000_000)
LARGE, LARGE_METHODS = Cell(10_000_000, 20, 2), (AUTO, *FIXED_NAMES, *(f"{OURS} dawid-skene, {reading}" for reading in ("missing", "evidence")))


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quick", action="store_true", help="1e4 rows, 3 rounds, one draw of each generated set; prints, and writes no page unless --page is given")
    parser.add_argument("--sizes", type=_sizes, default=SIZES, help="rows to time, for example 1e4,1e5 (default 1e4,1e5,1e6)")
    parser.add_argument("--slow", action="store_true", help="run the slow peers at every size (hours)")
    parser.add_argument("--no-peers", action="store_true", help="measure only our own, in this environment")
    parser.add_argument("--speed-only", action="store_true")
    parser.add_argument("--quality-only", action="store_true")
    parser.add_argument("--page", type=Path, help="the page to write (default docs/benchmarks.md)")


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(float(part)) for part in text.split(","))


def run(options: argparse.Namespace) -> None:
    """Measure what was asked for, print it and write its sections."""
    bench, note = _bench(options)
    page = options.page or (None if options.quick else PAGE)
    if not options.quality_only:
        _publish(page, "label-models", speed_section(bench, options, note))
    if not options.speed_only:
        _publish(page, "label-models-real", real_section(bench, options, note))
        _publish(page, "label-models-generated", generated_section(bench, options, note))


def _publish(page: Path | None, name: str, text: str) -> None:
    print(text, flush=True)
    if page:
        write_section(name, text, page)
        progress(f"wrote {name} to {page}")


def _bench(options: argparse.Namespace) -> tuple[Bench, str]:
    """The environment, and what the page says of it."""
    if options.no_peers:
        return Bench(), "The peers were left out (`--no-peers`)."
    try:
        return Bench(python_of_peers(), peers=True, slow=options.slow), "All in the environment of `benchmarks/label_models/peers-requirements.txt`."
    except PeersMissing as error:
        return Bench(), f"The peers could not be installed, so only Labelplane was measured: {error}"


def command_line(options: argparse.Namespace, part: str) -> str:
    """The command that measures this part again."""
    words = ["python -m benchmarks label-models", f"--{part}-only"]
    if options.sizes != SIZES and part == "speed":
        words.append("--sizes " + ",".join(f"{size:.0e}".replace("e+0", "e") for size in options.sizes))
    words += [f"--{name.replace('_', '-')}" for name in ("quick", "slow", "no_peers") if getattr(options, name)]
    return f"`{' '.join(words)}`"


def speed_section(bench: Bench, options: argparse.Namespace, note: str) -> str:
    """Time and memory on generated votes."""
    sizes: Sequence[int] = (SIZES[0],) if options.quick else options.sizes
    cells: list[Speed] = []
    for rows in sizes:
        for functions, classes in SHAPES:
            cells.append(speed(bench, Cell(rows, functions, classes), 3 if options.quick else ROUNDS))
            print(report.speed_table(cells[-1]), flush=True)
    verdicts = targets.on_speed(cells)
    if not options.quick:
        verdicts.append(targets.on_whole_memory(LARGE.name, whole_memory(bench, LARGE, LARGE_METHODS)))
    parts = [
        "## Label models beside their peers: time and memory",
        f"{command_line(options, 'speed')}. {note}",
        report.ABOUT_SPEED.format(slow=SLOW_SECONDS, steady=STEADY_SECONDS, rounds=ROUNDS, fixed=FIXED),
        targets.verdict_table(verdicts),
        report.speed_summary(cells),
        *(report.speed_table(cell) for cell in cells),
    ]
    return "\n\n".join(part.strip() for part in parts)


def real_section(bench: Bench, options: argparse.Namespace, note: str) -> str:
    """Quality on the real sets; a sentence when they are absent."""
    head = f"## Label models beside their peers: quality on real votes\n\n{command_line(options, 'quality')}, with `{VARIABLE}` naming the folder of the vote sets. {note}\n\n"
    boards = list(on_real_sets(bench))
    if not boards:
        return head + f"Left out: there are no vote sets in {os.path.relpath(folder(), PAGE.parents[1])}."
    shapes = ", ".join(f"{board.name} {board.rows:,} rows × {board.functions}, {board.classes} classes" for board in boards)
    verdicts = targets.verdict_table(targets.on_real_sets(boards))
    text = f"{head}{report.ABOUT_QUALITY} The sets (rows with gold): {shapes}.\n\n{verdicts}\n{report.quality_tables(boards, intervals=True)}"
    return text + "".join(f"### {board.name}: the rare class\n\n{report.binary_table(board)}\n" for board in boards if board.name == "sms")


def generated_section(bench: Bench, options: argparse.Namespace, note: str) -> str:
    """Quality on generated votes, beside the posterior that knows the parameters."""
    seeds = 1 if options.quick else 3
    boards = list(on_grid(bench, SIZES[0], seeds))
    numbered = [replace(board, name=str(number)) for number, board in enumerate(boards, start=1)]
    names = "; ".join(f"{short.name}: {board.name}" for short, board in zip(numbered, boards, strict=True))
    head = f"## Label models beside their peers: quality on generated votes\n\n{command_line(options, 'quality')}. {note}\n\n"
    verdicts = targets.verdict_table(targets.on_copies(boards))
    about = f"{report.ABOUT_QUALITY} Means over {seeds} draw(s). The oracle knows the parameters."
    return f"{head}{about} {names}.\n\n{verdicts}\n{report.quality_tables(numbered, intervals=False)}"
