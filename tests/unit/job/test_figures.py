"""Figures of a fit whose rows are too many to keep: counted where they can be, scaled where they cannot."""

import numpy as np
import pytest

from labeljob.figures import FunctionCounts, RunFigures
from labeljob.gold import nothing_known
from labeljob.labelled import Labelled, Voters
from labeljob.votes import VoteBatch

VOTERS = Voters(("a", "b", "catch_all"), np.array([False, False, True]), np.full(3, 0.6), np.zeros((3, 2), dtype=bool), ())
VOTES = np.array([[0, 1, -1], [0, -1, -1], [-1, -1, 0], [1, 1, -1]], dtype=np.int8)


def labelled(confidence, covered, labels):
    confidence = np.array(confidence)
    return Labelled(np.column_stack([1 - confidence, confidence]), np.array(labels), confidence, confidence, np.array(covered))


def test_covered_and_conflicting_rows_are_counted_batch_by_batch():
    counts = FunctionCounts(VOTERS, 2)
    for batch in (VOTES[:1], VOTES[1:]):
        counts.add(VoteBatch(batch, np.zeros_like(batch, dtype=bool)), nothing_known(len(batch)))
    assert (counts.rows, counts.covered, counts.conflicting) == (4, 3, 1)
    np.testing.assert_array_equal(counts.conflicts, [1, 1, 0])


def test_a_sample_gives_means_and_the_counts_give_shares():
    """Coverage and conflict, which gates read, are of all rows; the mean confidence and the labels are those of the sample."""
    figures = RunFigures(VOTERS, 2)
    figures.add(VOTES, labelled([0.9, 0.6, 0.5, 0.8], [True, True, False, True], [1, 0, -1, 1]), np.array([2, 1, 1, 1]))
    before = figures.metrics(None)
    figures.scale_to(1000, 700, 50)
    assert figures.metrics(None) == {"rows": 1000, "coverage": 0.7, "conflictRate": round(50 / 700, 9), "meanConfidence": pytest.approx(before["meanConfidence"])}
    assert figures.label_distribution(["no", "yes"]) == pytest.approx({"no": 0.25, "yes": 0.75})


def test_what_was_no_sample_stays_as_it_is():
    figures = RunFigures(VOTERS, 2)
    figures.add(VOTES, labelled([0.9, 0.6, 0.5, 0.8], [True, True, False, True], [1, 0, -1, 1]))
    before = figures.metrics(None)
    figures.scale_to(4, 3, 1)
    assert figures.metrics(None) == before
