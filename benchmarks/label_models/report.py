"""Tables of the measurements, as Markdown."""

import math
from collections.abc import Callable, Sequence

from benchmarks.label_models.measure import FLOOR, Line, Speed
from benchmarks.label_models.method import AUTO, OURS, PLAIN, SNORKEL
from benchmarks.label_models.methods import FIXED_NAMES
from benchmarks.label_models.quality import Board
from benchmarks.label_models.supervised import allowed_excess
from benchmarks.label_models.targets import allowed, excess, is_above, is_rival, most_memory, ratio_wanted
from benchmarks.page import table

DASH, ABOVE = "–", " ✗"
ABOUT_SPEED = """Fit and predict of one process in turns on one thread (PyTorch of the peers too), medians of CPU seconds of at most {rounds} runs (no run
more after {slow:.0f} s in all, after {steady:.0f} s for Snorkel and `{fixed}`); the peers' own input is part of their fit. Left out unless `--slow`
is given: peers that would take hours at a size, and the memory of what takes longer than {slow:.0f} s. Extra memory is the peak over what is
resident with the packages and the matrix loaded, in a process of its own. The floor is one read of the matrix; the prototype is Dawid–Skene by
hand, `benchmarks/label_models/prototype.py`. Log loss is in nats on 200,000 fresh rows from the same parameters; *excess* is over the oracle,
which knows them, and may be as large as *allowed*: 1 %, 1.25 times the excess of confusions counted on the true labels (with the same reading of
an abstain; the wider of both for a peer), or 0.0001, whichever is most. **✗**: it is larger. The targets are against Snorkel in the same process,
for one algorithm at every size: `{fixed}`."""
ABOUT_QUALITY = """Covered rows with gold; a row that t classes share counts 1/t. ECE has 10 bins; log loss is in nats, probabilities clipped to 1e-15.
**Bold**: the best peer (not Labelplane) of a set; `mean` is over the sets a method has a figure for, and only where it has all."""


def _number(value: float | None, digits: int) -> str:
    return DASH if value is None or math.isnan(value) else f"{round(value, digits) + 0.0:.{digits}f}"  # -0.0 + 0.0 is 0.0


def _times(value: float) -> str:
    return f"{value:,.0f} ×" if value >= 100 else f"{value:.1f} ×" if value >= 1 else f"{value:.2g} ×"


def speed_summary(cells: Sequence[Speed]) -> str:
    """Labelplane beside Snorkel: first the fixed model and auto, then every algorithm, a line for each on each cell."""
    header = ["", "", "Snorkel ÷ it", "target", "it ÷ floor", "log loss", "excess / allowed", "Snorkel's excess", "extra MB / 2 × matrix + 50"]
    ours = [(cell, name) for cell in cells for name in cell.lines if name.startswith(OURS)]
    first = [_summary_row(cell, name) for cell, name in ours if name in (AUTO, *FIXED_NAMES)]
    return f"{table(header, first)}\n### Every algorithm\n\n{table(header, [_summary_row(cell, name) for cell, name in ours])}"


def _summary_row(cell: Speed, name: str) -> list[str]:
    line, peer = cell.lines[name], cell.lines.get(SNORKEL)
    target = ratio_wanted(cell)
    return [
        cell.cell.name,
        name.removeprefix(f"{OURS} "),
        _times(peer.total / line.total) if peer else DASH,
        _target(target, peer.total / line.total, above=is_above(cell, name)) if target and peer and name != AUTO else DASH,
        _times(line.total / cell.lines[FLOOR].total),
        _number(_fresh(line), 4),
        f"{_number(excess(cell, line), 5)} / {allowed(cell, name):.5f}{ABOVE if is_above(cell, name) else ''}",
        _number(excess(cell, peer), 5) if peer else DASH,
        f"{_number(line.memory, 0)} / {most_memory(cell):.0f}",
    ]


def _target(target: float, reached: float, *, above: bool) -> str:
    """A target counts as met only with a log loss within what is allowed."""
    return f"{target} ×, {'missed' if reached < target else 'log loss' + ABOVE if above else 'met'}"


def _fresh(line: Line) -> float:
    return float(line.scores["fresh"]) if line.scores else math.nan


