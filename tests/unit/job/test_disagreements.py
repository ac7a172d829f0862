"""Rows on which functions disagree, as a report shows them."""

import numpy as np
import pyarrow as pa

from labeljob.analysis import conflict_matrix
from labeljob.reading.disagreements import KEPT, SHOWN, Disagreements
from labeljob.reading.page import pairs_of
from labeljob.votes import conflicting_rows


def test_pairs_have_rows_of_theirs_in_whatever_order_the_table_is_read():
    """X2: a few ids for each of the pairs that disagree most, from a bounded number of rows."""
    random = np.random.default_rng(0)
    votes = random.choice([-1, 0, 1], p=[0.6, 0.2, 0.2], size=(9000, 5)).astype(np.int8)
    votes[:, 4] = np.where(np.arange(9000) == 17, 1 - votes[17, 0] if votes[17, 0] >= 0 else 1, -1)
    ids = pa.array([f"r{row}" for row in range(9000)])
    found = []
    for order in (np.arange(9000), random.permutation(9000)):
        kept = Disagreements()
        for part in np.array_split(order, 7):
            kept.add(ids.take(pa.array(part)), votes[part], None, conflicting_rows(votes[part]))
        assert len(kept.rows) == KEPT
        found.append(pairs_of([f"f{j}" for j in range(5)], conflict_matrix(votes), kept, lambda one, _: conflict_matrix(one)))
    assert found[0] == found[1]
    assert [pair["rows"] for pair in found[0]] == [f"{n:,}" for n in sorted((int(pair["rows"].replace(",", "")) for pair in found[0]), reverse=True)]
    for pair in found[0][:6]:
        rows = [int(row[1:]) for row in pair["ids"].split(", ")]
        said = votes[rows][:, [int(pair["one"][1:]), int(pair["other"][1:])]]
        assert len(rows) == SHOWN
        assert ((said >= 0).all(axis=1) & (said[:, 0] != said[:, 1])).all()


def test_no_row_disagrees():
    kept = Disagreements()
    votes = np.zeros((4, 2), dtype=np.int8)
    kept.add(pa.array([1, 2, 3, 4]), votes, None, conflicting_rows(votes))
    assert pairs_of(["a", "b"], conflict_matrix(votes), kept, lambda one, _: conflict_matrix(one)) == []
