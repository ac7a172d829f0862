"""Tables that people read."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

COLOURS = {"True": "green", "False": "red", "Unknown": "yellow"}
QUALITY = (
    ("rows", "Rows"),
    ("coverage", "Rows that a function votes on"),
    ("conflictRate", "Covered rows in conflict"),
    ("meanConfidence", "Mean confidence"),
    ("precision", "Precision on gold"),
    ("recall", "Recall on gold"),
    ("brier", "Brier score on gold"),
    ("ece", "Calibration error on gold"),
)
REUSE = (("reusedVotes", "Votes taken from earlier runs"), ("reusedRows", "Rows with no vote found anew"))


def conditions_table(resources: Iterable[Mapping[str, Any]]) -> Table:
    """A line for each resource and each condition beside Ready. Kind and name share a column: messages are long, and terminals are narrow."""
    table = Table(title="Conditions", title_justify="left", show_lines=True)
    for title in ("Resource", "Ready", "Reason", "Message"):
        table.add_column(title, overflow="fold", ratio=1 if title == "Message" else None, no_wrap=title == "Reason")
    for resource in resources:
        conditions = (resource.get("status") or {}).get("conditions") or []
        ready = next((one for one in conditions if one["type"] == "Ready"), {"status": "Unknown", "reason": "-", "message": "not looked at yet"})
        status = Text(ready["status"], style=COLOURS[ready["status"]])
        table.add_row(Text(f"{resource['kind']}\n{resource['metadata']['name']}"), status, ready["reason"], Text(ready["message"]))
        for one in conditions:
            if one["type"] not in ("Ready", "Reconciling", "Stalled") and one["reason"] != ready["reason"]:
                name = one["type"] if one["type"] == one["reason"] else f"{one['type']}\n{one['reason']}"
                table.add_row("", "", Text(name, style="yellow"), Text(one["message"]))
    return table


def quality_table(resources: Iterable[Mapping[str, Any]]) -> Table | None:
    """Indicators of each LabelJob that has labelled; against gold where there is gold."""
    jobs = [resource for resource in resources if resource["kind"] == "LabelJob" and (resource["status"].get("metrics"))]
    if not jobs:
        return None
    table = Table("Indicator", title="Label quality", title_justify="left")
    for job in jobs:  # a column each: names are long, indicators are few
        table.add_column(job["metadata"]["name"], justify="right", overflow="fold")
    reused = any(job["status"]["metrics"].get("reusedVotes") for job in jobs)  # of a first run nobody asks
    for key, title in (*QUALITY, *(REUSE if reused else ())):
        table.add_row(title, *(_figure(job["status"]["metrics"].get(key)) for job in jobs))
    return table


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"
