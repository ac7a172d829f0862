"""`python -m benchmarks labeling-functions`: options, and the section of the page."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from benchmarks.label_models.peers import PeersMissing, python_of_peers
from benchmarks.labeling_functions.measure import BY_HAND, CONTAINS, IN_MEMORY, LOOP, OURS, READ, ROUNDS, SNORKEL, Cell, measure
from benchmarks.labeling_functions.rules import TEN, VARIABLE, sms_rules, sms_texts
from benchmarks.labeling_functions.texts import mail_pieces
from benchmarks.page import table, write_section

SECTION = "labeling-functions"
SIZES = (100_000, 1_000_000)
SMS_COPIES = 4
QUICK_ROUNDS = 3
TITLE = "{} functions (6 keywords, 4 regex), {:,} mail pieces"
ABOUT = """CPU seconds on one thread, medians of at most 5 runs in turns (a rival is not run again after 10 s in all); the votes of all are compared and are
the same. The Python rivals have their rows in memory, and Labelplane is held against them with its rows in memory (Arrow) as well; the others read a Parquet file (zstd),
Labelplane through its own reader. *By hand* is one DuckDB query
with the same predicates, its columns fetched as NumPy arrays and put side by side. Texts are pieces of real mails, no two alike; the 73 rules are published
regular expressions on the messages they were written for."""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quick", action="store_true", help="1e5 mail pieces, 3 rounds; prints, and writes no page")
    parser.add_argument("--no-peers", action="store_true", help="leave the Python rivals out")


def run(options: argparse.Namespace) -> None:
    """Measure, print, and write the section."""
    python, note = _python(options)
    measured = list[Cell]()
    for cell in cells(options, python):
        measured.append(cell)
        if not options.quick:  # what is measured stays, when a later table is not waited for
            write_section(SECTION, section(measured, note, options))
    print(section(measured, note, options), flush=True)


def _python(options: argparse.Namespace) -> tuple[Path | None, str]:
    if options.no_peers:
        return None, "The Python rivals were left out."
    try:
        return python_of_peers(), "Snorkel in the environment of `benchmarks/label_models/peers-requirements.txt`."
    except PeersMissing as error:
        return None, f"The peers could not be installed: {error}"


def cells(options: argparse.Namespace, python: Path | None) -> Iterator[Cell]:
    """Each table, as it is measured; those that take longest come last."""
    rules, quick = sms_rules(), options.quick
    rounds = QUICK_ROUNDS if quick else ROUNDS
    yield measure(TITLE.format(len(TEN), SIZES[0]), TEN, mail_pieces(SIZES[0]), python, rounds)
    if rules and not quick:
        messages = sms_texts() * SMS_COPIES
        yield measure(f"{len(rules)} published regex rules, {len(messages):,} messages", rules, messages, python, rounds)
    for rows in () if quick else SIZES[1:]:
        yield measure(TITLE.format(len(TEN), rows), TEN, mail_pieces(rows), python, rounds)


def section(measured: list[Cell], note: str, options: argparse.Namespace) -> str:
    words = ["python -m benchmarks labeling-functions", *(f"--{name.replace('_', '-')}" for name in ("quick", "no_peers") if getattr(options, name))]
    left_out = "" if any("published" in cell.title for cell in measured) else f"The published rules were left out (`{VARIABLE}` names their folder)."
    parts = ["## Applying labeling functions", f"`{' '.join(words)}`. {note} {left_out}".strip(), ABOUT, summary(measured), *(details(cell) for cell in measured)]
    return "\n\n".join(parts)


def summary(measured: list[Cell]) -> str:
    """Each target and what was measured."""
    header = ["", "Snorkel ÷ it (target 100)", "plain loop ÷ it (5)", "it ÷ best by hand (1.3)", "it ÷ reading alone"]
    return table(header, [[cell.title, *targets(cell)] for cell in measured])


def targets(cell: Cell) -> list[str]:
    best = min((cell.median(name), name) for name in (BY_HAND, CONTAINS) if name in cell.seconds)[1]
    shown = [cell.ratio(SNORKEL, IN_MEMORY), cell.ratio(LOOP, IN_MEMORY), cell.ratio(OURS, best), cell.ratio(OURS, READ)]
    return ["–" if one is None else f"{one:.0f} ×" if one >= 20 else f"{one:.2f} ×" for one in shown]


def details(cell: Cell) -> str:
    rows = [line(cell, name, taken) for name, taken in cell.seconds.items()]
    return f"### {cell.title}\n\n{cell.mean_bytes:.0f} bytes a text.\n\n" + table(["", "median, CPU s", "range", "runs", "rows/s", "÷ reading alone"], rows)


def line(cell: Cell, name: str, taken: list[float]) -> list[str]:
    median = cell.median(name)
    return [name, f"{median:.3f}", f"{min(taken):.3f}–{max(taken):.3f}", str(len(taken)), f"{cell.rows / median:,.0f}", f"{median / cell.median(READ):.2f}"]
