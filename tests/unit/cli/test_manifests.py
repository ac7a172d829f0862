"""Manifests are read as kubectl reads them."""

from pathlib import Path
from typing import Any

import pytest

from labelplane.cli.manifests import ManifestError, load

HEAD = "apiVersion: labelplane.dev/v1alpha1\nkind: LabelJob\nmetadata: {name: x}\n"


def spec_of(folder: Path, text: str) -> Any:
    (folder / "job.yaml").write_text(f"{HEAD}spec:\n  value: {text}\n")
    return load([str(folder)]).resources[0]["spec"]["value"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-6", 0.000001),
        ("2020-01-01", "2020-01-01"),
        ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"),
        ("12:30:45", "12:30:45"),
        ("{1: risky, true: x}", {"1": "risky", "true": "x"}),
        ("yes", True),
        ("-0x1f", -31),
        ("017", 15),
        ("'1'", "1"),
        ("null", None),
    ],
)
def test_value_is_read_as_by_kubectl(tmp_path: Path, text: str, value: object) -> None:
    found = spec_of(tmp_path, text)
    assert found == value
    assert type(found) is type(value)


def test_key_repeated_deep_inside_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"job\.yaml: line 6: key 'a' stands twice"):
        spec_of(tmp_path, "{a: 1,\n    a: 2}")


def test_merge_key_may_be_overridden(tmp_path: Path) -> None:
    assert spec_of(tmp_path, "[&base {a: 1, b: 2}, {<<: *base, b: 3}]") == [{"a": 1, "b": 2}, {"a": 1, "b": 3}]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "is not valid YAML: line"),
        ("- a", "a manifest is a mapping"),
        ("apiVersion: labelplane.dev/v1alpha1\nkind: LabelJob\nmetadata: {name: 3}\n", "metadata.name"),
        ("apiVersion: labelplane.dev/v1alpha1\nkind: LabelJob\nmetadata: {name: ../x}\n", "metadata.name"),
        ("apiVersion: labelplane.dev/v1\nkind: LabelJob\nmetadata: {name: x}\n", "use labelplane.dev/v1alpha1"),
        (f"{HEAD}---\n{HEAD}", "is given twice"),
        ("kind: List\nitems: [3]\n", "an item of List is a mapping"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\nbinaryData: {a: '%'}\n", "binaryData.a is not base64"),
        ("", "no resource of labelplane.dev was found (no manifest stands there)"),
        ("apiVersion: v1\nkind: Pod\n", "Pod v1 is not ours"),
        ("[" * 5000, "nested too deeply"),
        ('{"a":' * 5000 + "1" + "}" * 5000, "nested too deeply"),
        ("a: &a [1]\n" + "".join(f"{x}: &{x} [{', '.join([f'*{y}'] * 20)}]\n" for y, x in zip("abcdefg", "bcdefgh", strict=True)), "more than 1,000,000 values"),
        ("a: &a {b: *a}\n", "recursive"),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(ManifestError) as refused:
        load([str(tmp_path)])
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("namePrefix: a-\n", "namePrefix is not understood"),
        ("configMapGenerator: [{name: a, envs: [x]}]\n", "configMapGenerator[0].envs is not understood"),
        ("configMapGenerator: [{literals: [a=b]}]\n", "configMapGenerator[0].name is required"),
        ("resources: ['https://example.com/x']\n", "is on the network"),
    ],
)
def test_kustomization_that_would_mean_more_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "kustomization.yaml").write_text(text)
    with pytest.raises(ManifestError) as refused:
        load([str(tmp_path)])
    assert said in str(refused.value)


def test_kustomization_gives_resources_and_config_maps(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(HEAD)
    (tmp_path / "gold.csv").write_text("id,gold\n")
    text = "resources: [job.yaml]\ngeneratorOptions: {disableNameSuffixHash: true}\nconfigMapGenerator: [{name: g, files: [gold.csv, other.csv=gold.csv], literals: [a=b=c]}]\n"
    (tmp_path / "kustomization.yaml").write_text(text)
    loaded = load([str(tmp_path)])
    assert [one["kind"] for one in loaded.resources] == ["LabelJob"]
    assert loaded.config_maps == {"g": {"gold.csv": b"id,gold\n", "other.csv": b"id,gold\n", "a": b"b=c"}}


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"a: \xff\xfe")
    with pytest.raises(ManifestError, match=r"x\.yaml: is not UTF-8 text"):
        load([str(tmp_path)])
