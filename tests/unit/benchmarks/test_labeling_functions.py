"""The rivals vote alike, a difference stops the benchmark, and the page states each target's ratio."""

import argparse
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from benchmarks.labeling_functions import by_hand, end_to_end
from benchmarks.labeling_functions.command import section
from benchmarks.labeling_functions.measure import BY_HAND, CONTAINS, IN_MEMORY, LOOP, OURS, READ, SNORKEL, Cell, measure
from benchmarks.labeling_functions.rules import TEN, TWO_MORE, Rule
from benchmarks.labeling_functions.runs import Used
from benchmarks.labeling_functions.runs import section as section_of_runs
from benchmarks.labeling_functions.texts import mail_pieces

PIECES = mail_pieces(3_000)


def test_ours_and_by_hand_vote_alike() -> None:
    """`measure` compares the votes of all rivals; every rule votes on some of the texts, and as Python says."""
    cell = measure("some", (*TEN, *TWO_MORE), PIECES, None, rounds=1)
    assert set(cell.seconds) == {READ, BY_HAND, CONTAINS, OURS, IN_MEMORY}
    for rule in (*TEN, *TWO_MORE):
        assert rule.vote in map(rule.python(), PIECES), rule.name


def test_a_rival_that_votes_otherwise_stops_the_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    class Other(Rule):
        def sql(self, *, contains: bool = False) -> str:
            return f"CAST(CASE WHEN text LIKE 'a%' THEN {self.vote} ELSE -1 END AS TINYINT)"

    with pytest.raises(AssertionError, match="votes differ"):
        measure("some", [Other("other", 1, "regex", "money")], PIECES, None, rounds=1)
    assert "other" not in capsys.readouterr().out


def test_the_page_states_the_ratios() -> None:
    seconds = {SNORKEL: [100.0], LOOP: [20.0], READ: [0.1], BY_HAND: [2.0, 4.0], CONTAINS: [2.0], OURS: [0.8, 1.0, 1.2], IN_MEMORY: [0.5]}
    cell = Cell("10 functions", 1_000, 10, 80.0, seconds)
    text = section([cell], "Note.", argparse.Namespace(quick=False, no_peers=False))
    assert "| 10 functions | 200 × | 40 × | 0.50 × | 10.00 × |" in text
    assert "| Labelplane | 1.000 | 0.800–1.200 | 3 | 1,000 | 10.00 |" in text


def test_end_to_end_both_label_the_same_rows(tmp_path: Path) -> None:
    """The same ids in order, the same votes, and as many labels of either class as there are covered rows."""
    end_to_end.prepare(tmp_path, 2_000)
    end_to_end.ours(tmp_path)
    by_hand.run(tmp_path / end_to_end.DATA, tmp_path / end_to_end.MODEL, tmp_path / "by-hand.parquet", threads=1)
    ours, theirs = DeltaTable(tmp_path / "labels").to_pandas(), pq.read_table(tmp_path / "by-hand.parquet").to_pandas()
    assert ours["id"].tolist() == theirs["id"].tolist() == list(range(2_000))
    assert np.array_equal(np.stack(ours["votes"]), np.stack(theirs["votes"]))
    assert ours["covered"].tolist() == theirs["covered"].tolist()
    assert set(theirs.columns) == set(ours.columns) - {"run"}


def test_the_page_states_the_ratio_of_runs() -> None:
    text = section_of_runs(1_000_000, {"ours": [Used(9.0, 6.0, 400.0), Used(9.0, 8.0, 500.0)], "by-hand": [Used(9.0, 5.0, 300.0), Used(9.0, 5.0, 300.0)]})
    assert "takes 1.40 × the CPU time" in text
    assert "| Labelplane, one label step | 7.0 | 9.0 | 142,857 | 500 |" in text
    assert "end-to-end --rows 1e6`" in text
