"""`algorithm: auto`: what it reads into an abstain, what it picks, and that it says why."""

import numpy as np
import pytest

from benchmarks.label_models.generator import Cell, generate
from benchmarks.label_models.rules import RULE_KINDS, generate_rules
from labeljob.label_model import fit_statistics, from_votes, posterior
from labeljob.label_model.fitting import rules
from labeljob.label_model.fitting.selection import identifiable
from labeljob.scores import log_loss
from tests.unit.label_model.generators import expected_accuracy, independent, one_sided_rules, vote_set


def auto(L, classes, **arguments):
    return fit_statistics(from_votes(L, classes), classes, **arguments)


@pytest.mark.parametrize("balance", [(0.69, 0.31), (0.9, 0.1), (0.4, 0.3, 0.2, 0.1)])
def test_one_sided_rules_are_read_as_evidence(balance):
    model = auto(one_sided_rules(4000, 12, balance, seed=0).L, len(balance))
    assert set(model.abstain) == {"evidence"}
    assert (model.algorithm, model.reason) == ("committee", "CommitteeOfRules")
    assert "abstains are evidence" in model.why


@pytest.mark.parametrize(("balance", "functions", "seed"), [((0.5, 0.5), 12, 0), ((0.5, 0.5), 12, 3), ((0.6, 0.4), 12, 3), ((0.5, 0.5), 8, 3)])
def test_a_reading_of_rules_that_lost_the_classes_is_left_out(balance, functions, seed):
    """The coin here tells covered rows from others, and calls all covered ones one class: with it labels are worse than majority vote's."""
    data = one_sided_rules(3000, functions, balance, seed)
    model = auto(data.L, 2, abstain=["evidence"] * functions)
    assert [member.name for member in model.members] == ["weighted-vote", "dawid-skene", "flat vote"]
    assert "coin lost the classes and left out" in model.why
    majority = auto(data.L, 2, algorithm="majority-vote")
    ours, theirs = (expected_accuracy(posterior(one, data.L), data.L, data.Y) for one in (model, majority))
    assert ours > theirs + 0.01


@pytest.mark.parametrize("functions", [12, 40])
@pytest.mark.parametrize("kind", RULE_KINDS)
def test_rules_are_no_worse_than_majority_vote_whatever_sets_them_off(kind, functions):
    """On average over eight draws; one of them may lose a little."""
    gains, losses = [], []
    for seed in range(8):
        made = generate_rules(Cell(4_000, functions, 2, kind, seed))
        P = posterior(auto(made.votes, 2, abstain=["evidence"] * functions), made.votes)
        voted = np.stack([(made.votes == k).sum(axis=1) for k in range(2)], axis=1) + 1.0
        voted /= voted.sum(axis=1, keepdims=True)
        covered = (made.votes >= 0).any(axis=1)
        ours, theirs = (expected_accuracy(one, made.votes, made.truth) for one in (P, voted))
        gains.append(ours - theirs)
        losses.append(log_loss(P[covered], made.truth[covered]) - log_loss(voted[covered], made.truth[covered]))
    assert np.mean(gains) > 0.015
    assert min(gains) > -0.06
    assert np.mean(losses) < -0.02


@pytest.mark.parametrize("kind", ["rules, long rows", "rules, one trigger"])
def test_what_takes_long_rows_for_a_class_is_not_asked(kind):
    model = auto(generate_rules(Cell(5_000, 40, 2, kind)).votes, 2, abstain=["evidence"] * 40)
    assert {member.name: member.share for member in model.members} == {"weighted-vote": 0.25, "levels": 0.5, "flat vote": 0.25}
    assert "votes for different classes meet as often as by chance" in model.why
    alone = auto(generate_rules(Cell(5_000, 40, 2, "rules")).votes, 2, abstain=["evidence"] * 40)
    assert "levels" not in {member.name for member in alone.members}
    assert "meet" not in alone.why


