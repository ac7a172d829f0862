"""73 published regex rules on 5,502 real messages, against the votes published with them."""

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.unit.labeling_functions.sets import compiled, rows

DATA = Path(__file__).parents[4] / "shared" / "data"


@pytest.mark.skipif(not (DATA / "sms-rules").is_dir(), reason="the published data is not here")
def test_votes_are_those_published() -> None:
    """C2: every vote of every rule on every message."""
    rules = [line.split("\t")[:2] for line in (DATA / "sms-rules" / "rule.txt").read_text("latin-1").splitlines()]
    classes = {"ham": "normal", "spam": "risky"}
    functions = [{"label": classes[label], "regex": {"column": "message", "pattern": pattern}} for label, pattern in rules]
    messages: list[str] = []
    for part in ("train", "valid", "test"):
        with (DATA / "sms-rules" / f"{part}.csv").open(encoding="latin-1", newline="") as file:
            messages += [line[1] for line in list(csv.reader(file))[1:]]
    with compiled(*functions) as compiled_rules:
        votes = compiled_rules.apply(rows(message=messages)).votes
    assert np.array_equal(votes, np.load(DATA / "votes" / "sms.npz")["L"])