def speed_table(cell: Speed) -> str:
    """All methods on one cell."""
    base, floor = cell.lines.get(SNORKEL), cell.lines[FLOOR].total

    def row(name: str, line: Line) -> list[str]:
        scores = line.scores or {}
        ratio = _times(base.total / line.total) if base and name != FLOOR else DASH
        return [
            name, f"{line.fit:.4f}", f"{line.predict:.4f}", f"{line.total:.4f}", str(line.rounds), ratio, _times(line.total / floor), _number(line.memory, 0),
            _number(_fresh(line), 4), _number(excess(cell, line), 5) + (ABOVE if is_above(cell, name) else ""), _number(scores.get("accuracy"), 4),
        ]  # fmt: skip

    header = ["", "fit, s", "predict, s", "total, s", "runs", "Snorkel ÷ it", "it ÷ floor", "extra MB", "log loss", "excess", "accuracy"]
    lines = table(header, [row(name, line) for name, line in cell.lines.items()])
    failed = "".join(f"\n{name}: {error}\n" for name, error in cell.errors.items())
    allowed = ", ".join(f"{allowed_excess(cell.oracle, loss):.5f} ({'evidence' if evidence else 'missing'})" for evidence, loss in cell.supervised.items())
    return f"### {cell.cell.name}\n\n{lines}{failed}\nOracle: log loss {cell.oracle:.4f}; allowed excess {allowed}. Matrix: {cell.matrix_mb:.0f} MB.\n"


def quality_table(boards: Sequence[Board], figure: str, *, least_is_best: bool, digits: int = 3) -> str:
    """Methods down, sets across, with the mean over the sets."""

    def cell(board: Board, method: str, best: str | None) -> str:
        text = _number(board.value(method, figure), digits)
        return f"**{text}**" if method == best else text

    best = [best_peer(board, figure, least_is_best=least_is_best) for board in boards]
    rows = []
    for method in _methods(boards):
        values = [board.value(method, figure) for board in boards]
        rows.append([method, *(cell(board, method, name) for board, name in zip(boards, best, strict=True)), _number(sum(values) / len(values), digits)])
    return table(["", *(board.name for board in boards), "mean"], rows)


def best_peer(board: Board, figure: str, *, least_is_best: bool) -> str | None:
    """The peer that scores best on a set, the first of equals; None when there is none. The plain methods count, what knows more does not."""
    sign = 1 if least_is_best else -1
    known = [(sign * board.value(name, figure), name) for name in board.results if is_rival(name)]
    known = [one for one in known if not math.isnan(one[0])]
    return min(known, key=lambda one: round(one[0], 9))[1] if known else None


def interval_table(boards: Sequence[Board]) -> str:
    """Accuracy minus majority vote's in points, with its paired 95 % interval."""

    def text(board: Board, method: str) -> str:
        mean, low, high = (100 * board.value(method, name) for name in ("difference", "low", "high"))
        return DASH if math.isnan(mean) else f"{mean:+.1f} ({low:+.1f} to {high:+.1f})"

    return table(["", *(board.name for board in boards)], [[method, *(text(board, method) for board in boards)] for method in _methods(boards) if method != PLAIN])


def binary_table(board: Board) -> str:
    """F1 and average precision of class 1 on one set."""
    figures = ("f1", "f1_all", "average_precision", "accuracy", "log_loss")
    rows = [[name, *(_number(board.value(name, figure), 3) for figure in figures)] for name in board.results]
    return table(["", "F1, covered rows", "F1, all rows", "average precision, covered rows", "accuracy", "log loss"], rows)


def failures(boards: Sequence[Board]) -> str:
    """What raised, ran out of time or gave probabilities that are not finite."""
    lines = [f"- {board.name}: {name}: {one['error']}" for board in boards for name, one in board.results.items() if "error" in one]
    lines += [
        f"- {board.name}: {name}: {one['scores']['invalid']:.0f} rows without finite probabilities, scored as uniform"
        for board in boards
        for name, one in board.results.items()
        if "scores" in one and one["scores"]["invalid"]
    ]
    return "\n".join(lines) + "\n" if lines else ""


def _methods(boards: Sequence[Board]) -> list[str]:
    return list(dict.fromkeys(name for board in boards for name in board.results))


def quality_tables(boards: Sequence[Board], *, intervals: bool) -> str:
    """Accuracy, log loss and ECE; with the intervals of accuracy when asked for."""
    part: Callable[[str, str], str] = lambda title, body: f"### {title}\n\n{body}\n"  # noqa: E731 one use
    text = part("Accuracy", quality_table(boards, "accuracy", least_is_best=False))
    if intervals:
        text += part("Accuracy minus majority vote's, points (95 %)", interval_table(boards))
    text += part("Log loss", quality_table(boards, "log_loss", least_is_best=True))
    text += part("Expected calibration error", quality_table(boards, "ece", least_is_best=True))
    failed = failures(boards)
    return text + (part("What failed", failed) if failed else "")
