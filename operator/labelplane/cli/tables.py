"""Tables that people read."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

COLOURS = {"True": "green", "False": "red", "Unknown": "yellow"}
QUALITY = (
    ("rows", "Rows"),
    ("coverage", "Coverage"),
    ("conflictRate", "Conflict"),
    ("meanConfidence", "Confidence"),
    ("precision", "Precision"),
    ("recall", "Recall"),
    ("brier", "Brier"),
    ("ece", "ECE"),
)


def conditions_table(resources: Iterable[Mapping[str, Any]]) -> Table:
    """A line for each resource and each condition beside Ready."""
    table = Table("Kind", "Name", "Ready", "Reason", "Message", title="Conditions", title_justify="left")
    for resource in resources:
        conditions = (resource.get("status") or {}).get("conditions") or []
        ready = next((one for one in conditions if one["type"] == "Ready"), {"status": "Unknown", "reason": "-", "message": "not looked at yet"})
        status = Text(ready["status"], style=COLOURS[ready["status"]])
        table.add_row(resource["kind"], resource["metadata"]["name"], status, ready["reason"], Text(ready["message"]))
        for one in conditions:
            if one["type"] not in ("Ready", "Reconciling", "Stalled") and one["reason"] != ready["reason"]:
                table.add_row("", "", Text(one["type"], style="yellow"), one["reason"], Text(one["message"]))
    return table


def quality_table(resources: Iterable[Mapping[str, Any]]) -> Table | None:
    """Indicators of each LabelJob that has labelled; against gold where there is gold."""
    jobs = [resource for resource in resources if resource["kind"] == "LabelJob" and (resource["status"].get("metrics"))]
    if not jobs:
        return None
    table = Table("LabelJob", *(title for _, title in QUALITY), title="Label quality (precision, recall, Brier and ECE against gold)", title_justify="left")
    for job in jobs:
        table.add_row(job["metadata"]["name"], *(_figure(job["status"]["metrics"].get(key)) for key, _ in QUALITY))
    return table


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"
