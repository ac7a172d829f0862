"""The state folder: what `labelplane run` asks for once more."""

from typing import Any

import pytest

from labelplane.api.groups import RECONCILE_AT
from labelplane.cluster.local_store import asked


def stored(annotation: str | None, *, stalled: bool) -> dict[str, Any]:
    condition = {"type": "Stalled", "status": "True" if stalled else "False"}
    return {"metadata": {"annotations": {} if annotation is None else {RECONCILE_AT: annotation}}, "status": {"conditions": [condition]}}


@pytest.mark.parametrize(
    ("given", "before", "stalled", "expected"),
    [
        (None, None, False, None),
        (None, None, True, "+1"),
        (None, "+1", True, "+2"),
        (None, "+1", False, "+1"),  # Ready since: another value would ask again
        ("x", "x", False, "x"),
        ("x", "x", True, "x+1"),
        ("x", "x+1", True, "x+2"),
        ("y", "x+1", False, "y"),
        ("y", "x+1", True, "y+1"),
        (None, "x", False, None),
        ("2026-11-29T10:00:00+01", None, False, "2026-11-29T10:00:00+01"),
        ("2026-11-29T10:00:00+01", "2026-11-29T10:00:00+01", True, "2026-11-29T10:00:00+01+1"),
    ],
)
def test_what_is_stalled_gets_a_reconcile_at_of_its_own(given: str | None, before: str | None, stalled: bool, expected: str | None) -> None:
    annotations = {"team": "a"} | ({} if given is None else {RECONCILE_AT: given})
    found = asked(annotations, stored(before, stalled=stalled))
    assert found == {"team": "a"} | ({} if expected is None else {RECONCILE_AT: expected})


def test_a_new_resource_has_what_its_manifest_says() -> None:
    assert asked({RECONCILE_AT: "x"}, None) == {RECONCILE_AT: "x"}
    assert asked({}, None) == {}
    assert asked({}, {"metadata": {}, "status": {"observedGeneration": -1}}) == {}
