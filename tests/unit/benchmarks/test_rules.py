"""Generated rules: one class each, as often and as right as stated, and together for the reason stated."""

import numpy as np
import pytest

from benchmarks.label_models.generator import Cell
from benchmarks.label_models.rules import RULE_KINDS, generate_rules


@pytest.mark.parametrize("kind", RULE_KINDS)
def test_a_rule_names_one_class_with_its_coverage_and_better_than_chance(kind: str) -> None:
    made = generate_rules(Cell(40_000, 12, 2, kind, seed=1))
    for column in made.votes.T:
        named = np.unique(column[column >= 0])
        assert len(named) == 1
        voted = column >= 0
        assert 0.015 < voted.mean() < 0.25
        assert (made.truth[voted] == named[0]).mean() > (made.truth == named[0]).mean()
    again = generate_rules(Cell(40_000, 12, 2, kind, seed=1))
    np.testing.assert_array_equal(again.votes, made.votes)


def test_rules_fire_together_given_the_class_for_another_reason_only_where_they_should() -> None:
    def together(kind: str) -> float:
        made = generate_rules(Cell(40_000, 12, 2, kind, seed=1))
        fired = (made.votes[made.truth == 0] >= 0).astype(float)
        return float(np.corrcoef(fired.T)[np.triu_indices(12, 1)].mean())

    independent, long_rows, trigger = (together(kind) for kind in RULE_KINDS)
    assert abs(independent) < 0.01
    assert long_rows > 0.1
    assert trigger > 0.1


def test_an_unknown_kind_names_those_there_are() -> None:
    with pytest.raises(ValueError, match="use one of rules, rules, long rows, rules, one trigger"):
        generate_rules(Cell(10, 2, 2, "sparse"))
