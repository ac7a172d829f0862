"""Whether what was measured meets what is aimed at: a line for each target, computed from the same figures as the tables."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from benchmarks.label_models.measure import FLOOR, ORACLE, Line, Speed
from benchmarks.label_models.method import AUTO, OURS, SNORKEL, SNORKEL_BALANCE
from benchmarks.label_models.methods import FIXED_NAMES
from benchmarks.label_models.quality import Board
from benchmarks.label_models.supervised import allowed_excess
from benchmarks.page import table

RATIOS = {  # Snorkel's time divided by that of the fixed model, by rows and (functions, classes)
    10_000: {(10, 2): 20, (10, 4): 12, (50, 2): 20, (50, 4): 20},
    100_000: {(10, 2): 15, (10, 4): 10, (50, 2): 25, (50, 4): 20},
    1_000_000: {(10, 2): 40, (10, 4): 15, (50, 2): 40, (50, 4): 30},
}
WHOLE_MB = 1073.741824  # 1 GiB: what a process with 1e7 x 20 votes may take
BEHIND = 0.005  # by so much mean accuracy may be below that of the best peer of each set
LEAST_UPPER = -0.01  # where the 95 % interval of accuracy minus majority vote's ends at least
RARE = "sms"  # the set with a rare class, which is scored in three ways
RARE_FIGURES = {"accuracy": "accuracy", "f1": "F1", "average_precision": "average precision"}
MOVED, MOVED_ECE = 0.005, 0.02  # by how much copies of a weak function may move accuracy and ECE


@dataclass(frozen=True)
class Verdict:
    """target: what is aimed at; reached: what was measured, in words."""

    target: str
    reached: str
    met: bool


def verdict_table(verdicts: Iterable[Verdict]) -> str:
    """A line each."""
    return table(["target", "measured", ""], [[one.target, one.reached, "met" if one.met else "**missed**"] for one in verdicts])


def is_rival(name: str) -> bool:
    """What `auto` is compared with: a peer or a plain method, told nothing that `auto` is not told."""
    return not name.startswith(OURS) and name not in (ORACLE, FLOOR, SNORKEL_BALANCE)


# Real sets


def on_real_sets(boards: Sequence[Board]) -> list[Verdict]:
    """`auto` beside the best peer of each set, every single peer, and majority vote."""
    rivals = [name for name in _names(boards) if is_rival(name)]
    others = [name for name in _names(boards) if name != AUTO]
    means = [_beside_the_best(boards, figure, rivals) for figure in RARE_FIGURES]
    single = [_beside_each(boards, partial(_quality, rare=figure), rivals, _scored_by(figure)) for figure in RARE_FIGURES]
    losses = [_beside_each(boards, partial(_smallness, figure=figure), others, words) for figure, words in (("log_loss", "log loss"), ("ece", "ECE"))]
    return [*means, *single, *losses, *map(_beside_majority_vote, boards)]


def _quality(board: Board, name: str, rare: str) -> float:
    """Accuracy, or on the set with a rare class what it is scored by."""
    return board.value(name, rare if board.name == RARE else "accuracy")


def _smallness(board: Board, name: str, figure: str) -> float:
    return -board.value(name, figure)


def _scored_by(rare: str) -> str:
    return f"accuracy ({RARE} by {RARE_FIGURES[rare]})"


def _beside_the_best(boards: Sequence[Board], rare: str, rivals: Sequence[str]) -> Verdict:
    best = [max((_quality(board, name, rare), name) for name in rivals if not math.isnan(_quality(board, name, rare))) for board in boards]
    ours, theirs = _mean(_quality(board, AUTO, rare) for board in boards), _mean(value for value, _ in best)
    chosen = ", ".join(f"{board.name} {value:.3f} {name}" for board, (value, name) in zip(boards, best, strict=True))
    target = f"mean {_scored_by(rare)} at least the best peer's of each set, minus {100 * BEHIND:.1f} points"
    return Verdict(target, f"{ours:.4f}; {theirs:.4f} − {BEHIND} = {theirs - BEHIND:.4f} ({chosen})", ours >= theirs - BEHIND)


def _beside_each(boards: Sequence[Board], value: Callable[[Board, str], float], others: Sequence[str], words: str) -> Verdict:
    """The smallest lead over one of `others`, each on the sets that it has a figure for; `value` rises with quality."""
    leads = []
    for name in others:
        known = [board for board in boards if not math.isnan(value(board, name))]
        if known:
            leads.append((_mean(value(board, AUTO) - value(board, name) for board in known), name, len(known)))
    lead, name, sets = min(leads)
    whom = "every single peer's" if all(map(is_rival, others)) else "every other method's"
    return Verdict(f"mean {words} better than {whom}, on the sets that it has a figure for", f"by {lead:.4f} at least ({name}, {sets} of {len(boards)} sets)", lead > 0)


def _beside_majority_vote(board: Board) -> Verdict:
    mean, low, high = (100 * board.value(AUTO, name) for name in ("difference", "low", "high"))
    target = f"{board.name}: upper end of the 95 % interval of accuracy minus majority vote's at least −{-100 * LEAST_UPPER:.0f} point"
    return Verdict(target, f"{high:+.2f} points ({mean:+.2f}, from {low:+.2f})", high / 100 >= LEAST_UPPER)


# Generated sets


def on_copies(boards: Sequence[Board]) -> list[Verdict]:
    """`auto` with and without six copies of the weakest function; none unless all three sets are there."""
    kinds = {kind: board for board in boards for kind in ("few", "copies", "near-copies") if board.name.startswith(f"{kind}, ")}
    if len(kinds) < 3:
        return []
    few = kinds.pop("few")
    verdicts = []
    for kind, board in kinds.items():
        for figure, most, words in (("accuracy", MOVED, "accuracy"), ("ece", MOVED_ECE, "ECE")):
            moved = board.value(AUTO, figure) - few.value(AUTO, figure)
            verdicts.append(Verdict(f"six {kind} of the weakest of six functions move {words} by less than {100 * most:.1f} points", f"{100 * moved:+.2f}", abs(moved) < most))
    return verdicts


# Speed


def ratio_wanted(cell: Speed) -> int | None:
    """How many times faster than Snorkel the fixed model is to be at this size; None where nothing is aimed at."""
    return RATIOS.get(cell.cell.rows, {}).get((cell.cell.functions, cell.cell.classes))


def allowed(cell: Speed, name: str) -> float:
    """By how many nats a row the log loss of a method may exceed the oracle's: as with its reading of an abstain; the wider for a peer."""
    readings = (False, True) if is_rival(name) else ("evidence" in name,)
    return max(allowed_excess(cell.oracle, cell.supervised[reading]) for reading in readings)


