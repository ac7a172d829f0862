"""The file that says what a training set takes beside labels (I2): what is wrong in it is named by its field."""

from pathlib import Path

import pytest

from labelplane.cli.manifests import ManifestError
from labelplane.cli.training_set import read_features, write_training_set

WANTED = """\
time: at
columns: [restarts, at]
tables:
- name: load
  data: {uri: pvc://other/load.csv, format: csv}
  keys: {message: message}
  time: measured
  delay: 1m
  features:
  - {name: share, type: float64}
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("time: at\n", "", "wanted.yaml: time is required beside tables: name the column"),
        ("  time: measured\n", "", r"tables\[0\].time: is required: add it"),
        ("delay: 1m", "maxAge: 1d", r"tables\[0\].maxAge: must be a duration such as 90s"),
        ("float64", "float", r"tables\[0\].features\[0\].type: should be 'string', 'int64', "),
        ("name: share", "name: message", r"tables\[0\].features\[0\].name 'message' is a key, which the rows have: remove it"),
        ("name: share", "name: known_at", r"tables\[0\].features\[0\].name 'known_at' is what load__known_at says already"),
        ("format: csv", "format: csv, secretRef: {name: s}", r"tables\[0\].data.secretRef goes with an s3:// uri"),
        ("message: message", "message: measured", r"tables\[0\].time 'measured' is a key, too"),
        ("  data: {", "  data: [", "wanted.yaml: it is not YAML, at line "),
        ("columns:", "column:", "column: unknown field: correct its name or remove it"),
        ("[restarts, at]", "restarts", "columns: is not a list"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    (tmp_path / "wanted.yaml").write_text(WANTED)
    assert read_features(tmp_path / "wanted.yaml").tables[0].columns == {"load__share": "float64"}
    assert old in WANTED
    (tmp_path / "wanted.yaml").write_text(WANTED.replace(old, new))
    with pytest.raises(ManifestError, match=message):
        read_features(tmp_path / "wanted.yaml")


def test_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="--format csv: use parquet or delta"):
        write_training_set(tmp_path, None, "t", None, version=None, uncovered=False, form="csv", volumes=[], secrets=[])
