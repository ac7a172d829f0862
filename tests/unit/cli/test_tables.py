"""Tables fit a terminal of 80 columns, with nothing cut off."""

import io
from typing import Any

from rich.console import Console

from labelplane.cli.difference import show_difference
from labelplane.cli.tables import conditions_table, quality_table

MESSAGE = "pvc://mail/data/mails.parquet: claim mail has no file or folder data/mails.parquet: put the data there or correct the uri"


def resource(kind: str, *conditions: dict[str, str]) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "incident-root-cause"}, "status": {"conditions": list(conditions)}}


def shown(*resources: dict[str, Any]) -> list[list[str]]:
    """The cells of the table's lines at 80 columns."""
    screen = io.StringIO()
    Console(file=screen, width=80).print(conditions_table(resources))
    lines = screen.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if line.startswith("│")]


def test_conditions_at_80_columns() -> None:
    lines = shown(
        resource("LabelingFunctionSet", {"type": "Ready", "status": "False", "reason": "FunctionTestsFailed", "message": MESSAGE}),
        resource("LabelModel", {"type": "Ready", "status": "True", "reason": "Fitted", "message": "version 1 serves"}),
    )
    assert lines[0][:3] == ["LabelingFunctionSet", "False", "FunctionTestsFailed"]
    assert lines[1][0] == "incident-root-cause"
    together = "".join(line[3].replace(" ", "") for line in lines[:-2])
    assert together == MESSAGE.replace(" ", "")
    assert [line[0] for line in lines[-2:]] == ["LabelModel", "incident-root-cause"]


def test_a_domain_condition_has_a_line_of_its_own() -> None:
    ready = {"type": "Ready", "status": "True", "reason": "Labeled", "message": "10 rows"}
    high = {"type": "ConflictHigh", "status": "True", "reason": "ObjectiveMissed", "message": "conflict 0.2 is above 0.1"}
    drifted = {"type": "Drifted", "status": "True", "reason": "Drifted", "message": "column n moved"}
    lines = shown(resource("LabelJob", ready, high, drifted), resource("LabelModel"))
    place = next(place for place, line in enumerate(lines) if line[2] == "ConflictHigh")
    assert [line[1:3] for line in lines[place : place + 2]] == [["", "ConflictHigh"], ["", "ObjectiveMissed"]]
    assert ["", "", "Drifted", "column n moved"] in lines
    assert ["LabelModel", "Unknown", "-", "not looked at yet"] in lines


def test_what_was_taken_from_earlier_runs_is_told_where_something_was() -> None:
    for share, told in ((None, False), (0.0, False), (0.25, True)):
        metrics = {"rows": 10, "coverage": 0.5} | ({} if share is None else {"reusedRows": 0, "reusedVotes": share})
        table = quality_table([{"kind": "LabelJob", "metadata": {"name": "job"}, "status": {"metrics": metrics}}])
        assert table is not None
        screen = io.StringIO()
        Console(file=screen, width=80).print(table)
        assert ("Votes taken from earlier runs │ 0.250" in screen.getvalue()) is told


def test_ids_of_another_column_are_told_beside_a_difference() -> None:
    """Where no row is in both, that may be why."""
    about = {"version": 0, "modelVersion": 1, "run": "job-d-1", "idColumn": "id"}
    found = {"labelJob": "job", "before": about, "after": about | {"version": 1}, "rows": {"both": 0, "added": 2, "removed": 3}, "flipped": 0}
    found |= {"flips": [], "classes": [], "functions": [], "functionsAdded": [], "functionsRemoved": []}
    for after, said in (("id", False), ("case", True)):
        screen = io.StringIO()
        show_difference(found | {"after": about | {"idColumn": after}}, Console(file=screen, width=80))
        assert ("rows are found by their id: id -> case" in screen.getvalue()) is said
