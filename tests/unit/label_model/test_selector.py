"""The reading of an abstain, validated leave-one-dataset-out: the thresholds that other sets give decide a set they have not seen.

Nine public vote sets (two of rules, seven of crowds), and generated ones, which are never left out of the others' side.
"""

from functools import cache

import numpy as np
import pytest

from labeljob.label_model import fit_statistics, from_votes, posterior
from labeljob.label_model.fitting import selection
from labeljob.label_model.fitting.selection import abstain_tests, named_readings
from labeljob.label_model.statistics.vote_statistics import vote_counts
from tests.unit.label_model.generators import expected_accuracy, independent, one_sided_rules, vote_set

RULES, CROWDS = ("sms", "tennis"), ("barzan", "bluebird", "dog", "rte", "sp", "weather", "zencrowd-us")
CANDIDATES = [(chi, cramer) for chi in (2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0) for cramer in (0.02, 0.05, 0.1, 0.15, 0.2)]


@cache
def evidence_of(name):
    """(tests of every function, `abstain_tests`; vote counts float64 [n_functions, n_classes]; whether it is a set of rules)."""
    kind, _, seed = name.partition("-generated-")
    if seed:
        balance = ((0.7, 0.3), (0.9, 0.1), (0.4, 0.3, 0.2, 0.1))[int(seed) % 3]
        made = (one_sided_rules if kind == "rules" else independent)(4000, 12, balance, int(seed))
        L, classes = made.L, len(balance)
    else:
        L, _, classes = vote_set(name)
    statistics = from_votes(L, classes)
    tests = abstain_tests(statistics.patterns, statistics.weights, classes)
    return tests, vote_counts(statistics, classes).astype(np.float64), name in RULES or kind == "rules"


def readings(name, thresholds):
    tests, counts, _ = evidence_of(name)
    return named_readings(tests, counts, *thresholds)


def read_right(name, thresholds):
    """Of a crowd the share of the votes whose function's abstain is read as missing; of rules 1 when some abstain is evidence, else 0.

    Which of the rules abstain by class nobody has labelled: where one does not, both readings say the same.
    """
    _, counts, rules = evidence_of(name)
    evidence, votes = np.array(readings(name, thresholds)) == "evidence", counts.sum(axis=1)
    return float(evidence.any()) if rules else votes[~evidence].sum() / votes.sum()


def best_without(name):
    """All thresholds that read the other sets best."""
    others = [one for one in (*RULES, *CROWDS) if one != name] + [f"{kind}-generated-{seed}" for kind in ("rules", "crowd") for seed in range(3)]
    scores = [sum(read_right(one, candidate) for one in others) for candidate in CANDIDATES]
    return [candidate for candidate, score in zip(CANDIDATES, scores, strict=True) if score >= max(scores) - 1e-9]


@pytest.mark.parametrize("name", [*RULES, *CROWDS])
def test_thresholds_of_the_other_sets_read_a_set_as_what_it_is(name):
    """C3: abstains are evidence in a set of rules, and missing in a crowd, by any thresholds that are best on sets which are not it."""
    found = {thresholds: read_right(name, thresholds) for thresholds in best_without(name)}
    assert (selection.CHI_SQUARED, selection.CRAMER) in found
    assert min(found.values()) >= 0.99, found


@pytest.mark.parametrize("name", [*RULES, *CROWDS])
def test_labels_are_no_worse_with_thresholds_of_the_other_sets(name):
    """C3: accuracy of `auto` falls by at most half a point when its thresholds are any that the other sets give."""
    L, Y, classes = vote_set(name)
    statistics = from_votes(L, classes)

    def accuracy(reading):
        return expected_accuracy(posterior(fit_statistics(statistics, classes, abstain=reading), L), L, Y)

    shipped = readings(name, (selection.CHI_SQUARED, selection.CRAMER))
    expected = accuracy(shipped)
    for reading in sorted({readings(name, thresholds) for thresholds in best_without(name)} - {shipped}):
        assert accuracy(reading) >= expected - 0.005