def test_levels_that_took_a_class_for_a_level_are_fitted_again_with_the_balance_held():
    made = generate_rules(Cell(3_000, 40, 2, "rules, one trigger", seed=7), np.array([0.9, 0.1]))
    member = next(member for member in auto(made.votes, 2, abstain=["evidence"] * 40).members if member.name == "levels")
    balance = np.exp(member.log_prior).reshape(2, -1).sum(axis=1)
    voted = np.stack([(made.votes == k).sum(axis=1) for k in range(2)], axis=1)[(made.votes >= 0).any(axis=1)]
    shares = (voted / voted.sum(axis=1, keepdims=True)).mean(axis=0)
    np.testing.assert_allclose(balance, shares, atol=0.02)
    given = next(member for member in auto(made.votes, 2, abstain=["evidence"] * 40, class_balance=[0.9, 0.1]).members if member.name == "levels")
    np.testing.assert_allclose(np.exp(given.log_prior).reshape(2, -1).sum(axis=1), [0.9, 0.1])


def test_levels_that_keep_losing_the_classes_are_left_out(monkeypatch):
    made = generate_rules(Cell(3_000, 40, 2, "rules, one trigger"))
    monkeypatch.setattr(rules, "MOSTLY", 1.1)
    monkeypatch.setattr(rules, "LEAST_OF_LEVELS", 1.1)
    model = auto(made.votes, 2, abstain=["evidence"] * 40)
    assert [member.name for member in model.members] == ["weighted-vote", "flat vote"]
    assert "levels lost the classes and left out" in model.why


def test_levels_do_not_start_from_an_earlier_model():
    """It may have taken long rows for a class."""
    made = generate_rules(Cell(4_000, 16, 2, "rules, long rows", seed=1))
    statistics, abstain = from_votes(made.votes, 2), ["evidence"] * 16
    earlier = fit_statistics(statistics, 2, abstain=abstain, algorithm="dawid-skene")
    cold, warm = (fit_statistics(statistics, 2, abstain=abstain, start=start) for start in (None, earlier))
    ours, theirs = (expected_accuracy(posterior(one, made.votes), made.votes, made.truth) for one in (warm, cold))
    assert ours > theirs - 0.01


@pytest.mark.parametrize("given", [None, [0.5, 0.5]])
def test_a_reading_that_agrees_on_most_rows_or_is_told_the_balance_stays(given):
    """Where one class is rare, naming the other everywhere is no more than chance and yet mostly right."""
    rng = np.random.default_rng(1)
    if given:  # many rules for one class, a rare one for the other
        truth = rng.choice(2, 2000)
        rates = [(0.01, 0.002)] + [(0.05, 0.4)] * 5
    else:
        truth = rng.choice(2, 2000, p=(0.95, 0.05))
        rates = [(0.15, 0.03), (0.03, 0.15)] * 6
    votes = [np.where(rng.random(2000) < np.array(rate)[truth], int(rate[1] > rate[0]), -1) for rate in rates]
    L = np.stack(votes, axis=1).astype(np.int8)
    model = auto(L, 2, abstain=["evidence"] * L.shape[1], class_balance=given)
    assert [member.name for member in model.members] == ["weighted-vote", "dawid-skene", "coin", "flat vote"]
    assert "left out" not in model.why


