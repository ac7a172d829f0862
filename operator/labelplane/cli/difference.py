"""What changed between two versions of labels, on a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

SHOWN = 20


def show_difference(found: Mapping[str, Any], console: Console) -> None:
    """Rows, labels that flipped, classes, and the functions whose votes changed."""
    before, after, rows = found["before"], found["after"], found["rows"]
    console.print(Text(f"{found['labelJob']}: version {before['version']} -> {after['version']}", style="bold"))
    console.print(f"model version {before['modelVersion']} -> {after['modelVersion']}, run {before['run']} -> {after['run']}", soft_wrap=True, highlight=False)
    if before["idColumn"] != after["idColumn"]:
        console.print(f"rows are found by their id: {before['idColumn']} -> {after['idColumn']}", soft_wrap=True, highlight=False, markup=False)
    console.print(f"{rows['both']} rows in both, {rows['added']} added, {rows['removed']} removed; {found['flipped']} have another label", highlight=False)
    for table in (_flips(found), _classes(found), _functions(found)):
        if table is not None:
            console.print(table)
    for word in ("Added", "Removed"):
        if names := found[f"functions{word}"]:
            console.print(f"functions {word.lower()}: {', '.join(names)}", highlight=False)


def _flips(found: Mapping[str, Any]) -> Table | None:
    flips = found["flips"]
    if not flips:
        return None
    more = f", the {SHOWN} most frequent of {len(flips)}" if len(flips) > SHOWN else ""
    table = _table(f"Labels that changed{more}", ["From", "To"], ["Rows"])
    for one in flips[:SHOWN]:
        table.add_row(Text(one["from"]), Text(one["to"]), str(one["rows"]))
    return table


def _classes(found: Mapping[str, Any]) -> Table | None:
    changed = [one for one in found["classes"] if one["gained"] or one["lost"]]
    if not changed:
        return None
    table = _table("Rows that gained or lost a class", ["Class"], ["Gained", "Lost"])
    for one in changed:
        table.add_row(Text(one["name"]), str(one["gained"]), str(one["lost"]))
    return table


def _functions(found: Mapping[str, Any]) -> Table | None:
    changed = [one for one in found["functions"] if one["gained"] or one["lost"] or one["otherClass"]]
    if not changed:
        return None
    table = _table("Votes that changed, in rows", ["Function"], ["Gained", "Lost", "Other class", "Of these, label changed"])
    for one in sorted(changed, key=lambda one: (-one["onFlippedRows"], one["name"])):
        table.add_row(Text(one["name"]), *(str(one[key]) for key in ("gained", "lost", "otherClass", "onFlippedRows")))
    return table


def _table(title: str, names: Sequence[str], counts: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left")
    for column in names:
        table.add_column(column, overflow="fold")
    for column in counts:
        table.add_column(column, justify="right", overflow="fold")
    return table
