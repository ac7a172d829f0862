"""One row explained on a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


def show_explanation(found: Mapping[str, Any], console: Console) -> None:
    """The row, its votes with what each adds to the logarithm of a class's probability, and the sum."""
    console.print(_headline(found), soft_wrap=True)
    console.print(_votes(found))
    if not found["covered"]:
        console.print("No function that is not a fallback votes on this row.")
    if not found["agrees"]:
        console.print("[red]The stored probabilities differ from what this model version gives: the row was labelled by another build.[/]")


def _headline(found: Mapping[str, Any]) -> Text:
    text = Text(f"{found['id']}: ", style="bold")
    if "labels" in found:
        text.append(_labels(found))
        return text.append(f"   run {found['run']}", style="dim")
    label = found["label"]
    if label is None:
        text.append("no label: nobody votes, or classes tie")
    else:
        text.append(f"{label} ({found['calibrated'][label]:.4f})")
    return text.append(f"   run {found['run']}", style="dim")


def _labels(found: Mapping[str, Any]) -> str:
    """The labels of a multi-label set's row."""
    if found["labels"] is None:
        return "no labels: nobody votes"
    return ", ".join(f"{name} ({found['calibrated'][name]:.4f})" for name in found["labels"]) or "none of the classes"


def _votes(found: Mapping[str, Any]) -> Table:
    classes = list(found["posterior"])
    table = Table(title=f"Votes, and what each adds to the {'log-odds' if 'labels' in found else 'log-probability'} of a class", title_justify="left")
    for column in ("Function", "Owner", "Vote"):
        table.add_column(column, overflow="fold")
    for column in ("Weight", "Accuracy", *classes):
        table.add_column(column, justify="right", overflow="fold")
    table.add_row("prior", "", "", "", "", *(f"{value:.4f}" for value in found["prior"].values()), style="dim", end_section=True)
    for one in sorted(found["functions"], key=_size, reverse=True):
        name = f"{one['name']} (fallback)" if one["fallback"] else one["name"]
        added = one["contribution"] or {}
        shares = (_number(added.get(name), "+.3f") for name in classes)
        table.add_row(
            Text(name), Text(one["owner"] or ""), Text(_vote(one)),
            _number(one["weight"], ".2f"), _number(one["estimatedAccuracy"], ".3f"), *shares,
            style=None if one["vote"] != "abstain" else "dim",
        )  # fmt: skip
    table.add_section()
    calibrated = found["calibration"] != "none"
    table.add_row("posterior", "", "", "", "", *(f"{value:.4f}" for value in found["posterior"].values()), style="" if calibrated else "bold")
    if calibrated:
        table.add_row(f"calibrated ({found['calibration']})", "", "", "", "", *(f"{value:.4f}" for value in found["calibrated"].values()), style="bold")
    return table


def _vote(function: Mapping[str, Any]) -> str:
    if function["vote"] == "abstain":
        return "-"
    stated = function.get("stated")
    return f"{function['vote']} ({stated['probability'][0]:.3g}-{stated['probability'][1]:.3g})" if stated else str(function["vote"])


def _size(function: Mapping[str, Any]) -> tuple[bool, float]:
    """Voters first, and among them the weightiest."""
    added = list((function["contribution"] or {}).values())
    return function["vote"] != "abstain", max(added) - min(added) if added else 0.0


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
