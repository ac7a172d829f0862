"""A fit that starts from an earlier model ends where a cold one does, sooner."""

from dataclasses import replace

import numpy as np
import pytest

from labeljob.label_model import LabelModel, fit_statistics, from_votes, merge, posterior
from tests.unit.label_model.generators import independent, one_sided_rules

ITERATE = ("one-coin", "dawid-skene", "hierarchical-dawid-skene", "mace", "glad")
EXACT = {"tolerance": 1e-10, "max_iterations": 3000}


@pytest.mark.parametrize("algorithm", ITERATE)
@pytest.mark.parametrize("make", [independent, one_sided_rules])
def test_grown_data_needs_fewer_iterations_for_the_same_answer(algorithm, make):
    """C3: a refit starts from the version before."""
    rows = 3600 if algorithm == "glad" else 12_000  # its rounds go through rows, not through patterns
    data = make(rows, 9, (0.6, 0.4), seed=4)
    reading = ["missing" if make is independent else "evidence"] * 9
    before, grown = from_votes(data.L[: rows * 5 // 6]), from_votes(data.L)
    earlier = fit_statistics(before, 2, algorithm=algorithm, abstain=reading, **EXACT)
    cold = fit_statistics(grown, 2, algorithm=algorithm, abstain=reading, **EXACT)
    warm = fit_statistics(grown, 2, algorithm=algorithm, abstain=reading, start=earlier, **EXACT)
    assert cold.converged
    assert warm.converged
    most = cold.iterations if algorithm == "one-coin" else cold.iterations - 1  # `vote_pairs` begins as near the end
    assert warm.iterations <= most, (warm.iterations, cold.iterations)
    np.testing.assert_allclose(posterior(warm, data.L), posterior(cold, data.L), atol=2e-3)


@pytest.mark.parametrize("algorithm", ["auto", "majority-vote", "weighted-vote", "generative", "triplet"])
def test_what_hardly_iterates_gives_the_same_answer(algorithm):
    data = independent(6000, 8, (0.6, 0.4), seed=2)
    earlier = fit_statistics(from_votes(data.L[:5000]), 2, algorithm=algorithm)
    statistics = merge(from_votes(data.L[:5000]), from_votes(data.L[5000:]))
    cold, warm = (fit_statistics(statistics, 2, algorithm=algorithm, start=start) for start in (None, earlier))
    np.testing.assert_allclose(posterior(warm, data.L), posterior(cold, data.L), atol=0.01)


@pytest.mark.parametrize("algorithm", [*ITERATE, "ebcc", "auto"])
def test_a_start_on_the_wrong_side_is_left(algorithm):
    """The guard holds whatever a fit starts from: EM alone stays in the mirror image of the solution."""
    data = independent(4000, 8, (0.5, 0.5), seed=3)
    statistics = from_votes(data.L)
    cold = fit_statistics(statistics, 2, algorithm=algorithm, abstain=["missing"] * 8)
    mirrored = replace(fit_statistics(statistics, 2, algorithm="one-coin"), log_weights=np.ascontiguousarray(cold.log_weights[:, :, ::-1]))
    warm = fit_statistics(statistics, 2, algorithm=algorithm, abstain=["missing"] * 8, start=mirrored)
    assert (posterior(warm, data.L).argmax(axis=1) == data.Y).mean() > 0.8
    np.testing.assert_allclose(posterior(warm, data.L), posterior(cold, data.L), atol=0.02)


def test_the_class_takes_a_start():
    data = independent(3000, 8, (0.6, 0.4), seed=1)
    first = LabelModel(2, "dawid-skene").fit(data.L[:2500])
    again, cold = LabelModel(2, "dawid-skene").fit(data.L, start=first.model_), LabelModel(2, "dawid-skene").fit(data.L)
    assert again.model_.iterations < cold.model_.iterations


@pytest.mark.parametrize(("functions", "classes"), [(7, 2), (8, 3)])
def test_a_start_of_other_functions_or_classes_is_refused(functions, classes):
    data = independent(200, 8, (0.6, 0.4), seed=1)
    other = fit_statistics(from_votes(data.L[:, :functions], classes), classes, algorithm="one-coin")
    message = f"start is a model of {functions} labeling functions and {classes} classes; these votes have 8 and 2: fit without a start"
    with pytest.raises(ValueError, match=message):
        fit_statistics(from_votes(data.L), 2, start=other)
