"""A multi-label set on a real cluster: a row gets a list of labels."""

import pytest

from devcluster.volumes import Volume
from tests.e2e.operator import Installed, message
from tests.e2e.rollouts import exactly_once, function_set, label_job, label_model, labels, write_events

pytestmark = pytest.mark.cluster
RULES = [
    {"name": "crashloop", "label": "failing", "keywords": {"column": "message", "any": ["CrashLoopBackOff"]}},
    {"name": "readiness", "label": "failing", "regex": {"column": "message", "pattern": "(?i)readiness probe failed"}},
    {"name": "restarting", "label": "failing", "threshold": {"column": "restarts", "atLeast": 2}},
    {"name": "velocity", "label": "rushed", "threshold": {"column": "rollouts_per_hour", "above": 6}},
    {"name": "hurry", "label": "rushed", "threshold": {"column": "rollouts_per_hour", "above": 5}},
    {"name": "calm", "notLabel": "rushed", "threshold": {"column": "rollouts_per_hour", "below": 2}},
]


def test_a_row_has_any_number_of_labels(operator: Installed, namespace: str, lake: Volume) -> None:
    """C2, C3, C5: several labels, one, or none, in one version; what does not go with it stalls at once and names the field."""
    tests = [{"row": {"message": "Back-off: CrashLoopBackOff", "rollouts_per_hour": 1.0}, "expect": {"crashloop": "failing", "calm": "not rushed"}}]
    rules = function_set(namespace, classes=["failing", "rushed"], multiLabel=True, functions=RULES, tests=tests)
    operator.cluster.apply(rules, label_model(namespace, algorithm="one-coin"), label_job(namespace))
    assert message(operator.reason(namespace, "InvalidSpec", "labelmodel")).startswith("spec.algorithm: one-coin")
    operator.cluster.apply(label_model(namespace))
    job = operator.ready(namespace)
    table = labels(lake.folder)
    exactly_once(table, 2000)
    rows = table.to_pandas()
    assert {len(of) for of in rows["labels"][rows["covered"]]} == {0, 1, 2}
    assert rows["labels"][~rows["covered"]].isna().all()
    assert set(job["status"]["metrics"]["labelDistribution"]) == {"failing", "rushed"}
    model = operator.ready(namespace, "labelmodel")["status"]
    assert {one["name"]: one["polarity"] for one in model["functions"]}["calm"] == ["not rushed"]
    listed = operator.cluster.kubectl("-n", namespace, "get", "lj,lm")
    assert "discounted-dawid-skene" in listed
    write_events(lake.folder, 100, seed=3)
    operator.request(namespace)
    operator.cluster.wait("labels of the new events", lambda: operator.ready(namespace)["status"]["metrics"]["rows"] == 100)
    assert labels(lake.folder).version() == 1
