"""Two tiers of label models on a real cluster, each with a volume of its own."""

from collections.abc import Callable

import pytest

from devcluster.volumes import Volume
from tests.e2e.operator import Installed
from tests.e2e.rollouts import exactly_once, function_set, hand_over, label_job, label_model, labels
from tests.manifests import Manifest

pytestmark = pytest.mark.cluster

NUMBERS = ("velocity", "restarting", "calm")


def named(manifest: Manifest, name: str) -> Manifest:
    return manifest | {"metadata": manifest["metadata"] | {"name": name}}


def some(namespace: str, names: tuple[str, ...], *, others: bool = False) -> list[Manifest]:
    functions: list[Manifest] = function_set(namespace)["spec"]["functions"]
    return [one for one in functions if (one["name"] in names) != others]


def test_two_tiers_become_ready_and_a_promoted_first_refits_the_second(
    operator: Installed, namespace: str, lake: Volume, volume: Callable[..., Volume]
) -> None:
    """P4, C6: the second waits for the first, reads its files and no more, pins it in status and in the run, and follows its next version."""
    hand_over(volume("signals").folder)
    first_model = {"functionSetRef": {"name": "signals"}, "artifacts": {"uri": "pvc://signals/models"}}
    messages = function_set(namespace, functions=some(namespace, NUMBERS, others=True), tests=[])
    operator.cluster.apply(messages, label_model(namespace, inputs=[{"name": "signals"}]), label_job(namespace))
    operator.reason(namespace, "ModelNotFound", "labelmodel")
    operator.cluster.apply(named(function_set(namespace, functions=some(namespace, NUMBERS), tests=[]), "signals"))
    operator.cluster.apply(named(label_model(namespace, **first_model), "signals"))

    job, first = operator.ready(namespace), operator.ready(namespace, "labelmodel", "signals")["status"]["current"]
    second = operator.ready(namespace, "labelmodel")["status"]
    pin = {"name": "signals", "version": 1, "digest": first["digest"], "artifacts": "pvc://signals/models", "sha256": first["artifact"]["sha256"], "direct": True}
    assert second["current"]["inputs"] == job["status"]["run"]["inputs"] == [pin]
    assert second["functions"][-1]["name"] == "model:signals"
    exactly_once(labels(lake.folder), 2000)
    made = {item["metadata"]["name"]: item["spec"]["template"]["spec"] for item in operator.cluster.get(namespace, "jobs")["items"]}
    readers = [spec for name, spec in made.items() if name.startswith("rollouts-") and "signals" in str(spec["volumes"])]
    assert len(readers) >= 2  # of the fit and of the run; a resolve reads the index
    for spec in readers:
        assert all(one["persistentVolumeClaim"]["readOnly"] for one in spec["volumes"] if one.get("persistentVolumeClaim", {}).get("claimName") == "signals")

    operator.cluster.apply(named(label_model(namespace, **first_model, parameters={"seed": 7}), "signals"))
    operator.cluster.wait(
        "labels with the second version of the first tier",
        lambda: [one["version"] for one in operator.resource(namespace, "labeljob")["status"]["run"]["inputs"]] == [2],
    )  # fmt: skip
    assert operator.ready(namespace, "labelmodel")["status"]["current"]["version"] == 2
    assert operator.ready(namespace)["status"]["run"]["model"]["version"] == 2
    assert labels(lake.folder).version() == 1
