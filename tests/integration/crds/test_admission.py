"""What the real API server says to good, bad and maximal manifests."""

import json
from typing import Any

import pytest

from tests.cluster_fixtures import ROOT, RealCluster
from tests.malformed import ADMISSION, CHECK, Malformed
from tests.manifests import REMOVE, changed, function_set, label_job, label_model
from tests.reader import dry_run

pytestmark = pytest.mark.apiserver


@pytest.mark.parametrize("manifest", [function_set(), label_model(), label_job()], ids=lambda manifest: manifest["kind"])
def test_good_manifests_are_admitted(api_server: RealCluster, manifest: dict[str, Any]) -> None:
    assert dry_run(api_server.folders, manifest) == ""


@pytest.mark.parametrize("bad", ADMISSION, ids=lambda bad: bad.id)
def test_bad_manifest_is_refused_and_named(api_server: RealCluster, bad: Malformed) -> None:
    """O9: the message names the field, and what to do."""
    said = dry_run(api_server.folders, bad.manifest)
    assert bad.field in said
    assert bad.words in said


@pytest.mark.parametrize("bad", CHECK, ids=lambda bad: bad.id)
def test_what_only_the_check_can_know_is_admitted(api_server: RealCluster, bad: Malformed) -> None:
    assert dry_run(api_server.folders, bad.manifest) == ""


KINDS: dict[str, dict[str, Any]] = {
    "keywords": {"keywords": {"column": "c" * 128, "any": ["word"]}},
    "threshold": {"threshold": {"column": "c" * 128, "above": 1, "atMost": 2}},
    "votes": {"votes": {"column": "c" * 128, "above": {"c": 0.9}, "below": {"d": 0.1}}},
    "lookup": {"lookup": {"column": "c", "table": {"uri": "configmap://t/t.csv", "format": "csv"}, "keyColumn": "k", "labelColumn": "l"}},
    # of 127 columns each, 200 functions would be a request that the API server does not take at all
    "probabilities": {"votes": {"probabilities": {f"{index:03d}{'c' * 60}": f"{index:03d}{'k' * 100}" for index in range(30)}}},
    "labels": {"sql": "true", "labels": [f"{index:03d}{'c' * 60}" for index in range(111, 127)]},
    "notLabel": {"sql": "true", "notLabel": f"126{'c' * 60}"},
    "fallback": {"sql": "true", "fallback": True, "accuracy": 0.6},
}


UNLABELED = ("votes", "lookup", "probabilities", "labels", "notLabel")


def largest_function_set(kind: str = "keywords") -> dict[str, Any]:
    """127 classes, 500 columns, 200 functions of a kind, 500 tests, names as long as they may be, all but one column hashed."""
    classes = [f"{index:03d}{'c' * 60}" for index in range(127)]
    columns = [{"name": f"{index:03d}{'k' * 100}", "type": "string", "sensitive": "hash"} for index in range(499)]
    functions = [
        {"name": f"{index:03d}{'f' * 60}", **({} if kind in UNLABELED else {"label": classes[index % 127]}), **KINDS[kind]}
        for index in range(200)
    ]
    tests = [{"row": {columns[0]["name"]: "word"}, "expect": {functions[0]["name"]: classes[0]}} for _ in range(500)]
    manifest = changed(function_set(), "spec.classes", classes)
    manifest = changed(manifest, "spec.schema.columns", [{"name": "event_id", "type": "string"}, *columns])
    manifest = changed(manifest, "spec.schema.hashKeyRef", {"name": "s" * 253, "key": "k" * 253})
    manifest = changed(manifest, "spec.functions", functions)
    return changed(manifest, "spec.tests", tests)


@pytest.mark.parametrize("kind", KINDS)
def test_largest_set_is_within_the_cost_budget(api_server: RealCluster, kind: str) -> None:
    """Every rule still evaluates at maximum size: no 'cost budget exceeded'."""
    assert dry_run(api_server.folders, largest_function_set(kind)) == ""