def crowd(classes, seed=0):
    """Half of the rows are hard, for all functions alike."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(classes, size=1_500)
    right = rng.random((1_500, 9)) < np.where(rng.random(1_500) < 0.5, 0.95, 0.35)[:, None]
    votes = np.where(right, truth[:, None], rng.integers(classes, size=(1_500, 9)))
    return np.where(rng.random(votes.shape) < 0.7, votes, -1).astype(np.int8)


@pytest.mark.parametrize(("classes", "expected"), [(3, ["subtypes"] * 3), (12, ["coin", "confusions", "confusions at half the evidence"])])
def test_a_crowd_is_read_by_subtypes_and_a_flat_vote(classes, expected):
    model = auto(crowd(classes), classes)
    assert model.reason == "Committee"
    assert [member.name for member in model.members] == [*expected, "flat vote"]
    assert sum(member.share for member in model.members) == pytest.approx(1)
    assert f"{len(expected) + 1} models are averaged" in model.why


@pytest.mark.parametrize("seed", range(5))
def test_abstains_that_do_not_depend_on_the_class_are_missing(seed):
    assert set(auto(independent(3000, 12, (0.6, 0.4), seed).L, 2).abstain) == {"missing"}


def test_the_reading_is_decided_for_each_function():
    crowd = independent(4000, 8, (0.5, 0.5), seed=0)
    L = crowd.L.copy()
    L[crowd.Y == 1, 0] = -1
    model = auto(L, 2)
    assert model.abstain == ("evidence",) + ("missing",) * 7
    assert auto(L, 2, abstain=["missing"] * 8).abstain == ("missing",) * 8
    assert auto(L, 2, abstain=["auto"] * 7 + ["evidence"]).abstain == ("evidence", *["missing"] * 6, "evidence")


@pytest.mark.parametrize(
    ("L", "algorithm", "reason"),
    [
        ([[-1, -1], [-1, -1]], "majority-vote", "NoVotes"),
        ([[0], [1], [0]], "majority-vote", "TooFewFunctions"),
        ([[0, 1], [1, 1], [0, 0]], "majority-vote", "TooFewFunctions"),
        ([[0, -1, -1], [-1, 1, -1], [-1, -1, 1]], "majority-vote", "TooFewFunctions"),
        ([[1, 1, 1], [1, 1, -1]], "majority-vote", "OneClassVoted"),
        ([[0, 0, 1], [1, 1, 1], [1, 0, 1]], "weighted-vote", "NotIdentifiable"),
        ([[0, 0, 1], [1, 1, 0], [1, 0, 1]], "committee", "FewOverlaps"),
    ],
)
def test_what_cannot_be_learned_is_not_pretended(L, algorithm, reason):
    model = auto(np.array(L), 2)
    assert (model.algorithm, model.reason) == (algorithm, reason)
    assert len(model.why) > 20


IDENTIFIABLE = [
    ([2, 2, 2], 2, True),
    ([2, 2, 1], 2, False),
    ([2, 2, 2, 2], 3, False),
    ([2, 2, 2, 2, 2], 3, True),
    ([3, 3, 2], 3, True),
    ([2, 2, 3], 3, False),
]


@pytest.mark.parametrize(("outcomes", "classes", "expected"), IDENTIFIABLE)
def test_identifiability_follows_from_outcomes_and_classes(outcomes, classes, expected):
    assert identifiable(np.array(outcomes), classes) is expected


def test_four_one_sided_rules_do_not_identify_three_classes():
    """EM loses ten points to majority vote here when it tries."""
    data = one_sided_rules(2185, 4, (0.14, 0.44, 0.42), seed=19)
    model = auto(data.L, 3)
    assert (model.algorithm, model.reason) == ("weighted-vote", "NotIdentifiable")
    majority = expected_accuracy(posterior(auto(data.L, 3, algorithm="majority-vote"), data.L), data.L, data.Y)
    assert expected_accuracy(posterior(model, data.L), data.L, data.Y) >= majority - 0.01


def test_a_requested_algorithm_is_used_and_said():
    model = auto([[0, 0, 1], [1, 1, 1]], 2, algorithm="dawid-skene")
    assert (model.algorithm, model.reason, model.why) == ("dawid-skene", "Requested", "dawid-skene was asked for")


@pytest.mark.parametrize("seed", range(8))
def test_auto_is_not_worse_than_majority_vote_on_generated_votes(seed):
    """C3, X4: compared with majority vote on rules and crowds of many sizes."""
    rng = np.random.default_rng(seed)
    balance = (0.6, 0.4) if seed % 2 else (0.4, 0.3, 0.2, 0.1)
    make = one_sided_rules if seed % 4 < 2 else independent
    data = make(int(rng.integers(200, 3000)), int(rng.integers(5, 30)), balance, seed)
    scores = {}
    for algorithm in ("auto", "majority-vote"):
        P = posterior(auto(data.L, len(balance), algorithm=algorithm), data.L)
        scores[algorithm] = expected_accuracy(P, data.L, data.Y)
    assert scores["auto"] >= scores["majority-vote"] - 0.01


RULES = ("tennis", "sms")  # the other sets are crowds', whose missing votes are missing


def test_abstains_of_real_rules_are_evidence():
    L, _, classes = vote_set("sms")
    votes = (L >= 0).sum(axis=0)
    readings = np.array(auto(L, classes).abstain)
    assert (readings[votes > 0] == "evidence").all()
    assert "evidence" in auto(vote_set("tennis")[0], 2).abstain


LEAST = {
    "tennis": 0.88,
    "sms": 0.96,
    "weather": 0.985,
    "rte": 0.92,
    "dog": 0.82,
    "bluebird": 0.88,
    "sp": 0.90,
    "zencrowd-us": 0.87,
}


@pytest.mark.parametrize(("name", "least"), LEAST.items())
def test_auto_on_real_vote_sets(name, least):
    """C3: labels of real rules and crowds without gold, against their gold and against majority vote."""
    L, Y, classes = vote_set(name)
    model = auto(L, classes)
    assert name in RULES or set(model.abstain) == {"missing"}
    score = expected_accuracy(posterior(model, L), L, Y)
    majority = expected_accuracy(posterior(auto(L, classes, algorithm="majority-vote"), L), L, Y)
    assert score >= least
    assert score >= majority - 0.001


def test_auto_on_barzan_stays_near_majority_vote():
    """Its crowd leans to one class (.71 of the votes against .51 of the truth), which a learned class balance follows."""
    L, Y, classes = vote_set("barzan")
    model = auto(L, classes)
    assert set(model.abstain) == {"missing"}
    score = expected_accuracy(posterior(model, L), L, Y)
    assert score >= expected_accuracy(posterior(auto(L, classes, algorithm="majority-vote"), L), L, Y) - 0.02


@pytest.mark.parametrize(("name", "errors"), [("weather", 40), ("tennis", 85)])
def test_dawid_skene_on_real_vote_sets(name, errors):
    L, Y, classes = vote_set(name)
    P = posterior(auto(L, classes, algorithm="dawid-skene"), L)
    gold = int(((Y >= 0) & (L >= 0).any(axis=1)).sum())
    assert (1 - expected_accuracy(P, L, Y)) * gold <= errors


def test_a_collapse_on_real_sparse_rules_is_held_back():
    """Read as missing, 73 sparse one-sided rules send plain EM to the rare class."""
    L, Y, classes = vote_set("sms")
    for reading in ("missing", "evidence"):
        model = auto(L, classes, algorithm="dawid-skene", abstain=[reading] * L.shape[1])
        assert expected_accuracy(posterior(model, L), L, Y) >= 0.9


GRID = {
    "dependent": (10, 2, "NearCopies"),
    "near-copies": (12, 2, "NearCopies"),
    "sparse": (50, 2, "FewOverlaps"),
    "imbalanced": (10, 2, "Independent"),
    "adversarial": (10, 2, "Independent"),
    "independent": (10, 4, "Independent"),
}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("kind", "shape"), GRID.items())
def test_auto_on_the_generated_grid(kind, shape, seed):
    """C3, F2: never worse than majority vote by more than chance, and surer of what it says than a smoothed vote is."""
    functions, classes, reason = shape
    made = generate(Cell(2000, functions, classes, kind, seed))
    L, Y = made.votes, made.truth
    model = auto(L, classes)
    assert model.reason == reason
    P = posterior(model, L)
    tallies = np.stack([(k == L).sum(axis=1) for k in range(classes)], axis=1)
    covered = tallies.sum(axis=1) > 0
    best = tallies == tallies.max(axis=1, keepdims=True)
    majority = (best / best.sum(axis=1, keepdims=True))[np.arange(2000), Y]
    difference = ((P.argmax(axis=1) == Y) - majority)[covered]
    assert difference.mean() >= -2 * difference.std() / np.sqrt(covered.sum())
    smoothed = (tallies + 1) / (tallies + 1).sum(axis=1, keepdims=True)
    assert log_loss(P[covered], Y[covered]) <= log_loss(smoothed[covered], Y[covered])


def test_a_reading_that_is_none_is_named():
    L = independent(50, 3, (0.5, 0.5), seed=0).L
    for wrong in ("silence", ["auto"], None):
        with pytest.raises(ValueError, match="abstain is one of auto, evidence, missing for each of 3 functions"):
            auto(L, 2, abstain=["auto", wrong, "missing"])
