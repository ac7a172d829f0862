"""The generated CRDs: structural, without defaults in the spec, small, and the same as the files in crds/."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from labelplane.api.crd import crd_manifests
from labelplane.api.structural_schema import structural_schema
from labelplane.api.validation_rules import RULES

ROOT = Path(__file__).parents[3]
CRDS = {crd["spec"]["names"]["kind"]: crd for crd in crd_manifests()}


def nodes(node: Any, path: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Every mapping in a schema with its path."""
    if isinstance(node, list):
        return [found for index, child in enumerate(node) for found in nodes(child, f"{path}[{index}]")]
    if not isinstance(node, dict):
        return []
    return [(path, node), *(found for key, child in node.items() for found in nodes(child, f"{path}.{key}"))]


def schema(kind: str) -> dict[str, Any]:
    return CRDS[kind]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


@pytest.mark.parametrize("kind", CRDS)
def test_is_structural(kind: str) -> None:
    """No construct that an API server refuses or silently prunes is left over from JSON Schema."""
    banned = {"$ref", "anyOf", "allOf", "oneOf", "const", "$defs", "prefixItems", "discriminator", "title"}
    for path, node in nodes(schema(kind)):
        if path.endswith(".properties"):
            continue
        assert not banned & set(node), path
        assert not ("properties" in node and "additionalProperties" in node), path


@pytest.mark.parametrize("kind", CRDS)
def test_spec_has_no_default(kind: str) -> None:
    """Argo CD compares without defaults: one in the spec would show as drift (I6)."""
    spec = schema(kind)["properties"]["spec"]
    assert [path for path, node in nodes(spec) if "default" in node and not path.endswith(".properties")] == []
    assert schema(kind)["properties"]["status"]["default"] == {"observedGeneration": -1}


@pytest.mark.parametrize("kind", CRDS)
def test_file_is_current_and_small(kind: str) -> None:
    """`make generate` was run, and the file fits client-side apply."""
    file = ROOT / "crds" / f"{CRDS[kind]['metadata']['name']}.yaml"
    assert yaml.safe_load(file.read_text()) == CRDS[kind]
    assert file.stat().st_size < 256 * 1024


@pytest.mark.parametrize("kind", CRDS)
def test_every_leaf_of_the_spec_is_bounded(kind: str) -> None:
    """CEL costs are estimated from maximum sizes: every list, map and string of the spec has one."""
    for path, node in nodes(schema(kind)["properties"]["spec"], "spec"):
        if node.get("type") == "array":
            assert "maxItems" in node, path
        if node.get("type") == "string" and "enum" not in node:
            assert "maxLength" in node or "additionalProperties" in path, path
        if node.get("type") == "object" and "additionalProperties" in node:
            assert "maxProperties" in node, path


@pytest.mark.parametrize("kind", CRDS)
def test_names_columns_and_category(kind: str) -> None:
    """Short names, category and printer columns as users know them."""
    names = CRDS[kind]["spec"]["names"]
    assert names["shortNames"][0] in {"lfs", "lm", "lj"}
    assert names["categories"] == ["labelplane"]
    columns = [column["name"] for column in CRDS[kind]["spec"]["versions"][0]["additionalPrinterColumns"]]
    assert {"Ready", "Age"} <= set(columns)


def test_every_rule_is_in_a_crd() -> None:
    """A rule on a model that no CRD holds would guard nothing."""
    found = [rule["rule"] for crd in CRDS.values() for _, node in nodes(crd) for rule in node.get("x-kubernetes-validations", [])]
    assert {rule["rule"] for rules in RULES.values() for rule in rules} <= set(found)


def test_exclusive_bounds_use_the_boolean_form() -> None:
    """JSON Schema's numeric exclusiveMinimum is not what a CRD knows."""
    from labelplane.api.label_model import Parameters

    tolerance = structural_schema(Parameters)["properties"]["tolerance"]
    assert (tolerance["minimum"], tolerance["exclusiveMinimum"]) == (0, True)