def function(index: int, spec: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Where it stands, and a function of the longest name with this spec."""
    return f"spec.functions[{index}]", {"name": f"{index:03d}{'f' * 60}", **spec}


FIRST = f"000{'c' * 60}"  # a class
BROKEN: list[tuple[str, Any, str]] = [
    ("metadata.name", "n" * 53, "<nil>: Invalid value: metadata.name must have at most 52 characters"),
    ("spec.classes[126]", f"000{'C' * 60}", "spec.classes: Invalid value: classes must be unique"),
    ("spec.classes[125]", "ABSTAIN", "spec.classes: Invalid value: abstain is reserved"),
    ("spec.idColumn", "probabilities", "spec.idColumn: Invalid value: idColumn has the name of an output column"),
    ("spec.functions[199].name", f"000{'f' * 60}", "spec.functions: Invalid value: function names must be unique"),
    ("spec.functions[198].label", "absent", "spec.functions: Invalid value: every label must be one of spec.classes"),
    ("spec.functions[197].regex", {"column": "x", "pattern": "y"}, "spec.functions[197]: Invalid value: needs exactly one"),
    ("spec.functions[196].label", REMOVE, "spec.functions[196]: Invalid value: label is required"),
    ("spec.functions[195].accuracy", 0.7, "spec.functions[195]: Invalid value: accuracy is for fallbacks only"),
    (*function(194, {"label": FIRST, "threshold": {"column": "x"}}), "spec.functions[194].threshold: Invalid value: needs a bound"),
    (
        *function(193, {"label": FIRST, "threshold": {"column": "x", "above": 1, "atLeast": 1}}),
        "spec.functions[193].threshold: Invalid value: has two bounds on one side",
    ),
    (*function(192, {"votes": {"column": "x", "map": {"1": "a"}, "above": {"a": 1}}}), "spec.functions[192].votes: Invalid value: needs either map"),
    (*function(191, {"sql": "true", "labels": [FIRST, "absent"]}), "spec.functions: Invalid value: labels must be some of spec.classes"),
    (*function(190, {"sql": "true", "notLabel": "absent"}), "spec.functions: Invalid value: notLabel must be one of spec.classes"),
    (*function(189, {"sql": "true", "notLabel": FIRST, "fallback": True}), "spec.functions[189]: Invalid value: a fallback votes for one class"),
    (*function(188, {"votes": {"column": "x", "probabilities": {"a": "p"}}}), "spec.functions[188].votes: Invalid value: column goes with"),
]


def test_rules_act_at_maximum_size(api_server: RealCluster) -> None:
    """Each broken rule is named, where it is broken: all at once, since the server takes 1.5 s to look at a set of that size."""
    manifest = largest_function_set()
    for path, value, _ in BROKEN:
        manifest = changed(manifest, path, value)
    said = dry_run(api_server.folders, manifest)
    assert [expected for *_, expected in BROKEN if expected not in said] == [], said


def test_labelplane_yaml_is_accepted(api_server: RealCluster) -> None:
    """`kubectl apply -f labelplane.yaml`, as the README has it: whole, on the client's side, and with nothing to warn of."""
    api_server.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "labelplane-system"}})
    said = api_server.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", str(ROOT / "labelplane.yaml"), check=False)
    lines = [line for line in said.splitlines() if "missing the kubectl.kubernetes.io/last-applied-configuration annotation" not in line]
    assert [line for line in lines if "(server dry run)" not in line] == []
    for kind in ("namespace/", "deployment.apps/", "clusterrole.", "clusterrolebinding.", "serviceaccount/", "customresourcedefinition."):
        assert [line for line in lines if line.startswith(kind)], said


def test_output_cannot_move(api_server: RealCluster, api_namespace: str) -> None:
    """The uri of the output is immutable, be it as long as it may, and so is how its files are kept apart."""
    longest = f"pvc://lake/{'x' * 1013}"
    job = changed(label_job(namespace=api_namespace), "spec.output.uri", longest)
    api_server.apply(job)
    moved = changed(job, "spec.output.uri", f"{longest[:-1]}y")
    said = api_server.kubectl("apply", "-f", "-", check=False, text_in=json.dumps(moved))
    assert "output.uri and output.format cannot change" in said
    said = api_server.kubectl("apply", "-f", "-", check=False, text_in=json.dumps(changed(job, "spec.output.partitionBy", "label")))
    assert "output.partitionBy cannot change" in said


def test_status_says_not_yet_observed(api_server: RealCluster, api_namespace: str) -> None:
    """kstatus must not take a resource for Current before we have looked."""
    api_server.apply(label_job(namespace=api_namespace))
    assert api_server.get(api_namespace, "labeljobs", "rollout-risk")["status"] == {"observedGeneration": -1}


def test_short_names_columns_and_category(api_server: RealCluster, api_namespace: str) -> None:
    api_server.apply(function_set(namespace=api_namespace), label_model(namespace=api_namespace), label_job(namespace=api_namespace))
    for short, column in (("lfs", "FUNCTIONS"), ("lm", "ALGORITHM"), ("lj", "COVERAGE")):
        assert column in api_server.kubectl("-n", api_namespace, "get", short)
    together = api_server.kubectl("-n", api_namespace, "get", "labelplane")
    assert all(name in together for name in ("labelingfunctionset", "labelmodel", "labeljob"))
