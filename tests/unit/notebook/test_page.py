"""The page for users of Snorkel: its blocks run, and what it names is there."""

import re

import pyarrow as pa
import pytest

from labeljob import notebook
from tests.cluster_fixtures import ROOT

PAGE = (ROOT / "docs/coming-from-snorkel.md").read_text()


def test_the_blocks_run_in_order(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 6
    namespace: dict[str, object] = {}
    for number, block in enumerate(blocks):
        exec(compile(block.replace("/tmp/", f"{tmp_path}/"), f"block {number}", "exec"), namespace)
    assert namespace["scores"]["accuracy"] > 0.8
    assert namespace["scores"]["coverage"] > 0.8
    assert namespace["with_teacher"].get_weights()[-1] > 0.5  # the teacher is believed
    batch = pa.record_batch({"subject": ["RE: lunch", None], "capitals_share": [0.1, 0.9]})
    assert [namespace[name](batch).to_pylist() for name in ("an_answer", "capitals")] == [["ham", None], [None, "spam"]]


@pytest.mark.parametrize("name", notebook.__all__)
def test_every_name_is_described(name):
    exempt = {"LabelingFunction", "ApplierMetadata", "ExchangeError", "ManifestError"}
    assert name in exempt or name in PAGE
    assert getattr(notebook, name).__doc__