def excess(cell: Speed, line: Line) -> float:
    """Log loss on fresh rows over the oracle's; NaN where there is none."""
    return float(line.scores["fresh"]) - cell.oracle if line.scores else math.nan


def is_above(cell: Speed, name: str) -> bool:
    """Whether the log loss of a method is above what is allowed."""
    return excess(cell, cell.lines[name]) > allowed(cell, name)


def on_speed(cells: Sequence[Speed]) -> list[Verdict]:
    """The fixed model, each reading: time beside Snorkel, log loss; then memory, and whether any peer is as good and faster."""
    verdicts = []
    for name in FIXED_NAMES:
        aimed = [cell for cell in cells if ratio_wanted(cell) and SNORKEL in cell.lines]
        if aimed:
            verdicts.append(_at_all_sizes(f"{_short(name)}: as many times faster than Snorkel as aimed at", aimed, partial(_slower, name=name)))
        verdicts.append(_at_all_sizes(f"{_short(name)}: log loss on fresh rows within what is allowed", cells, partial(_above, name=name)))
    memory = _at_all_sizes(f"extra memory of {_short(FIXED_NAMES[0])} and auto within 2 × matrix + 50 MB", cells, _too_large)
    return [*verdicts, memory, _at_all_sizes(f"no peer of as good a log loss is faster than {_short(FIXED_NAMES[0])}", cells, _faster_peers)]


def on_whole_memory(name: str, peaks: Mapping[str, float]) -> Verdict:
    """Of whole processes on one large matrix."""
    reached = ", ".join(f"{_short(method)} {peak:.0f} MB" for method, peak in peaks.items())
    return Verdict(f"a whole process that loads {name}, fits and predicts within {WHOLE_MB:.0f} MB", reached, max(peaks.values()) <= WHOLE_MB)


def _at_all_sizes(target: str, cells: Sequence[Speed], missed: Callable[[Speed], str]) -> Verdict:
    """`missed` says what is wrong at a size, or nothing."""
    words = [(cell.cell.name, said) for cell in cells if (said := missed(cell))]
    return Verdict(target, f"{len(cells) - len(words)} of {len(cells)} sizes" + "".join(f"; {name}: {said}" for name, said in words), not words)


def _slower(cell: Speed, name: str) -> str:
    wanted, ratio = ratio_wanted(cell) or 0, cell.lines[SNORKEL].total / cell.lines[name].total
    return "" if ratio >= wanted else f"{ratio:.1f} of {wanted}"


def _above(cell: Speed, name: str) -> str:
    return f"{excess(cell, cell.lines[name]):.5f} of {allowed(cell, name):.5f}" if is_above(cell, name) else ""


def _too_large(cell: Speed) -> str:
    most = most_memory(cell)
    return ", ".join(f"{_short(name)} {cell.lines[name].memory:.0f} MB" for name in (FIXED_NAMES[0], AUTO) if (cell.lines[name].memory or 0) > most)


def most_memory(cell: Speed) -> float:
    """MB, the matrix apart."""
    return 2 * cell.matrix_mb + 50


def _faster_peers(cell: Speed) -> str:
    """Peers that take less time than the fixed model, and whose log loss on the rows themselves is at most by what is allowed above it."""
    ours = cell.lines[FIXED_NAMES[0]]
    bound = _log_loss(ours) + allowed(cell, SNORKEL)
    return ", ".join(f"{name} {1000 * line.total:.1f} ms" for name, line in cell.lines.items() if is_rival(name) and line.total < ours.total and _log_loss(line) <= bound)


def _log_loss(line: Line) -> float:
    return float(line.scores["log_loss"]) if line.scores else math.nan


def _short(name: str) -> str:
    return name.removeprefix(f"{OURS} ")


def _names(boards: Sequence[Board]) -> list[str]:
    return list(dict.fromkeys(name for board in boards for name in board.results))


def _mean(values: Iterable[float]) -> float:
    whole = list(values)
    return sum(whole) / len(whole)
